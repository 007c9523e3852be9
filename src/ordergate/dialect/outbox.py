"""What is said on the documented channels, in one order, by one task.

Whoever has something to say never waits: he also reads one of these channels, and would wait for himself.

Invariants:
1. What is said leaves in the order in which it was said.
2. At most ``WAITING_MAX`` messages wait while some leave; one more is dropped and counted. These channels may lose
   messages anyway, and nothing is decided by what is said on them.
"""

from __future__ import annotations

import asyncio

import msgspec

from ordergate.bus.announcements import Announced
from ordergate.bus.messages import encode
from ordergate.bus.port import Bus, Channel
from ordergate.clock import Clock
from ordergate.core.sessions import utc_text
from ordergate.telemetry import logger

# As many as a subscription of the bus in memory holds unread.
WAITING_MAX = 10_000
# What waits leaves together: over Redis each call costs as much as twenty messages in it.
_TOGETHER_MAX = 100

_log = logger("outbox")
_MS_NS = 1_000_000


class Outbox:
    """``run`` sends what ``say`` and ``reply`` have put in; ``sent`` and ``dropped`` count messages."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._waiting: asyncio.Queue[tuple[Channel | str, bytes]] = asyncio.Queue(WAITING_MAX)
        self._number = 0
        self.sent = 0
        self.dropped = 0

    def say(self, channel: Channel, message: msgspec.Struct) -> None:
        """Say it to whoever listens on a documented channel."""
        if isinstance(message, Announced):
            self._number += 1
            now_ns = self._clock.now_ns()
            message_id = f"AGG-{now_ns // _MS_NS}-{self._number}"
            message = msgspec.structs.replace(message, timestamp=utc_text(now_ns), message_id=message_id)
        self._put(channel, encode(message))

    def reply(self, channel_name: str, message: bytes) -> None:
        """Say it on a checked channel of the asker's own."""
        self._put(channel_name, message)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            waiting = [await self._waiting.get()]
            while len(waiting) < _TOGETHER_MAX and not self._waiting.empty():
                waiting.append(self._waiting.get_nowait())
            await self._bus.say(waiting)
            self.sent += len(waiting)

    def _put(self, where: Channel | str, message: bytes) -> None:
        try:
            self._waiting.put_nowait((where, message))
        except asyncio.QueueFull:
            self.dropped += 1
            _log.error("nobody takes what is said; a message was dropped", dropped=self.dropped)
