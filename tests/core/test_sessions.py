"""The trading day: 17:00 to 17:00 in Chicago, over weekends, clock changes and the turn of the year."""

from __future__ import annotations

import pytest

from ordergate.core.sessions import chicago, day_open_ns, is_open, next_day_open_ns, trading_day, utc_text
from tests.core.desk import SECOND_NS, instant

HOUR_NS = 3_600 * SECOND_NS


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
