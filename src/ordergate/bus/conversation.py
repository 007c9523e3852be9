"""One connection that many callers share: what they ask while answers are awaited goes out together after those.

A call over a connection of its own costs a process as much as twenty that share one, and wakes it as often.

Invariants:
1. Nothing is asked twice. What fails, fails with the library's error, and may have been carried out, or not.
2. With the connection fails all that was asked over it and not answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError, ResponseError

Command = Sequence[str | bytes | int]


class Conversation:
    """``run`` carries what is asked. ``pool`` makes the connection, and is asked for no other."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._asked: deque[tuple[Command, asyncio.Future[object]]] = deque()
        self._work = asyncio.Event()
        self._ended = False

    def ask(self, command: Command) -> asyncio.Future[object]:
        """The answer to come, as Redis gives it: a mapping is a list."""
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._ended:
            answer.set_exception(NotConnected("the connection is closed"))
        else:
            self._asked.append((command, answer))
            self._work.set()
        return answer

    async def run(self) -> None:
        """Until cancelled."""
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                # Who has given up waiting by now has asked nothing.
                going = [(command, answer) for command, answer in self._asked if not answer.done()]
                self._asked.clear()
                if going:
                    await self._exchanged(connection, going)
        finally:
            self._ended = True
            _fail(self._asked, NotConnected("the connection is closed"))
            await connection.disconnect(nowait=True)

    async def _exchanged(
        self, connection: AbstractConnection, going: Sequence[tuple[Command, asyncio.Future[object]]]
    ) -> None:
        try:
            # One that was closed meanwhile is noticed before anything is asked over it.
            await self._pool.ensure_connection(connection)
            await connection.send_packed_command(connection.pack_commands(command for command, _ in going))
            for _, answer in going:
                try:
                    said = await connection.read_response()
                except ResponseError as error:  # of this one alone
                    said = error
                if answer.done():
                    continue
                if isinstance(said, ResponseError):
                    answer.set_exception(said)
                else:
                    answer.set_result(said)
        except (RedisError, OSError) as error:
            await connection.disconnect(nowait=True)
            _fail(going, error)
        finally:
            _fail(going, NotConnected("the connection is closed"))  # those that have no answer when we are cancelled


def _fail(asked: Sequence[tuple[Command, asyncio.Future[object]]], error: RedisError | OSError) -> None:
    for _, answer in asked:
        if not answer.done():
            answer.set_exception(error)
