"""The gate of one risk group: recovery, the writer and everything that feeds it.

A writer that crashes is recovered once from the journal; the same again leaves the group halted, and so does a second
writer in its books: nothing more is decided here, commands are answered HALTED, and what rests at the broker stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from ordergate.bus.port import Bus, BusHealth, Topic
from ordergate.bus.topics import ALIVE_S, News, State, StateWanted, request
from ordergate.clock import Clock
from ordergate.core.account import Group
from ordergate.core.commands import Answer, Command, SubmitOrder
from ordergate.core.events import Event
from ordergate.core.exposure import closable
from ordergate.core.inputs import Started
from ordergate.core.market import Market, fresh_quotes
from ordergate.core.reports import LinkReport, Report
from ordergate.engine import decision_log
from ordergate.engine.announcer import Announcer
from ordergate.engine.counts import Counts, counted
from ordergate.engine.documented import documented
from ordergate.engine.effects import Outlet
from ordergate.engine.inbox import Class, Inbox
from ordergate.engine.metrics import Metrics, Seen
from ordergate.engine.protection_figures import Protection, ProtectionFigures
from ordergate.engine.quotes import QuoteBoard
from ordergate.engine.recovery import recover
from ordergate.engine.senders import Senders
from ordergate.engine.webhook import Webhook
from ordergate.engine.writer import UNWRITTEN, EmergencyNotes, Writer
from ordergate.errors import SequenceConflict, StartRefused
from ordergate.journal.port import Journal
from ordergate.telemetry import Step, logger

_reports = msgspec.json.Decoder(Report)
_log = logger("gate")

# Design, section 7: modes that let unchecked or denied orders through are told of at the start and every minute.
_WARNING_S = 60.0
_HALTED = "the gate has halted; close positions at the broker and see the log"


class Gate:
    """Built, then ``open``ed (recovery), then ``run`` until cancelled. ``delay_s``: new risk waits so long."""

    def __init__(
        self,
        *,
        bus: Bus,
        journal: Journal,
        clock: Clock,
        approval_key: bytes,
        started: Started,
        orders_max: int,
        delay_s: float,
        emergency: EmergencyNotes,
        step: Step,
        webhook: Webhook | None = None,
    ) -> None:
        self._bus = bus
        self._journal = journal
        self._clock = clock
        self._started = started
        self._emergency = emergency
        self._step = step
        self._inbox = Inbox(orders_max)
        self._delay_s = delay_s
        self._senders = Senders()
        self._protection = ProtectionFigures()
        self._webhook = webhook
        self._began_ns = clock.now_ns()
        self.counts = Counts()
        self.metrics = Metrics(self._seen)
        self._announcer = Announcer(clock.now_ns, webhook, self.metrics.raised)
        self._outlet = Outlet(bus, approval_key, step, self._heard, self.metrics.answered)
        self._board = QuoteBoard(bus, self._inbox, clock, self._held)
        self._orders = bus.consume(Topic.ORDERS, "gate")
        self._reports = bus.consume(Topic.REPORTS, "gate")
        self._writer: Writer | None = None
        self._link: LinkReport | None = None
        self._crashed = False
        self.halted = False

    @property
    def group(self) -> Group:
        """The state as it stands."""
        assert self._writer is not None, "open() comes first"
        return self._writer.group

    @property
    def enforcing(self) -> bool:
        """False once the journal has failed (exits only) or the writer has stopped for good (nothing).

        And while the modes let an order reach the broker that was not checked, or that breaks limits.
        """
        is_deciding = self._writer is not None and not self._writer.exit_only and not self.halted
        return is_deciding and self.group.modes.enforcing

    @property
    def exit_only(self) -> bool:
        """Whether the journal has failed, so that only exits go on."""
        return self._writer is not None and self._writer.exit_only

    @property
    def compared(self) -> bool:
        """Whether the link is up, and the first comparison with the broker is done."""
        group = self.group
        compared = [
            account.reconciled_ns and not account.snapshot_since_ns and not account.unexplained
            for account in group.accounts.values()
        ]
        return group.link_up and bool(compared) and all(compared)

    @property
    def quoted(self) -> bool:
        """Whether every allowed product has a fresh quote.

        However old where the exchange closes: then it quotes nothing, and what is sent now is denied for that.
        """
        group = self.group
        active = {i.symbol: i.contract_id for i in group.instruments.values() if i.active}
        now_ns, limits = self._clock.now_ns(), group.limits
        latest = self._board.latest
        quoted = latest if limits.session_only else fresh_quotes(latest, limits.quote_age_ms_max, now_ns)
        return all(active.get(symbol) in quoted for symbol in limits.allowed_symbols)

    @property
    def bus_health(self) -> BusHealth | None:
        return self._bus.health

    @property
    def protection(self) -> Protection:
        """How long fills have waited for their stops since this process began, and what has none now."""
        return self._protection.figures(self.group, self._clock.now_ns())

    async def open(self) -> None:
        """Recover, and begin: what left before and was not answered is in doubt. Raises ``JournalError``.

        Durable before anything can be seen of it: the recovered state still believes in the link of its last life.
        Raises ``StartRefused`` where that state is of paper and this start is not, or the other way round.
        """
        group, seqs = await recover(self._journal)
        if group.install_id and group.modes.shadow is not self._started.modes.shadow:
            made, now = ("shadow", "live") if group.modes.shadow else ("live", "shadow")
            raise StartRefused(f"the journal was made in {made} mode: a {now} start needs a state directory of its own")
        writer = Writer(
            group,
            seqs,
            inbox=self._inbox,
            quotes=lambda: dict(self._board.latest),
            journal=self._journal,
            outlet=self._outlet,
            clock=self._clock,
            emergency=self._emergency,
            step=self._step,
            took=self.metrics.took,
            waited=self.metrics.waited,
        )
        await writer.begin(self._started)
        self._writer = writer
        if self._link is not None:
            # A writer that crashed lost the batch it was in: with the link told anew, the broker is read again.
            await self._inbox.put_fact(self._link, self._clock.now_ns())

    async def take(self, command: Command) -> None:
        """Queue ``command``; a full queue, or a writer that has stopped, is answered at once."""
        order_id, now_ns = getattr(command, "order_id", None), self._clock.now_ns()
        if self.halted:
            code, message = "HALTED", _HALTED
        elif not self._queued(command, now_ns):
            code, message = "QUEUE_FULL", "too many orders are waiting; nothing was sent, try again in a moment"
        else:
            return
        answer = Answer(command.request_id, ok=False, order_id=order_id, code=code, message=message)
        decision_log.refused(answer)
        await self.refuse(answer)

    def _delayed_ns(self, command: Command, now_ns: int) -> int:
        if not isinstance(command, SubmitOrder):
            return 0  # no other command says when it was sent
        ahead_ms_max = self.group.limits.clock_ahead_ms_max
        return self._senders.delayed_ns(command.instance_id, command.sent_ns, now_ns, ahead_ms_max)

    @property
    def waiting(self) -> Mapping[Class, int]:
        """How many inputs wait for a decision, by whose place they take."""
        return self._inbox.waiting

    def waits(self, order_id: str) -> bool:
        """Whether an order of that id is here and not decided yet."""
        return self._inbox.order_account(order_id) is not None

    def _queued(self, command: Command, now_ns: int) -> bool:
        """Whether there was room. PROCESSING_DELAY_MS is for what may add risk: what only closes waits for nothing."""
        closes = isinstance(command, SubmitOrder) and self._only_closes(command)
        wait_s = self._delay_s if isinstance(command, SubmitOrder) and not closes else 0
        return self._inbox.put_command(command, now_ns, self._delayed_ns(command, now_ns), wait_s, closes=closes)

    def _only_closes(self, order: SubmitOrder) -> bool:
        account = self.group.accounts.get(order.account_id)
        return account is not None and closable(account, order.contract_id, order.side) >= order.quantity

    def follow(self) -> asyncio.Queue[News]:
        """All that the gate tells from now on, for a follower in this process, who must take it."""
        return self._outlet.follow()

    async def refuse(self, answer: Answer) -> None:
        """Tell that something never became a command."""
        await self._outlet.tell(answer)

    async def run(self) -> None:
        """Decide until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outlet.run(), name="outlet")
            tasks.create_task(self._board.read(), name="quotes")
            tasks.create_task(self._board.mark(), name="marks")
            tasks.create_task(self._read_orders(), name="orders")
            tasks.create_task(self._read_reports(), name="reports")
            tasks.create_task(self._supervise(), name="writer")
            tasks.create_task(self._warn(), name="warning")
            tasks.create_task(self._beat(), name="heartbeat")
            if self._webhook is not None:
                tasks.create_task(self._webhook.run(), name="webhook")

    @property
    def now_ns(self) -> int:
        return self._clock.now_ns()

    @property
    def uptime_s(self) -> float:
        """For how long it has been there (>= 0)."""
        return (self._clock.now_ns() - self._began_ns) / 1_000_000_000

    @property
    def documented(self) -> dict[str, Any]:
        """The documented figures of the aggregator."""
        seen = self._seen()
        return documented(
            seen.group,
            seen.market,
            seen.waiting,
            self.counts,
            queue_ms=self.metrics.average_ms("queue"),
            decision_ms=self.metrics.average_ms("validation"),
            status="HALTED" if self.halted else "EXIT_ONLY" if self.exit_only else "RUNNING",
            uptime_s=self.uptime_s,
        )

    def _seen(self) -> Seen:
        return Seen(
            group=self.group,
            market=Market(dict(self._board.latest), self._clock.now_ns()),
            waiting=self._inbox.waiting,
            enforcing=self.enforcing,
            exit_only=self.exit_only,
            halted=self.halted,
            bus_health=self._bus.health,
            webhook=None if self._webhook is None else self._webhook.figures,
        )

    def _heard(self, group: Group, event: Event, number: int) -> None:
        decision_log.heard(group, event)
        self.metrics.heard(event)
        account = group.accounts.get(event.account_id)
        order = None if account is None else account.order(getattr(event, "order_id", None))
        self.counts = counted(self.counts, event, order)
        gap_ns = self._protection.heard(event)
        if gap_ns is not None:
            self.metrics.protected(gap_ns)
        self._announcer.heard(group, number)

    async def _beat(self) -> None:
        """So that whoever follows knows of a gate that has died, or that nothing has come because nothing happened."""
        told, loop = "", asyncio.get_running_loop()
        while True:
            code, trouble = self._trouble()
            if code and code != told:
                self._announcer.troubled(code, trouble)
            told = code
            await self._outlet.beat(trouble)
            due_s = loop.time() + ALIVE_S
            await asyncio.sleep(ALIVE_S)
            self.metrics.lagged(max(0.0, loop.time() - due_s))

    def _trouble(self) -> tuple[str, str]:
        """What is wrong with the gate itself: a code and a sentence, both empty where nothing is."""
        if self.halted:
            return "GATE_HALTED", _HALTED
        if self.exit_only:
            return "JOURNAL_UNAVAILABLE", UNWRITTEN
        return "", ""

    async def _warn(self) -> None:
        while True:
            modes = self.group.modes
            if not modes.enforcing:
                _log.warning("limits are not enforced", modes=modes.text)
            await asyncio.sleep(_WARNING_S)

    async def _supervise(self) -> None:
        while True:
            spine = asyncio.create_task(self._spine(), name="spine")
            try:
                await asyncio.wait({spine})
            finally:
                spine.cancel()
            error = spine.exception()
            # A second writer owns the books now, or the same crash would come again: no more decisions are made here.
            self.halted = self._crashed or isinstance(error, SequenceConflict)
            self._crashed = True
            _log.critical("the writer stopped", halted=self.halted, exc_info=error)
            if not self.halted:
                self._announcer.troubled(
                    "GATE_CRASHED", "a decision failed; read anew from the journal; once more halts"
                )
            if self.halted:
                return

    async def _spine(self) -> None:
        if self._crashed:
            await self.open()
        assert self._writer is not None, "open() comes first"
        await self._writer.run()

    async def _read_orders(self) -> None:
        async for message in self._orders:
            asked = request(message)
            if isinstance(asked, StateWanted):
                await self._outlet.tell(State(self.group))
            else:
                await self.take(asked)

    async def _read_reports(self) -> None:
        async for message in self._reports:
            report: Report = _reports.decode(message)
            if isinstance(report, LinkReport):
                self._link = report
            await self._inbox.put_fact(report, self._clock.now_ns())

    def _held(self) -> frozenset[str]:
        accounts = self.group.accounts.values()
        return frozenset(contract_id for account in accounts for contract_id in account.positions)
