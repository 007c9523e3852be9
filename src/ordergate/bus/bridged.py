"""The bus of a desk in one process that existing clients speak to over Redis: only the channels go there.

What protects a position, stops, closings and the broker's reports among it, stays inside the process, and does not know
whether Redis lives. Only what is said on the documented channels depends on it.
"""

from __future__ import annotations

from ordergate.bus.port import Bus, BusHealth


class Bridged:
    """Topics and quotes of ``inside``, channels of ``outside``."""

    def __init__(self, inside: Bus, outside: Bus) -> None:
        self._inside, self._outside = inside, outside
        self.send, self.consume, self.tell, self.watch = inside.send, inside.consume, inside.tell, inside.watch
        self.publish, self.say, self.subscribe = outside.publish, outside.say, outside.subscribe

    @property
    def health(self) -> BusHealth | None:
        return self._outside.health

    def close(self) -> None:
        self._inside.close()
        self._outside.close()
