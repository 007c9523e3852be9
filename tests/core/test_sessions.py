"""The trading day and the sessions in it: weekends, holidays, early closes, clock changes and the turn of the year."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordergate.core.contracts import PRODUCTS
from ordergate.core.sessions import (
    FIRST,
    LAST,
    chicago,
    day_open_ns,
    ending_notice,
    following,
    is_open,
    next_day_open_ns,
    next_open_ns,
    trading_day,
    trading_day_start_ns,
    utc_text,
    window,
    windows_around,
)
from tests.core.desk import SECOND_NS, instant

HOUR_NS = 3_600 * SECOND_NS
# What both libraries said of every day that is not plain to any of them, and what the sourced overrides say to it.
TOLD = json.loads((Path(__file__).parent.parent / "golden" / "calendar.json").read_text())
USUAL_CLOSE = {"grain": "13:20", "livestock": "13:05"}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-23 09:00", "2026-11-23"),
        ("2026-11-23 16:59:59", "2026-11-23"),
        ("2026-11-23 17:00", "2026-11-24"),
        ("2026-11-23 23:59:59", "2026-11-24"),
        ("2026-11-24 00:00", "2026-11-24"),
        ("2026-11-27 16:59:59", "2026-11-27"),
        ("2026-11-27 17:00", "2026-11-30"),
        ("2026-11-28 12:00", "2026-11-30"),
        ("2026-11-29 16:59:59", "2026-11-30"),
        ("2026-11-29 17:00", "2026-11-30"),
        ("2026-12-31 16:59:59", "2026-12-31"),
        ("2026-12-31 17:00", "2027-01-04"),
        ("2027-01-01 17:00", "2027-01-04"),
        ("2026-11-25 16:59:59", "2026-11-25"),
        ("2026-11-25 17:00", "2026-11-27"),
        ("2026-11-26 11:00", "2026-11-27"),
        ("2026-11-26 18:00", "2026-11-27"),
        ("2026-01-16 17:00", "2026-01-20"),
        ("2026-01-19 18:00", "2026-01-20"),
        ("2026-07-02 17:00", "2026-07-06"),
        ("2025-01-09 09:00", "2025-01-09"),
        ("2030-11-28 09:00", "2030-11-28"),
    ],
)
def test_a_trading_day_is_named_by_the_date_on_which_it_ends(at: str, day: str) -> None:
    assert trading_day(instant(at)) == day


@pytest.mark.parametrize(
    ("at", "opened", "opens"),
    [
        ("2026-11-23 09:00", "2026-11-20 17:00", "2026-11-23 17:00"),
        ("2026-11-24 09:00", "2026-11-23 17:00", "2026-11-24 17:00"),
        ("2026-11-23 17:00", "2026-11-23 17:00", "2026-11-24 17:00"),
        ("2026-11-28 12:00", "2026-11-27 17:00", "2026-11-30 17:00"),
        ("2026-11-29 17:00", "2026-11-27 17:00", "2026-11-30 17:00"),
        ("2026-03-08 12:00", "2026-03-06 17:00", "2026-03-09 17:00"),
        ("2026-03-09 16:59:59", "2026-03-06 17:00", "2026-03-09 17:00"),
        ("2026-11-01 12:00", "2026-10-30 17:00", "2026-11-02 17:00"),
        ("2026-12-31 20:00", "2026-12-31 17:00", "2027-01-04 17:00"),
    ],
    ids=["Monday", "Tuesday", "at the open", "Saturday", "Sunday", "spring", "Monday after", "autumn", "New Year"],
)
def test_a_day_opens_at_five_and_a_weekend_belongs_to_monday(at: str, opened: str, opens: str) -> None:
    assert day_open_ns(instant(at)) == instant(opened)
    assert next_day_open_ns(instant(at)) == instant(opens)


def test_the_weekend_of_a_clock_change_is_an_hour_shorter_or_longer() -> None:
    assert instant("2026-03-09 17:00") - instant("2026-03-06 17:00") == 71 * HOUR_NS
    assert instant("2026-11-02 17:00") - instant("2026-10-30 17:00") == 73 * HOUR_NS


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    first = instant("2026-11-01 01:30")
    assert [chicago(first + shift).hour for shift in (0, HOUR_NS, 2 * HOUR_NS)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-20 15:59:59", True),
        ("2026-11-20 16:00", False),
        ("2026-11-20 18:00", False),
        ("2026-11-21 12:00", False),
        ("2026-11-22 12:00", False),
        ("2026-11-22 16:59:59", False),
        ("2026-11-22 17:00", True),
        ("2026-11-23 15:59:59", True),
        ("2026-11-23 16:00", False),
        ("2026-11-23 16:59:59", False),
        ("2026-11-23 17:00", True),
        ("2026-03-09 16:30", False),
    ],
)
def test_the_exchange_is_in_session_from_five_to_four_and_not_on_a_weekend(*, at: str, opens: bool) -> None:
    assert is_open("equity", instant(at)) is opens


def test_utc_text_has_milliseconds() -> None:
    assert utc_text(instant("2026-11-23 09:00") + 7_000_000) == "2026-11-23T15:00:00.007Z"
    assert utc_text(instant("2026-11-23 09:00") + 999_999_999) == "2026-11-23T15:00:00.999Z"


def test_the_last_nanosecond_of_a_second_is_of_that_second() -> None:
    assert chicago(instant("2026-11-23 16:59:59") + 999_999_999).second == 59


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no way to set a zone for a process")
def test_the_zone_of_the_machine_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monday = instant("2026-11-23 16:59:59")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert (trading_day(monday), utc_text(monday)) == ("2026-11-23", "2026-11-23T22:59:59.000Z")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_days_around_a_weekend() -> None:
    saturday = datetime.date(2026, 11, 28)
    assert trading_day_start_ns(saturday) == instant("2026-11-27 17:00")
    assert trading_day_start_ns(datetime.date(2027, 1, 1)) == instant("2026-12-31 17:00")
    assert (following("2026-11-26"), following("2026-11-27")) == ("2026-11-27", "2026-11-30")
    assert following("2026-12-31") == "2027-01-04"


def test_the_windows_around_an_instant_are_those_of_its_day_in_utc() -> None:
    noon, night = (list(windows_around(instant(f"2026-11-24 {at}"))) for at in ("06:00", "17:59:59"))
    assert noon == night
    assert [span.opens_ns for group, span in noon if group == "equity"] == [
        instant("2026-11-23 17:00"),
        instant("2026-11-24 17:00"),
    ]


@pytest.mark.parametrize(
    ("group", "at", "opens"),
    [
        # Thanksgiving of 2026 and the day after it.
        ("equity", "2026-11-25 17:00", True),
        ("equity", "2026-11-26 11:59:59", True),
        ("equity", "2026-11-26 12:00", False),
        ("metal", "2026-11-26 12:00", True),
        ("metal", "2026-11-26 13:30", False),
        ("currency", "2026-11-26 15:59:59", True),
        ("grain", "2026-11-26 09:00", False),
        ("equity", "2026-11-26 16:59:59", False),
        ("equity", "2026-11-26 17:00", True),
        ("grain", "2026-11-26 20:00", False),  # no evening before the day after
        ("grain", "2026-11-27 07:00", False),
        ("grain", "2026-11-27 08:30", True),
        ("equity", "2026-11-27 12:14:59", True),
        ("equity", "2026-11-27 12:15", False),
        ("energy", "2026-11-27 13:44:59", True),
        ("energy", "2026-11-27 13:45", False),
        ("equity", "2026-11-27 17:00", False),
        # Christmas: closed from the early close of the eve, over the weekend, to Sunday evening.
        ("equity", "2026-12-24 12:14:59", True),
        ("equity", "2026-12-24 17:00", False),
        ("equity", "2026-12-25 09:00", False),
        ("equity", "2026-12-27 16:59:59", False),
        ("equity", "2026-12-27 17:00", True),
        # Good Friday without and with the jobs report.
        ("equity", "2027-03-25 20:00", False),
        ("equity", "2026-04-03 08:14:59", True),
        ("equity", "2026-04-03 08:15", False),
        ("treasury", "2026-04-03 10:14:59", True),
        # The national day of mourning.
        ("equity", "2025-01-09 08:30", False),
        ("metal", "2025-01-09 15:00", True),
        # Product closes, and the pause of the grains.
        ("grain", "2026-11-23 18:59:59", False),
        ("grain", "2026-11-23 19:00", True),
        ("grain", "2026-11-24 07:45", False),
        ("grain", "2026-11-24 08:30", True),
        ("grain", "2026-11-24 13:20", False),
        ("livestock", "2026-11-24 08:29:59", False),
        ("livestock", "2026-11-24 08:30", True),
        ("livestock", "2026-11-24 13:05", False),
        # Sundays of a clock change, before and after in UTC.
        ("equity", "2026-03-08 16:59:59", False),
        ("equity", "2026-03-08 17:00", True),
        ("equity", "2026-11-01 16:59:59", False),
        ("equity", "2026-11-01 17:00", True),
    ],
)
def test_each_group_of_products_keeps_its_own_hours(*, group: str, at: str, opens: bool) -> None:
    assert is_open(group, instant(at)) is opens


def weekdays() -> Iterator[datetime.date]:
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + datetime.timedelta(days=number)
        if day.weekday() < 5:
            yield day


def told_close(group: str, day: str) -> str:
    """The earliest close that a library says, unless an override says another; by rules of this test's own."""
    said = TOLD["days"].get(day, {})
    candidates = [said.get(name, "regular") for name in TOLD["calendars"][group]]
    whole = said.get("CMES (exchange_calendars)", "regular")
    if whole == "closed" or group in ("equity", "treasury"):
        candidates.append(whole)
    close = min(candidates, key=lambda text: {"closed": "00", "regular": "99"}.get(text, text))
    for days, groups, override in TOLD["overrides"]:
        if day in days and group in groups:
            close = override
    return USUAL_CLOSE.get(group, "16:00") if close == "regular" else str(close)


@pytest.mark.parametrize("group", sorted({product.group for product in PRODUCTS}))
def test_every_close_of_five_years_is_what_the_libraries_and_the_overrides_say(group: str) -> None:
    for day in weekdays():
        close = told_close(group, day.isoformat())
        if close == "closed":
            evening = day - datetime.timedelta(days=1)
            moments = [f"{evening} 17:00", f"{evening} 19:00", f"{evening} 23:59", f"{day} 08:30", f"{day} 12:00"]
            assert not any(is_open(group, instant(at)) for at in moments), (group, day)
        else:
            at_ns = instant(f"{day} {close}")
            assert is_open(group, at_ns - 1), (group, day)
            assert not is_open(group, at_ns), (group, day)


def test_the_trade_dates_of_five_years_are_what_the_library_says() -> None:
    for day in weekdays():
        off = TOLD["days"].get(day.isoformat(), {}).get("CME_TradeDate") == "closed"
        expected = not off or day.isoformat() in TOLD["trade dates added"]
        assert (trading_day(instant(f"{day} 12:00")) == day.isoformat()) is expected, day


@pytest.mark.parametrize(
    ("group", "at", "opens"),
    [
        ("equity", "2026-11-24 09:00", "2026-11-24 17:00"),
        ("equity", "2026-11-24 16:30", "2026-11-24 17:00"),
        ("equity", "2026-11-24 17:00", "2026-11-25 17:00"),
        ("equity", "2026-11-27 12:15", "2026-11-29 17:00"),
        ("equity", "2026-12-24 12:15", "2026-12-27 17:00"),
        ("grain", "2026-11-24 07:45", "2026-11-24 08:30"),
        ("grain", "2026-12-24 12:00", "2026-12-27 19:00"),
        ("livestock", "2026-12-24 12:00", "2026-12-28 08:30"),
    ],
)
def test_the_next_open_is_found_over_breaks_and_holidays(group: str, at: str, opens: str) -> None:
    assert next_open_ns(group, instant(at)) == instant(opens)


def test_a_window_names_its_session_and_when_that_closes() -> None:
    night = window("grain", instant("2026-11-23 20:00"))
    assert night is not None
    assert (night.day.isoformat(), night.opens_ns) == ("2026-11-24", instant("2026-11-23 19:00"))
    assert (night.closes_ns, night.session_closes_ns) == (instant("2026-11-24 07:45"), instant("2026-11-24 13:20"))


@pytest.mark.parametrize(
    ("group", "at"),
    [("equity", "2029-01-02 09:00"), ("equity", "2023-11-30 09:00"), ("weather", "2026-11-24 09:00")],
    ids=["after the schedule", "before it", "a group it does not know"],
)
def test_what_the_schedule_does_not_know_is_closed(group: str, at: str) -> None:
    assert not is_open(group, instant(at))
    assert group == "equity" or next_open_ns(group, instant(at)) is None


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-11-24 09:00", None),
        ("2028-10-30 09:00", None),
        ("2028-11-01 09:00", None),  # sixty days before its end
        ("2028-11-02 09:00", "ends on 2028-12-31"),
        ("2028-12-29 09:00", "ends on 2028-12-31"),
        ("2029-01-02 09:00", "knows 2023-12-01 to 2028-12-31 and not 2029-01-02: new risk is denied"),
        ("2023-12-01 09:00", None),
        ("2023-11-30 09:00", "and not 2023-11-30"),
    ],
)
def test_the_end_of_the_schedule_is_told(at: str, words: str | None) -> None:
    notice = ending_notice(instant(at))
    assert (notice is None) is (words is None)
    assert words is None or words in str(notice)
