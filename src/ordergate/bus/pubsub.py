"""What Redis tells at once and does not keep: the documented channels, quotes, and that there is something new.

One connection listens to all of it. When it is lost, everything is subscribed again, and the gap is counted for each
channel that had subscribers.

Quotes are a hash of the newest by key, and a message for each change: who comes later reads the hash. What this process
tells reaches its own watchers without Redis.

Invariants, beyond the port's:
1. A message on a channel is published at most once; a publisher waits while there is no connection.
2. A subscription holds at most ``capacity`` unread messages; what comes beyond is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from ordergate.bus.link import Link
from ordergate.bus.mailbox import Mailbox, still_open
from ordergate.bus.port import Channel, Topic
from ordergate.bus.streams import Streams
from ordergate.bus.wire import Wire
from ordergate.errors import BusUnavailable, MessageTooLarge
from ordergate.together import Start

MESSAGE_BYTES_MAX = 1_048_576
_QUOTES = "ordergate:quotes"


class PubSub:
    """The channels and quotes of one process."""

    def __init__(self, wire: Wire, streams: Streams) -> None:
        link = self._link = wire.link
        self._sender = wire.sender.encode()
        self._streams = streams
        self._capacity = wire.capacity
        # Pub/sub knows no databases (Redis documentation, "Pub/Sub", 2026-11-22): the names of ours have it.
        self._wakes = (wire.wake, wire.own_wake)
        self._told = f"ordergate:{link.address.db}:quotes"
        self.channels = [*self._wakes, self._told, *(channel.value for channel in Channel)]
        self._mailboxes: dict[Channel, list[Mailbox]] = {channel: [] for channel in Channel}
        self._received = 0
        self._quotes: dict[str, bytes] = {}
        self._watchers: list[Mailbox] = []
        self._own: dict[str, bytes] = {}
        self._untold: dict[str, bytes] = {}
        self._tell_now = asyncio.Event()
        self._connected = asyncio.Event()

    async def run(self, start: Start) -> None:
        """Begin to listen, and wait until that is in force."""
        start(self._listen(), "listen")
        start(self._tell(), "tell quotes")
        await self._connected.wait()

    async def say(self, said: Sequence[tuple[Channel | str, bytes]]) -> None:
        going = [(where.value if isinstance(where, Channel) else where, message) for where, message in said]
        for name, message in going:
            if len(message) > MESSAGE_BYTES_MAX:
                raise MessageTooLarge(f"{len(message)} bytes for {name}; {MESSAGE_BYTES_MAX} are the most")
        await self._streams.settled()
        await self._connected.wait()
        try:
            await self._link.pipeline([("PUBLISH", *each) for each in going])
        except BusUnavailable as error:
            # Not again: it may have been published, and a listener would see two.
            for name in dict.fromkeys(name for name, _ in going):
                self._link.lose(name, f"not published, or nobody knows: {error}")

    def subscribe(self, channel: Channel) -> Mailbox:
        mailbox = Mailbox(asyncio.Event(), {})
        self._mailboxes[channel] = [*still_open(self._mailboxes[channel]), mailbox]
        return mailbox

    def tell(self, key: str, message: bytes) -> None:
        assert "\n" not in key, "a key is one line"
        if len(message) > MESSAGE_BYTES_MAX:
            raise MessageTooLarge(f"{len(message)} bytes for a quote; {MESSAGE_BYTES_MAX} are the most")
        self._own[key] = self._untold[key] = message
        self._tell_now.set()
        self._show(key, message)

    def watch(self) -> Mailbox:
        watcher = Mailbox(asyncio.Event(), self._quotes)
        self._watchers.append(watcher)
        return watcher

    def close(self) -> None:
        for mailboxes in (*self._mailboxes.values(), self._watchers):
            for mailbox in mailboxes:
                mailbox.close()

    def _show(self, key: str, message: bytes) -> None:
        self._quotes[key] = message
        self._watchers = still_open(self._watchers)
        for watcher in self._watchers:
            watcher.put(key, message)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with self._link.listening(self.channels) as heard:
                    await self._read_quotes()
                    self._connected.set()
                    self._link.connected()
                    failures = 0
                    # What was said meanwhile has passed us by.
                    self._streams.wake(Topic)
                    while True:
                        self._take(*await heard())
            except BusUnavailable as error:
                if self._connected.is_set():
                    self._connected.clear()
                    self._link.disconnected()
                    self._gap(str(error))
                failures += 1
                await self._link.pause(failures)

    async def _read_quotes(self) -> None:
        """After the subscription is in force, and before its first message is read: none is missed, the newest wins."""
        told = await self._link.do("HGETALL", _QUOTES)
        assert isinstance(told, list), "a hash is its names and values in turn"
        for name, message in zip(told[::2], told[1::2], strict=True):
            key = name.decode()
            if key not in self._own and self._quotes.get(key) != message:
                self._show(key, message)
        # Redis may have forgotten ours.
        self._untold.update(self._own)
        self._tell_now.set()

    def _gap(self, why: str) -> None:
        for channel, mailboxes in self._mailboxes.items():
            if still_open(mailboxes):
                self._link.lose(channel.value, why)

    def _take(self, name: str, message: bytes) -> None:
        if name in self._wakes:
            self._streams.wake([Topic(message.decode())])
        elif name == self._told:
            sender, key, quote = message.split(b"\n", 2)
            if sender != self._sender:
                self._show(key.decode(), quote)
        else:
            self._deliver(Channel(name), message)

    def _deliver(self, channel: Channel, message: bytes) -> None:
        self._mailboxes[channel] = still_open(self._mailboxes[channel])
        if self._mailboxes[channel] and len(message) > MESSAGE_BYTES_MAX:
            self._link.lose(channel.value, f"dropped a message of {len(message)} bytes; {MESSAGE_BYTES_MAX} are read")
            return
        self._received += 1
        for mailbox in self._mailboxes[channel]:
            if mailbox.unread < self._capacity:
                mailbox.put(self._received, message)
            else:
                self._link.lose(channel.value, f"dropped a message: {self._capacity} are unread")

    async def _tell(self) -> None:
        failures = 0
        while True:
            await self._tell_now.wait()
            self._tell_now.clear()
            going, self._untold = self._untold, {}
            try:
                await self._link.pipeline(list(self._commands(going)))
            except BusUnavailable:
                self._untold = going | self._untold
                self._tell_now.set()
                failures += 1
                await self._link.pause(failures)
            else:
                failures = 0

    def _commands(self, quotes: dict[str, bytes]) -> Iterable[tuple[str | bytes, ...]]:
        for key, message in quotes.items():
            yield "HSET", _QUOTES, key, message
            yield "PUBLISH", self._told, b"\n".join((self._sender, key.encode(), message))


def wake_channel(link: Link) -> str:
    """Where the topics that have room again are named; behind it and a process's name, those that it can read on."""
    return f"ordergate:{link.address.db}:wake"
