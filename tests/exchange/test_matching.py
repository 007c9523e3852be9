"""Orders against the market: ``exchange.matching`` and the numbers of its invariants."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.matching import LEVELS_MAX, Match, Quote, is_triggered, sweep
from ordergate.exchange.orders import Order

BUY, SELL = OrderSide.BID, OrderSide.ASK
QUOTE = Quote(bid=100, ask=102, last=101, bid_size=5, ask_size=3)


def order(order_id: int, side: OrderSide, quantity: int, *, limit: int | None = None, stop: int | None = None) -> Order:
    return Order(
        order_id=order_id,
        account_id=1,
        contract_id="any",
        status=OrderStatus.OPEN,
        type=OrderType.LIMIT if limit is not None else OrderType.STOP if stop is not None else OrderType.MARKET,
        side=side,
        quantity=quantity,
        created_ns=0,
        updated_ns=0,
        limit_ticks=limit,
        stop_ticks=stop,
    )


def matched(
    orders: list[Order], quote: Quote, *, partial: bool = True, incoming: bool = False
) -> list[tuple[int, int, int]]:
    """Fills as (order id, quantity, price)."""
    swept = sweep(orders, quote, partial_fills=partial, incoming=incoming)
    return [(match.order_id, match.quantity, match.price_ticks) for match in swept.matches]


def test_a_market_order_fills_at_the_opposite_touch() -> None:
    assert matched([order(1, BUY, 2)], QUOTE) == [(1, 2, 102)]
    assert matched([order(1, SELL, 2)], QUOTE) == [(1, 2, 100)]


def test_a_market_order_beyond_the_quoted_size_walks_away_from_the_touch() -> None:
    assert matched([order(1, BUY, 7)], QUOTE) == [(1, 3, 102), (1, 3, 103), (1, 1, 104)]
    assert matched([order(1, SELL, 6)], QUOTE) == [(1, 5, 100), (1, 1, 99)]


def test_a_market_order_takes_no_more_than_ten_levels_of_one_quote() -> None:
    fills = matched([order(1, BUY, 1_000)], QUOTE)
    assert len(fills) == LEVELS_MAX
    assert sum(quantity for _, quantity, _ in fills) == LEVELS_MAX * 3


def test_without_partial_fills_an_order_fills_whole_at_the_touch() -> None:
    assert matched([order(1, BUY, 70)], QUOTE, partial=False) == [(1, 70, 102)]


def test_an_incoming_limit_that_crosses_takes_liquidity_up_to_its_price() -> None:
    assert matched([order(1, BUY, 7, limit=103)], QUOTE, incoming=True) == [(1, 3, 102), (1, 3, 103)]
    assert matched([order(1, BUY, 7, limit=101)], QUOTE, incoming=True) == []
    assert matched([order(1, SELL, 2, limit=100)], QUOTE, partial=False, incoming=True) == [(1, 2, 100)]


def test_a_resting_limit_touched_by_the_opposite_side_fills_up_to_the_quoted_size() -> None:
    assert matched([order(1, BUY, 7, limit=102)], QUOTE) == [(1, 3, 102)]
    assert matched([order(1, BUY, 7, limit=101)], QUOTE) == []
    assert matched([order(1, BUY, 7, limit=102)], QUOTE, partial=False) == [(1, 7, 102)]


def test_a_resting_limit_traded_or_quoted_through_fills_whole_at_its_own_price() -> None:
    assert matched([order(1, BUY, 7, limit=103)], QUOTE) == [(1, 7, 103)]
    traded = msgspec.structs.replace(QUOTE, traded=((98, 1),))
    assert matched([order(1, BUY, 7, limit=99)], traded) == [(1, 7, 99)]
    behind = msgspec.structs.replace(order(1, BUY, 7, limit=98), ahead=1)
    assert matched([behind], traded) == []


def queued(ahead: int, quantity: int = 2, order_id: int = 1, limit: int = 100) -> Order:
    """A buy that waits behind others."""
    return msgspec.structs.replace(order(order_id, BUY, quantity, limit=limit), ahead=ahead)


def after(traded: tuple[tuple[int, int], ...], size: int = 50) -> Quote:
    return Quote(100, 101, 100, size, size, traded=traded)


def test_what_trades_at_a_limit_s_price_serves_those_before_it_first() -> None:
    quote = after(((100, 8), (101, 30)))
    assert matched([queued(8)], quote) == []
    assert matched([queued(7)], quote) == [(1, 1, 100)]
    assert matched([queued(3)], quote) == [(1, 2, 100)]
    assert matched([queued(7)], quote, partial=False) == [(1, 2, 100)]


def test_a_limit_moves_up_with_what_trades_and_with_what_leaves_its_price() -> None:
    assert sweep([queued(20)], after(((100, 8),)), partial_fills=True).ahead == ((1, 12),)
    assert sweep([queued(20)], after((), size=9), partial_fills=True).ahead == ((1, 9),)
    assert sweep([queued(20, limit=101)], Quote(100, 103, 100, 5, 5), partial_fills=True).ahead == ((1, 0),)
    assert sweep([queued(20, limit=95)], after(()), partial_fills=True).ahead == ()


def test_orders_at_one_price_share_what_trades_there_the_oldest_first() -> None:
    orders = [queued(3, 2, order_id=1), queued(5, 4, order_id=2)]
    assert matched(orders, after(((100, 4),))) == [(1, 1, 100)]
    assert matched(orders, after(((100, 9),))) == [(1, 2, 100), (2, 2, 100)]
    assert sweep(orders, after(((100, 4),)), partial_fills=True).ahead == ((1, 0), (2, 2))


def test_behind_the_touch_each_price_has_a_size_of_its_own_which_changes_now_and_then() -> None:
    quote = Quote(100, 101, 100, 5, 3, behind=40, number=7)
    levels = quote.levels(SELL, 10)
    assert levels[0] == (101, 3)
    assert [price for price, _ in levels] == list(range(101, 111))
    assert len({size for _, size in levels[1:]}) > 4
    assert all(20 <= size <= 90 for _, size in levels[1:])
    assert matched([order(1, BUY, 10)], quote) == [(1, 3, 101), (1, 7, 102)]
    later = [msgspec.structs.replace(quote, number=7 + step).levels(SELL, 10) for step in range(17)]
    changes = [sum(one != other for one, other in zip(*pair, strict=True)) for pair in itertools.pairwise(later)]
    assert sum(changes) == 9
    assert max(changes) < 4


@pytest.mark.parametrize(
    ("side", "stop", "market", "triggers"),
    [
        (BUY, 103, {}, False),
        (BUY, 103, {"traded": ((103, 1),)}, True),
        (BUY, 103, {"last": 103}, False),
        (BUY, 103, {"bid": 103, "ask": 104}, True),
        (BUY, 103, {"ask": 103}, False),
        (SELL, 99, {}, False),
        (SELL, 99, {"traded": ((99, 1),)}, True),
        (SELL, 99, {"bid": 98, "ask": 99}, True),
        (SELL, 99, {"bid": 99}, False),
    ],
)
def test_a_stop_is_triggered_by_a_trade_or_by_the_opposite_touch(
    *, side: OrderSide, stop: int, market: dict[str, Any], triggers: bool
) -> None:
    quote = msgspec.structs.replace(QUOTE, **market)
    assert is_triggered(order(1, side, 1, stop=stop), quote) is triggers


@pytest.mark.parametrize("partial_fills", [True, False])
def test_where_nobody_is_nothing_fills_and_no_stop_is_triggered(*, partial_fills: bool) -> None:
    quote = msgspec.structs.replace(QUOTE, ask_size=0, bid_size=0)
    orders = [
        order(1, OrderSide.BID, 1),
        order(2, OrderSide.BID, 1, limit=110),
        order(6, OrderSide.BID, 1, limit=102),
        order(3, OrderSide.ASK, 1, limit=90),
        order(4, OrderSide.BID, 1, stop=90),
        order(5, OrderSide.ASK, 1, stop=110),
    ]
    for incoming in (True, False):
        swept = sweep(orders, quote, partial_fills=partial_fills, incoming=incoming)
        assert (swept.matches, swept.triggered) == ((), ())


def test_a_stop_that_the_market_gaps_over_fills_at_the_touch() -> None:
    gapped = Quote(bid=80, ask=82, last=81, bid_size=5, ask_size=5)
    swept = sweep([order(1, SELL, 2, stop=99)], gapped, partial_fills=True)
    assert swept.triggered == (1,)
    assert swept.matches == (Match(1, 2, 80),)


def test_a_triggered_stop_that_could_not_fill_whole_goes_on_as_a_market_order() -> None:
    rest = msgspec.structs.replace(order(1, SELL, 2, stop=50), triggered=True)
    assert matched([rest], QUOTE) == [(1, 2, 100)]


def test_the_best_price_is_served_first_and_among_equals_the_oldest() -> None:
    orders = [order(1, BUY, 2, limit=102), order(2, BUY, 9, limit=103), order(3, BUY, 2, limit=102)]
    assert matched(orders, QUOTE) == [(2, 9, 103), (1, 2, 102), (3, 1, 102)]


def test_what_one_sweep_took_the_next_does_not_find_again_and_a_new_quote_does() -> None:
    first = sweep([order(1, BUY, 2)], QUOTE, partial_fills=True)
    assert matched([order(2, BUY, 2)], first.quote) == [(2, 1, 102), (2, 1, 103)]
    assert matched([order(2, BUY, 2)], QUOTE) == [(2, 2, 102)]


def test_what_was_taken_of_a_level_is_gone_for_the_next_and_what_is_left_is_there() -> None:
    quote = Quote(100, 101, 100, 5, 3, behind=40, number=7)
    second = quote.size_at(SELL, 102)
    first = sweep([order(1, BUY, 3 + second - 2)], quote, partial_fills=True)
    assert matched([order(2, BUY, 4)], first.quote) == [(2, 2, 102), (2, 2, 103)]


def test_the_range_of_trades_is_seen_by_one_sweep_only() -> None:
    quote = msgspec.structs.replace(QUOTE, traded=((90, 1),))
    after = sweep([], quote, partial_fills=True).quote
    assert matched([order(1, BUY, 1, limit=95)], quote) == [(1, 1, 95)]
    assert matched([order(1, BUY, 1, limit=95)], after) == []


def test_of_two_legs_hit_by_the_same_range_the_stop_fills_and_the_target_does_not() -> None:
    stop = msgspec.structs.replace(order(1, SELL, 2, stop=99), sibling_id=2)
    target = msgspec.structs.replace(order(2, SELL, 2, limit=104), sibling_id=1)
    wild = msgspec.structs.replace(QUOTE, traded=((98, 1), (106, 1)))
    assert matched([stop, target], wild) == [(1, 2, 100)]


sizes = st.integers(1, 12)
prices = st.integers(90, 110)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    bid = draw(prices)
    ask = bid + draw(st.integers(1, 3))
    traded = draw(st.lists(st.tuples(prices, sizes), max_size=3))
    behind, number = draw(st.integers(0, 9)), draw(st.integers(0, 99))
    return Quote(bid, ask, draw(prices), draw(sizes), draw(sizes), tuple(traded), behind=behind, number=number)


@st.composite
def books(draw: st.DrawFn) -> list[Order]:
    """Single orders, and pairs of legs."""
    orders: list[Order] = []
    for _ in range(draw(st.integers(1, 6))):
        side, quantity, first = draw(st.sampled_from([BUY, SELL])), draw(sizes), len(orders) + 1
        kind = draw(st.sampled_from(["market", "limit", "stop", "legs"]))
        if kind == "market":
            orders.append(order(first, side, quantity))
        elif kind == "limit":
            limit = order(first, side, quantity, limit=draw(prices))
            orders.append(msgspec.structs.replace(limit, ahead=draw(st.integers(0, 9))))
        elif kind == "stop":
            orders.append(order(first, side, quantity, stop=draw(prices)))
        else:
            stop = order(first, side, quantity, stop=draw(prices))
            target = order(first + 1, side, quantity, limit=draw(prices))
            orders += [
                msgspec.structs.replace(stop, sibling_id=first + 1),
                msgspec.structs.replace(target, sibling_id=first),
            ]
    return orders


@given(orders=books(), quote=quotes(), partial=st.booleans(), incoming=st.booleans())
def test_invariants_1_to_3_hold_for_any_book_and_quote(
    *, orders: list[Order], quote: Quote, partial: bool, incoming: bool
) -> None:
    swept = sweep(orders, quote, partial_fills=partial, incoming=incoming)
    by_id = {one.order_id: one for one in orders}
    filled = dict.fromkeys(by_id, 0)
    for match in swept.matches:
        assert match.quantity > 0
        filled[match.order_id] += match.quantity
        limit = by_id[match.order_id].limit_ticks
        if limit is not None:
            assert by_id[match.order_id].side.sign * (limit - match.price_ticks) >= 0
    for one in orders:
        both = filled[one.order_id] + (filled[one.sibling_id] if one.sibling_id is not None else 0)
        assert both <= one.quantity
    if partial and not incoming:
        for side, touch, size in ((BUY, quote.ask, quote.ask_size), (SELL, quote.bid, quote.bid_size)):
            at_touch = [
                match.quantity
                for match in swept.matches
                if by_id[match.order_id].side is side
                and match.price_ticks == touch
                and (by_id[match.order_id].limit_ticks in (None, touch))
                and not traded_through(by_id[match.order_id], quote)
            ]
            assert sum(at_touch) <= size


def traded_through(one: Order, quote: Quote) -> bool:
    """Whether the market traded beyond a limit, so that it fills whatever is quoted."""
    if one.limit_ticks is None:
        return False
    return any(one.side.sign * (one.limit_ticks - price) > 0 for price, _ in quote.traded)


@given(orders=books(), quote=quotes(), partial=st.booleans())
def test_price_then_time_while_a_limit_has_leaves_none_younger_fills_there_nor_any_at_a_worse_price(
    *, orders: list[Order], quote: Quote, partial: bool
) -> None:
    limits = [one for one in orders if one.limit_ticks is not None and one.sibling_id is None]
    swept = sweep(limits, quote, partial_fills=partial)
    filled = dict.fromkeys((one.order_id for one in limits), 0)
    for match in swept.matches:
        filled[match.order_id] += match.quantity
    for first in limits:
        assert first.limit_ticks is not None
        others = [one for one in limits if one.side is first.side and one.limit_ticks is not None]
        if filled[first.order_id] == first.quantity:
            continue
        for other in others:
            worse = first.side.sign * (first.limit_ticks - (other.limit_ticks or 0)) > 0
            younger = other.limit_ticks == first.limit_ticks and other.order_id > first.order_id
            # The market's queue is another for each: who joined later is not behind fewer of it.
            if worse or (younger and other.ahead >= first.ahead):
                assert not filled[other.order_id]


@given(orders=books(), quote=quotes())
def test_what_trades_at_a_price_is_given_away_once(*, orders: list[Order], quote: Quote) -> None:
    limits = [one for one in orders if one.limit_ticks is not None and not traded_through(one, quote)]
    swept = sweep(limits, quote, partial_fills=True)
    for side, opposite in ((BUY, quote.ask), (SELL, quote.bid)):
        for price in range(90, 111):
            ours = {one.order_id for one in limits if one.side is side and one.limit_ticks == price}
            if side.sign * (price - opposite) < 0:
                taken = sum(match.quantity for match in swept.matches if match.order_id in ours)
                assert taken <= sum(size for at, size in quote.traded if at == price)


@given(orders=books(), quote=quotes(), partial=st.booleans())
def test_the_order_in_which_orders_are_given_does_not_matter(
    *, orders: list[Order], quote: Quote, partial: bool
) -> None:
    assert sweep(orders, quote, partial_fills=partial) == sweep(orders[::-1], quote, partial_fills=partial)
