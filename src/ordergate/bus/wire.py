"""The scripts of the streams as calls, and what senders and consumers of one process have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ordergate.bus import scripts
from ordergate.bus.link import Link
from ordergate.bus.port import Topic

# In one call, so that a busy stream costs few; and what a consumer holds unread.
BATCH_MAX = 100
BATCH_BYTES = 1_048_576
# Without a word from Redis, how soon all ask again whether there is something new, and whether it still knows them.
LOOK_S = 1.0
LEASE_MS = 15_000
# How long what is done waits for company on its way to Redis: half the calls are spared, and who dies meanwhile leaves
# that much more to be done twice.
ACKNOWLEDGE_S = 0.02
# Whoever follows it sees a gap by the numbers and asks for the whole state: the gate must not wait for any of them.
FOLLOWED = Topic.EVENTS


class Wire:
    """``sender`` is a name that no other process has had; on ``wake`` all are told which topics have room again.

    On ``own_wake`` it is told which topics have something for it that had nothing.

    The calls raise ``BusUnavailable``.
    """

    def __init__(self, link: Link, sender: str, wake: str, capacity: int, receivers: Mapping[Topic, str]) -> None:
        assert capacity > 0
        self.link, self.sender, self.wake, self.capacity, self.receivers = link, sender, wake, capacity, receivers
        self.own_wake = f"{wake}:{sender}"
        self.send, self.join, self.read, self.leave, self._expect = map(
            link.script, (scripts.SEND, scripts.JOIN, scripts.READ, scripts.LEAVE, scripts.EXPECT)
        )

    async def expect(self) -> None:
        """Give every receiver its place, so that nothing passes it by before it comes."""
        for topic, receiver in self.receivers.items():
            await self._expect([stream(topic)], [receiver])


def stream(topic: Topic) -> str:
    """The key of a topic's stream."""
    return f"ordergate:{topic.value}"


async def woken(event: asyncio.Event, timeout_s: float | None) -> bool:
    """Whether ``event`` was set within the time."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
