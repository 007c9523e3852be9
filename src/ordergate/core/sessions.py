"""When each group of products trades, and which trading day an instant belongs to, by the exchange's calendar.

A trading day runs from 17:00 to 17:00 America/Chicago and is named by the date on which it ends. A date without
settlement names none: what trades on a holiday, or on the evening before it, belongs to the next trade date, as it does
on a weekend (exchange convention: "Sunday 17:00 for a trade date of Tuesday", CME's holiday notices).

Invariants:
1. Days follow one another without gap or overlap, over the whole range of instants: where the schedule says nothing,
   every weekday is a trade date.
2. Where the schedule says nothing, no product is in session: unknown is never good.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from ordergate.core import schedule

CHICAGO = ZoneInfo("America/Chicago")
_OPEN = time(17)
_SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * _SECOND_NS
_DAY = timedelta(days=1)
_SATURDAY = 5
_WARNED = timedelta(days=60)  # before the schedule ends: time enough to install a newer one
# No closure in the schedule is longer than a weekend with a holiday on either side.
CLOSED_DAYS_MAX = 10

FIRST, LAST = date.fromisoformat(schedule.FIRST), date.fromisoformat(schedule.LAST)
_NO_TRADE_DATE = frozenset(date.fromisoformat(day) for day in schedule.NO_TRADE_DATE)
_CLOSES = {
    (group, date.fromisoformat(day)): close
    for day, closes in schedule.SPECIAL.items()
    for close, groups in closes.items()
    for group in groups.split()
}
_DAY_ONLY = {group: frozenset(map(date.fromisoformat, days)) for group, days in schedule.DAY_ONLY.items()}
_WINDOWS = {
    group: tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in windows)
    for group, windows in schedule.REGULAR.items()
}


class Window(msgspec.Struct, frozen=True):
    """A span in which a group of products trades without a break: from ``opens_ns``, until before ``closes_ns``.

    ``day`` is the date of its session, on which the session's last window ends, at ``session_closes_ns``; a holiday's
    session has its own date.
    """

    day: date
    opens_ns: int
    closes_ns: int
    session_closes_ns: int


def chicago(at_ns: int) -> datetime:
    """The wall time in Chicago at ``at_ns``."""
    return datetime.fromtimestamp(at_ns // _SECOND_NS, UTC).astimezone(CHICAGO)


def wall(at_ns: int) -> str:
    """An instant as people here read it: the wall time in Chicago."""
    return f"{chicago(at_ns):%Y-%m-%d %H:%M:%S} CT"


def wall_ns(day: date, wall: time) -> int:
    """The instant at which clocks in Chicago show ``wall`` on ``day``."""
    return int(datetime.combine(day, wall, CHICAGO).timestamp()) * _SECOND_NS


def trading_day(at_ns: int) -> str:
    """The trading day that ``at_ns`` belongs to, as YYYY-MM-DD."""
    return trade_date(at_ns).isoformat()


def trade_date(at_ns: int) -> date:
    """As ``trading_day``, as a date."""
    local = chicago(at_ns)
    day = local.date() + _DAY if local.time() >= _OPEN else local.date()
    while not _is_trade_date(day):
        day += _DAY
    return day


def trading_day_start_ns(day: date) -> int:
    """The instant at which the trading day that ``day`` belongs to begins: 17:00 on the trade date before it."""
    while not _is_trade_date(day):
        day += _DAY
    day -= _DAY
    while not _is_trade_date(day):
        day -= _DAY
    return wall_ns(day, _OPEN)


def following(day: str) -> str:
    """The trading day after ``day``; both as YYYY-MM-DD."""
    after = date.fromisoformat(day) + _DAY
    while not _is_trade_date(after):
        after += _DAY
    return after.isoformat()


def day_open_ns(at_ns: int) -> int:
    """The instant at which the trading day of ``at_ns`` began (at or before ``at_ns``): Friday 17:00 for a Monday."""
    return trading_day_start_ns(trade_date(at_ns))


def next_day_open_ns(at_ns: int) -> int:
    """The next instant at which the trading day changes (after ``at_ns``)."""
    return wall_ns(trade_date(at_ns), _OPEN)


def is_open(group: str, at_ns: int) -> bool:
    """Whether the products of ``group`` trade at ``at_ns``. False for a group that the schedule does not know."""
    return window(group, at_ns) is not None


def window(group: str, at_ns: int) -> Window | None:
    """The window of ``group`` that holds ``at_ns``, None while it is closed."""
    for span in _around(group, at_ns // _DAY_NS):
        if span.opens_ns <= at_ns < span.closes_ns:
            return span
    return None


def next_open_ns(group: str, at_ns: int) -> int | None:
    """When ``group`` opens next (after ``at_ns``), None if the schedule does not say."""
    day = chicago(at_ns).date()
    for ahead in range(CLOSED_DAYS_MAX):
        for span in _windows(group, day + ahead * _DAY):
            if span.opens_ns > at_ns:
                return span.opens_ns
    return None


def ending_notice(at_ns: int) -> str | None:
    """What a trader must know of the schedule's end, None while it is far away."""
    day = trade_date(at_ns)
    if not FIRST <= day <= LAST:
        known = f"the calendar of trading hours knows {FIRST} to {LAST} and not {day}"
        return f"{known}: new risk is denied where the exchange's hours apply; install a newer ordergate"
    if day + _WARNED > LAST:
        return f"the calendar of trading hours ends on {LAST}, and new risk with it; install a newer ordergate"
    return None


def windows_around(at_ns: int) -> Iterator[tuple[str, Window]]:
    """Every group's windows that touch the UTC day of ``at_ns``."""
    for group in _WINDOWS:
        for span in _around(group, at_ns // _DAY_NS):
            yield group, span


def utc_text(at_ns: int) -> str:
    """``at_ns`` as ISO 8601 in UTC with milliseconds, the form of the documented messages."""
    at = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns // 1_000_000 % 1000:03d}Z"


def _is_trade_date(day: date) -> bool:
    return day.weekday() < _SATURDAY and day not in _NO_TRADE_DATE


@lru_cache(maxsize=64)  # nine groups, the day and its neighbours: a decision looks nothing up twice
def _around(group: str, utc_day: int) -> tuple[Window, ...]:
    """The windows that touch a UTC day, counted from 1970."""
    day = date(1970, 1, 1) + utc_day * _DAY
    # No session closes as late as midnight in UTC, so that of the day before does not reach into it.
    near = (*_windows(group, day), *_windows(group, day + _DAY))
    return tuple(
        span for span in near if span.closes_ns > utc_day * _DAY_NS and span.opens_ns < (utc_day + 1) * _DAY_NS
    )


def _windows(group: str, day: date) -> tuple[Window, ...]:
    """The windows of one date's session, from its evening before on."""
    close = _CLOSES.get((group, day))
    if day.weekday() >= _SATURDAY or not FIRST <= day <= LAST or close == "closed":
        return ()
    spans = []
    for start, end in _WINDOWS.get(group, ()):
        if start > end and day in _DAY_ONLY.get(group, ()):
            continue
        opens_ns, closes_ns = wall_ns(day - _DAY if start > end else day, start), wall_ns(day, end)
        if close is not None:
            closes_ns = min(closes_ns, wall_ns(day, time.fromisoformat(close)))
        if opens_ns < closes_ns:
            spans.append((opens_ns, closes_ns))
    return tuple(Window(day, opens_ns, closes_ns, spans[-1][1]) for opens_ns, closes_ns in spans)
