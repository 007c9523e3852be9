"""The request limits of section 2.3: so many requests of one caller in any window of so many seconds.

UNVERIFIED: that the window slides, and that a refused request does not count; the vendor says only the numbers. Not
kept across a restart.
"""

from __future__ import annotations

from collections import deque

# Callers that are remembered; beyond it the longest unseen is forgotten, so strangers cannot fill the memory.
CALLERS_MAX = 1_000


class Window:
    """Counts one kind of request by caller. Times are seconds of the running loop.

    ``fixed``: it begins with a caller's first request and ends all at once, instead of sliding.
    """

    def __init__(self, requests_max: int, window_s: float, *, fixed: bool = False) -> None:
        self._requests_max = requests_max
        self._window_s = window_s
        self._fixed = fixed
        self._taken: dict[str, deque[float]] = {}

    def wait_s(self, caller: str, now_s: float) -> float:
        """0 if ``caller`` may make one more request now, which is then counted; else how long until it may."""
        taken = self._taken.pop(caller, None) or deque()
        self._taken[caller] = taken
        if len(self._taken) > CALLERS_MAX:
            del self._taken[next(iter(self._taken))]
        began_s = now_s - self._window_s
        if self._fixed and taken and taken[0] <= began_s:
            taken.clear()
        while taken and taken[0] <= began_s:
            taken.popleft()
        if len(taken) >= self._requests_max:
            return taken[0] - began_s
        taken.append(now_s)
        return 0
