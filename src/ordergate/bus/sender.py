"""What a process sends on a topic, in order, and keeps until every consumer has acknowledged it. See ``streams``."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from ordergate.bus.port import Topic
from ordergate.bus.wire import BATCH_BYTES, BATCH_MAX, FOLLOWED, LOOK_S, Wire, stream, woken
from ordergate.errors import BusUnavailable
from ordergate.telemetry import logger

_log = logger("streams")

# Milliseconds and a number within them, as Redis orders a stream.
_Id = tuple[float, float]
_ALL_READ: _Id = (math.inf, 0)
_NOTHING_LEFT: _Id = (0, 0)


class _Outgoing:
    """One message of a sender. ``numbered``: Redis has had it under a number, which must stay its own.

    ``accepted`` is done when Redis has it, or when its sender has given up.
    """

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.numbered = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Sender:
    """The messages of this process on one topic, in order.

    Numbers follow each other without a gap from the first message to the last: ``_next`` is that of the first in
    ``_queue``. ``settled`` waits for the consumers of this process. ``_believed`` is the count that Redis should have;
    where it has another, that one is true. ``_unsure``: a call had no answer, so what of it was carried out is asked
    before anything else, and nothing can be withdrawn until that is known.
    """

    def __init__(self, wire: Wire, topic: Topic, settled: Callable[[], Awaitable[None]]) -> None:
        self._wire = wire
        self._link = wire.link
        self._topic = topic
        self._settled = settled
        self._queue: deque[_Outgoing] = deque()
        # Accepted, and not acknowledged by all as far as we know: each with its number and an id not below its own.
        self._kept: deque[tuple[int, _Id, _Outgoing]] = deque()
        self._next = 1
        self._believed = 0
        self._calls = 0
        self._unsure = False
        self._work = asyncio.Event()
        self.room = asyncio.Event()

    async def send(self, messages: Sequence[bytes]) -> None:
        going = [_Outgoing(message) for message in messages]
        self._queue.extend(going)
        self._work.set()
        # Cancelled, it gives up all that Redis does not have yet.
        await asyncio.gather(*(outgoing.accepted for outgoing in going))

    async def run(self) -> None:
        failures = 0
        while True:
            await self._settled()
            self._work.clear()
            self.room.clear()
            batch = [] if self._unsure else self._batch()
            # What is kept must be asked after: nobody else knows that Redis has forgotten it.
            if not batch and not self._unsure and await woken(self._work, LOOK_S if self._kept else None):
                continue
            try:
                all_taken = await self._offer(batch)
            except BusUnavailable:
                self._unsure = True
                failures += 1
                await self._link.pause(failures)
                continue
            self._unsure = False
            failures = 0
            if not all_taken:
                await woken(self.room, LOOK_S)

    def _batch(self) -> list[_Outgoing]:
        """What goes next. Who has given up waiting by now has sent nothing."""
        self._queue = deque(each for each in self._queue if each.numbered or not each.accepted.cancelled())
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
        wire, topic = self._wire, self._topic
        self._calls += 1
        answer = await wire.send(
            [stream(topic), f"{stream(topic)}:sent:{wire.sender}"],
            [
                self._believed,
                self._next,
                wire.capacity,
                wire.receivers.get(topic, ""),
                "followed" if topic is FOLLOWED else "",
                wire.wake,
                topic.value,
                wire.sender,
                self._calls,
                *(outgoing.message for outgoing in batch),
            ],
        )
        status, number, oldest, newest = cast("tuple[bytes, int, bytes, bytes]", answer)
        if status == b"count" and number < self._believed:
            await wire.expect()
            self._send_again(number)
            return True
        # A count above what was believed: an earlier call had no answer, and was carried out.
        taken = number if status == b"sent" else number - self._next + 1
        for _ in range(taken):
            self._accept(_id(newest, _NOTHING_LEFT))
        if taken:
            self._believed = self._next - 1
        self._forget(_id(oldest, _ALL_READ))
        return status == b"count" or taken == len(batch)

    def _accept(self, newest: _Id) -> None:
        outgoing = self._queue.popleft()
        outgoing.numbered = True
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
        if again:  # else it has forgotten only how far a sender had got who has been quiet for a day
            _log.error("Redis has forgotten messages", topic=self._topic.value, sent_again=len(again))

    def _forget(self, oldest: _Id) -> None:
        """All consumers have acknowledged what is older than the oldest that is in the stream."""
        while self._kept and self._kept[0][1] < oldest:
            self._kept.popleft()


def _id(text: bytes, of_none: _Id) -> _Id:
    if not text:
        return of_none
    milliseconds, _, number = text.partition(b"-")
    return int(milliseconds), int(number)
