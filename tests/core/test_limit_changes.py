"""Limits that change while the day runs: tighter now, looser from the next trading day (I9)."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.commands import Answer, ChangeLimits, Leg
from ordergate.core.fold import evolve
from ordergate.core.inputs import Started, Wake
from ordergate.core.limits import Blackout, Limits, OnDailyLoss, OnMustBeFlat
from ordergate.core.order import Exit
from ordergate.core.reports import AccountReport
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, ASK, BID, MES, MS_NS, Desk, instant

NOON = instant("2026-11-23 12:00")
OPEN = instant("2026-11-23 17:00")
LOSS = Limits(daily_loss_usd_max=Decimal(1_000), risk_percent_max=Decimal(100), open_orders_max=50)


LIMITS = (e.LimitsConfigured, e.LimitsChanged, e.LimitsDeferred)


def trading(limits: Limits | None = None) -> Desk:
    """A desk at noon that has sent its first order of the day."""
    desk = Desk(limits, at_ns=NOON)
    desk.submit("first", limit=BID)
    desk.accept("first")
    desk.forget()
    return desk


def holding(**limits: Any) -> Desk:
    """Long 4 MES from 20,000: 5 USD a tick, stop far away."""
    desk = Desk(replace(LOSS, **limits), at_ns=NOON)
    desk.hold("a", quantity=4, stop=Exit(159), target=Leg.OFF)
    return desk


def change(desk: Desk, **values: Any) -> Answer:
    return desk.ask(ChangeLimits(desk.request_id(), replace(Limits(), **values), tuple(values)))


def until_the_open(desk: Desk) -> int:
    return (OPEN - desk.now_ns) // MS_NS


def start(desk: Desk, **values: Any) -> None:
    desk.feed(Started("desk", "sim", "practice", replace(Limits(), **values)))


def test_a_tighter_limit_holds_for_the_very_next_order() -> None:
    desk = trading()
    assert change(desk, order_quantity_max=2).ok
    assert desk.codes("b", quantity=3, limit=BID) == ["MAX_ORDER_SIZE"]
    assert desk.group.limits_waiting is None


def test_a_looser_limit_waits_for_the_next_trading_day() -> None:
    desk = trading()
    version = desk.group.limits_version
    assert change(desk, order_quantity_max=20, position_quantity_max=20).ok
    assert (desk.group.limits, desk.group.limits_version) == (Limits(), version)
    assert desk.group.limits_from == "2026-11-24"
    assert desk.codes("b", quantity=11, limit=BID) == ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    desk.wait(until_the_open(desk) - 1)
    assert desk.group.limits.order_quantity_max == 10
    desk.wait(1)
    assert (desk.group.limits.order_quantity_max, desk.group.limits_version) == (20, version + 1)
    assert (desk.group.limits_waiting, desk.group.limits_from) == (None, "")
    assert desk.codes("c", quantity=11, limit=BID, stop=Exit(4)) == []


def test_before_the_first_order_of_the_day_a_looser_limit_holds_at_once() -> None:
    desk = Desk(at_ns=NOON)
    change(desk, order_quantity_max=20)
    assert desk.group.limits.order_quantity_max == 20
    assert desk.group.limits_waiting is None


def test_an_order_that_was_denied_has_begun_the_day_too() -> None:
    desk = Desk(at_ns=NOON)
    assert desk.codes("b", quantity=11) == ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    change(desk, order_quantity_max=20)
    assert desk.group.limits.order_quantity_max == 10


def test_yesterdays_orders_hold_nothing_back_today() -> None:
    desk = trading()
    desk.wait(until_the_open(desk) + 60_000)
    change(desk, order_quantity_max=20)
    assert desk.group.limits.order_quantity_max == 20


def test_of_one_change_the_tighter_part_holds_now_and_the_looser_waits() -> None:
    desk = trading()
    change(desk, order_quantity_max=2, position_quantity_max=20)
    assert (desk.group.limits.order_quantity_max, desk.group.limits.position_quantity_max) == (2, 10)
    desk.wait(until_the_open(desk))
    assert (desk.group.limits.order_quantity_max, desk.group.limits.position_quantity_max) == (2, 20)


def test_what_waits_is_kept_when_something_else_changes() -> None:
    desk = trading()
    change(desk, position_quantity_max=20)
    change(desk, order_quantity_max=2)
    desk.wait(until_the_open(desk))
    assert (desk.group.limits.order_quantity_max, desk.group.limits.position_quantity_max) == (2, 20)


def test_what_waits_can_be_taken_back() -> None:
    desk = trading()
    change(desk, order_quantity_max=20)
    change(desk, order_quantity_max=10)
    assert desk.group.limits_waiting is None
    desk.wait(until_the_open(desk))
    assert desk.group.limits == Limits()


def test_nothing_is_recorded_where_nothing_changes() -> None:
    desk = trading()
    assert change(desk, order_quantity_max=10).ok
    assert desk.events == []


def test_limits_that_no_order_could_pass_are_refused() -> None:
    desk = trading()
    assert change(desk, order_quantity_min=11).code == "LIMITS_CONTRADICT"
    assert change(desk, order_quantity_min=3, order_quantity_max=2).code == "LIMITS_CONTRADICT"
    assert desk.events == []


# Chicago's clocks go from 02:00 to 03:00 that night: this window never comes.
SKIPPED = Blackout(time(2, 10), time(2, 50), date(2027, 3, 14))
NEWS = Blackout(time(7, 25), time(7, 45))


@pytest.mark.parametrize("blackouts", [(SKIPPED,), (NEWS, SKIPPED)])
def test_a_change_after_which_a_limit_would_refuse_nothing_is_refused_and_names_it(
    blackouts: tuple[Blackout, ...],
) -> None:
    for desk in (trading(), Desk(at_ns=NOON)):
        desk.forget()
        answer = change(desk, blackouts=blackouts, order_quantity_max=5)
        assert answer.code == "LIMIT_INERT"
        assert answer.message == (
            "nothing was changed: self-test: BLACKOUT refuses nothing in MGC, MNQ, MES, MCL, M2K, MYM"
        )
        assert desk.events == []
        assert change(desk, blackouts=(NEWS,)).ok


def test_a_limit_that_would_refuse_nothing_only_once_it_comes_into_force_is_refused_when_it_is_asked_for() -> None:
    desk = trading(Limits(maximum_loss_usd=Decimal(2_000)))
    endless = Decimal(10**12)  # no floor that an account could ever reach
    answer = change(desk, maximum_loss_usd=endless)
    assert (answer.code, desk.events) == ("LIMIT_INERT", [])
    assert "MAXIMUM_LOSS_LIMIT" in answer.message
    assert change(desk, maximum_loss_usd=Decimal(3_000)).ok
    assert desk.group.limits_waiting is not None


def test_a_limit_that_there_is_not_is_refused() -> None:
    desk = trading()
    assert desk.ask(ChangeLimits("r", Limits(), ("__class__",))).code == "UNKNOWN_LIMIT"


def test_what_waits_holds_only_when_every_account_has_its_next_day() -> None:
    desk = trading()
    change(desk, order_quantity_max=20)
    other = replace(desk.account, account_id=202, timers={})
    desk.group = replace(desk.group, accounts=desk.group.accounts | {202: other})
    desk.wait(until_the_open(desk) + 60_000)
    assert desk.account.day.name == "2026-11-24"
    assert desk.group.limits.order_quantity_max == 10


def test_looser_settings_at_a_restart_wait_and_tighter_ones_do_not() -> None:
    desk = trading()
    start(desk, order_quantity_max=20, open_orders_max=2)
    assert (desk.group.limits.order_quantity_max, desk.group.limits.open_orders_max) == (10, 2)
    start(desk, order_quantity_max=20, open_orders_max=2)
    assert (desk.group.limits.order_quantity_max, desk.group.limits_from) == (10, "2026-11-24")
    desk.wait(until_the_open(desk))
    assert (desk.group.limits.order_quantity_max, desk.group.limits.open_orders_max) == (20, 2)


def test_a_restart_with_the_same_settings_takes_back_nothing_that_a_person_has_changed() -> None:
    desk = trading()
    change(desk, order_quantity_max=2)
    desk.forget()
    start(desk)
    assert [event for event in desk.events if isinstance(event, e.LimitsConfigured | e.LimitsChanged)] == []
    assert desk.group.limits.order_quantity_max == 2
    start(desk, open_orders_max=3)
    assert (desk.group.limits.order_quantity_max, desk.group.limits.open_orders_max) == (2, 3)
    desk.wait(until_the_open(desk))
    assert desk.group.limits.order_quantity_max == 2


def test_a_journal_from_before_settings_were_kept_goes_on_with_its_limits() -> None:
    desk = trading()
    desk.group = replace(desk.group, limits_configured=None)
    start(desk, order_quantity_max=20)
    assert desk.group.limits.order_quantity_max == 10
    assert desk.group.limits_waiting == Limits(order_quantity_max=20)


def test_what_waits_survives_a_restart_by_the_journal() -> None:
    desk = Desk(at_ns=NOON)
    desk.submit("first", limit=BID)
    change(desk, order_quantity_max=20)
    folded = Group()
    for event in desk.events:
        folded = evolve(folded, decode(*encode(event)))
    assert folded == desk.group
    assert folded.limits_waiting == Limits(order_quantity_max=20)


def test_a_lower_loss_limit_that_is_passed_already_stops_new_risk_and_closes_nothing() -> None:
    desk = holding()
    desk.mark(ASK - 100)  # 500 USD and fees
    change(desk, daily_loss_usd_max=Decimal(300))
    assert desk.account.trading_state is e.TradingState.REDUCING
    desk.mark(ASK - 110)
    assert desk.told(e.ExitStarted) == []
    assert "REDUCE_ONLY" in desk.codes("b")


def test_what_was_spared_is_closed_at_the_limit_before() -> None:
    desk = holding()
    desk.mark(ASK - 100)
    change(desk, daily_loss_usd_max=Decimal(300))
    desk.mark(ASK - 199)
    assert desk.told(e.ExitStarted) == []
    desk.mark(ASK - 200)
    desk.mark(ASK - 210)
    assert len(desk.told(e.ExitStarted)) == 1


def test_a_lower_loss_limit_that_no_price_can_be_held_against_closes_nothing_by_itself() -> None:
    """As at a restart, where no quote has come yet when the settings are read."""
    desk = holding()
    desk.quotes.clear()
    start(desk, daily_loss_usd_max=Decimal(300), risk_percent_max=Decimal(100), open_orders_max=50)
    desk.mark(ASK - 100)
    assert desk.account.trading_state is e.TradingState.REDUCING
    assert desk.told(e.ExitStarted) == []


def test_a_lower_loss_limit_that_is_reached_later_closes_as_it_says() -> None:
    desk = holding()
    desk.mark(ASK - 20)
    change(desk, daily_loss_usd_max=Decimal(300))
    assert desk.account.trading_state is e.TradingState.ACTIVE
    desk.mark(ASK - 60)
    assert len(desk.told(e.ExitStarted)) == 1


def test_an_account_that_is_stopped_and_keeps_its_position_is_not_closed_by_a_change() -> None:
    desk = Desk(replace(LOSS, on_daily_loss=OnDailyLoss.KEEP), at_ns=NOON)
    desk.hold("a", quantity=4, stop=Exit(159), target=Leg.OFF)
    desk.mark(ASK - 210)
    assert desk.account.trading_state is e.TradingState.REDUCING
    change(desk, daily_loss_usd_max=Decimal(300), on_daily_loss=OnDailyLoss.FLATTEN)
    desk.mark(ASK - 211)
    assert desk.told(e.ExitStarted) == []


def test_a_second_lower_limit_leaves_what_was_spared_to_the_first_one_before() -> None:
    desk = holding()
    desk.quotes.clear()
    change(desk, daily_loss_usd_max=Decimal(300))
    change(desk, daily_loss_usd_max=Decimal(200))
    assert desk.account.spared_by == LOSS


def test_what_was_closed_is_spared_no_more() -> None:
    desk = holding()
    desk.mark(ASK - 100)
    change(desk, daily_loss_usd_max=Decimal(300))
    desk.mark(ASK - 200)
    assert desk.told(e.PositionsSpared) == [e.PositionsSpared(ACCOUNT, LOSS), e.PositionsSpared(ACCOUNT, None)]


def test_what_was_spared_is_so_until_the_next_trading_day() -> None:
    desk = holding()
    desk.mark(ASK - 100)
    change(desk, daily_loss_usd_max=Decimal(300))
    assert desk.account.spared_by == LOSS
    desk.wait(until_the_open(desk))
    assert desk.account.spared_by is None


def test_a_tighter_maximum_loss_that_is_passed_already_closes_at_the_floor_before() -> None:
    desk = holding(maximum_loss_usd=Decimal(900))
    desk.mark(ASK - 100)  # 500 USD and fees below the floor's start
    change(desk, maximum_loss_usd=Decimal(400))
    assert desk.account.state_code == "MAXIMUM_LOSS_LIMIT"
    desk.mark(ASK - 178)
    assert desk.told(e.ExitStarted) == []
    desk.mark(ASK - 180)
    assert len(desk.told(e.ExitStarted)) == 1


def test_an_earlier_time_to_be_flat_that_has_passed_closes_at_the_time_before() -> None:
    desk = holding(session_only=True, must_be_flat=time(15), on_must_be_flat=OnMustBeFlat.FLATTEN)
    change(desk, must_be_flat=time(11))
    assert "OUTSIDE_TRADING_HOURS" in desk.codes("b")
    desk.wait(3 * 3_600_000 - 1_000)
    assert desk.told(e.ExitStarted) == []
    desk.wait(2_000)
    assert len(desk.told(e.ExitStarted)) == 1


def test_where_a_tighter_limit_would_close_nothing_nothing_is_spared() -> None:
    kept = holding(on_daily_loss=OnDailyLoss.KEEP)
    kept.mark(ASK - 100)
    change(kept, daily_loss_usd_max=Decimal(300))
    won = holding()
    won.mark(ASK + 100)
    change(won, daily_profit_usd_max=Decimal(300), daily_loss_usd_max=Decimal(900))
    assert [desk.account.state_code for desk in (kept, won)] == ["DAILY_LOSS_LIMIT", "DAILY_PROFIT_LIMIT"]
    assert [desk.told(e.PositionsSpared) for desk in (kept, won)] == [[], []]


def test_a_change_that_says_nothing_of_closing_spares_nothing() -> None:
    desk = holding()
    desk.quotes.clear()
    change(desk, order_quantity_max=5)
    assert desk.account.spared_by is None


@pytest.mark.parametrize("balance", [Decimal(49_000)])
def test_a_loss_that_is_known_without_a_price_is_compared_too(balance: Decimal) -> None:
    desk = trading(replace(LOSS, daily_loss_usd_max=Decimal(5_000)))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", balance, can_trade=True))
    change(desk, daily_loss_usd_max=Decimal(1_000))
    assert desk.account.trading_state is e.TradingState.REDUCING


def test_changes_of_limits_are_events_of_the_groups_own_book() -> None:
    desk = trading()
    change(desk, order_quantity_max=2, position_quantity_max=20)
    start(desk, open_orders_max=2)
    desk.wait(until_the_open(desk))
    told = [event for event in [*Desk().events, *desk.events] if isinstance(event, LIMITS)]
    assert {type(event) for event in told} == set(LIMITS)
    assert {event.account_id for event in told} == {0}


def test_the_settings_of_the_last_start_are_kept_whatever_a_person_changes() -> None:
    desk = trading()
    start(desk, order_quantity_max=8)
    assert desk.group.limits_configured == replace(Limits(), order_quantity_max=8)
    change(desk, order_quantity_max=2)
    desk.forget()
    start(desk, order_quantity_max=8)
    assert [event for event in desk.events if isinstance(event, e.LimitsConfigured | e.LimitsChanged)] == []


def test_the_smallest_order_may_be_the_largest_too() -> None:
    desk = trading()
    assert change(desk, order_quantity_min=10).ok
    assert desk.group.limits.order_quantity_min == 10


def test_a_refused_change_names_the_limit_and_the_figures() -> None:
    desk = trading()
    answer = desk.ask(ChangeLimits("r", Limits(), ("speed",)))
    assert (answer.code, answer.field, answer.message) == ("UNKNOWN_LIMIT", "speed", "there is no limit speed")
    answer = change(desk, order_quantity_min=3, order_quantity_max=2)
    assert (answer.code, answer.field) == ("LIMITS_CONTRADICT", None)
    assert "smallest order, 3, would be above the largest, 2" in answer.message


@pytest.mark.parametrize(("at_ns", "begun"), [(OPEN, True), (OPEN - 1, False)])
def test_an_order_at_the_instant_of_the_open_begins_the_day(*, at_ns: int, begun: bool) -> None:
    desk = Desk(at_ns=NOON)
    desk.now_ns = at_ns
    desk.quote(MES, BID, ASK)
    desk.submit("a", limit=BID)
    desk.now_ns = OPEN + 1
    desk.quote(MES, BID, ASK)
    change(desk, order_quantity_max=20)
    assert (desk.group.limits.order_quantity_max == 10) is begun


def test_only_a_lower_loss_limit_spares_what_is_held() -> None:
    desk = holding()
    desk.quotes.clear()
    change(desk, order_quantity_max=4)
    assert desk.told(e.PositionsSpared) == []
    before = desk.group.limits
    change(desk, daily_loss_usd_max=Decimal(999))
    assert desk.told(e.PositionsSpared) == [e.PositionsSpared(ACCOUNT, before)]


@pytest.mark.parametrize(("limit", "spared"), [("101.43", True), ("101.44", True), ("101.45", False)])
def test_what_stands_at_the_lower_limit_is_spared_too(limit: str, *, spared: bool) -> None:
    desk = holding()
    desk.mark(ASK - 20)  # 100 USD, and 1.44 to get out
    change(desk, daily_loss_usd_max=Decimal(limit))
    assert bool(desk.told(e.PositionsSpared)) is spared
    assert not desk.account.exits


def test_every_account_that_holds_something_is_spared() -> None:
    desk = holding()
    flat = replace(desk.account, account_id=7, positions={}, timers={})
    desk.group = replace(desk.group, accounts={7: flat, **desk.group.accounts})
    desk.mark(ASK - 20)
    change(desk, daily_loss_usd_max=Decimal(100))
    assert [event.account_id for event in desk.told(e.PositionsSpared)] == [ACCOUNT]


def test_what_was_spared_is_closed_at_the_limit_before_to_the_cent() -> None:
    desk = holding()
    desk.mark(ASK - 20)
    change(desk, daily_loss_usd_max=Decimal(100))
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance - Decimal("898.55"), can_trade=True))
    assert not desk.account.exits, "999.99 USD"
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance - Decimal("898.56"), can_trade=True))
    assert desk.account.exits


def test_limits_wait_for_adopted_accounts_and_for_no_others() -> None:
    desk = Desk(at_ns=NOON, adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))
    waiting = evolve(desk.group, e.LimitsDeferred(0, Limits(order_quantity_max=20), "2026-11-24"))
    desk.group = waiting
    desk.feed(Wake())
    assert desk.group.limits.order_quantity_max == 10, "nobody's day has opened"
    desk = trading()
    change(desk, order_quantity_max=20)
    desk.group = replace(desk.group, accounts=desk.group.accounts | {7: Account(7)})
    desk.wait(until_the_open(desk))
    assert desk.group.limits.order_quantity_max == 20


def test_what_holds_at_once_is_not_recorded_as_waiting() -> None:
    desk = trading()
    change(desk, order_quantity_max=20)
    change(desk, order_quantity_max=2)
    assert [event.limits.order_quantity_max for event in desk.told(e.LimitsDeferred)] == [20]
    assert desk.group.limits_waiting is None


def test_an_account_that_holds_nothing_has_nothing_to_spare() -> None:
    desk = trading(LOSS)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance - 500, can_trade=True))
    change(desk, daily_loss_usd_max=Decimal(400))
    assert desk.told(e.PositionsSpared) == []
