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
        self._limits = limits
        self._spent: deque[float] = deque()
        self._paused_until_s = float("-inf")

    def delay_s(self, now_s: float, *, exits: bool) -> float:
        """How long a request must wait (>= 0); ``exits``: it may use the reserve."""
        while self._spent and self._spent[0] <= now_s - self._limits.window_s:
            self._spent.popleft()
        usable = self._limits.requests_max - (0 if exits else self._limits.reserve)
        excess = len(self._spent) - usable
        room_s = 0.0 if excess < 0 else self._spent[excess] + self._limits.window_s - now_s
        return room_s if exits else max(room_s, self._paused_until_s - now_s)

    def spend(self, now_s: float) -> None:
        """Count one request that leaves now."""
        self._spent.append(now_s)

    def turned_away(self, now_s: float, retry_after_s: float | None) -> None:
        """The broker answered 429; without ``retry_after_s`` the pause is one window, which is what clients assume."""
        pause_s = self._limits.window_s if retry_after_s is None else retry_after_s
        self._paused_until_s = max(self._paused_until_s, now_s + pause_s)
