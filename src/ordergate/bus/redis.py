"""The bus over Redis, for a desk whose parts are several processes. The memory adapter's promises, and what Redis adds.

Topics are streams (``streams``), channels and quotes are pub/sub (``pubsub``), both over one ``link``. While Redis is
away senders and publishers wait and consumers hear nothing; nothing has to be opened anew when it is back.

A desk has a database of its own (``REDIS_DB``): the keys and channels of two desks differ in nothing else, the
documented channels in nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence

from ordergate.bus.address import RedisAddress
from ordergate.bus.link import Link
from ordergate.bus.port import BusHealth, Channel, Subscription, Topic
from ordergate.bus.pubsub import PubSub, wake_channel
from ordergate.bus.streams import Streams
from ordergate.bus.wire import Wire, stream
from ordergate.clock import Clock
from ordergate.errors import BusStarting, BusUnavailable, StartRefused
from ordergate.together import together

# How long a closing bus waits for its consumers to leave.
LEAVE_S = 1.0


class RedisBus:
    """See the port. Made by ``redis_bus``."""

    def __init__(self, link: Link, streams: Streams, pubsub: PubSub) -> None:
        self._link = link
        self._streams = streams
        self._pubsub = pubsub

    @property
    def address(self) -> RedisAddress:
        return self._link.address

    @property
    def health(self) -> BusHealth:
        return self._link.health

    async def send(self, topic: Topic, *messages: bytes) -> None:
        await self._streams.send(topic, messages)

    def consume(self, topic: Topic, consumer: str) -> Subscription:
        return self._streams.consume(topic, consumer)

    async def publish(self, channel: Channel, message: bytes) -> None:
        await self._pubsub.say([(channel, message)])

    async def say(self, said: Sequence[tuple[Channel | str, bytes]]) -> None:
        await self._pubsub.say(said)

    def subscribe(self, channel: Channel) -> Subscription:
        return self._pubsub.subscribe(channel)

    def tell(self, key: str, message: bytes) -> None:
        self._pubsub.tell(key, message)

    def watch(self) -> Subscription:
        return self._pubsub.watch()

    def close(self) -> None:
        self._streams.close()
        self._pubsub.close()


@contextlib.asynccontextmanager
async def redis_bus(
    address: RedisAddress,
    *,
    clock: Clock,
    rng: random.Random,
    receivers: Mapping[Topic, str],
    capacity: int = 10_000,
    answer_s: float = 5.0,
) -> AsyncIterator[RedisBus]:
    """The bus at ``address``, connected when the block begins and closed when it ends.

    ``receivers`` are the consumers that their topics cannot do without, the same in every process of a desk: what is
    sent waits for them from the first message on, whether they have been started or not. ``capacity`` is in messages
    and > 0, for each topic, and for each subscription to a channel. Redis may take ``answer_s`` to answer. Raises
    ``StartRefused``.
    """
    async with Link(address, clock, rng, answer_s) as link:
        try:
            streams, pubsub = await _loaded(link, clock, receivers, capacity)
        except BusUnavailable as error:
            hint = "start Redis 6.2 or later there, or correct REDIS_URL (or REDIS_HOST, REDIS_PORT, REDIS_DB)"
            raise StartRefused(f"Redis at {address} cannot be used: {error}; {hint}") from None
        async with together() as start:
            streams.run(start)
            await pubsub.run(start)
            bus = RedisBus(link, streams, pubsub)
            yield bus
            bus.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await streams.flush()


async def _loaded(link: Link, clock: Clock, receivers: Mapping[Topic, str], capacity: int) -> tuple[Streams, PubSub]:
    """As ``_parts``. A Redis that was started with this desk is waited for while it reads its file, and no longer."""
    failures = 0
    while True:
        try:
            return await _parts(link, clock, receivers, capacity)
        except BusStarting:
            failures += 1
            await link.pause(failures)


async def _parts(link: Link, clock: Clock, receivers: Mapping[Topic, str], capacity: int) -> tuple[Streams, PubSub]:
    """The two halves, once Redis has shown that it does what they will ask. Raises ``BusUnavailable``."""
    for topic in Topic:
        await link.do("XTRIM", stream(topic), "MINID", "0")
    wire = Wire(link, await _new_name(link, clock), wake_channel(link), capacity, receivers)
    await wire.expect()
    streams = Streams(wire)
    pubsub = PubSub(wire, streams)
    async with link.listening(pubsub.channels):
        return streams, pubsub


async def _new_name(link: Link, clock: Clock) -> str:
    """A name that no process has had: a flushed Redis counts from 1 again, but not at the same instant."""
    return f"{clock.now_ns()}-{await link.do('INCR', 'ordergate:processes')}"
