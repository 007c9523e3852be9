"""The broker's request limit, kept on our side, with a reserve that only exits may use. PURE.

Invariants:
1. In any window at most ``requests_max`` requests leave, ``reserve`` of which only exits can have.
2. After the broker has answered 429, nothing but exits leaves until it is due again.
"""

from __future__ import annotations

from collections import deque

import msgspec


class RequestLimits(msgspec.Struct, frozen=True):
    """Every endpoint but the bars shares 200 requests in 60 s (ProjectX API notes, section 2.3, 2026-11-22).

    UNVERIFIED: that the window slides. ``reserve``: a flatten of five contracts with its cancels and reads is about 30.
    """

    requests_max: int = 200
    window_s: float = 60.0
    reserve: int = 40


# Bars are counted apart (as above): two digests of 2026 say 50 in 30 s, an undated page 30.
BAR_LIMITS = RequestLimits(requests_max=30, window_s=30.0, reserve=0)


class RequestBudget:
    """Counts the requests of one login. Times are seconds of the running loop."""

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits
        self._spent: deque[float] = deque()
        self._paused_until_s = float("-inf")

    def delay_s(self, now_s: float, *, exits: bool, requests: int = 1) -> float:
        """How long (>= 0) until so many requests may leave, or all where that is less; ``exits``: with the reserve."""
        self._forget(now_s)
        usable = self.limits.requests_max - (0 if exits else self.limits.reserve)
        excess = min(len(self._spent) + requests - 1 - usable, len(self._spent) - 1)
        room_s = 0.0 if excess < 0 else self._spent[excess] + self.limits.window_s - now_s
        return room_s if exits else max(room_s, self._paused_until_s - now_s)

    def left(self, now_s: float, *, exits: bool) -> int:
        """How many requests may leave now (>= 0); ``exits``: with the reserve."""
        self._forget(now_s)
        if not exits and now_s < self._paused_until_s:
            return 0
        usable = self.limits.requests_max - (0 if exits else self.limits.reserve)
        return max(0, usable - len(self._spent))

    def pause_s(self, now_s: float) -> float:
        """For how long nothing but exits leaves, because the broker has answered 429 (>= 0)."""
        return max(0.0, self._paused_until_s - now_s)

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0] <= now_s - self.limits.window_s:
            self._spent.popleft()

    def spend(self, now_s: float) -> None:
        """Count one request that leaves now."""
        self._spent.append(now_s)

    def turned_away(self, now_s: float, retry_after_s: float | None) -> None:
        """The broker answered 429; without ``retry_after_s`` the pause is one window, which is what clients assume."""
        pause_s = self.limits.window_s if retry_after_s is None else retry_after_s
        self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
