"""A bus for the process that sends the events: those who follow them in it hear them without the way out and back.

Over Redis each event would come back as a message to be read, opened and acknowledged, in the process that has just
sent it. Whoever follows in another process hears them over the bus outside, as ever.
"""

from __future__ import annotations

from ordergate.bus.port import Bus, BusHealth, Subscription, Topic


class Nearby:
    """``outside``, but that ``events`` are consumed as they are sent here, over ``inside``."""

    def __init__(self, inside: Bus, outside: Bus) -> None:
        self._inside, self._outside = inside, outside
        self.publish, self.say, self.subscribe = outside.publish, outside.say, outside.subscribe
        self.tell, self.watch = outside.tell, outside.watch

    @property
    def health(self) -> BusHealth | None:
        return self._outside.health

    async def send(self, topic: Topic, *messages: bytes) -> None:
        if topic is Topic.EVENTS:
            await self._inside.send(topic, *messages)
        await self._outside.send(topic, *messages)

    def consume(self, topic: Topic, consumer: str) -> Subscription:
        bus = self._inside if topic is Topic.EVENTS else self._outside
        return bus.consume(topic, consumer)

    def close(self) -> None:
        self._inside.close()
        self._outside.close()
