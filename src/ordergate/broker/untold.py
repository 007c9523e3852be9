"""Orders of which the user hub has yet to speak: it is judged by that, and not by its pings. PURE.

A hub that has lost its subscriptions answers pings as ever. That an order was taken, or cancelled, is told within some
tens of milliseconds of the answer to its request, or before it (ProjectX API notes, section 6, 2026-11-22).

Invariants:
1. A word that came before the answer to the request counts, one from before the request does not.
2. What is forgotten with a lost connection is read with the snapshot after it.
"""

from __future__ import annotations

# A slow line and a busy hub are quicker; an entry that has filled unseen is without its stop as long as this.
LATE_S = 3.0
# Words are remembered for longer than a request can take.
_KEPT_S = 60.0


class Untold:
    """By the broker's ids of orders; all times are those of the running loop."""

    def __init__(self) -> None:
        self._expected: dict[int, float] = {}
        self._told: dict[int, float] = {}

    def expect(self, order_id: int, asked_s: float, now_s: float) -> None:
        """The broker has answered now that it did what was asked of an order at ``asked_s``."""
        if self._told.get(order_id, asked_s - 1) < asked_s:
            self._expected.setdefault(order_id, now_s)

    def told(self, order_id: int, now_s: float) -> None:
        """The hub speaks of an order."""
        self._expected.pop(order_id, None)
        self._told.pop(order_id, None)
        self._told[order_id] = now_s

    def forget(self) -> None:
        self._expected.clear()

    def late(self, now_s: float) -> int | None:
        """An order of which nothing was told in time; it is told of once."""
        for order_id, told_s in list(self._told.items()):
            if now_s - told_s <= _KEPT_S:
                break
            del self._told[order_id]
        for order_id, since_s in self._expected.items():
            if now_s - since_s > LATE_S:
                self._expected.clear()
                return order_id
        return None
