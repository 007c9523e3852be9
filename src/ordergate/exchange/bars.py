"""Minutes to the bars that were asked for. PURE.

Thin: the day, week and month have only the minutes that are kept. Bars of seconds and trades are ``tape``'s.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from ordergate.exchange.enums import BarUnit
from ordergate.exchange.hours import trading_day, trading_day_start_ns
from ordergate.exchange.market import Bar

_MINUTE_NS = 60_000_000_000
_WALL_NS = {BarUnit.MINUTE: _MINUTE_NS, BarUnit.HOUR: 60 * _MINUTE_NS}


def aggregated(minutes: Sequence[Bar], unit: BarUnit, unit_number: int) -> list[Bar]:
    """Bars of ``unit_number`` (>= 1) units from minutes in their order."""
    bars: list[Bar] = []
    for minute in minutes:
        start_ns = bar_start_ns(minute.start_ns, unit, unit_number)
        if not bars or bars[-1].start_ns != start_ns:
            bars.append(Bar(start_ns, minute.open, minute.high, minute.low, minute.close, minute.volume))
            continue
        bar = bars[-1]
        high, low = max(bar.high, minute.high), min(bar.low, minute.low)
        bars[-1] = Bar(start_ns, bar.open, high, low, minute.close, bar.volume + minute.volume)
    return bars


def bar_start_ns(at_ns: int, unit: BarUnit, unit_number: int) -> int:
    """When the bar that holds an instant begins. Days, weeks and months are of trading dates."""
    if unit in _WALL_NS:
        return at_ns - at_ns % (_WALL_NS[unit] * unit_number)
    day = trading_day(at_ns)
    if unit is BarUnit.MONTH:
        months = day.year * 12 + day.month - 1
        months -= months % unit_number
        return trading_day_start_ns(datetime.date(months // 12, months % 12 + 1, 1))
    # Day 1 of the calendar was a Monday, so weeks counted from it begin on Mondays.
    days = day.toordinal() - 1
    days -= days % (unit_number * (7 if unit is BarUnit.WEEK else 1))
    return trading_day_start_ns(datetime.date.fromordinal(days + 1))
