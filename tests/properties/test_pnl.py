"""Money against cash: whatever the fills, realised and open P&L are what went in and out."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.order import Side
from ordergate.core.pnl import Position, after_fill
from tests.core.desk import MES

fills = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 9), st.integers(-500, 500)), max_size=30)


@given(fills, st.integers(-500, 500))
def test_realised_and_open_profit_are_the_cash_of_the_fills_at_the_mark(
    given_fills: list[tuple[Side, int, int]], mark: int
) -> None:
    position, realized, cash, net = Position(MES.contract_id), Fraction(0), 0, 0
    for side, quantity, price in given_fills:
        position, earned = after_fill(position, side, quantity, price, 0)
        realized += earned
        cash -= side.sign * quantity * price
        net += side.sign * quantity
    assert position.net == net
    assert realized + (mark - position.average) * net == cash + net * mark


@given(fills)
def test_the_average_lies_among_the_prices_that_were_paid(given_fills: list[tuple[Side, int, int]]) -> None:
    position = Position(MES.contract_id)
    for side, quantity, price in given_fills:
        position, _ = after_fill(position, side, quantity, price, 0)
    if position.net:
        paid = [price for side, _, price in given_fills if side.sign * position.net > 0]
        assert min(paid) <= position.average <= max(paid)
