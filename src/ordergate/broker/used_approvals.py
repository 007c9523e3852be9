"""Which approvals were used: written, durably, before the request leaves.

Must never hold up a stop or a close: where the record fails, an exit goes on without it and new risk does not. The
record is then missing after a restart, so an exit's approval from before the start counts as perhaps sent (admission).

Approvals that come while a write is under way share the next one: a request waits for two syncs at most, however many
leave at once.

Invariants:
1. When ``record`` returns True, the approval's id is found by ``load`` after any crash.
2. ``SequenceConflict`` is never swallowed: a second connection manager writes this book, and this one must end.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from ordergate.broker.approvals import Approval
from ordergate.clock import Clock
from ordergate.errors import JournalDamaged, JournalUnavailable
from ordergate.journal.port import Entry, Journal

BOOK = "connection-manager"
KIND = "approval-used"
VERSION = 1

_log = structlog.get_logger(part="broker")


class ApprovalUsed(msgspec.Struct, frozen=True):
    """The body of a row."""

    approval_id: str
    order_tag: str


class _Record(msgspec.Struct):
    """One approval that waits for its write; ``durable`` None: not written yet."""

    entry: Entry
    durable: bool | None = None


class UsedApprovals:
    """The record, in a journal of its own.

    ``failure`` is why the last write failed, or empty; ``written_ns`` is when one last succeeded in this run.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._seq = 0
        self.written_ns: int | None = None
        self.failure = ""
        self._waiting: list[_Record] = []
        self._turn = asyncio.Lock()  # each append names the seq before it

    async def load(self) -> list[str]:
        """The ids used so far. Raises ``JournalDamaged``."""
        used = []
        async for row in self._journal.read():
            if row.book != BOOK:
                continue
            if (row.kind, row.version) != (KIND, VERSION):
                raise JournalDamaged(f"{BOOK} {row.seq}: {row.kind} version {row.version} is not known")
            used.append(msgspec.json.decode(row.body, type=ApprovalUsed).approval_id)
            self._seq = row.seq
        return used

    async def record(self, approval: Approval) -> bool:
        """Whether the id is durable. Raises ``SequenceConflict``."""
        body = msgspec.json.encode(ApprovalUsed(approval.approval_id, approval.order_tag))
        mine = _Record(Entry(BOOK, self._clock.now_ns(), KIND, VERSION, body))
        self._waiting.append(mine)
        async with self._turn:
            if mine.durable is None:
                await self._write_waiting()
        return bool(mine.durable)

    async def _write_waiting(self) -> None:
        """Write all that wait as one append: they are durable together, or none is."""
        records = self._waiting[:]
        try:
            await self._journal.append([record.entry for record in records], {BOOK: self._seq})
        except JournalUnavailable as error:
            _log.error("the record of used approvals failed", approvals=len(records), reason=str(error))
            self.failure = str(error)
            durable = False
        else:
            self.failure, self.written_ns = "", self._clock.now_ns()
            self._seq += len(records)
            durable = True
        del self._waiting[: len(records)]
        for record in records:
            record.durable = durable
