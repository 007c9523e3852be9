"""The connection manager: commands in, requests out, reports back. Nothing else talks to the broker.

Must never send a place or a modify without a valid approval, nor send anything a second time. What sending is, to the
broker or on paper, is the last hop's: the rules here are the same for both.

Invariants:
1. No valid approval, no place, no modify: the rule is ``admission``, and every path to ``Order/place`` passes it.
2. An approval's id is durable before its request leaves; only a stop or a close goes on where the record fails.
3. Every admitted request ends in exactly one outcome report, and "not sent" is said only where it is certain.
4. An exit never waits behind an entry: each topic has its lane, and a part of the request limit is kept for exits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import msgspec
import structlog

from ordergate.broker import approvals, challenge, health, history
from ordergate.broker.admission import Admission, Refused
from ordergate.broker.approvals import Approved, Introduce
from ordergate.broker.connection import Connection, Settings
from ordergate.broker.endpoints import BODY_BYTES_MAX, Endpoints, refused
from ordergate.broker.gate_line import GateLine
from ordergate.broker.lanes import lane
from ordergate.broker.last_hop import LastHop, Live
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.reading import Reader
from ordergate.broker.shadow import Shadow
from ordergate.broker.used_approvals import UsedApprovals
from ordergate.bus.port import Bus, Topic
from ordergate.clock import Clock
from ordergate.core.effects import Cancel, LookUp, Modify, Place, RaiseEpoch, ReadSnapshot, Urgency
from ordergate.core.events import ApprovalKind
from ordergate.core.reports import (
    ApprovalRefused,
    LookupOutcome,
    ModifyOutcome,
    Outcome,
    PlaceOutcome,
    Quote,
    Report,
    Unreadable,
)
from ordergate.errors import BrokerRefused, InputRefused, NoRoom, NotSent, TransportError
from ordergate.journal.port import Journal
from ordergate.net import guard
from ordergate.net.port import Network, Request, Response, RunningServer

_CONSUMER = "connection-manager"
# Of what a forger may have written, as it stands in the journal and the log.
TEXT_MAX = 200
_CANCELLING = Passage(exits=True, wait_s=60.0)

Trace = Callable[[str, str], None]
_Outcome = PlaceOutcome | ModifyOutcome

_log = structlog.get_logger(part="broker")
_orders: msgspec.json.Decoder[approvals.Order] = msgspec.json.Decoder(approvals.Order)
_encoder = msgspec.json.Encoder()


def untraced(_step: str, _name: str) -> None:
    """The trace of a run that nobody follows."""


class ConnectionManager:
    """One broker login. From its construction no command is lost; ``run`` carries them out until cancelled.

    ``trace(step, name)`` is called at each step of a request: "command received", "approval recorded", "order sent",
    "order answered", "report published"; ``name`` is the order's id.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        network: Network,
        clock: Clock,
        journal: Journal,
        approval_key: bytes,
        settings: Settings,
        rng: random.Random,
        trace: Trace = untraced,
    ) -> None:
        self._bus = bus
        self._network = network
        self._clock = clock
        self._key = approval_key
        self._settings = settings
        self._trace = trace
        self._commands = bus.consume(Topic.COMMANDS, _CONSUMER)
        self._exits = bus.consume(Topic.EXITS, _CONSUMER)
        self._gate = GateLine(bus, _CONSUMER)
        self._started_ns = clock.now_ns()
        self._used = UsedApprovals(journal, clock)
        self._admission = Admission(
            key=approval_key, venue=settings.venue, started_ns=self._started_ns, shadow=settings.shadow
        )
        self._connection = Connection(
            network=network,
            clock=clock,
            settings=settings,
            rng=rng,
            publish=self._publish,
            shown=self._shown,
            tell=self._tell,
        )
        client, catalogue = self._connection.client, self._connection.catalogue
        self._last_hop: LastHop = (
            Shadow(client=client, catalogue=catalogue, clock=clock, journal=journal, publish=self._connection.heard)
            if settings.shadow
            else Live(client, Reader(client, catalogue, clock), self._connection.promised)
        )
        self._history = history.History(client, clock)
        self._endpoints = Endpoints(
            connection=self._connection, gate=self._gate, clock=clock, rng=rng, health=self.health
        )
        # Snapshots that have not begun, and one at a time under way, by account: those that are asked for again and
        # again while the request limit is used up would use it up for ever. One waits for those of its urgency alone.
        self._unbegun: dict[int, ReadSnapshot] = {}
        self._snapshots: dict[tuple[int, Urgency], asyncio.Lock] = {}

    async def run(self) -> None:
        """Connect and work until cancelled.

        Raises ``StartRefused`` when the broker refuses the login, ``JournalDamaged``, and, in an exception group,
        ``SequenceConflict``: another connection manager has taken over.
        """
        try:
            self._admission.remember(await self._used.load())
            await self._last_hop.open()
            await self._connection.begin()
            await self._connection.log_in()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gate.run())
                tasks.create_task(lane(self._exits, self._act))
                tasks.create_task(lane(self._commands, self._act))
                tasks.create_task(self._last_hop.run())
                tasks.create_task(self._connection.run())
        finally:
            await self._connection.close()
            self._exits.close()
            self._commands.close()
            self._gate.close()

    async def serve(self, host: str, port: int) -> RunningServer:
        """Answer ``GET /challenge``, ``/api/bars`` and the calls of ``endpoints``. Raises ``PortInUse``."""
        return await self._network.serve(self._answer, host=host, port=port, body_bytes_max=BODY_BYTES_MAX)

    def health(self) -> health.Health:
        """How all that it stands on is now; ``health.figures`` has the numbers of it."""
        now_ns, redis, silent_s = self._clock.now_ns(), self._bus.health, self._gate.silent_s
        gate = health.GatePart(
            status="silent" if self._gate.fault else health.OK,
            why=self._gate.fault,
            last_heard_age_ms=None if silent_s is None else round(silent_s * 1_000),
        )
        journal = health.record(self._used.failure, self._used.written_ns, now_ns)
        return health.health(
            self._connection.parts(journal=journal, gate=gate, redis=health.redis(redis)),
            accounts=tuple(self._connection.view.accounts),
            shadow=self._settings.shadow,
            started_ns=self._started_ns,
            now_ns=now_ns,
            redis=redis,
        )

    async def _answer(self, request: Request) -> Response:
        try:
            guard.check(request)
        except InputRefused as error:
            return refused(error)
        match request.path:
            case history.PATH:
                return await self._history.answer(request)
            case challenge.PATH:
                return challenge.answer(request.query, self._proof(), self._key)
            case _:
                return await self._endpoints.answer(request)

    def _proof(self) -> challenge.Proof:
        settings = self._settings
        return challenge.Proof(
            nonce="",
            venue=settings.venue,
            login=settings.credentials.user_name,
            gateway_url=settings.gateway_url,
            shadow=settings.shadow,
            at_ns=self._clock.now_ns(),
        )

    async def _act(self, message: bytes) -> None:
        try:
            order = _orders.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await self._turned_away(0, "", "", f"a command cannot be read: {error}")
            return
        match order:
            case Approved():
                await self._approved(order)
            case Place() | Modify():
                await self._turned_away(order.terms.account_id, "", order.order_tag, "it has no approval")
            case Introduce():
                await self._connection.introduce()
            case Cancel():
                await self._cancel(order)
            case LookUp():
                await self._look_up(order)
            case ReadSnapshot():
                await self._read_snapshot(order)
            case RaiseEpoch():
                self._admission.raise_epoch(order.account_id, order.epoch)

    async def _approved(self, approved: Approved) -> None:
        approval, name = approved.approval, approved.effect.order_id
        self._trace("command received", name)
        refused = self._admission.admit(approved, self._clock.now_ns())
        if refused is None and await self._used.record(approval):
            self._trace("approval recorded", name)
        elif refused is None and approval.kind.adds_risk:
            refused = Refused(Outcome.NOT_SENT, "the record of used approvals failed")
        if refused is None:
            outcome = await self._sent(approved)
        else:
            await self._turned_away(
                approved.effect.terms.account_id, approval.approval_id, approval.order_tag, refused.text, name
            )
            if refused.outcome is None:
                return
            outcome = _unsent(approved, refused.outcome, refused.text)
        await self._publish(outcome)
        self._trace("report published", name)

    async def _turned_away(
        self, account_id: int, approval_id: str, tag: str, reason: str, order_id: str | None = None
    ) -> None:
        """Nothing left, and it is known that somebody tried: in the log, and in the journal of the gate."""
        _log.error("an approval was refused", order=order_id, approval_id=approval_id, order_tag=tag, reason=reason)
        text = [each[:TEXT_MAX] for each in (approval_id, tag, reason)]
        await self._publish(ApprovalRefused(account_id, *text))

    async def _sent(self, approved: Approved) -> _Outcome:
        """Check what can only be checked now, and send."""
        approval, effect = approved.approval, approved.effect
        terms = effect.terms

        def leaving() -> None:
            lapsed = self._admission.lapsed(approved, self._clock.now_ns())
            if lapsed is not None:
                raise NotSent(lapsed)
            self._trace("order sent", effect.order_id)

        wait_s = max(0, approval.expires_ns - self._clock.now_ns()) / 1_000_000_000
        passage = Passage(exits=not approval.kind.adds_risk, wait_s=wait_s)
        try:
            instrument = await self._connection.catalogue.instrument(terms.contract_id, passage)
            if approval.kind is ApprovalKind.REDUCING and isinstance(effect, Place):
                text = await self._last_hop.not_reducing(terms, passage)
                if text is not None:
                    return _unsent(approved, Outcome.NOT_SENT, text)
        except (TransportError, BrokerRefused, InputRefused) as error:
            return _unsent(approved, Outcome.NOT_SENT, str(error))
        passage = msgspec.structs.replace(passage, leaving=leaving)
        outcome: _Outcome
        if isinstance(effect, Place):
            outcome = await self._last_hop.place(effect, instrument, passage)
        else:
            outcome = await self._last_hop.modify(effect, instrument, passage)
        self._trace("order answered", effect.order_id)
        return outcome

    async def _cancel(self, cancel: Cancel) -> None:
        name = cancel.order_id
        self._trace("command received", name)
        passage = msgspec.structs.replace(_CANCELLING, leaving=lambda: self._trace("order sent", name))
        outcome = await self._last_hop.cancel(cancel.account_id, cancel.broker_order_id, passage)
        self._trace("order answered", name)
        await self._publish(outcome)
        self._trace("report published", name)

    async def _look_up(self, asked: LookUp) -> None:
        try:
            found = await self._last_hop.order_of(asked)
            fills = () if found is not None else await self._last_hop.fills_since(asked)
        except (TransportError, BrokerRefused, InputRefused) as error:
            await self._unread(asked.account_id, error)
            await self._publish(LookupOutcome(asked.account_id, asked.order_tag, Outcome.UNKNOWN))
            return
        await self._publish(LookupOutcome(asked.account_id, asked.order_tag, Outcome.DONE, found, fills))

    async def _read_snapshot(self, asked: ReadSnapshot) -> None:
        account_id = asked.account_id
        waiting = self._unbegun.get(account_id)
        if waiting is not None and waiting.since_ns <= asked.since_ns and waiting.urgency >= asked.urgency:
            return  # it will begin later than this was asked, and shows all of it
        self._unbegun[account_id] = asked

        def begins() -> None:
            if self._unbegun.get(account_id) is asked:
                del self._unbegun[account_id]

        try:
            async with self._snapshots.setdefault((account_id, asked.urgency), asyncio.Lock()):
                snapshot = await self._last_hop.snapshot(asked, begins)
        except (TransportError, BrokerRefused, InputRefused) as error:
            await self._unread(account_id, error)
            return
        finally:
            begins()
        await self._connection.heard(snapshot)

    async def _unread(self, account_id: int, error: TransportError | BrokerRefused | InputRefused) -> None:
        """A reading failed: its asker asks again by itself, but must know that we do not see."""
        _log.warning("the broker could not be read", account_id=account_id, reason=str(error))
        if isinstance(error, InputRefused):
            await self._publish(Unreadable(account_id, error.message))
        elif not isinstance(error, NoRoom):  # else the link's return would ask for a snapshot of every account
            await self._connection.reading_failed(str(error))

    async def _shown(self, report: Report) -> Report | None:
        return await self._last_hop.shown(report)

    async def _publish(self, report: Report) -> None:
        await self._bus.send(Topic.REPORTS, _encoder.encode(report))

    def _tell(self, quote: Quote) -> None:
        self._last_hop.quoted(quote)
        self._bus.tell(quote.contract_id, _encoder.encode(quote))


def _unsent(approved: Approved, outcome: Outcome, text: str) -> _Outcome:
    """The outcome of a request that did not leave now."""
    effect = approved.effect
    account_id, tag = effect.terms.account_id, effect.order_tag
    if isinstance(effect, Place):
        return PlaceOutcome(account_id, tag, outcome, text=text)
    return ModifyOutcome(account_id, tag, effect.grant.number, outcome, text=text)
