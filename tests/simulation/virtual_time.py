"""An asyncio event loop on which waiting takes no time.

When nothing is ready, ``time()`` jumps to the next timer; when there is no timer either, nothing could ever happen
again, and the run ends with ``Deadlock`` instead of hanging. All of asyncio's waiting (``sleep``, ``timeout``,
``wait``) follows, so a day passes as fast as its events can be computed. Time passes only in waiting: a computation
takes none. Code that waits for itself in a loop for ever can still be bounded by ``asyncio.timeout`` in virtual time.

Real sockets are polled but not waited for, and threads cannot wake the loop: neither belongs in a simulation.

Invariants:
1. ``time()`` never goes back, and has reached a timer's instant when the timer runs (to the microsecond).
2. The same program runs in the same order every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

from ordergate.pace import WaitingSelector

T = TypeVar("T")

NS_PER_S = 1_000_000_000
_TICKS_PER_S = 1_000_000
# 2026-11-23 15:00 UTC, a Monday, 09:00 in Chicago: the market is open.
START_NS = 1_795_446_000 * NS_PER_S


class Deadlock(RuntimeError):
    """Tasks wait, and neither a timer nor anything ready can wake them."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """See the module. Time begins at 0."""

    def __init__(self) -> None:
        self._ticks = 0
        super().__init__(_JumpingSelector(self))
        # asyncio runs a timer early by up to one tick of the machine's clock: 16 ms on Windows; on Linux 1 ns, which
        # added to the time of a later month is lost in rounding, so that the timer would never be due.
        self._clock_resolution = 0.5 / _TICKS_PER_S

    def time(self) -> float:
        return self._ticks / _TICKS_PER_S

    def call_at(  # type: ignore[override]  # the callback's own arguments cannot be named without Python 3.12
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """At the first whole tick that is not before ``when``.

        A timer that is early by less than a tick would let no time pass: two tasks that wait for one each would keep
        each other awake at that instant for ever.
        """
        ticks = round(when * _TICKS_PER_S)
        ticks += ticks / _TICKS_PER_S < when
        return super().call_at(ticks / _TICKS_PER_S, callback, *args, context=context)

    def jump(self, seconds: float) -> None:
        """Let ``seconds`` pass, which end at a timer."""
        self._ticks += max(1, round(seconds * _TICKS_PER_S))

    def refuse_to_hang(self) -> None:
        """Raise ``Deadlock``, naming the tasks that wait."""
        waiting = sorted(f"{task.get_name()}: {task.get_coro()!r}" for task in asyncio.all_tasks(self))
        raise Deadlock(f"at {self.time()} s nothing is scheduled and nothing is ready; waiting: {waiting}")


class VirtualClock:
    """The wall clock that goes with a virtual loop: ``start_ns`` when the loop's time is 0."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start_ns: int = START_NS) -> None:
        self._loop = loop
        self._start_ns = start_ns

    def now_ns(self) -> int:
        return self._start_ns + round(self._loop.time() * NS_PER_S)


class _JumpingSelector(WaitingSelector):
    """Asked but never waited for; a wait becomes a jump of the loop's time."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self.real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            self._loop.refuse_to_hang()
        else:
            self._loop.jump(timeout)
        return []


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on a loop of virtual time of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
