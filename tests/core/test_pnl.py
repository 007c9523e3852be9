"""Positions by average cost, and their money."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from ordergate.core.order import Side
from ordergate.core.pnl import Position, after_fill, mark_ticks, open_usd, usd
from ordergate.core.reports import Quote
from tests.core.desk import MES, MNQ

Fill = tuple[Side, int, int]


def run(*fills: Fill) -> tuple[Position, Fraction]:
    """The position after fills of (side, quantity, price), and all that was realised in ticks x contracts."""
    position, realized = Position(MES.contract_id), Fraction(0)
    for number, (side, quantity, price) in enumerate(fills, start=1):
        position, more = after_fill(position, side, quantity, price, number)
        realized += more
    return position, realized


@pytest.mark.parametrize(
    ("fills", "net", "average", "realized"),
    [
        ([(Side.BUY, 2, 100)], 2, "100", 0),
        ([(Side.BUY, 1, 100), (Side.BUY, 2, 103)], 3, "102", 0),
        ([(Side.BUY, 1, 100), (Side.BUY, 1, 101)], 2, "201/2", 0),
        ([(Side.BUY, 3, 100), (Side.SELL, 1, 110)], 2, "100", 10),
        ([(Side.BUY, 3, 100), (Side.SELL, 3, 90)], 0, "0", -30),
        ([(Side.BUY, 2, 100), (Side.SELL, 5, 110)], -3, "110", 20),
        ([(Side.SELL, 2, 100)], -2, "100", 0),
        ([(Side.SELL, 2, 100), (Side.BUY, 2, 90)], 0, "0", 20),
        ([(Side.SELL, 2, 100), (Side.BUY, 3, 110)], 1, "110", -20),
        ([(Side.SELL, 1, -5), (Side.SELL, 1, -6), (Side.BUY, 2, -10)], 0, "0", 9),
    ],
)
def test_fills_make_a_position_and_what_they_close_is_realised(
    fills: list[Fill], net: int, average: str, realized: int
) -> None:
    position, earned = run(*fills)
    assert (position.net, position.average, earned) == (net, Fraction(average), Fraction(realized))


def test_a_position_remembers_when_it_was_opened_until_it_is_turned() -> None:
    assert run((Side.BUY, 1, 5), (Side.BUY, 1, 5))[0].opened_ns == 1
    assert run((Side.BUY, 2, 5), (Side.SELL, 1, 5))[0].opened_ns == 1
    assert run((Side.BUY, 1, 5), (Side.SELL, 2, 5))[0].opened_ns == 2


@pytest.mark.parametrize(
    ("ticks", "money"),
    [("4", "5"), ("1/2", "0.6250"), ("1/3", "0.4167"), ("-1/3", "-0.4167"), ("1/8000", "0.0002"), ("3/8000", "0.0005")],
)
def test_money_of_a_ratio_is_rounded_once_to_a_ten_thousandth(ticks: str, money: str) -> None:
    assert usd(MES, Fraction(ticks)) == Decimal(money)


@pytest.mark.parametrize(
    ("ticks", "money"),
    [("1/25000", "0"), ("3/25000", "0.0002"), ("5/25000", "0.0002"), ("7/25000", "0.0004"), ("-1/25000", "0")],
)
def test_half_of_a_ten_thousandth_goes_to_the_even_one(ticks: str, money: str) -> None:
    assert usd(MES, Fraction(ticks)) == Decimal(money)


def test_a_whole_dollar_a_tick_is_rounded_to_the_nearest_ten_thousandth_too() -> None:
    crude = replace(MES, tick_value_usd=Decimal(1))
    assert [usd(crude, Fraction(thirds, 3)) for thirds in (1, 2)] == [Decimal("0.3333"), Decimal("0.6667")]


def test_a_long_is_closed_at_the_bid_and_a_short_at_the_ask() -> None:
    quote = Quote(MES.contract_id, 99, 101, 100, 0)
    assert (mark_ticks(quote, 1), mark_ticks(quote, -1)) == (99, 101)


def test_open_profit_carries_its_sign() -> None:
    assert open_usd(MNQ, Position(MNQ.contract_id, 2, 100, 1), 110) == Decimal(10)
    assert open_usd(MNQ, Position(MNQ.contract_id, -2, 100, 1), 110) == Decimal(-10)
    assert open_usd(MNQ, Position(MNQ.contract_id, 2, 201, 2), 100) == Decimal("-0.5")
