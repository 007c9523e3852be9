"""What fills do to positions and balances: ``exchange.accounts`` and the numbers of its invariants."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.exchange.accounts import Account, Position, credited, position_after
from ordergate.exchange.enums import OrderSide

BUY, SELL = OrderSide.BID, OrderSide.ASK
MNQ_TICK_USD = Decimal("0.50")

fills = st.lists(
    st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 20), st.integers(-50, 100_000)), min_size=1, max_size=30
)
tick_values = st.sampled_from([Decimal(text) for text in ("0.50", "1.25", "12.50", "7.8125", "15.625", "0.05")])


def flat() -> Position:
    return Position(
        position_id=1,
        account_id=1,
        contract_id="any",
        opened_ns=0,
        net_quantity=0,
        cost_usd=Decimal(0),
        average_ticks=Decimal(0),
    )


def held_after(
    *done: tuple[OrderSide, int, int], tick_usd: Decimal = MNQ_TICK_USD
) -> tuple[Position, list[Decimal | None]]:
    held, pnls = flat(), []
    for side, quantity, price in done:
        held, pnl = position_after(held, side, quantity, price, tick_usd)
        pnls.append(pnl)
    return held, pnls


def test_the_live_mnq_example_closes_with_its_gross_profit_and_loss() -> None:
    # Section 5.6: short at 29398.5, closed at 29423, reported as -49.
    _, pnls = held_after((SELL, 1, 29_398 * 4 + 2), (BUY, 1, 29_423 * 4))
    assert pnls == [None, Decimal(-49)]


def test_scaling_in_averages_and_a_partial_close_leaves_the_average() -> None:
    held, pnls = held_after((BUY, 1, 100), (BUY, 1, 101))
    assert (held.average_ticks, pnls) == (Decimal("100.5"), [None, None])
    held, pnls = held_after((BUY, 1, 100), (BUY, 1, 101), (SELL, 1, 103))
    assert (held.net_quantity, held.average_ticks, pnls[-1]) == (1, Decimal("100.5"), Decimal("1.25"))


def test_a_fill_through_flat_closes_all_and_opens_the_rest_at_its_price() -> None:
    held, pnls = held_after((BUY, 2, 100), (SELL, 5, 110))
    assert (held.net_quantity, held.average_ticks, pnls[-1]) == (-3, Decimal(110), Decimal(10))


def test_a_flat_position_keeps_its_average_price() -> None:
    held, _ = held_after((BUY, 2, 100), (SELL, 2, 110))
    assert (held.net_quantity, held.cost_usd, held.average_ticks) == (0, Decimal(0), Decimal(100))


@pytest.mark.parametrize(("pnl_usd", "balance_usd"), [(None, "99.28"), ("10", "109.28"), ("-10.5", "88.78")])
def test_a_balance_moves_with_profit_and_fees(pnl_usd: str | None, balance_usd: str) -> None:
    account = Account(account_id=1, name="any", balance_usd=Decimal(100))
    after = credited(account, None if pnl_usd is None else Decimal(pnl_usd), Decimal("0.72"))
    assert after.balance_usd == Decimal(balance_usd)


@given(fills, tick_values)
def test_quantity_and_money_add_up_to_the_last_digit(done: list[tuple[OrderSide, int, int]], tick_usd: Decimal) -> None:
    held, pnls = held_after(*done, tick_usd=tick_usd)
    received = sum((-side.sign * quantity * price * tick_usd for side, quantity, price in done), Decimal(0))
    assert held.net_quantity == sum(side.sign * quantity for side, quantity, _ in done)
    assert sum((pnl for pnl in pnls if pnl is not None), Decimal(0)) - held.cost_usd == received


@given(fills)
def test_only_a_fill_against_the_position_has_a_profit_or_loss(done: list[tuple[OrderSide, int, int]]) -> None:
    held = flat()
    for side, quantity, price in done:
        closes = held.net_quantity * side.sign < 0
        held, pnl = position_after(held, side, quantity, price, MNQ_TICK_USD)
        assert (pnl is not None) is closes
