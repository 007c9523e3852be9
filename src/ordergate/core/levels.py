"""Where stops and targets belong: exact ratios rounded once, in a direction that has a name."""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core.order import Exit, Order, Protection, Side
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


def stopped_at(entry: Order, level: int) -> Protection:
    """What ``entry`` promises, with its stop at the price ``level``."""
    return replace(entry.protection, stop=Exit(abs(average_ticks(entry) - level), level))


def exit_ticks(entry_side: Side, quote: Quote) -> int:
    """The price at which a position of ``entry_side`` can be left; ``quote`` is two-sided."""
    found = quote.bid_ticks if entry_side is Side.BUY else quote.ask_ticks
    assert found is not None
    return found


def is_through(entry_side: Side, level: int, quote: Quote) -> bool:
    """Whether a protective stop at ``level`` would trigger at once; ``quote`` is two-sided."""
    return (level - exit_ticks(entry_side, quote)) * entry_side.sign >= 0
