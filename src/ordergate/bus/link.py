"""The connections to Redis. With ``conversation`` all that imports redis-py (8.1); here its errors become ours.

It must never do a thing twice by itself: redis-py's own retries are off, for after a broken connection only the caller
knows whether a command may be repeated.

Invariants:
1. What fails is ``BusUnavailable``; nothing of redis-py's leaves this module.
2. A password is in no text of ours, and is concealed from every log line.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Self, TypeVar

import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import BusyLoadingError, NoScriptError, RedisError

from ordergate import __version__
from ordergate.bus.address import RedisAddress
from ordergate.bus.conversation import Command, Conversation
from ordergate.bus.port import BusHealth
from ordergate.clock import Clock
from ordergate.core.sessions import utc_text
from ordergate.errors import BusStarting, BusUnavailable
from ordergate.telemetry import conceal, logger

# What our connections are called in Redis's list of clients; before 7.2 it keeps no such name.
LIBRARY = "ordergate"
# Waits between attempts double from the first to the last; each is shortened by chance, by up to a half.
BACK_OFF_FIRST_S = 0.05
BACK_OFF_LAST_S = 2.0

# Of one command, to go over the connection that all share.
_SHARED_BYTES_MAX = 262_144

_Answer = TypeVar("_Answer")

_log = logger("redis")


class Link:
    """One Redis as one user. Used inside ``async with``, which closes what is open.

    ``answer_s`` is how long Redis may be silent where it should answer at once.
    """

    def __init__(self, address: RedisAddress, clock: Clock, rng: random.Random, answer_s: float) -> None:
        conceal(address.password or "")
        self._client = redis.asyncio.Redis(
            host=address.host,
            port=address.port,
            db=address.db,
            username=address.username,
            password=address.password,
            ssl=address.tls,
            ssl_ca_certs=address.certificates,
            socket_timeout=answer_s,
            socket_connect_timeout=answer_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=DriverInfo(name=LIBRARY, lib_version=__version__),
        )
        self._conversation = Conversation(self._client.connection_pool)
        self._running: asyncio.Task[None] | None = None
        self.address = address
        self._answer_s = answer_s
        self._clock = clock
        self._rng = rng
        self._connected_since_ns: int | None = None
        self._last_error: str | None = None
        self._told: str | None = None
        self._lost: Counter[str] = Counter()
        self.resent = 0

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._conversation.run(), name="conversation with Redis")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None, "entered before"
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        with contextlib.suppress(BusUnavailable), self._translated():
            await self._client.aclose()

    @property
    def health(self) -> BusHealth:
        return BusHealth(
            server=str(self.address),
            connected_since=None if self._connected_since_ns is None else utc_text(self._connected_since_ns),
            last_error=self._last_error,
            lost=dict(self._lost),
            resent=self.resent,
        )

    def lose(self, where: str, why: str) -> None:
        """Messages of a channel or topic may have been lost."""
        self._lost[where] += 1
        _log.error("messages may have been lost", where=where, reason=why, times=self._lost[where])

    def connected(self) -> None:
        """The lasting connection stands."""
        if self._connected_since_ns is None:
            self._connected_since_ns = self._clock.now_ns()
            self._told = None  # the same failure is news again
            _log.info("connected", redis=str(self.address))

    def disconnected(self) -> None:
        self._connected_since_ns = None

    async def do(self, *command: str | bytes) -> object:
        """The answer to one command. Raises ``BusUnavailable``: it may have been carried out, or not."""
        return await self._answered(self._asked(command))

    async def pipeline(self, commands: Sequence[tuple[str | bytes, ...]]) -> None:
        """Commands in one go. Each is carried out, whatever becomes of the others. Raises as ``do``."""
        await self._answered(asyncio.gather(*(self._conversation.ask(command) for command in commands)))

    def script(self, text: str) -> Callable[[Sequence[str], Sequence[str | bytes | int]], Awaitable[list[object]]]:
        """A script as a call with its KEYS and ARGV, which raises as ``do``."""
        digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

        async def call(keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> list[object]:
            return await self._answered(called((str(len(keys)), *keys, *arguments)))

        async def called(words: Command) -> list[object]:
            try:
                answer = await self._asked(("EVALSHA", digest, *words))
            except NoScriptError:
                answer = await self._asked(("EVAL", text, *words))
            return answer if isinstance(answer, list) else [answer]

        return call

    def _asked(self, command: Command) -> Awaitable[object]:
        """The answer to come; what is long has a connection of its own, so that nothing short waits behind it."""
        if sum(len(word) for word in command if isinstance(word, bytes)) > _SHARED_BYTES_MAX:
            return self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        return self._conversation.ask(command)

    async def pause(self, failures: int) -> None:
        """Wait after so many failures in a row, longer after each, and not in step with others."""
        wait_s = min(BACK_OFF_LAST_S, BACK_OFF_FIRST_S * 2.0 ** min(failures - 1, 10))
        await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1.0))

    @contextlib.asynccontextmanager
    async def listening(self, channels: Sequence[str]) -> AsyncIterator[Callable[[], Awaitable[tuple[str, bytes]]]]:
        """A connection of its own that is subscribed to ``channels`` when the block begins; gives the next message.

        Asked for the next, it raises ``BusUnavailable`` when the connection is lost or Redis does not answer for
        ``answer_s``, and it never connects again by itself: who listens must know of the gap.
        """
        connection: AbstractConnection = self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            with self._translated():
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("SUBSCRIBE", *channels)
                for _ in channels:
                    await self._heard(connection)
            yield lambda: self._next(connection)
        finally:
            with contextlib.suppress(BusUnavailable), self._translated():
                await connection.disconnect(nowait=True)

    async def _next(self, connection: AbstractConnection) -> tuple[str, bytes]:
        while True:
            heard = await self._read(connection)
            if heard is None:
                with self._translated():
                    await connection.send_command("PING")
                heard = await self._heard(connection)
            if heard[0] == b"message":
                return heard[1].decode(), heard[2]

    async def _heard(self, connection: AbstractConnection) -> list[bytes]:
        """What comes within ``answer_s``; nothing is a failure."""
        heard = await self._read(connection)
        if heard is None:
            raise self._failed("no answer")
        return heard

    async def _read(self, connection: AbstractConnection) -> list[bytes] | None:
        with self._translated():
            heard: list[bytes] | None = await connection.read_response(timeout=self._answer_s)
        return heard

    async def _answered(self, answer: Awaitable[_Answer]) -> _Answer:
        with self._translated():
            return await answer

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            _cancelled_if_asked()
            failed = self._failed(str(error) or type(error).__name__)
            raise BusStarting(str(failed)) if isinstance(error, BusyLoadingError) else failed from error
        _cancelled_if_asked()

    def _failed(self, text: str) -> BusUnavailable:
        if text != self._told:
            _log.warning("Redis failed", redis=str(self.address), reason=text)
        self._last_error = self._told = text
        return BusUnavailable(text)


def _cancelled_if_asked() -> None:
    """redis-py 8.1 loses some cancellations, with an answer or an error instead (seen 2026-11-23, in a pipeline)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
