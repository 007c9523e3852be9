"""The lossless topics as Redis Streams: numbered by their senders, read by named consumers, kept until acknowledged.

A sender keeps what it has sent until every consumer has acknowledged it, and Redis keeps how far each sender has got.
So after a broken connection both know what arrived, and what Redis has forgotten (flushed, restarted without its last
writes) is sent again. It must never drop a message in silence.

Invariants, beyond the port's:
1. A message that a consumer has not acknowledged is read again by the next process that consumes under its name, first
   and in order. Asking for the next message acknowledges the one before, within ``ACKNOWLEDGE_S``.
2. A message is delivered twice only to a process that follows one which died before Redis had its acknowledgement.
3. A stream holds at most ``capacity`` messages, and a sender keeps at most as many; a full stream makes senders wait.
4. A message whose sender gave up waiting is not sent later, except where it already was.
5. What was sent while nobody listened is not sent again to whoever comes after a Redis that has forgotten it.
6. A message is sent after every consumer of this bus that was opened before it has its place in Redis.

A *receiver* is a consumer that a topic cannot do without. What it has not read waits for it while it is away, and holds
up the senders when the stream is full. Any other consumer begins with what is sent from then on; it is forgotten when
it closes, and dead, as soon as it holds up the senders and has not read for ``LEASE_MS``. On ``FOLLOWED`` nobody holds
up a sender: who is a full stream behind loses its place, which is counted where it reads, and reads what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ordergate.bus.consumer import Consumer
from ordergate.bus.port import Topic
from ordergate.bus.sender import Sender
from ordergate.bus.wire import Wire
from ordergate.errors import MessageTooLarge
from ordergate.together import Start

# The whole state of a group is one message; a day of ten thousand orders has some 10 MB.
MESSAGE_BYTES_MAX = 64 * 1_048_576


class Streams:
    """The topics of one process."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._senders = {topic: Sender(wire, topic, self.settled) for topic in Topic}
        self._consumers: dict[tuple[Topic, str], Consumer] = {}
        self._opened = 0
        self._start: Start | None = None

    def run(self, start: Start) -> None:
        """Begin to carry, in tasks that ``start`` makes."""
        self._start = start
        for topic, sender in self._senders.items():
            start(sender.run(), f"send {topic.value}")

    async def send(self, topic: Topic, messages: Sequence[bytes]) -> None:
        size = max(map(len, messages), default=0)
        if size > MESSAGE_BYTES_MAX:
            raise MessageTooLarge(f"{size} bytes for {topic.value}; {MESSAGE_BYTES_MAX} are the most")
        await self._senders[topic].send(messages)

    def consume(self, topic: Topic, consumer: str) -> Consumer:
        assert self._start is not None, "the bus is not open"
        present = self._consumers.get((topic, consumer))
        assert present is None or present.closed, f"{consumer} already consumes {topic.value}"
        self._opened += 1
        opened = Consumer(self._wire, topic, consumer, f"{self._wire.sender}-{self._opened}", present)
        self._consumers[topic, consumer] = opened
        self._start(opened.run(), f"consume {topic.value} as {consumer}")
        return opened

    async def settled(self) -> None:
        """Every consumer opened here has its place in Redis, every closed one has left."""
        for consumer in list(self._consumers.values()):
            await consumer.settled.wait()

    def wake(self, topics: Iterable[Topic]) -> None:
        """There may be something new, or room, on these."""
        for topic in topics:
            self._senders[topic].room.set()
        for (topic, _), consumer in self._consumers.items():
            if topic in topics:
                consumer.woken.set()

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    async def flush(self) -> None:
        """What was done is acknowledged, as far as Redis answers."""
        await self.settled()
        for consumer in self._consumers.values():
            await consumer.flush()
