"""Warnings and errors that repeat: the first of each are written, and of the others the last, with how many there were.

A dependency that is away for an hour must not fill a disk. Lines are the same when they are of one part, level, text
and code, whatever else they say. What is critical is never held back; nor is what has no trouble to tell, of which
each line is another fact.

Invariants:
1. The first ``WHOLE`` lines of a window are written as they come.
2. Of the others the last is written once the window is over, with the time at which it was said and ``repeated``: the
   number of lines that it stands for. So the lines that were written, each counted so, are all that were said.
3. Memory is bounded by what is said within one window.
"""

from __future__ import annotations

import msgspec
from structlog.typing import EventDict

WHOLE = 3
WINDOW_NS = 60_000_000_000

_LIMITED = ("warning", "error")


class _Window(msgspec.Struct):
    since_ns: int
    said: int = 0
    last: EventDict | None = None


class Repeats:
    """Told of each line in turn; a line may be written later than it was said."""

    def __init__(self) -> None:
        self._windows: dict[tuple[object, ...], _Window] = {}  # the oldest first

    def let(self, event: EventDict, now_ns: int) -> list[EventDict]:
        """What is to be written now that ``event`` is said: what was held back until now, and itself if it may."""
        written = self._over(now_ns)
        if event["level"] not in _LIMITED:
            return [*written, event]
        about = event["level"], event.get("part"), event["event"], event.get("code")
        window = self._windows.setdefault(about, _Window(now_ns))
        window.said += 1
        if window.said <= WHOLE:
            return [*written, event]
        window.last = event
        return written

    def rest(self) -> list[EventDict]:
        """All that is still held back, at the end."""
        written = [told for window in self._windows.values() for told in _last(window)]
        self._windows.clear()
        return written

    def _over(self, now_ns: int) -> list[EventDict]:
        written = []
        while self._windows:
            oldest = next(iter(self._windows))
            # A clock that was set back begins anew, rather than hold back for as long.
            if 0 <= now_ns - self._windows[oldest].since_ns < WINDOW_NS:
                break
            written += _last(self._windows.pop(oldest))
        return written


def _last(window: _Window) -> list[EventDict]:
    return [] if window.last is None else [{**window.last, "repeated": window.said - WHOLE}]
