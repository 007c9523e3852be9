"""The clock of this machine is set, by hand or by accident: no counter begins anew for it (I9, I13, F58)."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import ChangeLimits, LockOut
from ordergate.core.inputs import Mark, Wake
from ordergate.core.limits import Blackout, Limits, OnMustBeFlat
from ordergate.core.reports import AccountReport
from ordergate.core.sessions import next_day_open_ns, trading_day
from tests.core.desk import ACCOUNT, MES, SECOND_NS, Desk, instant

NOON = instant("2026-11-23 12:00")
OPEN = instant("2026-11-23 17:00")
HOUR_S = 3_600


def set_clock(desk: Desk, by_s: int) -> None:
    """Our clock is set; the venue's goes on, and its next quotes come in."""
    desk.now_ns += by_s * SECOND_NS
    desk.quotes = {name: replace(quote, at_ns=desk.now_ns) for name, quote in desk.quotes.items()}
    desk.feed(Wake())


def codes(desk: Desk) -> list[str]:
    """What a buy of one is denied for now."""
    return desk.codes(desk.request_id())


def stopped() -> Desk:
    """An account that its daily loss limit has stopped, at noon."""
    desk = Desk(at_ns=NOON)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance - 1_000, can_trade=True))
    assert codes(desk)[0] == "REDUCE_ONLY"
    return desk


@pytest.mark.parametrize("by_s", [5 * HOUR_S, 24 * HOUR_S, 4 * 24 * HOUR_S])
def test_set_forward_it_opens_no_trading_day(by_s: int) -> None:
    desk = stopped()
    set_clock(desk, by_s)
    desk.wait(60_000)
    assert desk.account.day.name == "2026-11-23"
    assert codes(desk)[0] == "REDUCE_ONLY"
    set_clock(desk, -by_s)
    desk.wait((5 * HOUR_S - 61) * 1_000)
    assert desk.told(e.TradingDayOpened) == []
    desk.wait(2_000)
    assert [opened.day for opened in desk.told(e.TradingDayOpened)] == ["2026-11-24"]
    assert codes(desk) == []


def test_a_day_that_opens_is_the_venues_however_wrong_our_clock_is() -> None:
    desk = stopped()
    set_clock(desk, 3 * 24 * HOUR_S)
    desk.wait(5 * HOUR_S * 1_000)
    assert desk.account.day.name == "2026-11-24"
    assert desk.account.timers["day"] == next_day_open_ns(OPEN)


def test_without_a_word_of_the_venue_the_old_day_stands_until_there_is_one() -> None:
    desk = stopped()
    desk.wait(6 * HOUR_S * 1_000, quiet=True)
    assert desk.account.day.name == "2026-11-23"
    desk.mark(20_000)
    assert desk.account.day.name == "2026-11-24"


def test_set_forward_it_ends_no_lockout() -> None:
    desk = Desk(at_ns=NOON)
    desk.ask(LockOut("r", ACCOUNT, NOON + HOUR_S * SECOND_NS))
    set_clock(desk, 2 * HOUR_S)
    assert codes(desk) == ["LOCKED_OUT"]
    desk.wait(HOUR_S * 1_000 - 1)
    assert codes(desk) == ["LOCKED_OUT"]
    desk.wait(1_000)
    assert codes(desk) == []


@pytest.mark.parametrize("by_s", [24 * HOUR_S, -24 * HOUR_S, -4 * 24 * HOUR_S])
def test_set_anywhere_it_makes_no_looser_limit_hold_today(by_s: int) -> None:
    desk = Desk(at_ns=NOON)
    desk.submit("a")
    set_clock(desk, by_s)
    loosen(desk)
    desk.wait(60_000)
    assert desk.group.limits.order_quantity_max == 10
    assert desk.group.limits_from == "2026-11-24"


def test_an_order_under_a_clock_that_was_set_back_has_begun_the_day() -> None:
    desk = Desk(at_ns=NOON)
    set_clock(desk, -24 * HOUR_S)
    desk.submit("a")
    set_clock(desk, 24 * HOUR_S)
    loosen(desk)
    assert desk.group.limits.order_quantity_max == 10


def test_hours_and_windows_are_kept_by_both_clocks_where_they_differ() -> None:
    window = Blackout(time(12), time(13))
    desk = Desk(Limits(session_only=True, blackouts=(window,)), at_ns=instant("2026-11-23 11:00"))
    assert codes(desk) == []
    set_clock(desk, HOUR_S)
    assert codes(desk) == ["BLACKOUT"], "by our clock"
    closed = Desk(Limits(session_only=True), at_ns=instant("2026-11-23 15:00"))
    set_clock(closed, -2 * HOUR_S)
    assert codes(closed) == [], "the venue has eight minutes left"
    closed.wait(10 * 60 * 1_000)
    assert codes(closed) == ["OUTSIDE_TRADING_HOURS"], "by the venue's"


@given(st.lists(st.tuples(st.integers(0, 30 * HOUR_S), st.integers(-100 * HOUR_S, 100 * HOUR_S)), max_size=12))
def test_the_trading_day_is_the_venues_after_any_settings_of_the_clock(steps: list[tuple[int, int]]) -> None:
    desk, venue_ns = Desk(at_ns=NOON), NOON
    for passed_s, by_s in steps:
        venue_ns += passed_s * SECOND_NS
        desk.now_ns += passed_s * SECOND_NS
        desk.quotes = {
            name: replace(quote, at_ns=desk.now_ns, venue_ns=venue_ns) for name, quote in desk.quotes.items()
        }
        desk.feed(Wake())
        set_clock(desk, by_s)
        assert desk.account.day.name <= trading_day(venue_ns)
        if desk.now_ns >= desk.account.timers["day"]:
            assert desk.account.day.name == trading_day(venue_ns)
    names = [opened.day for opened in desk.told(e.TradingDayOpened)]
    assert names == sorted(set(names)), "each day once, in order"


def test_what_must_be_flat_is_closed_when_either_clock_says_so() -> None:
    limits = Limits(session_only=True, on_must_be_flat=OnMustBeFlat.FLATTEN)
    desk = Desk(limits, at_ns=instant("2026-11-23 15:00"))
    desk.hold("a")
    set_clock(desk, -2 * HOUR_S)
    assert not desk.account.exits
    desk.wait(8 * 60 * 1_000)
    desk.feed(Mark())
    assert desk.account.exits


def test_an_order_that_comes_as_the_day_opens_is_judged_by_the_new_day() -> None:
    desk = stopped()
    desk.now_ns = OPEN
    desk.quote(MES, 20_000, 20_001)
    assert codes(desk) == []


def test_limits_that_waited_for_the_day_hold_for_the_order_that_opens_it() -> None:
    desk = Desk(at_ns=NOON)
    desk.submit("a")
    loosen(desk)
    desk.now_ns = OPEN
    desk.quote(MES, 20_000, 20_001)
    assert "MAX_ORDER_SIZE" not in desk.codes("b", quantity=15)


def test_a_lockout_until_tomorrow_is_until_the_venues_tomorrow() -> None:
    desk = Desk(at_ns=NOON)
    set_clock(desk, -72 * HOUR_S)
    desk.ask(LockOut("r", ACCOUNT))
    assert desk.account.locked_until_ns == OPEN


def loosen(desk: Desk) -> None:
    assert desk.ask(ChangeLimits("r", Limits(order_quantity_max=20), ("order_quantity_max",))).ok
