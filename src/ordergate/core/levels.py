"""Where stops and targets belong: exact ratios rounded once, in a direction that has a name."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from ordergate.core.order import Exit, Order, Side
from ordergate.core.reports import Quote


def round_with_the_trade(level: Fraction, side: Side) -> int:
    """Up for a long, down for a short: a stop rounds toward the entry, a target away from it (invariant 4)."""
    return ceil(level) if side is Side.BUY else floor(level)


def stop_level(entry: Order, stop: Exit) -> int:
    """Where the stop of ``entry`` belongs, in ticks."""
    if stop.price_ticks is not None:
        return stop.price_ticks
    average = Fraction(entry.opened_ticks, entry.opened_quantity)
    return round_with_the_trade(average - entry.terms.side.sign * stop.ticks, entry.terms.side)


def target_level(entry: Order, target: Exit) -> int:
    """Where the target of ``entry`` belongs, in ticks."""
    if target.price_ticks is not None:
        return target.price_ticks
    average = Fraction(entry.opened_ticks, entry.opened_quantity)
    return round_with_the_trade(average + entry.terms.side.sign * target.ticks, entry.terms.side)


def is_through(entry_side: Side, level: int, quote: Quote) -> bool:
    """Whether a protective stop at ``level`` would trigger at once; ``quote`` is two-sided."""
    assert quote.bid_ticks is not None
    assert quote.ask_ticks is not None
    return level >= quote.bid_ticks if entry_side is Side.BUY else level <= quote.ask_ticks
