"""The wire between a process of the desk and its Redis: slow, or cut in the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from msgspec.structs import replace

from ordergate.bus.address import RedisAddress


class RedisLine:
    """Relays from ``address`` to a server. ``delay_s`` is added to each piece of an answer.

    While ``deaf``, what is asked arrives and is carried out, and no answer comes back. The next answer that has
    ``loses`` in it is lost, and its connection with it; ``lost`` counts those.
    """

    def __init__(self, server: RedisAddress) -> None:
        self._server = server
        self._open: list[asyncio.StreamWriter] = []
        self._relays: list[asyncio.Task[None]] = []
        self.address = server
        self.delay_s = 0.0
        self.deaf = False
        self.loses: bytes | None = None
        self.lost = 0

    def cut(self) -> None:
        """Every connection breaks."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            answers, asked = await asyncio.open_connection(self._server.host, self._server.port)
        except OSError:
            writer.transport.abort()
            return
        self._open += [writer, asked]
        self._relays += [
            asyncio.create_task(self._relay(reader, asked, answers=False)),
            asyncio.create_task(self._relay(answers, writer, answers=True)),
        ]

    async def _relay(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(65_536):
                if answers and self.deaf:
                    continue
                if answers and self.loses is not None and self.loses in piece:
                    self.loses = None
                    self.lost += 1
                    break
                if answers and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                target.write(piece)
                await target.drain()
        target.transport.abort()

    async def end(self) -> None:
        """Break what is open, and wait until nothing runs."""
        self.cut()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)


@contextlib.asynccontextmanager
async def redis_line(server: RedisAddress) -> AsyncIterator[RedisLine]:
    line = RedisLine(server)
    relay = await asyncio.start_server(line.connected, "127.0.0.1", 0)
    line.address = replace(server, port=relay.sockets[0].getsockname()[1])
    try:
        yield line
    finally:
        relay.close()
        await line.end()
