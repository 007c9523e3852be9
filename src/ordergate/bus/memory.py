"""The bus inside one process. It loses nothing, on channels neither: a full consumer makes the sender wait.

Invariants, beyond the port's:
1. All subscriptions of a topic or channel see its messages in one order, that of the calls.
2. A message whose send is cancelled while it waits has reached no one.
3. A subscription holds at most ``capacity`` unread messages, or one for each quoted key.

Whoever stops reading must close its subscription, or its senders wait for it for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ordergate.bus.mailbox import Mailbox, still_open
from ordergate.bus.port import Channel, Subscription, Topic


class MemoryBus:
    """See the port. ``capacity`` is in messages and > 0, for each subscription."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._lanes = {kind: _Lane(capacity) for kind in (*Topic, *Channel)}
        self._consumers: dict[tuple[Topic, str], Mailbox] = {}
        self._quotes: dict[str, bytes] = {}
        self._watchers: list[Mailbox] = []
        self._capacity = capacity
        self._listened: dict[str, _Lane] = {}

    @property
    def health(self) -> None:
        return None

    async def send(self, topic: Topic, *messages: bytes) -> None:
        for message in messages:
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

    async def say(self, said: Sequence[tuple[Channel | str, bytes]]) -> None:
        for where, message in said:
            lane = self._lanes[where] if isinstance(where, Channel) else self._listened.get(where)
            if lane is not None:
                await lane.send(message)

    def listen(self, channel_name: str) -> Subscription:
        """For a client in this process: everything replied on ``channel_name`` from now on."""
        return self._listened.setdefault(channel_name, _Lane(self._capacity)).subscribe()

    def tell(self, key: str, message: bytes) -> None:
        self._quotes[key] = message
        self._watchers = still_open(self._watchers)
        for watcher in self._watchers:
            watcher.put(key, message)

    def watch(self) -> Subscription:
        watcher = Mailbox(asyncio.Event(), self._quotes)
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
        self._mailboxes: list[Mailbox] = []
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

    def subscribe(self) -> Mailbox:
        mailbox = Mailbox(self._room, {})
        self._mailboxes = [*still_open(self._mailboxes), mailbox]
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
