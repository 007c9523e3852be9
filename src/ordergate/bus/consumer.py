"""One consumer of one topic: what has come and is unread, what is done and not acknowledged. See ``streams``."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple, cast

from ordergate.bus.port import Topic
from ordergate.bus.wire import ACKNOWLEDGE_S, BATCH_MAX, LEASE_MS, LOOK_S, Wire, stream, woken
from ordergate.errors import BusUnavailable, ConsumerReplaced

# Its id, and its fields with their names; None where it was deleted.
_Entry = tuple[bytes, list[bytes] | None]
# Unread at most when more is read: fewer calls than for every one that is taken.
_FEW = BATCH_MAX // 2


class _Held(NamedTuple):
    """A message that was read and is not done, with its place among all that its sender has sent."""

    sender: bytes
    number: int
    message: bytes


class Consumer:
    """A ``Subscription`` to a topic. ``token`` is new for each; ``before`` is the one of that name that has closed."""

    def __init__(self, wire: Wire, topic: Topic, name: str, token: str, before: Consumer | None) -> None:
        self._wire = wire
        self._link = wire.link
        self._topic, self._name, self._token, self._before = topic, name, token, before
        self._receiver = wire.receivers.get(topic) == name
        self._keys = [stream(topic), f"{stream(topic)}:owner:{name}"]
        # By the id of the entry that is to be acknowledged for it.
        self._unread: OrderedDict[bytes, _Held] = OrderedDict()
        self._handling: tuple[bytes, _Held] | None = None
        self._done: list[bytes] = []
        self._soon: asyncio.TimerHandle | None = None
        # The highest number that came of each sender: what is sent again is not delivered again.
        self._seen: dict[bytes, int] = {}
        # Where to read on: what is pending first, then '>', what is new.
        self._from: bytes = b"0"
        self._now_s = asyncio.get_running_loop().time
        self._leased_s = self._now_s()
        self._arrived = asyncio.Event()
        # Redis may have more than was asked for last; what comes later wakes us.
        self._more = True
        self._ended = False
        self._replaced = False
        self.woken = asyncio.Event()
        self.settled = asyncio.Event()
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._handling is not None:
            self._done.append(self._handling[0])
            self._handling = None
            self._acknowledge_soon()
        while not self._unread:
            if self._replaced and not self.closed:
                raise ConsumerReplaced(f"another process consumes {self._topic.value} as {self._name}; this one stops")
            if self._ended:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        self._handling = self._unread.popitem(last=False)
        return self._handling[1].message

    def _acknowledge_soon(self) -> None:
        if self._more and len(self._unread) <= _FEW:
            self.woken.set()
        elif self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self.woken.set)

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
        start = ["0", ""] if self._receiver else ["$", "anew"]
        while True:
            try:
                await self._wire.join(self._keys, [self._token, self._name, LEASE_MS, *start])
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
                self._more = await self._read(room)
            except BusUnavailable:
                # Redis may have handed out what never came, or have gone back to an older state: all that is pending
                # is read again.
                self._from = b"0"
                failures += 1
                await self._link.pause(failures)
                continue
            failures = 0
            if not room or not self._more or len(self._unread) > _FEW:
                await woken(self.woken, ACKNOWLEDGE_S if self._done else LOOK_S)

    async def _read(self, count: int) -> bool:
        """Acknowledge what is done and take what has come; whether there may be more. Raises ``BusUnavailable``."""
        wire, done = self._wire, self._done.copy()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        told = (wire.capacity, wire.wake, self._topic.value)
        answer = await wire.read(self._keys, [self._token, self._name, LEASE_MS, *told, count, self._from, *done])
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
            return True
        if pending != len(self._unread) + len(self._done) + (self._handling is not None):
            # A call without an answer was carried out after we had asked again.
            self._from = b"0"
            return bool(entries)
        return len(entries) == count

    async def _join_again(self) -> None:
        """Redis has forgotten us: after a pause of ours that was too long for it, or with all that it had."""
        await self._wire.expect()
        answer = await self._wire.join(self._keys, [self._token, self._name, LEASE_MS, "0", ""])
        if answer[0] == b"new" or self._now_s() - self._leased_s < LEASE_MS / 1_000:
            self._link.lose(self._topic.value, "Redis has forgotten the stream; what live senders keep comes again")
        self._leased_s = self._now_s()
        self._from = b"0"

    def _take(self, entries: Iterable[_Entry]) -> None:
        for entry_id, fields in entries:
            in_hand = self._handling is not None and entry_id == self._handling[0]
            if in_hand or entry_id in self._unread or entry_id in self._done:
                continue
            if fields is None:
                # Trimmed while it was pending, which we never do.
                self._link.lose(self._topic.value, "a message was deleted before it was read")
                self._done.append(entry_id)
                continue
            held = _Held(fields[1], int(fields[3]), fields[5])
            if held.number <= self._seen.get(held.sender, 0):
                self._came_again(entry_id, held)
                continue
            self._seen[held.sender] = held.number
            self._unread[entry_id] = held
            self._arrived.set()

    def _came_again(self, entry_id: bytes, held: _Held) -> None:
        """Redis had forgotten it. It is done when what is held of it is: before that, our successor must have it."""
        if self._handling is not None and self._handling[1] == held:
            self._handling = entry_id, held
        elif held in self._unread.values():
            self._unread = OrderedDict((entry_id if each == held else key, each) for key, each in self._unread.items())
        else:
            self._done.append(entry_id)

    async def _leave(self) -> None:
        """Take what has come until now, and be forgotten. Who stops reading must not hold up the senders."""
        failures = 0
        while not self._replaced:
            try:
                told = (self._wire.capacity, self._wire.wake, self._topic.value)
                answer = await self._wire.leave(self._keys, [self._token, self._name, *told])
            except BusUnavailable:
                failures += 1
                await self._link.pause(failures)
                continue
            if answer[0] == b"read":
                self._take(cast("list[_Entry]", answer[1]))
            elif answer[0] == b"gone":
                self._link.lose(self._topic.value, "Redis has forgotten a consumer before it had closed")
            return
