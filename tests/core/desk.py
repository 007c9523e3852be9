"""A desk of one trader: feeds inputs to ``decide``, keeps the state, and speaks for the broker where it is told to.

It judges nothing and knows no rules. The broker's lines (``accept``, ``fill``, ...) are one report each; whoever wants
a broker that acts by itself takes ``tests.properties.broker``.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.commands import (
    Answer,
    CancelAll,
    CancelOrder,
    ClosePosition,
    Flatten,
    Leg,
    ModifyOrder,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.decide import Decided, decide, next_wake_ns
from ordergate.core.effects import Effect, effects
from ordergate.core.figures import Figures, figures
from ordergate.core.inputs import Input, Mark, Stamped, Started, Wake
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode, Breakeven, Exit, Order, OrderType, Role, Side, Target, Trail
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    InstrumentsReport,
    LinkReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
    Quote,
)
from ordergate.core.sessions import CHICAGO

T = TypeVar("T")

ACCOUNT = 101
MS_NS = 1_000_000
SECOND_NS = 1_000_000_000

# One tick of MES is 1.25 USD, of MNQ 0.50; a default stop of 40 ticks loses 50 and 20 USD per contract.
MES = Instrument("CON.F.US.MES.Z26", "MES", "MESZ6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36"))
MNQ = Instrument("CON.F.US.MNQ.Z26", "MNQ", "MNQZ6", Decimal("0.25"), Decimal("0.50"), Decimal("0.36"))
ES = Instrument("CON.F.US.EP.Z26", "ES", "ESZ6", Decimal("0.25"), Decimal("12.50"), Decimal("1.40"))
OLD_MES = Instrument(
    "CON.F.US.MES.U26", "MES", "MESU6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36"), active=False
)
BID, ASK = 19_999, 20_000

# Limits that nothing here reaches.
WIDE = Limits(
    order_quantity_max=1_000,
    position_quantity_max=1_000,
    open_orders_max=1_000,
    daily_loss_usd_max=Decimal(10**9),
    risk_percent_max=Decimal(10**6),
)


def instant(text: str) -> int:
    """Nanoseconds of a Chicago wall time: ``2026-11-23 09:00``."""
    local = datetime.datetime.fromisoformat(text).replace(tzinfo=CHICAGO)
    return int(local.timestamp()) * SECOND_NS


MORNING = instant("2026-11-23 09:00")


class Desk:
    """See the module. It starts adopted, seen twice, with the link up and fresh quotes of MES and MNQ."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        balance: str = "50000",
        at_ns: int = MORNING,
        positions: Sequence[PositionReport] = (),
        orders: Sequence[OrderReport] = (),
        fills: Sequence[FillReport] = (),
        adopted: bool = True,
        mode: BracketMode = BracketMode.UNKNOWN,
        modes: Modes | None = None,
    ) -> None:
        self.group = Group()
        self.now_ns = at_ns
        self.balance = Decimal(balance)
        self.events: list[e.Event] = []
        self.effects: list[Effect] = []
        self.quotes: dict[str, Quote] = {}
        self.quote(MES, BID, ASK)
        self.quote(MNQ, BID, ASK)
        self._requests = 0
        self._broker_ids = 9_000
        self._fill_ids = 500
        self.feed(Started("desk", "sim", "practice", limits or Limits(), mode, modes or Modes()))
        self.feed(InstrumentsReport((MES, MNQ, ES, OLD_MES)))
        if adopted:
            self.feed(AccountReport(ACCOUNT, "PRACTICE-1", self.balance, can_trade=True))
            self.snapshot(positions, orders, fills)
            self.snapshot(positions, orders, fills)
            self.feed(LinkReport(up=True))
            self.snapshot(positions, orders, fills)

    def feed(self, given: Input, *, superseded: bool = False, queued_account: int | None = None) -> Decided:
        """Decide one input now, and keep what follows."""
        stamp = Stamped(given, self.market, self.now_ns, superseded, queued_account)
        decided = decide(self.group, stamp)
        for event in decided.events:
            self.effects += effects(decided.group, event)
        self.group = decided.group
        self.events += decided.events
        return decided

    def started_again(self, modes: Modes) -> None:
        """The process begins anew with these modes and the settings that it had, and sees the broker."""
        group = self.group
        limits = group.limits_configured or group.limits
        self.feed(Started(group.install_id, group.venue, group.login, limits, group.bracket_mode, modes))
        self.feed(LinkReport(up=True))
        self.read_back()

    @property
    def account(self) -> Account:
        return self.group.accounts[ACCOUNT]

    def order(self, order_id: str) -> Order:
        found = self.account.order(order_id)
        assert found is not None, f"there is no order {order_id}"
        return found

    @property
    def market(self) -> Market:
        return Market(dict(self.quotes), self.now_ns)

    def figures(self) -> Figures:
        return figures(self.group, self.account, self.market)

    def net(self, instrument: Instrument = MES) -> int:
        return self.account.position(instrument.contract_id).net

    def legs(self, entry_id: str, role: Role = Role.STOP) -> list[Order]:
        """The live legs of an entry, oldest first."""
        return [leg for leg in self.account.legs(entry_id) if leg.role is role]

    def stop(self, entry_id: str) -> Order:
        """The one live stop of an entry."""
        (found,) = self.legs(entry_id)
        return found

    def target(self, entry_id: str) -> Order:
        """The one live target of an entry."""
        (found,) = self.legs(entry_id, Role.TARGET)
        return found

    def closes(self) -> list[Order]:
        """Every closing order so far, oldest first."""
        return [event.order for event in self.told(e.OrderApproved) if event.order.role is Role.CLOSE]

    def told(self, kind: type[T]) -> list[T]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def asked(self, kind: type[T]) -> list[T]:
        """The effects of one kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def forget(self) -> None:
        """Let ``told`` and ``asked`` begin here."""
        self.events, self.effects = [], []

    # The market and the clock.

    def quote(self, instrument: Instrument, bid: int | None, ask: int | None, *, age_ms: int = 0) -> None:
        name = instrument.contract_id
        told_ns = self.now_ns - age_ms * MS_NS
        self.quotes[name] = Quote(name, bid, ask, bid, told_ns, told_ns)

    def mark(self, bid: int, ask: int | None = None, instrument: Instrument = MES) -> None:
        """The market moves, and the gate hears of it."""
        self.quote(instrument, bid, bid + 1 if ask is None else ask)
        self.feed(Mark())

    def wait(self, ms: int, *, quiet: bool = False) -> None:
        """Let time pass, waking the gate at each of its timers. Quotes stay fresh unless ``quiet``."""
        until = self.now_ns + ms * MS_NS
        while (due := next_wake_ns(self.group, self.now_ns)) is not None and due <= until:
            self._advance(due, quiet=quiet)
            self.feed(Wake())
        self._advance(until, quiet=quiet)

    def _advance(self, at_ns: int, *, quiet: bool) -> None:
        if not quiet:
            passed = at_ns - self.now_ns
            self.quotes = {
                name: replace(quote, at_ns=quote.at_ns + passed, venue_ns=quote.venue_ns + passed)
                for name, quote in self.quotes.items()
            }
        self.now_ns = at_ns

    # What people ask.

    def ask(self, command: Input, **stamp: Any) -> Answer:
        answer = self.feed(command, **stamp).answer
        assert answer is not None
        return answer

    def request_id(self) -> str:
        self._requests += 1
        return f"r{self._requests}"

    def submit(
        self,
        order_id: str,
        side: Side = Side.BUY,
        quantity: int = 1,
        *,
        limit: int | None = None,
        trigger: int | None = None,
        stop: Exit | Leg = Leg.DEFAULT,
        target: Exit | Leg = Leg.DEFAULT,
        targets: tuple[Target, ...] | None = None,
        breakeven: Breakeven | None = None,
        trail: Trail | None = None,
        instrument: Instrument = MES,
        superseded: bool = False,
    ) -> Answer:
        """An order: LIMIT with ``limit``, STOP with ``trigger``, else MARKET; ``target`` is the only one."""
        kind = OrderType.LIMIT if limit is not None else OrderType.STOP if trigger is not None else OrderType.MARKET
        command = SubmitOrder(
            request_id=self.request_id(),
            account_id=ACCOUNT,
            order_id=order_id,
            contract_id=instrument.contract_id,
            side=side,
            quantity=quantity,
            order_type=kind,
            limit_ticks=limit,
            stop_ticks=trigger,
            stop=stop,
            targets=(Target(target),) if isinstance(target, Exit) else target if targets is None else targets,
            breakeven=breakeven,
            trail=trail,
            fingerprint=f"{side} {quantity} {limit} {trigger} {stop} {target} {targets} {instrument.contract_id}",
        )
        return self.ask(command, superseded=superseded)

    def codes(self, *given: Any, **more: Any) -> list[str]:
        """The codes of the breaches with which ``submit`` is denied; empty when it is not."""
        return [breach.code for breach in self.submit(*given, **more).breaches]

    def cancel(self, order_id: str, **stamp: Any) -> Answer:
        return self.ask(CancelOrder(self.request_id(), order_id), **stamp)

    def modify(self, order_id: str, **changes: int) -> Answer:
        return self.ask(ModifyOrder(self.request_id(), order_id, ACCOUNT, **changes))

    def protect(self, *, stop: int | None = None, target: int | None = None, instrument: Instrument = MES) -> Answer:
        return self.ask(UpdateProtection(self.request_id(), ACCOUNT, instrument.contract_id, stop, target))

    def close(self, quantity: int | None = None, instrument: Instrument = MES) -> Answer:
        return self.ask(ClosePosition(self.request_id(), ACCOUNT, instrument.contract_id, quantity))

    def cancel_all(self) -> Answer:
        return self.ask(CancelAll(self.request_id(), ACCOUNT))

    def flatten(self) -> Answer:
        return self.ask(Flatten(self.request_id(), ACCOUNT))

    # What the broker says.

    def placed(self, order_id: str, outcome: Outcome, broker_order_id: int | None = None, text: str = "") -> None:
        """The end of a place request."""
        self.feed(PlaceOutcome(ACCOUNT, self.order(order_id).tag, outcome, broker_order_id, 0, text))

    def accept(self, *order_ids: str) -> None:
        """The broker's REST answer: accepted."""
        for order_id in order_ids:
            self._broker_ids += 1
            self.placed(order_id, Outcome.DONE, self._broker_ids)

    def row(self, order_id: str, state: OrderState = OrderState.OPEN, **changed: Any) -> OrderReport:
        """The order as the broker's list would show it, unless ``changed``."""
        order = self.order(order_id)
        row = OrderReport(
            account_id=ACCOUNT,
            broker_order_id=order.broker_order_id or 0,
            order_tag=order.tag or None,
            contract_id=order.terms.contract_id,
            side=order.terms.side,
            order_type=order.terms.order_type,
            quantity=order.terms.quantity,
            limit_ticks=order.terms.limit_ticks,
            stop_ticks=order.terms.stop_ticks,
            state=state,
            filled_quantity=order.filled_quantity,
            created_ns=order.decided_ns,
        )
        return replace(row, **changed)

    def show(self, order_id: str, state: OrderState = OrderState.OPEN, **changed: Any) -> None:
        """An order row on the user hub."""
        self.feed(self.row(order_id, state, **changed))

    def fill(self, order_id: str, quantity: int | None = None, price: int = ASK, **changed: Any) -> FillReport:
        """A fill of an order on the user hub; all that is left of it unless ``quantity``."""
        order = self.order(order_id)
        self._fill_ids += 1
        report = FillReport(
            account_id=ACCOUNT,
            fill_id=self._fill_ids,
            broker_order_id=order.broker_order_id or 0,
            contract_id=order.terms.contract_id,
            side=order.terms.side,
            quantity=order.leaves if quantity is None else quantity,
            price_ticks=price,
            fee_usd=Decimal(0),
            pnl_usd=None,
            voided=False,
            at_ns=self.now_ns,
        )
        report = replace(report, **changed)
        self.feed(report)
        return report

    def modified(self, order_id: str, outcome: Outcome = Outcome.DONE, text: str = "") -> None:
        """The end of the modify request that is under way."""
        change = self.order(order_id).change
        assert change is not None, f"no change of {order_id} is under way"
        self.feed(ModifyOutcome(ACCOUNT, self.order(order_id).tag, change.number, outcome, 0, text))

    def cancelled(self, *order_ids: str) -> None:
        """The hub shows the orders as cancelled."""
        for order_id in order_ids:
            self.show(order_id, OrderState.CANCELLED)

    def cancel_outcome(self, order_id: str, outcome: Outcome) -> None:
        self.feed(CancelOutcome(ACCOUNT, self.order(order_id).broker_order_id or 0, outcome))

    def looked_up(
        self,
        order_id: str,
        found: OrderReport | None = None,
        outcome: Outcome = Outcome.DONE,
        fills: tuple[FillReport, ...] = (),
    ) -> None:
        self.feed(LookupOutcome(ACCOUNT, self.order(order_id).tag, outcome, found, fills))

    def snapshot(
        self,
        positions: Iterable[PositionReport] = (),
        orders: Iterable[OrderReport] = (),
        fills: Iterable[FillReport] = (),
        *,
        balance: str | None = None,
        started_ns: int | None = None,
    ) -> BrokerSnapshot:
        """A reading of all the broker has, begun now."""
        if balance is not None:
            self.balance = Decimal(balance)
        snapshot = BrokerSnapshot(
            account=AccountReport(ACCOUNT, "PRACTICE-1", self.balance, can_trade=True),
            since_ns=0,
            started_ns=self.now_ns if started_ns is None else started_ns,
            positions=tuple(positions),
            orders=tuple(orders),
            fills=tuple(fills),
        )
        self.feed(snapshot)
        return snapshot

    def read_back(self) -> BrokerSnapshot:
        """A reading of a broker whose books are exactly ours."""
        held = [
            PositionReport(ACCOUNT, p.contract_id, p.net, round(p.average * p.net))
            for p in self.account.positions.values()
        ]
        rows = [self.row(order.order_id) for order in self.account.live_orders() if order.broker_order_id is not None]
        return self.snapshot(held, rows)

    # Shorter words for what many tests begin with.

    def enter(self, order_id: str, side: Side = Side.BUY, quantity: int = 1, price: int = ASK, **more: Any) -> None:
        """Submitted, accepted, filled at ``price``; its legs are placed but not answered yet."""
        answer = self.submit(order_id, side, quantity, **more)
        assert answer.ok, answer
        self.accept(order_id)
        self.fill(order_id, price=price)

    def hold(self, order_id: str, side: Side = Side.BUY, quantity: int = 1, price: int = ASK, **more: Any) -> None:
        """As ``enter``, with the legs resting at the broker."""
        self.enter(order_id, side, quantity, price, **more)
        for role in (Role.STOP, Role.TARGET):
            for leg in self.legs(order_id, role):
                self.accept(leg.order_id)
                self.show(leg.order_id)
        self.wait(300)


def position(net: int, price: int, instrument: Instrument = MES) -> PositionReport:
    """A position of the broker's, at an average of whole ticks."""
    return PositionReport(ACCOUNT, instrument.contract_id, net, net * price)


def order_row(
    broker_order_id: int,
    side: Side = Side.BUY,
    quantity: int = 1,
    state: OrderState = OrderState.OPEN,
    **more: Any,
) -> OrderReport:
    """An order that was made elsewhere: a limit of MES, unless ``more`` says otherwise."""
    row = OrderReport(
        account_id=ACCOUNT,
        broker_order_id=broker_order_id,
        order_tag=None,
        contract_id=MES.contract_id,
        side=side,
        order_type=OrderType.LIMIT,
        quantity=quantity,
        limit_ticks=BID - 100,
        stop_ticks=None,
        state=state,
        filled_quantity=0,
        created_ns=MORNING,
    )
    return replace(row, **more)


def fill_row(fill_id: int, broker_order_id: int, side: Side, quantity: int, price: int, **more: Any) -> FillReport:
    """A fill of MES that was made elsewhere, without fees."""
    row = FillReport(
        account_id=ACCOUNT,
        fill_id=fill_id,
        broker_order_id=broker_order_id,
        contract_id=MES.contract_id,
        side=side,
        quantity=quantity,
        price_ticks=price,
        fee_usd=Decimal(0),
        pnl_usd=None,
        voided=False,
        at_ns=MORNING,
    )
    return replace(row, **more)
