"""The network without sockets: for simulations, on a virtual clock.

One ``MemoryNetwork`` is one world; the servers and clients made with it see each other and nobody else. Each way of a
connection takes ``latency_s``. Everything runs on the calling loop, in the same order every time: no chance, no clock
but the loop's.

It must stay indistinguishable from ``http`` for a program written against ``port``; the contract tests compare them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from urllib.parse import parse_qsl, unquote, urlsplit

from ordergate.errors import NotSent, OutcomeUnknown, SocketClosed, UpgradeRefused
from ordergate.net.port import TOO_LARGE, Handler, Request, Response, Upgrade
from ordergate.net.serving import NOT_AN_UPGRADE, Serving, close_stream, port_in_use

FIRST_FREE_PORT = 20_000
# A sender waits when its peer does not read: about as many small frames as a kernel's socket buffers hold.
FRAMES_MAX = 1_024
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class MemoryNetwork:
    """A ``Network`` in memory."""

    def __init__(self, *, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s
        self._servers: dict[int, MemoryServer] = {}
        self._sockets: list[MemorySocket] = []

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> MemoryServer:
        if port == 0:
            port = next(free for free in itertools.count(FIRST_FREE_PORT) if free not in self._servers)
        if port in self._servers:
            raise port_in_use(host, port)
        self._servers[port] = MemoryServer(self._servers, handler, host, port, body_bytes_max, too_large)
        return self._servers[port]

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        what = f"{method} {url.partition('?')[0]}"
        server = None
        try:
            async with asyncio.timeout(timeout_s):
                server = await self._reach(url)
                answer = await server.answer(_request(method, url, headers or {}, body))
                await asyncio.sleep(self._latency_s)
        except TimeoutError:
            if server is None:
                raise NotSent(f"{what}: not connected within {timeout_s} s") from None
            raise OutcomeUnknown(f"{what}: no answer within {timeout_s} s") from None
        if answer is None:
            raise OutcomeUnknown(f"{what}: the server closed before it answered")
        return answer

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float) -> MemorySocket:
        what = f"WebSocket {url.partition('?')[0]}"
        request = _request("GET", url, {**(headers or {}), "upgrade": "websocket", "connection": "Upgrade"}, b"")
        server = None
        try:
            async with asyncio.timeout(timeout_s):
                server = await self._reach(url)
                answer = await server.upgrade(request, self._latency_s)
        except TimeoutError:
            if server is None:
                raise NotSent(f"{what}: not connected within {timeout_s} s") from None
            raise OutcomeUnknown(f"{what}: no answer within {timeout_s} s") from None
        if answer is None:
            raise OutcomeUnknown(f"{what}: the server closed before it answered")
        if isinstance(answer, Response):
            raise UpgradeRefused(answer.status)
        self._sockets = [*(socket for socket in self._sockets if socket.is_open), answer]
        return answer

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()

    async def _reach(self, url: str) -> MemoryServer:
        await asyncio.sleep(self._latency_s)
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        if port not in self._servers:
            raise NotSent(f"{url.partition('?')[0]}: nobody listens on port {port}")
        return self._servers[port]


class MemoryServer:
    """A server that listens on a port of its world."""

    def __init__(
        self,
        world: dict[int, MemoryServer],
        handler: Handler,
        host: str,
        port: int,
        body_bytes_max: int,
        too_large: Response,
    ) -> None:
        self._world = world
        self._serving = Serving(handler)
        self._host = host
        self._port = port
        self._body_bytes_max = body_bytes_max
        self._too_large = too_large

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def answer(self, request: Request) -> Response | None:
        """What a client receives, its stream read to the end; None where the connection broke first."""
        if len(request.body) > self._body_bytes_max:
            return self._too_large
        answer = await self._serving.answer(request)
        if answer is None:
            return None
        if isinstance(answer, Upgrade):
            return NOT_AN_UPGRADE
        body: bytes | None = answer.body
        if answer.stream is not None:
            body = await self._serving.stream(answer.stream, _read(answer.stream), request.path)
        if body is None:
            return None
        return Response(answer.status, body, {name.lower(): value for name, value in answer.headers.items()})

    async def upgrade(self, request: Request, latency_s: float) -> MemorySocket | Response | None:
        """The client's end of a new WebSocket, or the answer that refuses it; None where the connection broke first."""
        answer = await self._serving.answer(request)
        if isinstance(answer, Upgrade):
            near, far = _pair(latency_s)
            self._serving.start(answer, far, request.path)
            return near
        if answer is not None and answer.stream is not None:
            await close_stream(answer.stream)
        return answer

    def drop_sockets(self) -> None:
        """Cut every WebSocket without a close frame, as a broken network does."""
        self._serving.drop_sockets()

    async def close(self) -> None:
        if self._world.get(self._port) is self:
            del self._world[self._port]
        await self._serving.close()


class _Link:
    """What the two ends of a WebSocket share."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.is_open = True
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Wake both ends, to look again."""
        self._changed.set()

    async def change(self, until: float | None = None) -> None:
        """Wait for ``changed``, or until the loop's time ``until``."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()


class MemorySocket:
    """One end of a WebSocket. ``incoming`` and ``outgoing`` hold (instant of arrival in loop time, text)."""

    def __init__(self, link: _Link, incoming: deque[tuple[float, str]], outgoing: deque[tuple[float, str]]) -> None:
        self._link = link
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed_here = False

    @property
    def is_open(self) -> bool:
        """Whether neither end has closed."""
        return self._link.is_open

    async def send(self, text: str) -> None:
        while self._link.is_open and len(self._outgoing) >= FRAMES_MAX:
            await self._link.change()
        if not self._link.is_open:
            raise SocketClosed("the WebSocket is closed")
        self._outgoing.append((asyncio.get_running_loop().time() + self._link.latency_s, text))
        self._link.changed()

    async def receive(self) -> str | None:
        # A frame leaves the queue only when it is returned: a cancelled ``receive`` loses nothing.
        while not self._closed_here:
            if self._incoming:
                arrives_at, text = self._incoming[0]
                if arrives_at <= asyncio.get_running_loop().time():
                    self._incoming.popleft()
                    self._link.changed()
                    return text
                await self._link.change(until=arrives_at)
            elif self._link.is_open:
                await self._link.change()
            else:
                return None
        return None

    async def close(self) -> None:
        self._closed_here = True
        self._link.is_open = False
        self._link.changed()

    def sever(self) -> None:
        """Cut the connection: both ends are closed, what is under way is lost."""
        self._incoming.clear()
        self._outgoing.clear()
        self._link.is_open = False
        self._link.changed()


def _pair(latency_s: float) -> tuple[MemorySocket, MemorySocket]:
    link = _Link(latency_s)
    there: deque[tuple[float, str]] = deque()
    back: deque[tuple[float, str]] = deque()
    return MemorySocket(link, back, there), MemorySocket(link, there, back)


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Request:
    parts = urlsplit(url)
    query: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(name, value)
    lower_case = {name.lower(): value for name, value in headers.items()}
    return Request(method, unquote(parts.path) or "/", query, {"host": parts.netloc, **lower_case}, body)


async def _read(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([item async for item in stream])
