"""An event loop whose time runs faster than the world's, so that a recorded market can be played quickly.

Every wait and every timer of the process follows, because all of them are asyncio's; so do the deadlines of requests to
other programs, which have that much less real time to answer.

Invariants:
1. ``time()`` never goes back, and moves ``speed`` seconds in each real one.
2. A timer never runs before its instant.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


def new_event_loop(speed: int) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of a process: the fastest there is in real time, else a ``PacedLoop``."""
    if speed != 1:
        return functools.partial(PacedLoop, speed)
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415 - there is none on Windows

    return uvloop.new_event_loop


class PacedLoop(asyncio.SelectorEventLoop):
    """See the module. ``speed`` > 0."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        super().__init__(_PacedSelector(speed))

    def time(self) -> float:
        return super().time() * self._speed


class _PacedSelector(selectors.BaseSelector):
    """The platform's selector; it is told to wait in the loop's seconds, and waits in real ones."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._real.select(None if timeout is None else timeout / self._speed)

    def register(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: FileDescriptorLike, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
