"""The trading day over half a century: constant between opens, never overlapping, never going back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core import schedule
from ordergate.core.sessions import chicago, day_open_ns, next_day_open_ns, next_open_ns, trading_day, window
from tests.core.desk import SECOND_NS, instant

FIRST, LAST = instant("2020-01-01 00:00"), instant("2070-01-01 00:00")
moments = st.integers(FIRST, LAST)


@given(moments)
def test_a_moment_lies_in_its_day(at_ns: int) -> None:
    assert day_open_ns(at_ns) <= at_ns < next_day_open_ns(at_ns)


@given(moments, st.integers(0, 10**9))
def test_the_day_is_the_same_from_its_open_to_the_next(at_ns: int, part: int) -> None:
    opened, ends = day_open_ns(at_ns), next_day_open_ns(at_ns)
    between = opened + (ends - opened) * part // 10**9
    for moment in (opened, min(between, ends - 1), ends - 1):
        assert trading_day(moment) == trading_day(at_ns)
        assert (day_open_ns(moment), next_day_open_ns(moment)) == (opened, ends)


@given(moments)
def test_days_follow_one_another_without_gap(at_ns: int) -> None:
    ends = next_day_open_ns(at_ns)
    assert day_open_ns(ends) == ends
    assert trading_day(ends) > trading_day(at_ns)
    assert trading_day(ends - 1) == trading_day(at_ns)


@given(moments)
def test_a_day_opens_at_five_in_chicago_on_a_weekday(at_ns: int) -> None:
    opened = chicago(day_open_ns(at_ns))
    assert (opened.hour, opened.minute, opened.second) == (17, 0, 0)
    assert opened.weekday() < 5


@given(moments, st.integers(0, 400 * 86_400))
def test_days_never_go_back(at_ns: int, later_s: int) -> None:
    assert trading_day(at_ns + later_s * SECOND_NS) >= trading_day(at_ns)


@given(st.sampled_from(sorted(schedule.REGULAR)), st.integers(instant("2023-12-01 17:00"), instant("2028-12-29 16:00")))
def test_a_window_lies_in_one_trading_day_and_the_next_one_opens_after_it(group: str, at_ns: int) -> None:
    span = window(group, at_ns)
    if span is None:
        opens_ns = next_open_ns(group, at_ns)
        assert opens_ns is None or window(group, opens_ns - 1) is None
        return
    assert span.opens_ns <= at_ns < span.closes_ns <= span.session_closes_ns
    assert trading_day(span.opens_ns) == trading_day(span.closes_ns - 1)
    for moment in (span.opens_ns, (span.opens_ns + span.closes_ns) // 2, span.closes_ns - 1):
        assert window(group, moment) == span
    assert window(group, span.opens_ns - 1) != span
    assert window(group, span.closes_ns) != span
