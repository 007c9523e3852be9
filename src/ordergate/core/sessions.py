"""The trading day: 17:00 to 17:00 America/Chicago, named by the date on which it ends; its session closes at 16:00.

Minimal: holidays and product closes come with a calendar in a later release. Source of the hours: TopstepX help article
8284206 as quoted in the project's API notes, 2026-11-22.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CHICAGO = ZoneInfo("America/Chicago")
_OPEN, _CLOSE = time(17), time(16)
_SECOND_NS = 1_000_000_000
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def chicago(at_ns: int) -> datetime:
    """The wall time in Chicago at ``at_ns``."""
    return datetime.fromtimestamp(at_ns // _SECOND_NS, UTC).astimezone(CHICAGO)


def trading_day(at_ns: int) -> str:
    """The trading day that ``at_ns`` belongs to, as YYYY-MM-DD. A weekend belongs to Monday."""
    local = chicago(at_ns)
    day = local.date() + timedelta(days=1) if local.time() >= _OPEN else local.date()
    while day.weekday() >= _SATURDAY:
        day += timedelta(days=1)
    return day.isoformat()


def is_open(at_ns: int) -> bool:
    """Whether the exchange is in session: 17:00 to 16:00, from Sunday evening to Friday afternoon."""
    local = chicago(at_ns)
    weekday, wall = local.weekday(), local.time()
    if weekday == _SATURDAY:
        return False
    before_close, after_open = wall < _CLOSE and weekday != _SUNDAY, wall >= _OPEN and weekday != _FRIDAY
    return before_close or after_open


def day_open_ns(at_ns: int) -> int:
    """The instant at which the trading day of ``at_ns`` began (at or before ``at_ns``): Friday 17:00 for a Monday."""
    today = trading_day(at_ns)
    day = chicago(at_ns).date()
    while True:
        opening = _opening(day)
        if opening <= at_ns and trading_day(opening - 1) != today:
            return opening
        day -= timedelta(days=1)


def next_day_open_ns(at_ns: int) -> int:
    """The next instant at which the trading day changes (after ``at_ns``)."""
    today = trading_day(at_ns)
    day = chicago(at_ns).date()
    while True:
        opening = _opening(day)
        if opening > at_ns and trading_day(opening) != today:
            return opening
        day += timedelta(days=1)


def _opening(day: date) -> int:
    local = datetime.combine(day, _OPEN, CHICAGO)
    return int(local.timestamp()) * _SECOND_NS


def utc_text(at_ns: int) -> str:
    """``at_ns`` as ISO 8601 in UTC with milliseconds, the form of the documented messages."""
    at = datetime.fromtimestamp(at_ns // _SECOND_NS, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ns // 1_000_000 % 1000:03d}Z"
