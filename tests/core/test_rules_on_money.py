"""Profit to stop at, the maximum loss floor and risk in dollars, as tables: allowed, at the limit, over, unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.floor import equity_usd, floor_usd, risk_base_usd
from ordergate.core.limits import Limits, OnDailyLoss, Trailing
from ordergate.core.order import Exit, Side
from ordergate.core.reports import AccountReport
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, WIDE, Desk, position

HOURS_MS = 60 * 60 * 1_000


# risk_per_trade, in dollars: 40 ticks of MES are 50 USD
@pytest.mark.parametrize(("limit", "codes"), [("50", []), ("49.99", ["EXCESSIVE_RISK"]), (None, []), ("2000", [])])
def test_the_risk_of_one_trade_is_limited_in_dollars_too(limit: str | None, codes: list[str]) -> None:
    limits = Limits(risk_usd_max=Decimal(limit) if limit else None)
    assert Desk(limits).codes("a", stop=Exit(40)) == codes


def test_the_smaller_of_percentage_and_amount_limits() -> None:
    limits = Limits(risk_usd_max=Decimal(2_000), daily_loss_usd_max=Decimal(10_000))
    (breach,) = Desk(limits).submit("a", quantity=10, stop=Exit(81)).breaches
    assert (breach.code, breach.limit, "2 %" in breach.message) == ("EXCESSIVE_RISK", "1000.00", True)
    limits = Limits(risk_usd_max=Decimal(500), daily_loss_usd_max=Decimal(10_000))
    (breach,) = Desk(limits).submit("a", quantity=10, stop=Exit(81)).breaches
    assert (breach.code, breach.limit, "%" in breach.message) == ("EXCESSIVE_RISK", "500.00", False)


def test_a_default_stop_is_drawn_in_to_the_amount() -> None:
    desk = Desk(Limits(risk_usd_max=Decimal(25)))
    assert desk.codes("a") == []
    assert desk.order("a").protection.stop == Exit(20)


def test_an_account_that_begins_at_nothing_is_measured_by_the_room_to_its_floor() -> None:
    limits = Limits(maximum_loss_usd=Decimal(2_000))
    assert Desk(limits, balance="0").codes("a", stop=Exit(32)) == []  # 40 USD, 2 % of 2,000
    assert Desk(limits, balance="0").codes("a", stop=Exit(33)) == ["EXCESSIVE_RISK"]


@pytest.mark.parametrize(("balance", "base"), [("1", "1"), ("0.01", "0.01"), ("0", "2000"), ("-100", "2000")])
def test_the_risk_base_is_the_balance_while_there_is_any(balance: str, base: str) -> None:
    desk = Desk(Limits(maximum_loss_usd=Decimal(2_000)), balance=balance)
    assert risk_base_usd(desk.group, desk.account) == Decimal(base)


def test_equity_is_the_balance_of_the_open_with_what_was_carried_and_the_day_so_far() -> None:
    account = Desk().account
    account = replace(account, day=replace(account.day, carried_usd=Decimal(-200)))
    assert equity_usd(account, Decimal(10)) == Decimal(49_810)


# daily_profit
@pytest.mark.parametrize(("profit", "codes"), [("299.99", []), ("300", ["DAILY_PROFIT_LIMIT"])])
def test_new_risk_ends_when_the_days_profit_is_reached(profit: str, codes: list[str]) -> None:
    desk = Desk(Limits(daily_profit_usd_max=Decimal(300)))
    desk.hold("a", quantity=4, stop=Exit(40), target=Exit(100))
    desk.fill(desk.target("a").order_id, price=ASK + 100)
    assert desk.account.trading_state is e.TradingState.ACTIVE, "the worse of both figures governs"
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance + Decimal(profit), can_trade=True))
    stopped = desk.account.state_code
    assert stopped == (codes[0] if codes else "")
    assert desk.codes("b") == (["REDUCE_ONLY", *codes] if codes else [])


def test_the_day_that_reached_its_profit_may_only_reduce_until_the_next() -> None:
    desk = Desk(Limits(daily_profit_usd_max=Decimal(100), on_daily_loss=OnDailyLoss.FLATTEN))
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.submit("more", limit=BID - 40)
    desk.accept("more")
    desk.mark(ASK + 50)  # 125 USD, less 1.44 of fees to come
    assert desk.account.state_code == "DAILY_PROFIT_LIMIT"
    assert desk.net() == 2, "a profit closes nothing by itself"
    assert not desk.account.exits
    assert desk.order("more").cancel_wanted
    assert desk.submit("out", Side.SELL, 1).ok
    desk.wait(9 * HOURS_MS)
    assert desk.account.trading_state is e.TradingState.ACTIVE


def test_a_profit_that_cannot_be_told_denies() -> None:
    desk = Desk(Limits(daily_profit_usd_max=Decimal(300)))
    desk.hold("a", target=Leg.OFF)
    desk.quotes.clear()
    found = desk.submit("b").breaches
    assert [breach.code for breach in found] == ["DAILY_PROFIT_LIMIT", "NO_REFERENCE_PRICE"]
    assert (found[0].limit, found[0].actual) == ("300.00", "unknown")


def test_the_profit_to_stop_at_is_off_unless_set() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=10, target=Leg.OFF)
    desk.mark(ASK + 20_000)
    assert desk.account.trading_state is e.TradingState.ACTIVE


# maximum_loss: 50,000 USD to begin with, the floor 2,000 below
MLL = replace(WIDE, maximum_loss_usd=Decimal(2_000))


def floor(desk: Desk) -> Decimal | None:
    return floor_usd(desk.group, desk.account)


@pytest.mark.parametrize(
    ("highs", "expected"),
    [
        ([], "48000"),
        (["50500"], "48500"),
        (["51000", "49000"], "49000"),
        (["52000"], "50000"),
        (["60000"], "50000"),
        (["49000"], "48000"),
    ],
    ids=["new", "raised", "never lowered", "at its lock", "locked", "a loss moves nothing"],
)
def test_the_floor_follows_the_highest_balance_at_a_days_end_and_locks(highs: list[str], expected: str) -> None:
    desk = Desk(MLL)
    for high in highs:
        desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(high), can_trade=True))
        assert floor(desk) is not None
        desk.wait(24 * HOURS_MS)
    assert floor(desk) == Decimal(expected)


def test_a_high_within_the_day_raises_only_the_intraday_floor() -> None:
    for trailing, expected in ((Trailing.END_OF_DAY, "48000"), (Trailing.INTRADAY, "48104")):
        desk = Desk(replace(MLL, maximum_loss_trailing=trailing))
        desk.hold("a", quantity=1, stop=Exit(40), target=Leg.OFF)
        desk.mark(ASK + 83)  # 103.75 USD, less 0.36 to get out: the next whole dollar
        desk.mark(ASK + 10)
        assert floor(desk) == Decimal(expected)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"maximum_loss_floor_usd": Decimal(49_000)}, "49000"),
        ({"maximum_loss_floor_usd": Decimal(50_100)}, "50100"),
        ({"maximum_loss_lock_usd": Decimal(50_500)}, "48500"),
        ({"maximum_loss_usd": None}, None),
    ],
    ids=["given", "given above the lock", "another lock", "off"],
)
def test_the_floor_may_be_told(changed: dict[str, Any], expected: str | None) -> None:
    found = floor(Desk(replace(MLL, **changed)))
    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("left", "codes"),
    [("50.74", []), ("50.72", ["MAXIMUM_LOSS_LIMIT"]), ("50.73", [])],
    ids=["room", "at the floor", "a cent above it"],
)
def test_an_order_is_denied_when_its_stop_would_touch_the_floor(left: str, codes: list[str]) -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(50_000) - Decimal(left)))
    assert desk.codes("a", stop=Exit(40)) == codes  # 50 USD and 0.72 of fees


def test_what_is_left_above_the_floor_is_not_told_without_a_price_for_everything() -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(49_999)), positions=[position(1, ASK, MNQ)])
    desk.quote(MNQ, None, None)
    assert desk.codes("a", stop=Exit(40)) == ["NO_REFERENCE_PRICE"], "the open P&L of MNQ is missing"
    desk.quote(MNQ, BID, ASK)
    desk.quote(MES, None, None)
    assert desk.codes("b", stop=Exit(40, ASK - 40)) == ["NO_REFERENCE_PRICE"], "the risk of the order is missing"


def test_equity_that_touches_the_floor_flattens_and_stops_the_account() -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(49_900)), positions=[position(1, ASK)])
    desk.mark(ASK - 79)
    assert desk.account.trading_state is e.TradingState.ACTIVE
    desk.mark(ASK - 80)  # 100 USD, and 0.36 to get out
    assert desk.account.state_code == "MAXIMUM_LOSS_LIMIT"
    assert list(desk.account.exits) == [MES.contract_id]


def test_a_floor_that_only_the_firm_knows_has_to_be_told() -> None:
    desk = Desk(MLL)
    desk.group = replace(desk.group, venue="topstepx")
    (breach,) = desk.submit("a").breaches
    assert (breach.code, breach.limit, breach.actual) == ("MAXIMUM_LOSS_LIMIT", "a known floor", "unknown")
    assert "maximum_loss_floor" in breach.message
    desk.group = replace(desk.group, limits=replace(MLL, maximum_loss_floor_usd=Decimal(48_000)))
    assert desk.codes("b") == []


def test_widening_a_stop_counts_against_the_floor() -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(49_900)))
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    assert desk.protect(stop=ASK - 80).code == "MAXIMUM_LOSS_LIMIT"
    assert desk.protect(stop=ASK - 79).ok


def test_an_account_below_its_floor_does_not_trade_on_the_next_day_either() -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(49_950)))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49_950), can_trade=True))
    assert desk.account.state_code == "MAXIMUM_LOSS_LIMIT"
    desk.wait(24 * HOURS_MS)
    assert desk.account.day.name == "2026-11-24"
    assert desk.account.state_code == "MAXIMUM_LOSS_LIMIT"
    assert "REDUCE_ONLY" in desk.codes("a")


@pytest.mark.parametrize(
    ("high", "expected"),
    [("50500", "49000"), ("51000", "49000"), ("51500", "49500"), ("52500", "50000"), ("60000", "50000")],
    ids=["below what it tells", "at it", "above it", "at its lock", "locked"],
)
def test_a_floor_that_was_told_rises_with_the_balance_and_locks(high: str, expected: str) -> None:
    desk = Desk(replace(MLL, maximum_loss_floor_usd=Decimal(49_000)))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(high), can_trade=True))
    desk.wait(24 * HOURS_MS)
    assert floor(desk) == Decimal(expected)
