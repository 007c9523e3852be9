"""The lossless topics as Redis Streams: numbered by their senders, read by named consumers, kept until acknowledged.

A sender keeps what it has sent until every consumer has acknowledged it, and Redis keeps how far each sender has got.
So after a broken connection both know what arrived, and what Redis has forgotten (flushed, restarted without its last
writes) is sent again. It must never drop a message in silence.

Invariants, beyond the port's:
1. A message that a consumer has not acknowledged is read again by the next process that consumes under its name, first
   and in order. Asking for the next message acknowledges the one before.
2. A message is delivered twice only to a process that follows one which died between the handling and the next request.
3. A stream holds at most ``capacity`` messages, and a sender keeps at most as many; a full stream makes senders wait.
4. A message is sent after every consumer of this bus that was opened before it has its place in Redis.

A *receiver* is a consumer that a topic cannot do without. What it has not read waits for it while it is away, and holds
up the senders when the stream is full. Any other consumer is forgotten when it closes; dead, as soon as it holds up
the senders and has not read for ``LEASE_MS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import cast

from ordergate.bus import scripts
from ordergate.bus.link import Link
from ordergate.bus.port import Topic
from ordergate.errors import BusUnavailable, ConsumerReplaced, MessageTooLarge
from ordergate.telemetry import logger

# The whole state of a group is one message; a day of ten thousand orders has some 10 MB.
MESSAGE_BYTES_MAX = 64 * 1_048_576
# In one call, so that a busy stream costs few; and what a consumer holds unread.
BATCH_MAX = 100
BATCH_BYTES = 1_048_576
# Without a word from Redis, how soon all ask again whether there is something new, and whether it still knows them.
LOOK_S = 1.0
LEASE_MS = 15_000

_log = logger("streams")
Start = Callable[[Coroutine[object, object, None], str], None]
"""Starts a task of that name."""

# Its id, and its fields with their names; None where it was deleted.
_Entry = tuple[bytes, list[bytes] | None]
# Milliseconds and a number within them, as Redis orders a stream.
_Id = tuple[float, float]
_ALL_READ: _Id = (math.inf, 0)
_NOTHING_LEFT: _Id = (0, 0)


class Streams:
    """The topics of one process. ``sender`` is a name that no other process has had."""

    def __init__(self, link: Link, sender: str, wake: str, capacity: int, receivers: Mapping[Topic, str]) -> None:
        assert capacity > 0
        self.link, self.sender, self.wake_channel, self.capacity = link, sender, wake, capacity
        self.receivers = receivers
        self.send_script, self.join, self.read, self.leave = map(
            link.script, (scripts.SEND, scripts.JOIN, scripts.READ, scripts.LEAVE)
        )
        self._expect = link.script(scripts.EXPECT)
        self._senders = {topic: _Sender(self, topic) for topic in Topic}
        self._consumers: dict[tuple[Topic, str], Consumer] = {}
        self._opened = 0
        self._start: Start | None = None

    def run(self, start: Start) -> None:
        """Begin to carry, in tasks that ``start`` makes."""
        self._start = start
        for topic, sender in self._senders.items():
            start(sender.run(), f"send {topic.value}")

    async def send(self, topic: Topic, message: bytes) -> None:
        if len(message) > MESSAGE_BYTES_MAX:
            raise MessageTooLarge(f"{len(message)} bytes for {topic.value}; {MESSAGE_BYTES_MAX} are the most")
        await self._senders[topic].send(message)

    def consume(self, topic: Topic, consumer: str) -> Consumer:
        assert self._start is not None, "the bus is not open"
        present = self._consumers.get((topic, consumer))
        assert present is None or present.closed, f"{consumer} already consumes {topic.value}"
        self._opened += 1
        opened = Consumer(self, topic, consumer, f"{self.sender}-{self._opened}", present)
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

    async def expect(self) -> None:
        """Give every receiver its place, so that nothing passes it by before it comes. Raises ``BusUnavailable``."""
        for topic, receiver in self.receivers.items():
            await self._expect([stream(topic)], [receiver])

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    async def flush(self) -> None:
        """What was done is acknowledged, as far as Redis answers."""
        await self.settled()
        for consumer in self._consumers.values():
            await consumer.flush()


class _Outgoing:
    """One message of a sender. ``leaving``: Redis may have it or come to have it, so it cannot be withdrawn any more.

    ``accepted`` is done when Redis has it.
    """

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.leaving = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Sender:
    """The messages of this process on one topic, in order.

    Numbers follow each other without a gap from the first message to the last: ``_next`` is that of the first in
    ``_queue``. ``_believed`` is the count that Redis should have; where it has another, that one is true.
    """

    def __init__(self, streams: Streams, topic: Topic) -> None:
        self._streams = streams
        self._link = streams.link
        self._topic = topic
        self._queue: deque[_Outgoing] = deque()
        # Accepted, and not acknowledged by all as far as we know: each with its number and an id not below its own.
        self._kept: deque[tuple[int, _Id, _Outgoing]] = deque()
        self._next = 1
        self._believed = 0
        self._calls = 0
        self._work = asyncio.Event()
        self.room = asyncio.Event()

    async def send(self, message: bytes) -> None:
        outgoing = _Outgoing(message)
        self._queue.append(outgoing)
        self._work.set()
        await outgoing.accepted

    async def run(self) -> None:
        failures = 0
        while True:
            await self._streams.settled()
            self._work.clear()
            self.room.clear()
            batch = self._batch()
            # What is kept must be asked after: nobody else knows that Redis has forgotten it.
            if not batch and await woken(self._work, LOOK_S if self._kept else None):
                continue
            try:
                all_taken = await self._offer(batch)
            except BusUnavailable:
                failures += 1
                await self._link.pause(failures)
                continue
            failures = 0
            if not all_taken:
                await woken(self.room, LOOK_S)

    def _batch(self) -> list[_Outgoing]:
        """What goes next. Who has given up waiting by now has sent nothing."""
        self._queue = deque(each for each in self._queue if each.leaving or not each.accepted.cancelled())
        batch: list[_Outgoing] = []
        size = 0
        for outgoing in self._queue:
            size += len(outgoing.message)
            if batch and (size > BATCH_BYTES or len(batch) == BATCH_MAX):
                break
            batch.append(outgoing)
        return batch

    async def _offer(self, batch: list[_Outgoing]) -> bool:
        """Give ``batch`` to Redis, or only ask what it has; False if it is full. Raises ``BusUnavailable``."""
        streams, topic = self._streams, self._topic
        self._calls += 1
        for outgoing in batch:
            outgoing.leaving = True
        answer = await streams.send_script(
            [stream(topic), f"{stream(topic)}:sent:{streams.sender}"],
            [
                self._believed,
                self._next,
                streams.capacity,
                streams.receivers.get(topic, ""),
                streams.wake_channel,
                topic.value,
                streams.sender,
                self._calls,
                *(outgoing.message for outgoing in batch),
            ],
        )
        status, number, oldest, newest = cast("tuple[bytes, int, bytes, bytes]", answer)
        if status == b"count" and number < self._believed:
            await streams.expect()
            self._send_again(number)
            return True
        # A count above what was believed: an earlier call had no answer, and was carried out.
        taken = number if status == b"sent" else number - self._next + 1
        for _ in range(taken):
            self._accept(_id(newest, _NOTHING_LEFT))
        if taken:
            self._believed = self._next - 1
        for outgoing in batch[taken:]:
            outgoing.leaving = False
        self._forget(_id(oldest, _ALL_READ))
        return status == b"count" or taken == len(batch)

    def _accept(self, newest: _Id) -> None:
        outgoing = self._queue.popleft()
        self._kept.append((self._next, newest, outgoing))
        self._next += 1
        if not outgoing.accepted.done():
            outgoing.accepted.set_result(None)

    def _send_again(self, count: int) -> None:
        """Redis has only the first ``count`` of what was sent: what was kept of the rest goes out anew."""
        again = [kept for kept in self._kept if kept[0] > count]
        self._kept = deque(kept for kept in self._kept if kept[0] <= count)
        self._queue.extendleft(outgoing for _, _, outgoing in reversed(again))
        self._next -= len(again)
        self._believed = count
        self._link.resent += len(again)
        _log.error("Redis has forgotten messages", topic=self._topic.value, sent_again=len(again))

    def _forget(self, oldest: _Id) -> None:
        """All consumers have acknowledged what is older than the oldest that is in the stream."""
        while self._kept and self._kept[0][1] < oldest:
            self._kept.popleft()


class Consumer:
    """A ``Subscription`` to a topic. ``token`` is new for each; ``before`` is the one of that name that has closed."""

    def __init__(self, streams: Streams, topic: Topic, name: str, token: str, before: Consumer | None) -> None:
        self._streams = streams
        self._link = streams.link
        self._topic, self._name, self._token, self._before = topic, name, token, before
        self._receiver = streams.receivers.get(topic) == name
        self._keys = [stream(topic), f"{stream(topic)}:owner:{name}"]
        self._unread: OrderedDict[bytes, bytes] = OrderedDict()
        self._handling: bytes | None = None
        self._done: list[bytes] = []
        # The highest number that came of each sender: what is sent again is not delivered again.
        self._seen: dict[bytes, int] = {}
        # Where to read on: what is pending first, then '>', what is new.
        self._from: bytes = b"0"
        self._now_s = asyncio.get_running_loop().time
        self._leased_s = self._now_s()
        self._arrived = asyncio.Event()
        self._ended = False
        self._replaced = False
        self.woken = asyncio.Event()
        self.settled = asyncio.Event()
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._handling is not None:
            self._done.append(self._handling)
            self._handling = None
            self.woken.set()
        while not self._unread:
            if self._replaced and not self.closed:
                raise ConsumerReplaced(f"another process consumes {self._topic.value} as {self._name}; this one stops")
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._handling, message = self._unread.popitem(last=False)
        return message

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self._receiver:
            # The rest waits in Redis for whoever comes under this name.
            self._unread.clear()
            self._ended = True
            self._arrived.set()
        else:
            self.settled.clear()
        self.woken.set()

    async def run(self) -> None:
        if self._before is not None:
            await self._before.settled.wait()
            self._before = None
        await self._join()
        if not self.closed or self._receiver:
            self.settled.set()
        await self._read_on()
        if not self._receiver:
            await self._leave()
        self._ended = True
        self._arrived.set()
        self.settled.set()

    async def flush(self) -> None:
        """Acknowledge what is done, if Redis answers."""
        if self._receiver and self._done and not self._replaced:
            with contextlib.suppress(BusUnavailable):
                await self._read(0)

    async def _join(self) -> None:
        failures = 0
        start = "0" if self._receiver else "$"
        while True:
            try:
                await self._streams.join(self._keys, [self._token, self._name, LEASE_MS, start])
            except BusUnavailable:
                failures += 1
                await self._link.pause(failures)
            else:
                self._leased_s = self._now_s()
                return

    async def _read_on(self) -> None:
        """Until closed (a receiver: until replaced, for what it has done is still to be acknowledged)."""
        failures = 0
        while not self._replaced and (self._receiver or not self.closed):
            self.woken.clear()
            room = 0 if self.closed else BATCH_MAX - len(self._unread)
            try:
                arrived = await self._read(room)
            except BusUnavailable:
                # Redis may have handed out what never came, or have gone back to an older state: all that is pending
                # is read again.
                self._from = b"0"
                failures += 1
                await self._link.pause(failures)
                continue
            failures = 0
            if not arrived and not self._done:
                await woken(self.woken, LOOK_S)

    async def _read(self, count: int) -> bool:
        """Acknowledge what is done and take what has come; whether something has. Raises ``BusUnavailable``."""
        streams, done = self._streams, self._done.copy()
        told = (streams.capacity, streams.wake_channel, self._topic.value)
        answer = await streams.read(self._keys, [self._token, self._name, LEASE_MS, *told, count, self._from, *done])
        del self._done[: len(done)]
        if answer[0] == b"taken":
            self._replaced = True
            self._unread.clear()
            self._arrived.set()
            return False
        if answer[0] == b"gone":
            await self._join_again()
            return True
        self._leased_s = self._now_s()
        entries, pending = cast("tuple[list[_Entry], int]", answer[1:])
        self._take(entries)
        if self._from != b">":
            if count:
                self._from = entries[-1][0] if entries else b">"
            return bool(count)
        if pending != len(self._unread) + len(self._done) + (self._handling is not None):
            # A call without an answer was carried out after we had asked again.
            self._from = b"0"
        return bool(entries)

    async def _join_again(self) -> None:
        """Redis has forgotten us: after a pause of ours that was too long for it, or with all that it had."""
        await self._streams.expect()
        answer = await self._streams.join(self._keys, [self._token, self._name, LEASE_MS, "0"])
        if answer[0] == b"new" or self._now_s() - self._leased_s < LEASE_MS / 1_000:
            self._link.lose(self._topic.value, "Redis has forgotten the stream; what live senders keep comes again")
        self._leased_s = self._now_s()
        self._from = b"0"

    def _take(self, entries: Iterable[_Entry]) -> None:
        for entry_id, fields in entries:
            if entry_id in self._unread or entry_id == self._handling or entry_id in self._done:
                continue
            if fields is None:
                # Trimmed while it was pending, which we never do.
                self._link.lose(self._topic.value, "a message was deleted before it was read")
                self._done.append(entry_id)
                continue
            sender, number, message = fields[1], int(fields[3]), fields[5]
            if number <= self._seen.get(sender, 0):
                self._done.append(entry_id)
                continue
            self._seen[sender] = number
            self._unread[entry_id] = message
            self._arrived.set()

    async def _leave(self) -> None:
        """Take what has come until now, and be forgotten. Who stops reading must not hold up the senders."""
        failures = 0
        while not self._replaced:
            try:
                told = (self._streams.capacity, self._streams.wake_channel, self._topic.value)
                answer = await self._streams.leave(self._keys, [self._token, self._name, *told])
            except BusUnavailable:
                failures += 1
                await self._link.pause(failures)
                continue
            if answer[0] == b"read":
                self._take(cast("list[_Entry]", answer[1]))
            return


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


def _id(text: bytes, of_none: _Id) -> _Id:
    if not text:
        return of_none
    milliseconds, _, number = text.partition(b"-")
    return int(milliseconds), int(number)
