"""The request limits of section 2.3: so many requests with one token in any window of so many seconds.

UNVERIFIED: that the window slides and belongs to a token, and that a refused request does not count; the vendor says
only the numbers. By token, so that a second client of the same login does not starve the first. Not kept across a
restart.
"""

from __future__ import annotations

from collections import deque

# Tokens and logins that are remembered; beyond it the longest unseen is forgotten, so strangers cannot fill the memory.
CALLERS_MAX = 1_000


class SlidingWindow:
    """Counts one kind of request by caller. Times are seconds of the running loop."""

    def __init__(self, requests_max: int, window_s: float) -> None:
        self._requests_max = requests_max
        self._window_s = window_s
        self._taken: dict[str, deque[float]] = {}

    def admits(self, caller: str, now_s: float) -> bool:
        """Whether ``caller`` may make one more request now; if so it is counted."""
        taken = self._taken.pop(caller, None) or deque()
        self._taken[caller] = taken
        if len(self._taken) > CALLERS_MAX:
            del self._taken[next(iter(self._taken))]
        while taken and taken[0] <= now_s - self._window_s:
            taken.popleft()
        if len(taken) >= self._requests_max:
            return False
        taken.append(now_s)
        return True
