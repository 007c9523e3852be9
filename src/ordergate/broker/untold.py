"""Orders of which the user hub has yet to speak: it is judged by that, and not by its pings. PURE.

A hub that has lost its subscriptions answers pings as ever. That an order was taken, or cancelled, is told within some
tens of milliseconds of the answer to its request, or before it (ProjectX API notes, section 6, 2026-11-22). An order
that nothing is said of is read; a hub that has left out several is not believed any more.

Invariants:
1. A word that came before the answer to the request counts, one from before the request does not.
2. What is forgotten with a lost connection is read with the snapshot after it.
"""

from __future__ import annotations

# A slow line and a busy hub are quicker; an entry that has filled unseen is without its stop as long as this.
LATE_S = 3.0
# One event may be lost on its way. To connect anew costs a reading of every account, so not for each.
MISSES_MAX = 3
MISSES_WITHIN_S = 60.0
# Words are remembered for longer than a request can take.
_KEPT_S = 60.0


class Untold:
    """By account and the broker's id of an order; all times are those of the running loop."""

    def __init__(self) -> None:
        self._expected: dict[tuple[int, int], float] = {}
        self._told: dict[tuple[int, int], float] = {}
        self._misses: list[float] = []

    def expect(self, account_id: int, order_id: int, asked_s: float, now_s: float) -> None:
        """The broker has answered now that it did what was asked of an order at ``asked_s``."""
        key = account_id, order_id
        if self._told.get(key, asked_s - 1) < asked_s:
            self._expected.setdefault(key, now_s)

    def told(self, account_id: int, order_id: int, now_s: float) -> None:
        """The hub speaks of an order."""
        key = account_id, order_id
        self._expected.pop(key, None)
        self._told.pop(key, None)
        self._told[key] = now_s

    def forget(self) -> None:
        """The connection is lost: what it left out does not count against the next."""
        self._expected.clear()
        self._misses.clear()

    def late(self, now_s: float) -> list[tuple[int, int]]:
        """The orders of which nothing was told in time, by account and id; each is told of once."""
        for key, told_s in list(self._told.items()):
            if now_s - told_s <= _KEPT_S:
                break
            del self._told[key]
        late = [key for key, since_s in self._expected.items() if now_s - since_s > LATE_S]
        for key in late:
            del self._expected[key]
        self._misses = [at_s for at_s in self._misses if now_s - at_s <= MISSES_WITHIN_S] + [now_s] * len(late)
        return late

    @property
    def is_silent(self) -> bool:
        """Whether the hub has left out so much that it must be connected anew."""
        return len(self._misses) >= MISSES_MAX
