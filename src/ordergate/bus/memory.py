"""The bus inside one process. It loses nothing, on channels neither: a full consumer makes the sender wait.

Invariants, beyond the port's:
1. All subscriptions of a topic or channel see its messages in one order, that of the calls.
2. A send that is cancelled while it waits has reached no one.
3. A subscription holds at most ``capacity`` unread messages, or one for each quoted key.

Whoever stops reading must close its subscription, or its senders wait for it for ever.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping

from ordergate.bus.port import Channel, Subscription, Topic


class MemoryBus:
    """See the port. ``capacity`` is in messages and > 0, for each subscription."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._lanes = {kind: _Lane(capacity) for kind in (*Topic, *Channel)}
        self._consumers: dict[tuple[Topic, str], _Mailbox] = {}
        self._quotes: dict[str, bytes] = {}
        self._watchers: list[_Mailbox] = []
        self._capacity = capacity
        self._listened: dict[str, _Lane] = {}

    async def send(self, topic: Topic, message: bytes) -> None:
        await self._lanes[topic].send(message)

    def consume(self, topic: Topic, consumer: str) -> Subscription:
        present = self._consumers.get((topic, consumer))
        assert present is None or present.closed, f"{consumer} already consumes {topic.value}"
        mailbox = self._consumers[topic, consumer] = self._lanes[topic].subscribe()
        return mailbox

    async def publish(self, channel: Channel, message: bytes) -> None:
        await self._lanes[channel].send(message)

    def subscribe(self, channel: Channel) -> Subscription:
        return self._lanes[channel].subscribe()

    async def reply(self, channel_name: str, message: bytes) -> None:
        lane = self._listened.get(channel_name)
        if lane is not None:
            await lane.send(message)

    def listen(self, channel_name: str) -> Subscription:
        """For a client in this process: everything replied on ``channel_name`` from now on."""
        return self._listened.setdefault(channel_name, _Lane(self._capacity)).subscribe()

    def tell(self, key: str, message: bytes) -> None:
        self._quotes[key] = message
        self._watchers = _open(self._watchers)
        for watcher in self._watchers:
            watcher.put(key, message)

    def watch(self) -> Subscription:
        watcher = _Mailbox(asyncio.Event(), self._quotes)
        self._watchers.append(watcher)
        return watcher

    def close(self) -> None:
        for lane in (*self._lanes.values(), *self._listened.values()):
            lane.close()
        for watcher in self._watchers:
            watcher.close()


class _Lane:
    """One topic or channel."""

    def __init__(self, capacity: int) -> None:
        assert capacity > 0
        self._capacity = capacity
        self._mailboxes: list[_Mailbox] = []
        self._sent = 0
        # Senders that must wait for room take turns, and no later one overtakes them.
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()

    async def send(self, message: bytes) -> None:
        if not self._waiting and not self._is_full():
            self._put(message)
            return
        self._waiting += 1
        try:
            async with self._turn:
                while self._is_full():
                    self._room.clear()
                    await self._room.wait()
                self._put(message)
        finally:
            self._waiting -= 1

    def subscribe(self) -> _Mailbox:
        mailbox = _Mailbox(self._room, {})
        self._mailboxes = [*_open(self._mailboxes), mailbox]
        return mailbox

    def _is_full(self) -> bool:
        return any(mailbox.unread >= self._capacity for mailbox in self._mailboxes if not mailbox.closed)

    def _put(self, message: bytes) -> None:
        self._sent += 1
        for mailbox in self._mailboxes:
            if not mailbox.closed:
                mailbox.put(self._sent, message)

    def close(self) -> None:
        for mailbox in self._mailboxes:
            mailbox.close()


class _Mailbox:
    """The unread messages of one subscription by key, in the order of the keys' arrival.

    A message whose key is still unread replaces it and keeps its place, so a busy key cannot starve the others. On a
    lane every message has a key of its own. ``room`` is set when a message was taken, or none will be any more.
    """

    def __init__(self, room: asyncio.Event, unread: Mapping[str, bytes]) -> None:
        self._unread: OrderedDict[int | str, bytes] = OrderedDict(unread)
        self._arrived = asyncio.Event()
        self._room = room
        self.closed = False

    @property
    def unread(self) -> int:
        return len(self._unread)

    def put(self, key: int | str, message: bytes) -> None:
        self._unread[key] = message
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._unread:
            if self.closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        _, message = self._unread.popitem(last=False)
        self._room.set()
        return message

    def close(self) -> None:
        self.closed = True
        self._arrived.set()
        self._room.set()


def _open(mailboxes: list[_Mailbox]) -> list[_Mailbox]:
    return [mailbox for mailbox in mailboxes if not mailbox.closed]
