"""Stops moved away from the market are new risk, judged together."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.core.order import Exit, Side
from ordergate.core.reports import AccountReport
from tests.core.desk import ACCOUNT, ASK, BID, Desk

DLL = Limits(daily_loss_usd_max=Decimal(500), risk_percent_max=Decimal(100))


def test_a_stop_moved_with_the_market_needs_no_room() -> None:
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(60)))
    desk.hold("a", stop=Exit(40))
    desk.mark(BID - 12)
    assert desk.protect(stop=ASK - 30).ok


@pytest.mark.parametrize(("stop", "ok"), [(ASK - 79, True), (ASK - 80, False)])
def test_a_stop_moved_away_is_new_risk_equal_to_the_added_dollars(stop: int, ok: bool) -> None:  # noqa: FBT001
    # 50.36 at the stop and out; each tick further is 1.25.
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal("100.36")))
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    answer = desk.protect(stop=stop)
    assert answer.ok is ok
    assert [breach.code for breach in answer.breaches] == ([] if ok else ["DAILY_LOSS_LIMIT"])
    assert bool(desk.told(e.ModifyDenied)) is not ok


def test_the_stops_of_several_entries_moved_together_are_judged_together() -> None:
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(200)))
    for name in ("a", "b"):
        desk.hold(name, stop=Exit(40), target=Leg.OFF)  # 102 for both
    assert not desk.protect(stop=ASK - 100).ok, "75 more for each: either alone would do"
    assert desk.protect(stop=ASK - 60).ok


def test_a_stop_moved_away_is_judged_per_trade_by_its_whole_distance() -> None:
    desk = Desk(Limits(risk_percent_max=Decimal("0.2"), daily_loss_usd_max=Decimal(5_000)))  # 100 USD: 80 ticks
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    assert desk.protect(stop=ASK - 81).code == "EXCESSIVE_RISK"
    assert desk.protect(stop=ASK - 80).ok


def test_a_stop_is_not_moved_away_while_locked_out() -> None:
    desk = Desk(replace(DLL, on_daily_loss=OnDailyLoss.KEEP))
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49000), can_trade=True))
    assert desk.account.trading_state is e.TradingState.REDUCING
    assert desk.protect(stop=ASK - 50).code == "REDUCE_ONLY"
    assert desk.protect(stop=ASK - 30).ok


def test_a_short_stop_moved_up_is_moved_away() -> None:
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(60)))
    desk.hold("a", Side.SELL, price=BID, stop=Exit(40), target=Leg.OFF)
    assert desk.protect(stop=BID + 48).code == "DAILY_LOSS_LIMIT"
    assert desk.protect(stop=BID + 20).ok


def test_without_a_stop_the_stress_move_is_where_it_was() -> None:
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(210)))  # 201.25 and out at the stress move
    desk.hold("a", stop=Leg.OFF, target=Leg.OFF)
    assert desk.protect(stop=ASK - 160).ok
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(210)))
    desk.hold("a", stop=Leg.OFF, target=Leg.OFF)
    assert desk.protect(stop=ASK - 170).code == "DAILY_LOSS_LIMIT"


def test_a_stop_cannot_be_moved_away_blind() -> None:
    desk = Desk(DLL)
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    desk.quotes.clear()
    assert desk.protect(stop=ASK - 50).code == "NO_REFERENCE_PRICE"
    assert desk.protect(stop=ASK - 30).ok


def test_one_denied_stop_leaves_all_of_them_where_they_are() -> None:
    desk = Desk(replace(DLL, daily_loss_usd_max=Decimal(200)))
    for name in ("a", "b"):
        desk.hold(name, stop=Exit(40), target=Leg.OFF)
    before = [desk.order(name).protection for name in ("a", "b")]
    assert not desk.protect(stop=ASK - 100).ok
    assert [desk.order(name).protection for name in ("a", "b")] == before


def locked_out() -> Desk:
    """Long 1 of MES with its stop 40 ticks below, in an account that may only reduce."""
    desk = Desk(replace(DLL, on_daily_loss=OnDailyLoss.KEEP))
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49000), can_trade=True))
    return desk


def test_a_stop_that_stays_is_not_judged_and_one_tick_away_from_the_market_is() -> None:
    desk = locked_out()
    assert desk.protect(stop=ASK - 40).ok
    assert desk.protect(stop=ASK - 40, target=ASK + 80).ok
    assert desk.protect(stop=ASK - 41).code == "REDUCE_ONLY"


def test_a_target_is_moved_without_judgement_where_there_is_no_stop() -> None:
    desk = Desk(replace(DLL, on_daily_loss=OnDailyLoss.KEEP))
    desk.hold("a", stop=Leg.OFF, target=Exit(80))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", Decimal(49000), can_trade=True))
    assert desk.protect(target=ASK + 90).ok


@pytest.mark.parametrize("moved", [-30, 30])
def test_the_whole_distance_is_measured_from_the_entry_wherever_the_market_is(moved: int) -> None:
    desk = Desk(Limits(risk_percent_max=Decimal("0.4"), daily_loss_usd_max=Decimal(5_000)))  # 200 USD: 80 ticks of 2
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.mark(BID + moved)
    assert desk.protect(stop=ASK - 80).ok
    (breach,) = desk.protect(stop=ASK - 81).breaches
    assert (breach.code, breach.limit, breach.actual) == ("EXCESSIVE_RISK", "200.00", "202.50")


def test_a_stop_that_still_locks_in_a_profit_risks_nothing_of_the_trade() -> None:
    desk = Desk(DLL)
    desk.hold("a", stop=Exit(40), target=Leg.OFF)
    desk.group = replace(desk.group, limits=replace(DLL, risk_usd_max=Decimal(1)))
    desk.mark(ASK + 30)
    assert desk.protect(stop=ASK + 10).ok
    assert desk.protect(stop=ASK).ok
    assert desk.protect(stop=ASK - 1).code == "EXCESSIVE_RISK"
