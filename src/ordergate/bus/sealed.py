"""A bus whose topics and quotes are sealed with the desk's key, for a Redis that others can write to.

There travel cancels, the broker's fills and the market, which no approval covers. Whoever can write to Redis and
does not have the key can say nothing there. The documented channels stay open to everybody: what comes by them is an
order like any other, and goes to the gate.

Invariants:
1. A message whose seal is not that of its place and this desk's key reaches no consumer. It is counted and logged, and
   the gate is told, so that it is in the journal and an alarm on the page; once a second at most.
2. A seal says nothing of when or how often: that is for the bus, and of orders for their approvals.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

from msgspec.structs import replace

from ordergate.bus.port import Bus, BusHealth, Subscription, Topic
from ordergate.telemetry import logger

_QUOTES = "quotes"
_ALARM_S = 1.0
_SEAL_BYTES = hashlib.sha256().digest_size

_log = logger("sealed")


class Sealed:
    """``bus`` for those who have ``key``. ``alarm`` makes the report of a forgery from the place where it stood."""

    def __init__(self, bus: Bus, key: bytes, alarm: Callable[[str], bytes]) -> None:
        self._bus = bus
        self._key = key
        self._seals: dict[str, hmac.HMAC] = {}
        self._alarm = alarm
        self._told: asyncio.Task[None] | None = None
        self._told_s = -_ALARM_S
        self._unsealed: Counter[str] = Counter()
        self.publish, self.say, self.subscribe, self.close = bus.publish, bus.say, bus.subscribe, bus.close

    @property
    def health(self) -> BusHealth | None:
        health = self._bus.health
        return None if health is None else replace(health, unsealed=self.unsealed)

    @property
    def unsealed(self) -> Mapping[str, int]:
        """How many messages had no seal of this desk, by place."""
        return dict(self._unsealed)

    async def send(self, topic: Topic, *messages: bytes) -> None:
        await self._bus.send(topic, *(self.sealed(topic.value, message) for message in messages))

    def consume(self, topic: Topic, consumer: str) -> Subscription:
        return _Opened(self, topic.value, self._bus.consume(topic, consumer))

    def tell(self, key: str, message: bytes) -> None:
        self._bus.tell(key, self.sealed(_QUOTES, message))

    def watch(self) -> Subscription:
        return _Opened(self, _QUOTES, self._bus.watch())

    def opened(self, place: str, sealed: bytes) -> bytes | None:
        """The message under the seal; None where the seal is not ours."""
        message = sealed[_SEAL_BYTES:]
        if hmac.compare_digest(sealed, self.sealed(place, message)):
            return message
        self._unsealed[place] += 1
        _log.error("a message without this desk's seal was dropped", place=place, bytes=len(sealed))
        now_s = asyncio.get_running_loop().time()
        if now_s - self._told_s >= _ALARM_S and (self._told is None or self._told.done()):
            self._told_s = now_s
            self._told = asyncio.create_task(self.send(Topic.REPORTS, self._alarm(place)), name="forgery")
        return None

    def sealed(self, place: str, message: bytes) -> bytes:
        """``message`` under the seal of its place."""
        begun = self._seals.get(place)
        if begun is None:
            begun = self._seals[place] = hmac.new(self._key, place.encode() + b"\n", hashlib.sha256)
        seal = begun.copy()
        seal.update(message)
        return seal.digest() + message


class _Opened:
    """The messages of one subscription, without what others have written."""

    def __init__(self, sealed: Sealed, place: str, messages: Subscription) -> None:
        self._sealed = sealed
        self._place = place
        self._messages = messages

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            message = self._sealed.opened(self._place, await anext(aiter(self._messages)))
            if message is not None:
                return message

    def close(self) -> None:
        self._messages.close()
