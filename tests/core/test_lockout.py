"""The lockout by the trader: no new risk until its instant, whatever happens in between (I9, F60)."""

from __future__ import annotations

from typing import Any

import pytest

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer, LockOut
from ordergate.core.fold import evolve
from ordergate.core.inputs import Started, Wake
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Side
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, BID, MS_NS, SECOND_NS, Desk, instant

NOON = instant("2026-11-23 12:00")
OPEN = instant("2026-11-23 17:00")
HOUR_MS = 3_600_000


def lock(desk: Desk, until_ns: int | None = None, **more: Any) -> Answer:
    return desk.ask(LockOut(desk.request_id(), ACCOUNT, until_ns, **more))


def locked(until_ns: int | None = None) -> Desk:
    desk = Desk(at_ns=NOON)
    assert lock(desk, until_ns, reason="enough for today").ok
    return desk


def test_a_locked_out_account_takes_no_new_risk() -> None:
    answer = locked().submit("a")
    assert [breach.code for breach in answer.breaches] == ["LOCKED_OUT"]
    assert answer.message == "locked out by the trader until 2026-11-23 17:00:00 CT: enough for today"


def test_exits_pass_a_lockout() -> None:
    """I4."""
    desk = Desk(at_ns=NOON)
    desk.hold("a", quantity=2)
    lock(desk)
    assert desk.submit("b", Side.SELL).ok
    desk.cancel("b")
    assert desk.flatten().ok
    assert len(desk.told(e.ExitStarted)) == 1


def test_a_stop_is_not_moved_away_from_the_market_under_a_lockout() -> None:
    desk = Desk(at_ns=NOON)
    desk.hold("a", stop=Exit(40))
    lock(desk)
    level = desk.stop("a").terms.stop_ticks
    assert level is not None
    assert [breach.code for breach in desk.protect(stop=level - 10).breaches] == ["LOCKED_OUT"]
    assert desk.protect(stop=level + 10).ok


def test_an_order_is_not_made_larger_under_a_lockout() -> None:
    desk = Desk(at_ns=NOON)
    desk.hold("a")
    desk.submit("b", Side.SELL, limit=BID + 50)
    desk.accept("b")
    lock(desk)
    assert [breach.code for breach in desk.modify("b", quantity=3).breaches] == ["LOCKED_OUT"]


def test_orders_that_wait_to_open_something_are_cancelled() -> None:
    desk = Desk(at_ns=NOON)
    desk.submit("a", limit=BID)
    desk.accept("a")
    lock(desk)
    assert [event.order_id for event in desk.told(e.CancelWanted)] == ["a"]


@pytest.mark.parametrize("until_ns", [None, OPEN, NOON + 24 * 3_600 * SECOND_NS])
def test_it_ends_at_its_instant_and_not_before(until_ns: int | None) -> None:
    desk = locked(until_ns)
    left_ms = ((until_ns or OPEN) - desk.now_ns) // MS_NS
    desk.wait(left_ms - 1)
    assert desk.codes("a") == ["LOCKED_OUT"]
    desk.wait(1)
    assert desk.told(e.LockoutEnded) == [e.LockoutEnded(ACCOUNT, desk.now_ns)]
    assert desk.codes("b") == []


def test_a_weekends_next_day_is_the_day_after_the_one_that_the_weekend_belongs_to() -> None:
    desk = Desk(at_ns=instant("2026-11-21 12:00"))
    lock(desk)
    assert desk.account.locked_until_ns == OPEN


def test_it_can_be_extended_and_not_shortened() -> None:
    desk = locked()
    later = OPEN + SECOND_NS
    assert lock(desk, OPEN - 1).code == "LOCKED_OUT"
    assert lock(desk, later).ok
    assert lock(desk, OPEN).code == "LOCKED_OUT"
    assert lock(desk).code == "LOCKED_OUT"
    assert desk.account.locked_until_ns == later
    assert [event.until_ns for event in desk.told(e.LockedOut)] == [OPEN, later]


def test_the_same_again_records_nothing() -> None:
    desk = locked()
    desk.forget()
    assert lock(desk, OPEN).ok
    assert desk.events == []


@pytest.mark.parametrize("until_ns", [0, -1, NOON, NOON + 367 * 86_400 * SECOND_NS])
def test_an_instant_that_is_no_end_is_refused(until_ns: int) -> None:
    desk = Desk(at_ns=NOON)
    assert lock(desk, until_ns).code == "BAD_UNTIL"
    assert desk.codes("a") == []


def test_an_unknown_account_is_not_locked_out() -> None:
    answer = Desk().ask(LockOut("r", 7))
    assert (answer.code, answer.field, answer.message) == ("UNKNOWN_ACCOUNT", "accountId", "there is no account 7")


def test_a_restart_with_any_settings_does_not_end_it() -> None:
    desk = locked()
    desk.feed(Started("another", "sim", "practice", Limits(order_quantity_max=50)))
    assert "LOCKED_OUT" in desk.codes("a")


def test_it_survives_in_the_journal() -> None:
    desk = locked()
    folded = Group()
    for event in desk.events:
        folded = evolve(folded, decode(*encode(event)))
    assert folded == desk.group
    assert folded.accounts[ACCOUNT].locked_until_ns == OPEN


def test_a_clock_that_is_set_back_makes_it_longer_never_shorter() -> None:
    desk = locked()
    desk.now_ns -= 48 * 3_600 * SECOND_NS
    desk.feed(Wake())
    assert desk.account.locked_until_ns == OPEN
    desk.wait(48 * HOUR_MS)
    assert desk.account.locked_until_ns == OPEN


def test_one_that_has_ended_does_not_come_back_with_the_clock() -> None:
    desk = locked()
    desk.wait(5 * HOUR_MS)
    desk.now_ns -= HOUR_MS * MS_NS
    desk.feed(Wake())
    assert desk.codes("a") == []


def test_it_outlasts_a_trading_day_that_opens_before_its_end() -> None:
    desk = locked(OPEN + 3_600 * SECOND_NS)
    desk.wait((OPEN - NOON) // MS_NS + 1)
    assert desk.account.day.name == "2026-11-24"
    assert desk.codes("a") == ["LOCKED_OUT"]


def test_it_may_last_a_year_and_no_longer() -> None:
    year_ns = 366 * 86_400 * SECOND_NS
    desk = Desk(at_ns=NOON)
    answer = lock(desk, NOON + year_ns + 1)
    assert (answer.code, answer.field) == ("BAD_UNTIL", "until")
    assert "at most 366 days" in answer.message
    assert lock(desk, NOON + year_ns).ok


def test_what_would_shorten_it_is_told_until_when_it_lasts() -> None:
    answer = lock(locked(), OPEN - 1)
    assert (answer.code, answer.field) == ("LOCKED_OUT", "until")
    assert "until 2026-11-23 17:00:00 CT already" in answer.message


def test_without_a_reason_only_its_end_is_told() -> None:
    desk = Desk(at_ns=NOON)
    lock(desk)
    assert desk.submit("a").message == "locked out by the trader until 2026-11-23 17:00:00 CT"
