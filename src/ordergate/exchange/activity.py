"""How busy a market is at a time of its day. PURE.

Believable, not true: quiet in the evening and at night, lively from the open of the stock market in New York, 08:30 in
Chicago, with a lull at noon and a close of its own; one pattern for all products. UNVERIFIED.
"""

from __future__ import annotations

import functools

import msgspec

from ordergate.core import sessions

_MINUTE_NS = 60_000_000_000


class Activity(msgspec.Struct, frozen=True):
    """Both in thousandths of what is usual over a day of 23 hours: how far a step goes, and how much is traded."""

    move: int
    volume: int


# From which minute of Chicago's day on. Over 17:00 to 16:00 the squares of the moves have mean 1, and so have volumes.
_FROM_MINUTE: tuple[tuple[int, Activity], ...] = (
    (0, Activity(600, 350)),
    (2 * 60, Activity(900, 800)),
    (8 * 60 + 30, Activity(2_000, 3_000)),
    (10 * 60, Activity(1_100, 1_600)),
    (13 * 60 + 30, Activity(1_600, 2_400)),
    (15 * 60, Activity(700, 600)),
    (16 * 60, Activity(500, 200)),
    (17 * 60, Activity(700, 500)),
    (19 * 60, Activity(600, 350)),
)


def activity(at_ns: int) -> Activity:
    """That of an instant."""
    return _of_minute(at_ns // _MINUTE_NS)


@functools.lru_cache(maxsize=4_000)  # the minutes of a market's past, and the one that every market asks about now
def _of_minute(minute: int) -> Activity:
    wall = sessions.chicago(minute * _MINUTE_NS)
    past = [each for start, each in _FROM_MINUTE if start <= wall.hour * 60 + wall.minute]
    return past[-1]
