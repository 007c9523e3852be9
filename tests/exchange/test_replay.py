"""Recorded data as a market. Numbers in docstrings are the invariants of ``replay``."""

from __future__ import annotations

import collections
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.exchange import listing
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.faults import Faults
from ordergate.exchange.market import Bar, Market, Moved, Print, Walk
from ordergate.exchange.matching import Quote
from ordergate.exchange.models import PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.recording import COLUMNS, Recording
from ordergate.exchange.replay import Replay, recorded_contracts
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.store import MINUTE_NS, MemoryStore, Store
from ordergate.exchange.turn import Event, Tick
from ordergate.exchange.venue import Venue
from tests.exchange.support import ACCOUNT, BARS_KEPT_MIN, SECOND_NS, SetClock
from tests.exchange.test_recording import AT, OPEN, ticks

MES, MNQ = "CON.F.US.MES.H24", "CON.F.US.MNQ.H24"
CONTRACT = listing.known_contract(MES)
BEFORE, AFTER = "2023-12-25", "2023-12-26"
RECORDING = Recording.read(OPEN, ticks)
REPLAY = Replay(RECORDING, Walk(1))


def s(seconds: float) -> int:
    """An instant so many seconds after the open."""
    return AT + int(seconds * SECOND_NS)


def moved(market: Market, to_ns: int) -> Moved:
    is_open = to_ns >= AT
    return REPLAY.move(market, CONTRACT, to_ns, AFTER if is_open else BEFORE, is_open=is_open)


def opening() -> Market:
    return REPLAY.opening(CONTRACT, RECORDING.first_ns, BEFORE)


class Desk:
    """A venue on the recording, from its first instant on."""

    def __init__(self, store: Store | None = None, now_ns: int = RECORDING.first_ns) -> None:
        self.clock = SetClock(now_ns)
        self.store = store or MemoryStore(BARS_KEPT_MIN)
        self.told: list[Event] = []
        settings = ExchangeSettings(symbols=("MES", "ES", "MNQ"), hours=Hours.EXCHANGE)
        self.venue = Venue(settings, self.store, self.clock, REPLAY, Faults(settings.seed), self.told.extend)

    def go(self, to_ns: int, every_s: float = 1) -> None:
        """Let the market run until then."""
        while self.clock.at_ns < to_ns:
            self.clock.at_ns = min(to_ns, self.clock.at_ns + int(every_s * SECOND_NS))
            self.venue.step()

    def place(self, side: OrderSide, size: int, *, limit: str | None = None, stop: str | None = None) -> Order:
        kind = OrderType.LIMIT if limit else OrderType.STOP if stop else OrderType.MARKET
        price = {"limit_price": msgspec.json.decode(limit or "null"), "stop_price": msgspec.json.decode(stop or "null")}
        answer = self.venue.place(
            PlaceRequest(account_id=ACCOUNT, contract_id=MES, type=kind, side=side, size=size, **price)
        )
        assert answer.order_id is not None
        return self.order(answer.order_id)

    def order(self, order_id: int) -> Order:
        order = self.store.order(order_id)
        assert order is not None
        return order

    def market(self, contract_id: str = MES) -> Market:
        return self.venue.book.markets[contract_id]

    def fills(self) -> list[tuple[int, int]]:
        """Quantity and price of each, oldest first."""
        return [(fill.quantity, fill.price_ticks) for fill in reversed(self.store.fills(ACCOUNT, 0, 2**62))]


def test_it_drives_es_and_mes_of_the_month_that_was_active() -> None:
    assert [contract.contract_id for contract in recorded_contracts(AT)] == ["CON.F.US.EP.H24", MES]
    assert {PRODUCT_BY_SYMBOL[symbol].tick_size for symbol in ("ES", "MES")} == {PRODUCT_BY_SYMBOL["ES"].tick_size}
    desk = Desk()
    desk.go(s(10))
    es, mes = desk.market("CON.F.US.EP.H24"), desk.market()
    assert msgspec.structs.replace(es, contract_id=MES) == mes
    assert (mes.bid, mes.ask, mes.bid_size, mes.ask_size) == (19_200, 19_201, 4, 6)


def test_another_product_walks() -> None:
    desk = Desk()
    desk.go(s(10))
    walk, contract = Walk(1), listing.known_contract(MNQ)
    expected = walk.opening(contract, RECORDING.first_ns, BEFORE)
    for second in range(11):
        expected = walk.move(expected, contract, s(second), AFTER, is_open=True).market
    assert msgspec.structs.replace(expected, day=AFTER) == desk.market(MNQ)


def test_the_market_opens_as_the_records_up_to_then_have_left_it() -> None:
    at_start, later = opening(), REPLAY.opening(CONTRACT, s(3), AFTER)
    assert (at_start.bid, at_start.bid_size, at_start.ask_size) == (19_160, 3, 0)
    assert (later.bid, later.ask, later.last, later.moved_ns) == (19_200, 19_201, 19_201, s(3))


@given(st.lists(st.integers(-20_000, 130_000), max_size=20))
def test_every_record_is_applied_once_however_the_time_is_cut(cuts_ms: list[int]) -> None:
    """Invariant 1."""
    market, prints, path, minutes = opening(), list[Print](), list[Quote](), list[Bar]()
    for cut_ms in [*sorted(cuts_ms), 130_000]:
        after = moved(market, AT + cut_ms * 1_000_000)
        market = msgspec.json.decode(msgspec.json.encode(after.market), type=Market)  # as after a restart
        prints += after.prints
        path += after.path
        minutes += after.minutes
    whole = moved(opening(), s(130))
    assert (market, tuple(prints), tuple(minutes)) == (whole.market, whole.prints, whole.minutes)
    assert [(quote.bid, quote.ask) for quote in path] == [(quote.bid, quote.ask) for quote in whole.path]
    traded = collections.Counter[int]()
    for price, quantity in [each for quote in path for each in quote.traded]:
        traded[price] += quantity
    printed = collections.Counter[int]()
    for trade in prints:
        printed[trade.price] += trade.quantity
    assert traded == printed


def test_after_the_last_record_the_market_stands_still() -> None:
    """Invariant 2."""
    last = moved(opening(), s(130)).market
    later = moved(last, s(1_000))
    assert later == Moved(msgspec.structs.replace(last, moved_ns=s(1_000)))
    assert moved(later.market, s(900)).market == later.market  # a clock that goes back


def test_orders_meet_nothing_of_before_the_open() -> None:
    """Invariant 3: a crossed quote of the pre-open is only shown."""
    straddling = moved(moved(opening(), s(-16)).market, s(0.5))
    assert straddling.path == moved(moved(opening(), s(-1)).market, s(0.5)).path
    assert moved(opening(), s(-1)).path == ()
    assert len(straddling.path) == 1


def played(path: Path, *records: tuple[float, str]) -> Replay:
    """A replay of records at so many seconds after the open."""
    lines = [",".join(COLUMNS), *(f"{s(at)},{rest}" for at, rest in records), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return Replay(Recording.read(path, ticks), Walk(1))


def test_a_span_that_holds_a_closed_hour_lets_orders_meet_only_what_was_before_and_after(tmp_path: Path) -> None:
    day_s = 23 * 3_600
    feed = played(
        tmp_path / "day.csv",
        (day_s - 60, "quote,4800,1,4800.25,1,,,"),
        (day_s - 1, "quote,4801,1,4801.25,1,,,"),
        (day_s + 600, "quote,4900,1,4700.25,1,,,"),
        (day_s + 3_601, "quote,4802,1,4802.25,1,,,"),
    )
    market = feed.opening(CONTRACT, s(day_s - 60), AFTER)
    after = feed.move(market, CONTRACT, s(day_s + 3_660), "2023-12-27", is_open=True)
    assert [quote.bid for quote in after.path] == [19_204, 19_208]


def test_a_trade_that_no_quote_follows_is_met_too(tmp_path: Path) -> None:
    feed = played(tmp_path / "day.csv", (1, "quote,4800,1,4800.25,1,,,"), (2, "trade,,,,,4799,1,sell"))
    market = feed.opening(CONTRACT, s(1), AFTER)
    [quote] = feed.move(market, CONTRACT, s(3), AFTER, is_open=True).path
    assert (quote.bid, quote.traded, quote.last) == (19_200, ((19_196, 1),), 19_196)


def test_a_recording_may_begin_with_a_trade(tmp_path: Path) -> None:
    feed = played(tmp_path / "day.csv", (1, "trade,,,,,4799,3,"), (2, "quote,4800,1,4800.25,1,,,"))
    market = feed.opening(CONTRACT, s(1), AFTER)
    assert (market.bid, market.ask, market.bid_size, market.ask_size, market.last) == (19_196, 19_196, 0, 0, 19_196)
    assert market.bar == Bar(AT, 19_196, 19_196, 19_196, 19_196, 3)


def test_the_minutes_are_those_of_the_trades_however_late_a_step_comes() -> None:
    whole = moved(opening(), s(130))
    assert whole.minutes == (
        Bar(AT, 19_201, 19_213, 19_200, 19_200, 44 + 5 + 2 + 3 + 1),
        Bar(AT + MINUTE_NS, 19_201, 19_201, 19_201, 19_201, 2),
    )
    assert whole.market.bar == Bar(AT + 2 * MINUTE_NS, 19_199, 19_199, 19_199, 19_199, 9)


def test_the_day_opens_with_its_first_trade() -> None:
    market = moved(moved(opening(), s(-1)).market, s(3)).market
    assert (market.day, market.open, market.low, market.high, market.volume) == (AFTER, 19_201, 19_201, 19_201, 49)
    assert market.settlement == opening().last


def test_there_is_no_past_of_what_is_recorded() -> None:
    desk = Desk()
    assert desk.venue.history(MES) == []
    assert desk.venue.history(MNQ) == [], "the exchange was closed for Christmas"
    other = listing.known_contract(MNQ)
    assert REPLAY.history(desk.market(MNQ), other) != []


def test_before_the_open_quotes_are_shown_and_orders_rejected() -> None:
    desk = Desk()
    desk.go(s(-4))
    assert (desk.market().bid, desk.market().ask) == (19_184, 19_216)
    assert desk.place(OrderSide.BID, 1).status is OrderStatus.REJECTED
    assert MNQ not in {tick.after.contract_id for tick in desk.told if isinstance(tick, Tick)}
    desk.go(s(1))
    assert desk.place(OrderSide.BID, 1).status is OrderStatus.FILLED


def test_a_market_order_takes_the_recorded_sizes_and_slips_beyond_them() -> None:
    desk = Desk()
    desk.go(s(3))
    desk.place(OrderSide.BID, 15)
    assert desk.fills() == [(6, 19_201), (6, 19_202), (3, 19_203)]


def test_what_an_order_took_is_there_again_only_with_the_next_quote() -> None:
    desk = Desk()
    desk.go(s(3))
    desk.place(OrderSide.BID, 6)
    desk.go(s(4))
    desk.place(OrderSide.BID, 1)
    desk.go(s(7))
    desk.place(OrderSide.BID, 1)
    assert desk.fills() == [(6, 19_201), (1, 19_202), (1, 19_201)]


def test_a_stop_that_was_touched_between_two_steps_is_filled_at_what_was_quoted_then() -> None:
    desk = Desk()
    desk.go(s(3))
    stop = desk.place(OrderSide.BID, 2, stop="4802.5")
    desk.go(s(6))
    assert desk.market().ask == 19_201  # the market has come back
    assert desk.order(stop.order_id).status is OrderStatus.FILLED
    assert desk.fills() == [(2, 19_213)]


def test_a_limit_that_was_traded_through_between_two_steps_is_filled() -> None:
    desk = Desk()
    desk.go(s(3))
    limit = desk.place(OrderSide.ASK, 3, limit="4802.5")
    desk.go(s(6))
    assert desk.order(limit.order_id).status is OrderStatus.FILLED
    assert desk.fills() == [(3, 19_210)]


def test_a_holiday_belongs_to_the_next_trade_date() -> None:
    desk = Desk()
    for seconds in (-1, 0, 60):
        desk.go(s(seconds))
        assert {market.day for market in desk.venue.book.markets.values()} == {AFTER}


def test_the_trading_day_rolls_at_the_open() -> None:
    desk = Desk(now_ns=s(86_397))
    desk.go(s(86_399))
    assert desk.market(MNQ).day == AFTER
    desk.go(s(86_400))
    assert desk.market(MNQ).day == "2023-12-27"


@pytest.mark.parametrize("stopped_s", [-7, 5.12, 61])
def test_a_restarted_venue_goes_on_with_the_next_record(stopped_s: float) -> None:
    whole, first = Desk(), Desk()
    whole.go(s(130))
    first.go(s(stopped_s))
    again = Desk(first.store, s(stopped_s) + SECOND_NS // 2)
    again.go(s(130))
    left = [tick for desk in (first, again) for tick in desk.told if isinstance(tick, Tick)]
    for contract_id in ("CON.F.US.EP.H24", MES):
        assert again.market(contract_id) == whole.market(contract_id)
        prints = [p for tick in left if tick.after.contract_id == contract_id for p in tick.prints]
        assert prints == list(moved(opening(), s(130)).prints)
    span = (MES, 0, 2**62)
    assert again.store.bars(*span) == whole.store.bars(*span)
