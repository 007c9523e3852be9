"""Where stops and targets belong: exact ratios rounded once, in a direction that has a name."""

from __future__ import annotations

from ordergate.core.order import Exit, Order, Side
from ordergate.core.reports import Quote


def average_ticks(entry: Order) -> int:
    """The average fill price of ``entry``, up for a long, down for a short.

    So a stop, a whole distance from it, is rounded toward the entry, and a target away from it.
    """
    if entry.terms.side is Side.BUY:
        return -(-entry.opened_ticks // entry.opened_quantity)
    return entry.opened_ticks // entry.opened_quantity


def stop_level(entry: Order, stop: Exit) -> int:
    """Where the stop of ``entry`` belongs, in ticks."""
    if stop.price_ticks is not None:
        return stop.price_ticks
    return average_ticks(entry) - entry.terms.side.sign * stop.ticks


def target_level(entry: Order, target: Exit) -> int:
    """Where the target of ``entry`` belongs, in ticks."""
    if target.price_ticks is not None:
        return target.price_ticks
    return average_ticks(entry) + entry.terms.side.sign * target.ticks


def is_through(entry_side: Side, level: int, quote: Quote) -> bool:
    """Whether a protective stop at ``level`` would trigger at once; ``quote`` is two-sided."""
    assert quote.bid_ticks is not None
    assert quote.ask_ticks is not None
    return level >= quote.bid_ticks if entry_side is Side.BUY else level <= quote.ask_ticks
