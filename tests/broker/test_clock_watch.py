"""A wrong clock is found out by quotes, a slow line is none."""

from __future__ import annotations

import pytest

from ordergate.broker.clock_watch import ClockWatch
from ordergate.core.reports import CheckReport, Quote

SECOND_NS = 1_000_000_000
NOON = 1_795_456_800 * SECOND_NS


def heard(
    watch: ClockWatch, from_s: int, seconds: int, ahead_s: float, lags_s: tuple[float, ...] = (0.0,)
) -> list[CheckReport]:
    """One quote a second, each with the next of ``lags_s``; our clock is ``ahead_s``. Each word that is new."""
    told = [watch.check]
    for number in range(seconds):
        venue_ns = NOON + (from_s + number) * SECOND_NS
        at_ns = venue_ns + round((ahead_s + lags_s[number % len(lags_s)]) * SECOND_NS)
        watch.heard(Quote("MES", 1, 2, 1, at_ns, venue_ns))
        if watch.check is not told[-1]:
            told.append(watch.check)
    return [check for check in told[1:] if check is not None]


@pytest.mark.parametrize(
    ("ahead_s", "told"), [(7_200.0, "2:00:00 (h:mm:ss) ahead of"), (-90.5, "is 0:01:30 (h:mm:ss) behind")]
)
def test_a_wrong_clock_is_told_once_and_so_is_its_being_right_again(ahead_s: float, told: str) -> None:
    watch = ClockWatch()
    (wrong,) = heard(watch, 0, 120, ahead_s)
    assert (told in wrong.text, wrong.well) == (True, False)
    (right,) = heard(watch, 120, 120, 0.0)
    assert (right.text, right.well) == ("within 2 s of the venue's, by its quotes", True)


@pytest.mark.parametrize(("ahead_s", "refuses"), [(29.0, False), (30.0, False), (31.0, True), (-31.0, True)])
def test_a_clock_that_is_half_a_minute_off_lets_nothing_new_through(ahead_s: float, *, refuses: bool) -> None:
    watch = ClockWatch()
    (wrong,) = heard(watch, 0, 120, ahead_s)
    assert (wrong.well, wrong.refuses, "no new risk" in wrong.text) == (False, refuses, refuses)
    if refuses:
        (better,) = heard(watch, 120, 120, 5.0)
        assert (better.well, better.refuses) == (False, False)


@pytest.mark.parametrize("ahead_s", [0.0, 2.0, -2.0])
def test_two_seconds_are_no_wrong_clock(ahead_s: float) -> None:
    assert [check.well for check in heard(ClockWatch(), 0, 120, ahead_s)] == [True]


def test_slow_messages_among_quick_ones_are_no_wrong_clock() -> None:
    assert [check.well for check in heard(ClockWatch(), 0, 120, 0.0, lags_s=(9.0, 9.0, 0.5))] == [True]


def test_a_quote_without_the_venues_time_says_nothing() -> None:
    watch = ClockWatch()
    for number in range(90):
        watch.heard(Quote("MES", 1, 2, 1, NOON + number * SECOND_NS))
    assert watch.check is None


def test_a_clock_that_is_set_while_it_listens_is_listened_to_anew() -> None:
    watch = ClockWatch()
    assert heard(watch, 0, 20, 0.0) == []
    assert [" ahead of" in check.text for check in heard(watch, 20, 40, 3_600.0)] == [True]


def at(watch: ClockWatch, seconds: float, ahead_s: float) -> bool | None:
    """A quote that arrives ``seconds`` after noon by our clock, which is ``ahead_s`` or seems so."""
    at_ns = NOON + round(seconds * SECOND_NS)
    watch.heard(Quote("MES", 1, 2, 1, at_ns, at_ns - round(ahead_s * SECOND_NS)))
    return None if watch.check is None else watch.check.well


def test_of_quotes_that_come_together_first_the_quickest_counts() -> None:
    watch = ClockWatch()
    assert [at(watch, *quote) for quote in ((0, 0.5), (0, 9), (20, 9), (40, 9))] == [None, None, None, True]


@pytest.mark.parametrize(("pause_s", "is_told"), [(29.999, False), (30, True), (60, True), (60.001, False)])
def test_it_listens_for_half_a_minute_and_not_over_a_long_silence(pause_s: float, *, is_told: bool) -> None:
    watch = ClockWatch()
    assert at(watch, 0, 7_200) is None
    assert at(watch, pause_s, 7_200) is (False if is_told else None)
