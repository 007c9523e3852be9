"""The market of a simulated certification: it swings, so that every price near it is reached within seconds. PURE.

A walk would do as well for a person who watches; a case that waits for its stop must not wait for chance.

Invariant: same start, same seed: same market.
"""

from __future__ import annotations

import random

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.recording import QuoteRecord, Recording, TradeRecord

STEP_NS = 250_000_000
# A swing of 8 ticks each way in 40 s: a price 4 ticks away is reached within a minute, and one 100 away never.
SWING_TICKS = 8
_STEPS_A_TICK = 5
# Long enough for every case that needs it to move; a line that is cut for longer finds it standing still.
_LASTS_NS = 300_000_000_000
# MES by its level of November 2026.
_MIDDLE_TICKS = 27_600
_SIZES = (20, 61)


def swing(start_ns: int, seed: int) -> Recording:
    """Quotes and trades of ES and MES from ``start_ns`` on; ``seed`` decides where in its swing it begins."""
    chance = random.Random(seed)
    recording = Recording("certification")
    step = chance.randrange(SWING_TICKS * 4 * _STEPS_A_TICK)
    for at_ns in range(start_ns, start_ns + _LASTS_NS, STEP_NS):
        phase = step // _STEPS_A_TICK % (4 * SWING_TICKS)
        bid = _MIDDLE_TICKS + (phase if phase <= 2 * SWING_TICKS else 4 * SWING_TICKS - phase) - SWING_TICKS
        rises = phase < 2 * SWING_TICKS
        side, price = (OrderSide.BID, bid + 1) if rises else (OrderSide.ASK, bid)
        recording.append(TradeRecord(at_ns, side, price, 1 + chance.randrange(5)))
        recording.append(QuoteRecord(at_ns, bid, chance.randrange(*_SIZES), bid + 1, chance.randrange(*_SIZES)))
        step += 1
    return recording
