"""An event loop whose time runs faster than the world's, so that a recorded market can be played quickly.

Every timer of the process follows, because all of them are asyncio's. Time passes only in waiting: while the process
computes it stands still, so a machine that cannot keep up plays more slowly, and no deadline between its own parts
passes because of it. What other programs and the disk take counts ``speed`` times.

Invariants:
1. ``time()`` never goes back, and goes at most ``speed`` seconds in a real one.
2. A timer runs at its instant, to the microsecond: never before, and never late because the machine was busy.
"""

from __future__ import annotations

import asyncio
import functools
import math
import selectors
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


_NS_PER_S = 1_000_000_000


def new_event_loop(speed: int) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of a process: the fastest there is in real time, else a ``PacedLoop``."""
    if speed != 1:
        return functools.partial(PacedLoop, speed)
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.new_event_loop


class PacedLoop(asyncio.SelectorEventLoop):
    """See the module. Time begins at 0; ``speed`` > 0."""

    def __init__(self, speed: int) -> None:
        self._now_ns = 0
        super().__init__(_PacedSelector(self, speed))

    def time(self) -> float:
        return self._now_ns / _NS_PER_S

    def real_time(self) -> float:
        """Seconds of the world, from an instant of the machine's choice."""
        return super().time()

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` (>= 0) pass, rounded up: however little is missing to a timer, waiting gets there."""
        self._now_ns += math.ceil(seconds * _NS_PER_S)


class WaitingSelector(selectors.BaseSelector):
    """The platform's selector, for a loop with an idea of its own of what waiting is: ``select`` says it."""

    def __init__(self) -> None:
        self.real = selectors.DefaultSelector()

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()


class _PacedSelector(WaitingSelector):
    """It is told to wait in the loop's seconds, waits in real ones, and moves the time."""

    def __init__(self, loop: PacedLoop, speed: int) -> None:
        super().__init__()
        self._loop = loop
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        began_s = self._loop.real_time()
        ready = self.real.select(None if timeout is None else timeout / self._speed)
        waited_s = (self._loop.real_time() - began_s) * self._speed
        # Woken late, it is still the instant that was waited for.
        self._loop.advance(waited_s if timeout is None else min(waited_s, max(timeout, 0)))
        return ready
