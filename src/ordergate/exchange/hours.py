"""When a product trades, and which trading date an instant belongs to: by the same calendar as the gate's. PURE.

A calendar of its own would be a second place for the same mistakes: nobody here knows better what the real one does.
"""

from __future__ import annotations

import datetime

from ordergate.core import sessions
from ordergate.core.contracts import Product

_DAY_STARTS = datetime.time(17)


def is_open(product: Product, at_ns: int) -> bool:
    """Whether a product trades at an instant (nanoseconds UTC)."""
    return sessions.is_open(product.group, at_ns)


def trading_day(at_ns: int) -> datetime.date:
    """The trading date of an instant; a weekend and a holiday belong to the next one."""
    return sessions.trade_date(at_ns)


def trading_day_start_ns(day: datetime.date) -> int:
    """The instant at which the bar of a date begins: 17:00 of the calendar day before it."""
    return sessions.wall_ns(day - datetime.timedelta(days=1), _DAY_STARTS)
