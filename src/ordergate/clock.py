"""Wall time, injected.

Durations come from the running event loop (``loop.time()``, ``asyncio.sleep``); instants come from a
``Clock``. Nothing else in the project asks the machine what time it is, so a virtual loop and a virtual
clock can replace both at once; so does a replay, whose market has its own time.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The source of wall time."""

    def now_ns(self) -> int:
        """The present instant in nanoseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()


class SteadyClock:
    """``clock``, but never backwards: where that is set back, this goes on at half pace until it has been caught up.

    What is measured in durations (a stop that is tried again, an answer that is waited for) goes on meanwhile.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._last_ns = clock.now_ns()
        self._last_s = self._loop.time()

    def now_ns(self) -> int:
        now_s = self._loop.time()
        self._last_ns = max(self._clock.now_ns(), self._last_ns + round((now_s - self._last_s) * 500_000_000))
        self._last_s = now_s
        return self._last_ns


class MarketClock:
    """The time of a recorded market: ``start_ns`` now, and from here on as fast as the running loop's own time."""

    def __init__(self, start_ns: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._start_ns = start_ns

    def now_ns(self) -> int:
        return self._start_ns + round((self._loop.time() - self._began_s) * 1_000_000_000)
