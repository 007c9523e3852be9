"""The rules on the time of day: the exchange's session, the time at which accounts must be flat, and news windows.

The first two are off for a venue that never closes (``Limits.session_only``); windows that a trader has named himself
are kept anywhere.

Invariants:
1. What the calendar does not know is closed.
2. A session's must-be-flat time holds until its close; what comes after the close is closed until the next open.
3. Where our clock and the venue's disagree, new risk needs both to allow it.
"""

from __future__ import annotations

from datetime import datetime, time
from functools import lru_cache

from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.limits import Breach, Limits
from ordergate.core.rules.proposal import Proposal
from ordergate.core.sessions import (
    CLOSED_DAYS_MAX,
    Window,
    chicago,
    ending_notice,
    next_open_ns,
    wall_ns,
    window,
    windows_around,
)

_MINUTE_NS = 60_000_000_000
_DAY_NS = 1_440 * _MINUTE_NS
# A session that closes before the usual end is left 15 minutes before its close: the prop firm's rule for early closes
# (ProjectX API notes, section 12.1, 2026-11-22). For products that always close earlier it says only "before".
_USUAL_CLOSE = time(16)
_BEFORE_EARLY_CLOSE_NS = 15 * _MINUTE_NS


def trading_hours(p: Proposal) -> Breach | None:
    """New risk only while the product trades, and before `must_be_flat`, or 15 minutes before an early close."""
    limits = p.group.limits
    if not limits.session_only:
        return None
    product = PRODUCT_BY_SYMBOL.get(p.symbol)
    group = "" if product is None else product.group
    for at_ns in p.instants:
        span = window(group, at_ns)
        if span is None:
            message = f"{p.symbol} is closed; {_reopens(group, at_ns)}"
            return Breach("OUTSIDE_TRADING_HOURS", "open", "closed", message)
        if limits.must_be_flat is not None and group in flat_groups(limits, at_ns):
            flat_ns = _flat_from_ns(span, limits.must_be_flat)
            limit, actual = f"before {chicago(flat_ns):%H:%M}", f"{chicago(at_ns):%H:%M:%S}"
            message = f"{p.symbol} must be flat from {chicago(flat_ns):%H:%M} Chicago time; {_reopens(group, at_ns)}"
            return Breach("OUTSIDE_TRADING_HOURS", limit, actual, message)
    return None


def blackout(p: Proposal) -> Breach | None:
    """No new risk in the windows that the trader keeps free of it, such as those of news."""
    for span in p.group.limits.blackouts or ():
        for at_ns in p.instants:
            if span.holds(_minute(at_ns // _MINUTE_NS)):
                message = f"no new risk in the window {span.text} Chicago time"
                return Breach("BLACKOUT", f"outside {span.text}", f"{chicago(at_ns):%H:%M:%S}", message)
    return None


@lru_cache(maxsize=4)  # windows begin and end on whole minutes
def _minute(number: int) -> datetime:
    """The wall time in Chicago at the start of a minute, counted from 1970."""
    return chicago(number * _MINUTE_NS)


def flat_groups(limits: Limits, at_ns: int) -> tuple[str, ...]:
    """The groups of products that trade at ``at_ns``, and must be flat."""
    if not limits.session_only or limits.must_be_flat is None:
        return ()
    spans = _flat_spans(at_ns // _DAY_NS, limits.must_be_flat)
    if not spans or at_ns < spans[0][1]:
        return ()
    return tuple(group for group, from_ns, until_ns in spans if from_ns <= at_ns < until_ns)


def next_flat_ns(limits: Limits, after_ns: int) -> int | None:
    """The next must-be-flat time (after ``after_ns``), None if there is none, or none that the calendar knows."""
    if not limits.session_only or limits.must_be_flat is None:
        return None
    today = after_ns // _DAY_NS
    for utc_day in range(today, today + CLOSED_DAYS_MAX):
        spans = _flat_spans(utc_day, limits.must_be_flat)
        due = [from_ns for _, from_ns, _ in spans if from_ns > after_ns and from_ns // _DAY_NS == utc_day]
        if due:
            return due[0]
    return None


@lru_cache(maxsize=16)  # the days that a decision and the wait for the next one look at
def _flat_spans(utc_day: int, must_be_flat: time) -> tuple[tuple[str, int, int], ...]:
    """The spans of a UTC day in which a group trades and must be flat, the earliest first: group, start, end."""
    found = []
    for group, span in windows_around(utc_day * _DAY_NS):
        from_ns = max(span.opens_ns, _flat_from_ns(span, must_be_flat))
        if from_ns < span.closes_ns:
            found.append((group, from_ns, span.closes_ns))
    return tuple(sorted(found, key=lambda span: span[1]))


def _flat_from_ns(span: Window, must_be_flat: time) -> int:
    """From when on the session of ``span`` must be flat."""
    flat_ns = wall_ns(span.day, must_be_flat)
    if span.session_closes_ns >= wall_ns(span.day, _USUAL_CLOSE):
        return flat_ns
    return min(flat_ns, span.session_closes_ns - _BEFORE_EARLY_CLOSE_NS)


def _reopens(group: str, at_ns: int) -> str:
    opens_ns = next_open_ns(group, at_ns)
    if opens_ns is None:
        return ending_notice(at_ns) or "its trading hours are not known"
    return f"it opens on {chicago(opens_ns):%A, %Y-%m-%d at %H:%M} Chicago time"
