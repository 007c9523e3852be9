"""When the market is open, and which trading day an instant belongs to. PURE.

Globex hours of the index products: 17:00 to 16:00 Chicago wall time, from Sunday evening to Friday afternoon
(section 12.1; exchange convention). Thin: no holidays, and every product keeps these hours.
"""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

_CHICAGO = ZoneInfo("America/Chicago")
_DAY_STARTS = 17  # o'clock
_DAY_ENDS = 16
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def is_open(at_ns: int) -> bool:
    """Whether the exchange trades at an instant (nanoseconds UTC)."""
    wall = _wall(at_ns)
    if wall.weekday() == _SATURDAY:
        return False
    if wall.weekday() == _SUNDAY:
        return wall.hour >= _DAY_STARTS
    if wall.weekday() == _FRIDAY:
        return wall.hour < _DAY_ENDS
    return not _DAY_ENDS <= wall.hour < _DAY_STARTS


def trading_day(at_ns: int) -> datetime.date:
    """The trading date of an instant: from 17:00 on it is the next calendar day's, on a weekend Monday's."""
    wall = _wall(at_ns)
    day = wall.date() + datetime.timedelta(days=1 if wall.hour >= _DAY_STARTS else 0)
    return day + datetime.timedelta(days=7 - day.weekday() if day.weekday() >= _SATURDAY else 0)


def trading_day_start_ns(day: datetime.date) -> int:
    """The instant at which a trading date begins: 17:00 of the calendar day before it."""
    before = day - datetime.timedelta(days=1)
    return int(datetime.datetime.combine(before, datetime.time(_DAY_STARTS), _CHICAGO).timestamp()) * 1_000_000_000


def _wall(at_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ns // 1_000_000_000, _CHICAGO)
