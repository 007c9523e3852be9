"""``decide`` with every rule on, ten positions, and several numbers of working orders. No disk, no loop."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from bench.disk import sync
from bench.figures import NS_PER_MS, NS_PER_US, Told, percentiles, tell, timed
from ordergate.core.account import Group
from ordergate.core.commands import SubmitOrder
from ordergate.core.contracts import PRODUCT_BY_SYMBOL, active_month, contract_id, contract_name
from ordergate.core.decide import decide
from ordergate.core.inputs import Input, Mark, Stamped, Started
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Blackout, InstrumentLimits, Limits, Trailing
from ordergate.core.market import Market
from ordergate.core.order import OrderType, Role, Side, Status
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    Quote,
)

# A Tuesday on which everything trades.
BEGIN = datetime.datetime(2026, 11, 17, 15, 0, tzinfo=datetime.UTC)
SYMBOLS = ("MES", "MNQ", "M2K", "MYM", "MGC", "MCL", "ES", "NQ", "GC", "CL")
ACCOUNT = AccountReport(1001, "PRACTICE", Decimal(10_000_000), can_trade=True)
OTHER = AccountReport(1002, "PRACTICE-2", Decimal(50_000), can_trade=True)
BID = 20_000
# Wide enough that every order of the bench passes every rule: a denial would be a shorter path.
_MANY, _MUCH = 10**9, Decimal(10**12)
WIDE = Limits(
    position_quantity_max=_MANY,
    open_orders_max=_MANY,
    daily_loss_usd_max=_MUCH,
    risk_percent_max=Decimal(100),
)
# Nothing is off, and each product has limits of its own.
EVERY_RULE = Limits(
    allowed_symbols=SYMBOLS,
    order_quantity_max=_MANY,
    position_quantity_max=_MANY,
    account_position_micros_max=_MANY,
    open_orders_max=_MANY,
    order_value_usd_max=_MUCH,
    daily_loss_usd_max=_MUCH,
    daily_profit_usd_max=_MUCH,
    maximum_loss_usd=_MUCH,
    maximum_loss_trailing=Trailing.INTRADAY,
    risk_percent_max=Decimal(100),
    risk_usd_max=_MUCH,
    price_distance_ticks_max=_MANY,
    duplicate_window_ms=500,
    orders_per_minute_max=1_000,
    instrument_orders_per_minute_max=1_000,
    opposite_positions=False,
    session_only=True,
    blackouts=(Blackout(datetime.time(3), datetime.time(3, 5)),),
    instruments=tuple(InstrumentLimits(symbol, order_quantity_max=_MANY - 1) for symbol in SYMBOLS),
)
_COUNT = 2_000
_WORKING = (0, 50, 2_000)
# Of a write and a bare fsync, which every decision waits for; docs/decisions/0009.
_GOAL_SHARE, _GOAL_GROWTH = 1 / 3, 3
_ORDERS_A_MOVE = 100
_SECOND_NS = 10**9


def instrument(symbol: str, on: datetime.date) -> Instrument:
    product = PRODUCT_BY_SYMBOL[symbol]
    year, month = active_month(product, on)
    return Instrument(
        contract_id(product, year, month),
        symbol,
        contract_name(product, year, month),
        product.tick_size,
        product.tick_value_usd,
        product.fee_usd,
    )


class Bare:
    """The state alone, folded by ``decide`` itself: two adopted accounts, and a quote of each contract."""

    def __init__(self, limits: Limits = WIDE, symbols: tuple[str, ...] = ("MES",)) -> None:
        self.at_ns = int(BEGIN.timestamp()) * _SECOND_NS
        self.group = Group()
        self.instruments = [instrument(symbol, BEGIN.date()) for symbol in symbols]
        self._quotes: dict[str, Quote] = {}
        self._number = 10_000_000
        self.move()
        self.take(Started("bench000", "sim", "bench", limits))
        self.take(InstrumentsReport(tuple(self.instruments)))
        self.take(LinkReport(up=True))
        for account in (ACCOUNT, OTHER):
            for _ in range(2):
                self.take(BrokerSnapshot(account, 0, self.at_ns, (), (), ()))

    def move(self) -> None:
        """A second later, at other prices."""
        self.at_ns += _SECOND_NS
        bid = BID + self.at_ns // _SECOND_NS % 2
        quotes = (Quote(each.contract_id, bid, bid + 1, bid, self.at_ns) for each in self.instruments)
        self._quotes = {quote.contract_id: quote for quote in quotes}

    def stamped(self, given: Input) -> Stamped:
        return Stamped(given, Market(dict(self._quotes), self.at_ns), self.at_ns)

    def take(self, given: Input) -> None:
        self.group = decide(self.group, self.stamped(given)).group

    def hold(self, one: Instrument) -> None:
        """A position of two contracts, its stop and target resting at the broker."""
        self.move()
        name = f"held-{one.symbol}"
        self.take(order(name, one, OrderType.MARKET, quantity=2))
        self.accept(name)
        entry = self.group.accounts[ACCOUNT.account_id].orders[name]
        assert entry.broker_order_id is not None
        self._number += 1
        fill = FillReport(
            ACCOUNT.account_id,
            self._number,
            entry.broker_order_id,
            one.contract_id,
            entry.terms.side,
            2,
            BID,
            2 * one.fee_usd,
            None,
            voided=False,
            at_ns=self.at_ns,
        )
        self.take(fill)
        for _ in (Role.STOP, Role.TARGET):
            orders = list(self.group.accounts[ACCOUNT.account_id].orders.values())
            for leg in orders:
                if leg.status is Status.APPROVED:
                    self.accept(leg.order_id)
                    self.show(leg.order_id)

    def accept(self, order_id: str) -> None:
        self._number += 1
        tag = self.group.accounts[ACCOUNT.account_id].orders[order_id].tag
        self.take(PlaceOutcome(ACCOUNT.account_id, tag, Outcome.DONE, self._number))

    def show(self, order_id: str) -> None:
        """The hub shows the order open."""
        order = self.group.accounts[ACCOUNT.account_id].orders[order_id]
        terms = order.terms
        assert order.broker_order_id is not None
        row = OrderReport(
            account_id=terms.account_id,
            broker_order_id=order.broker_order_id,
            order_tag=order.tag,
            contract_id=terms.contract_id,
            side=terms.side,
            order_type=terms.order_type,
            quantity=terms.quantity,
            limit_ticks=terms.limit_ticks,
            stop_ticks=terms.stop_ticks,
            state=OrderState.OPEN,
            filled_quantity=0,
            created_ns=self.at_ns,
        )
        self.take(row)

    def work(self, order_id: str, one: Instrument) -> None:
        """One more working order at the broker."""
        self.move()
        self.take(order(order_id, one))
        self.accept(order_id)


def order(order_id: str, one: Instrument, order_type: OrderType = OrderType.LIMIT, *, quantity: int = 1) -> SubmitOrder:
    return SubmitOrder(
        request_id=f"BENCH/{order_id}",
        account_id=ACCOUNT.account_id,
        order_id=order_id,
        contract_id=one.contract_id,
        side=Side.BUY,
        quantity=quantity,
        order_type=order_type,
        limit_ticks=BID - 100 if order_type is OrderType.LIMIT else None,
        instance_id="BENCH",
        fingerprint=order_id.rjust(32, "0"),
    )


def measure(folder: Path) -> None:
    """Tell one figure for each number of working orders."""
    bare = Bare(EVERY_RULE, SYMBOLS)
    for one in bare.instruments:
        bare.hold(one)
    sync_us = sync(folder)["p50"] * NS_PER_MS / NS_PER_US
    goal, worked = {"p50": round(_GOAL_SHARE * sync_us, 3)}, 0
    for working in _WORKING:
        for number in range(worked, working):
            bare.work(f"working-order-{number:06}", bare.instruments[number % len(SYMBOLS)])
        worked = working
        told = percentiles(list(_taken(bare, _COUNT)), NS_PER_US)
        raw = _empty_calls(bare) | {"fsync_p50": sync_us}
        tell("decide, every rule", "us", told, goal, raw, positions=len(SYMBOLS), working_orders=working)
        if working == _WORKING[1]:
            goal = {"p50": _grown(told)}


def _empty_calls(bare: Bare) -> Told:
    """As many calls as one decision makes, of a function that does nothing: what the interpreter alone takes."""
    stamped, calls = bare.stamped(order("counted", bare.instruments[0])), 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    decide(bare.group, stamped)
    sys.setprofile(None)

    def nothing(_argument: object) -> None:
        pass

    def call_all() -> None:
        for _ in range(calls):
            nothing(bare)

    return {"what": f"{calls} empty calls"} | percentiles(timed(call_all, _COUNT), NS_PER_US)


def _grown(told: Told) -> float:
    return float(round(_GOAL_GROWTH * told["p50"], 3))


def _taken(bare: Bare, count: int) -> Iterator[int]:
    """Nanoseconds of each of ``count`` orders, one after the other on the same state; prices move now and then."""
    for number in range(-count // 10, count):
        if number % _ORDERS_A_MOVE == 0:
            bare.move()
            bare.take(Mark())
        stamped = bare.stamped(order(f"probe-{number}", bare.instruments[number % len(bare.instruments)]))
        begin = time.perf_counter_ns()
        decided = decide(bare.group, stamped)
        taken = time.perf_counter_ns() - begin
        assert decided.answer is not None
        assert decided.answer.ok, decided.answer
        if number >= 0:
            yield taken
