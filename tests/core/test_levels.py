"""Levels are exact ratios, rounded once, in a direction that has a name."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.levels import average_ticks, is_through, stop_level, target_level
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.reports import Quote
from tests.core.desk import ACCOUNT, MES


def entry(side: Side, opened_ticks: int, opened_quantity: int) -> Order:
    terms = Terms(ACCOUNT, MES.contract_id, side, opened_quantity, OrderType.MARKET)
    order = Order("a", terms, Role.ENTRY, Status.FILLED, opened_quantity=opened_quantity, opened_ticks=opened_ticks)
    assert order.open_quantity == opened_quantity
    return order


@pytest.mark.parametrize(
    ("average", "buy", "sell"),
    [("10", 10, 10), ("21/2", 11, 10), ("31/3", 11, 10), ("32/3", 11, 10), ("-21/2", -10, -11), ("-1/3", 0, -1)],
)
def test_rounding_goes_up_for_a_long_and_down_for_a_short(average: str, buy: int, sell: int) -> None:
    ticks, quantity = Fraction(average).as_integer_ratio()
    assert average_ticks(entry(Side.BUY, ticks, quantity)) == buy
    assert average_ticks(entry(Side.SELL, ticks, quantity)) == sell


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("ticks", "quantity"), [(201, 2), (200, 3), (-201, 2), (-7, 3), (0, 1), (1, 3)])
def test_rounding_lowers_the_risk_and_raises_the_reward(side: Side, ticks: int, quantity: int) -> None:
    order, average = entry(side, ticks, quantity), Fraction(ticks, quantity)
    risk = (average - stop_level(order, Exit(40))) * side.sign
    reward = (target_level(order, Exit(80)) - average) * side.sign
    assert 39 < risk <= 40
    assert 80 <= reward < 81
    assert reward / risk >= 2


@given(
    side=st.sampled_from(Side),
    fills=st.lists(st.tuples(st.integers(1, 50), st.integers(-50_000, 50_000)), min_size=1, max_size=8),
    distance=st.integers(1, 10_000),
)
def test_whatever_the_fills_a_leg_is_less_than_a_tick_from_where_it_belongs_and_on_the_right_side(
    side: Side, fills: list[tuple[int, int]], distance: int
) -> None:
    quantity = sum(quantity for quantity, _ in fills)
    opened_ticks = sum(quantity * ticks for quantity, ticks in fills)
    order, average = entry(side, opened_ticks, quantity), Fraction(opened_ticks, quantity)
    assert 0 <= distance - (average - stop_level(order, Exit(distance))) * side.sign < 1
    assert 0 <= (target_level(order, Exit(distance)) - average) * side.sign - distance < 1


def test_a_price_that_is_given_stands_for_itself() -> None:
    order = entry(Side.BUY, 200, 2)
    assert stop_level(order, Exit(40, 77)) == 77
    assert target_level(order, Exit(40, -5)) == -5


@pytest.mark.parametrize(
    ("side", "level", "through"),
    [
        (Side.BUY, 98, False),
        (Side.BUY, 99, True),
        (Side.BUY, 105, True),
        (Side.SELL, 102, False),
        (Side.SELL, 101, True),
        (Side.SELL, 95, True),
    ],
)
def test_a_stop_is_through_when_the_near_touch_has_reached_it(side: Side, level: int, through: bool) -> None:  # noqa: FBT001
    assert is_through(side, level, Quote(MES.contract_id, 99, 101, 100, 0)) is through
