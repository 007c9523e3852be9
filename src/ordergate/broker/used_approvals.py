"""Which approvals were used: written, durably, before the request leaves.

Must never hold up a stop or a close: where the record fails, an exit goes on without it and new risk does not. The
record is then missing after a restart, so an exit's approval from before the start counts as perhaps sent (admission).

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

_log = structlog.get_logger()


class ApprovalUsed(msgspec.Struct, frozen=True):
    """The body of a row."""

    approval_id: str
    order_tag: str


class UsedApprovals:
    """The record, in a journal of its own."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._seq = 0
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
        async with self._turn:
            entry = Entry(BOOK, self._clock.now_ns(), KIND, VERSION, body)
            try:
                await self._journal.append([entry], {BOOK: self._seq})
            except JournalUnavailable as error:
                _log.error("the record of used approvals failed", approval_id=approval.approval_id, reason=str(error))
                return False
            self._seq += 1
        return True
