"""The market of a simulated certification: it swings wider and wider, so that every price near it is reached. PURE.

A walk would do as well for a person who watches; a case that waits for its stop must not wait for chance.

Invariants:
1. Same start, same seed: same market.
2. It never goes further than ``REACH_TICKS`` from where it begins, and each swing goes further than the one before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.recording import Recording
from ordergate.exchange.records import QuoteRecord, TradeRecord

REACH_TICKS = 80
STEP_NS = 250_000_000
_STEPS_A_TICK = 2
_FIRST_TICKS, _WIDER_TICKS = 6, 5
# Long enough for every case that needs it to move; a line that is cut for longer finds it standing still.
_LASTS_NS = 600_000_000_000
# MES by its level of November 2026.
_BEGINS_TICKS = 27_600
_SIZES = (20, 61)


def swing(start_ns: int, seed: int) -> Recording:
    """Quotes and trades of ES and MES from ``start_ns`` on; ``seed`` decides which way it goes first, and the sizes."""
    chance = random.Random(seed)
    recording = Recording("certification", "ES")
    bids = _bids(chance.choice((1, -1)))
    before = _BEGINS_TICKS
    for at_ns in range(start_ns, start_ns + _LASTS_NS, STEP_NS):
        bid = next(bids)
        side, price = (OrderSide.BID, bid + 1) if bid > before else (OrderSide.ASK, bid)
        recording.append(TradeRecord(at_ns, side, price, 1 + chance.randrange(5)))
        recording.append(QuoteRecord(at_ns, bid, chance.randrange(*_SIZES), bid + 1, chance.randrange(*_SIZES)))
        before = bid
    return recording


def _bids(way: int) -> Iterator[int]:
    """The best bid of each step."""
    bid, reach = 0, _FIRST_TICKS
    while True:
        while bid != way * reach:
            bid += way
            yield from (_BEGINS_TICKS + bid,) * _STEPS_A_TICK
        way, reach = -way, min(reach + _WIDER_TICKS, REACH_TICKS)
