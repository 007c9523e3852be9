"""Wall time, injected.

Durations come from the running event loop (``loop.time()``, ``asyncio.sleep``); instants come from a
``Clock``. Nothing else in the project asks the machine what time it is, so a virtual loop and a virtual
clock can replace both at once.
"""

from __future__ import annotations

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
