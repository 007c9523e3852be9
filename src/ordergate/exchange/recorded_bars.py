"""A minute's bar as the quotes and trades that could have made it. PURE.

What happened inside a minute is not recorded. A bar that rose went down to its low first, one that fell up to its high;
twelve steps of five seconds go that way, each with a trade at the price that it reaches and the usual spread beside it.

Invariants:
1. The trades of a minute give its bar again: open, high, low, close and volume, to the contract.
2. Every instant is inside the minute, and none goes back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.levels import Level
from ordergate.exchange.market import Bar
from ordergate.exchange.records import QuoteRecord, TradeRecord

_STEPS = 12
_STEP_NS = 5_000_000_000


def records(bar: Bar, level: Level) -> Iterator[QuoteRecord | TradeRecord]:
    """The records of one bar. Raises ``ValueError`` for one that no trades can have made."""
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        raise ValueError("the open or the close is not between low and high")
    prices = _prices(bar)
    size, rest = divmod(bar.volume, len(prices))
    before = prices[0] if bar.close >= bar.open else prices[0] + 1
    for number, price in enumerate(prices):
        at_ns = bar.start_ns + number * _STEP_NS
        side = OrderSide.BID if price >= before else OrderSide.ASK
        bid = price - level.spread_ticks if side is OrderSide.BID else price
        yield QuoteRecord(at_ns, bid, level.touch_size, bid + level.spread_ticks, level.touch_size)
        yield TradeRecord(at_ns, side, price, size + (number < rest))
        before = price


def _prices(bar: Bar) -> list[int]:
    """Where each step comes to; no more of them than contracts were traded."""
    first, second = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    turns = [bar.open]
    turns += [price for price, before in ((first, bar.open), (second, first), (bar.close, second)) if price != before]
    if bar.volume < len(turns):
        raise ValueError(f"{bar.volume} contracts cannot have traded at {len(turns)} prices one after the other")
    if bar.volume < _STEPS:
        return turns
    legs = list(itertools.pairwise(turns)) or [(bar.open, bar.open)]
    steps, more = divmod(_STEPS - 1, len(legs))
    path = [bar.open]
    for number, (start, end) in enumerate(legs):
        count = steps + (number < more)
        path += [start + (end - start) * step // count for step in range(1, count + 1)]
    return path
