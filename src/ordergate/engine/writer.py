"""THE SPINE: the one writer of a risk group. It owns the state and is the only caller of ``decide``.

1. take the waiting inputs, each stamped with the time and the latest quotes;
2. decide and evolve, one after the other;
3. append all events of the batch, and wait until they are durable;
4. send on what the events call for, never waiting for a result;
5. results come back as inputs.

Invariants:
1. No effect and no answer leaves before the events it stands on are durable, but for exits in exit-only operation.
2. When an append fails the state before the batch stands. From then on the group is exit-only: facts, cancels, closes,
   flatten and stops go on, noted in an emergency file; every order that could add risk is answered JOURNAL_UNAVAILABLE.
3. Time never runs backwards for a decision, and what is due by it comes before what has arrived: an order that comes
   as the trading day opens is judged by the new day.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordergate.clock import Clock
from ordergate.core.account import Group
from ordergate.core.commands import (
    Answer,
    CancelOrder,
    ChangeLimits,
    LockOut,
    ModifyOrder,
    SetInterception,
    SetPaused,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.decide import Decided, decide, next_wake_ns
from ordergate.core.events import ApprovalKind, Event, OrderApproved
from ordergate.core.inputs import Input, Stamped, Started, Wake
from ordergate.core.market import Market
from ordergate.core.reports import FillReport, Quote
from ordergate.engine.decision_log import order_of
from ordergate.engine.effects import Outlet
from ordergate.engine.inbox import Class, Inbox, Pending
from ordergate.errors import JournalUnavailable
from ordergate.journal.codec import encode
from ordergate.journal.port import Entry, Journal
from ordergate.telemetry import Step, logger

# Enough to share one disk sync among a burst, few enough that an exit arriving now is decided within milliseconds.
BATCH_MAX = 64
# The wall clock is looked at again at least this often, should it have been set.
_WAKE_S_MAX = 60.0
_SECOND_NS = 1_000_000_000
UNWRITTEN = "the journal cannot be written: only cancel, close and flatten work until it is repaired"

# What may add risk, or must not be forgotten: without the journal it is refused.
_RECORDED_ONLY = (SubmitOrder, ModifyOrder, UpdateProtection, ChangeLimits, LockOut, SetInterception, SetPaused)

_log = logger("writer")


class EmergencyNotes(Protocol):
    """Where events are noted that the journal no longer takes."""

    def note(self, entry: Entry) -> None:
        """Best effort; never raises."""
        ...


class Writer:
    """See the module. ``seqs`` is the last journaled seq of each book."""

    def __init__(
        self,
        group: Group,
        seqs: dict[str, int],
        *,
        inbox: Inbox,
        quotes: Callable[[], dict[str, Quote]],
        journal: Journal,
        outlet: Outlet,
        clock: Clock,
        emergency: EmergencyNotes,
        step: Step,
        took: Callable[[str, int], None],
        waited: Callable[[Class, int], None],
    ) -> None:
        self.group = group
        self.exit_only = False
        self._seqs = seqs
        self._inbox = inbox
        self._quotes = quotes
        self._journal = journal
        self._outlet = outlet
        self._clock = clock
        self._emergency = emergency
        self._step = step
        self._took = took
        self._waited = waited
        self._last_ns = 0
        self._woken_ns = 0

    async def begin(self, started: Started) -> None:
        """The first decision of a life, before any other input. Raises ``SequenceConflict``."""
        await self.turn([Pending(Class.FACT, 0, started, self._clock.now_ns())])

    async def run(self) -> None:
        """Turn inputs into history, until cancelled. Raises ``SequenceConflict``: another writer owns the books."""
        while True:
            due_ns = next_wake_ns(self.group, self._woken_ns)
            batch = await self._inbox.take(BATCH_MAX, self._wait_s(due_ns))
            now_ns = self._clock.now_ns()
            if not batch or (due_ns is not None and due_ns <= now_ns):
                batch = [Pending(Class.FACT, 0, Wake(), now_ns), *batch]
            await self.turn(batch)

    async def turn(self, batch: list[Pending]) -> None:
        """Steps 2 to 4 for one batch."""
        group, decisions = self.group, []
        for pending in batch:
            answer = self._refused_exit_only(pending)
            decided = Decided(group, (), answer) if answer else self._decided(group, pending)
            group = decided.group
            decisions.append(decided)
        if not await self._recorded(decisions):
            await self._fall_back(batch)
            return
        number = self.group.version
        self.group = group
        for pending, decided in zip(batch, decisions, strict=True):
            await self._outlet.carry(decided, number + 1)
            number += len(decided.events)
            self._carried(pending, decided)

    def _decided(self, group: Group, pending: Pending) -> Decided:
        """Step 2 for one input."""
        stamped = self._stamp(pending)
        decided = decide(group, stamped)
        waited_ns = stamped.market.at_ns - pending.received_ns
        if not isinstance(pending.input, Started | Wake):  # they never waited
            self._waited(pending.priority, waited_ns)
        if isinstance(pending.input, SubmitOrder):
            self._took("queue", waited_ns)
            self._took("validation", self._clock.now_ns() - stamped.market.at_ns)
        return decided

    def _carried(self, pending: Pending, decided: Decided) -> None:
        """An order, or the stop of a fill, has been handed on: how long that took."""
        given = pending.input
        if isinstance(given, SubmitOrder) and any(isinstance(event, OrderApproved) for event in decided.events):
            self._took("total", self._clock.now_ns() - pending.received_ns)
        elif isinstance(given, FillReport) and any(_is_leg(event) for event in decided.events):
            self._took("sltp", self._clock.now_ns() - pending.received_ns)

    async def _recorded(self, decisions: list[Decided]) -> bool:
        """Step 3. False when the journal failed under this batch."""
        entries = [self._entry(decided.group, event) for decided in decisions for event in decided.events]
        if not entries:
            return True
        names = list(dict.fromkeys(_order_of(decided) for decided in decisions if decided.events))
        for name in names:
            self._step("decided", name)
        if self.exit_only:
            for entry in entries:
                self._emergency.note(entry)
            return True
        expected = {entry.book: self._seqs.get(entry.book, 0) for entry in entries}
        began_ns = self._clock.now_ns()
        try:
            await self._journal.append(entries, expected)
        except JournalUnavailable as error:
            _log.error("journal unavailable: exit-only from here on", error=str(error))
            return False
        for entry in entries:
            self._seqs[entry.book] = self._seqs.get(entry.book, 0) + 1
        self._took("recording", self._clock.now_ns() - began_ns)
        for name in names:
            self._step("recorded", name)
        return True

    async def _fall_back(self, batch: list[Pending]) -> None:
        """The batch is dropped; what may not wait is decided again without the journal."""
        self.exit_only = True
        await self.turn(batch)

    def _refused_exit_only(self, pending: Pending) -> Answer | None:
        command = pending.input
        if not self.exit_only or not isinstance(command, _RECORDED_ONLY):
            return None
        return Answer(
            command.request_id,
            ok=False,
            order_id=getattr(command, "order_id", None),
            code="JOURNAL_UNAVAILABLE",
            message=UNWRITTEN,
        )

    def _stamp(self, pending: Pending) -> Stamped:
        self._last_ns = max(self._last_ns, self._clock.now_ns())
        command = pending.input
        if isinstance(command, Wake):
            self._woken_ns = self._last_ns
        return Stamped(
            input=command,
            market=Market(self._quotes(), self._last_ns),
            received_ns=pending.received_ns,
            superseded=self._inbox.superseded(pending),
            queued_account=self._queued_account(command),
            delayed_ns=pending.delayed_ns,
        )

    def _queued_account(self, command: Input) -> int | None:
        if not isinstance(command, CancelOrder):
            return None
        return self._inbox.order_account(command.order_id, command.account_id)

    def _entry(self, group: Group, event: Event) -> Entry:
        kind, version, body = encode(event)
        return Entry(group.book(event.account_id), self._last_ns, kind, version, body)

    def _wait_s(self, due_ns: int | None) -> float:
        if due_ns is None:
            return _WAKE_S_MAX
        return min(_WAKE_S_MAX, max(0.0, (due_ns - self._clock.now_ns()) / _SECOND_NS))


def _is_leg(event: Event) -> bool:
    return isinstance(event, OrderApproved) and event.kind is ApprovalKind.LEG


def _order_of(decided: Decided) -> str:
    """The order that was decided on: the first that its events name, empty where they name none."""
    return next(filter(None, map(order_of, decided.events)), "")
