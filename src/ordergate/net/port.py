"""The HTTP and WebSocket ports: all that the rest of the project knows of a network.

Two adapters implement them: ``http`` (aiohttp, real sockets) and ``memory`` (no sockets, for simulation on a
virtual clock). Both pass ``tests/contract/test_net.py``.

Invariants:
1. ``NotSent`` is raised only when no byte of the request can have reached the peer.
2. Every other failure of a request is ``OutcomeUnknown``: the peer may have acted on it.
3. A handler never sees a body larger than the server's bound; the peer is answered 413.
4. A handler that raises is answered 500 with an empty JSON object; the server goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One HTTP request as a handler sees it.

    ``path`` is decoded and without the query; ``headers`` have lower-case names; ``body`` is complete.
    """

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Response(msgspec.Struct, frozen=True):
    """One HTTP answer, whole or streamed.

    ``stream``, where given, replaces ``body``: each item is written and flushed as it comes, and the iterator is
    closed when the peer goes away.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    stream: AsyncIterator[bytes] | None = None


TOO_LARGE = Response(413, b"{}", {"content-type": "application/json"})


class WebSocket(Protocol):
    """One open WebSocket, either end. Text frames only."""

    async def send(self, text: str) -> None:
        """Send one frame. Raises ``SocketClosed`` once either end has closed."""
        ...

    async def receive(self) -> str | None:
        """The next frame, or None once the connection is closed by either end."""
        ...

    async def close(self) -> None:
        """Close; closing twice is harmless."""
        ...


class Upgrade(msgspec.Struct, frozen=True):
    """A handler's answer that turns the connection into a WebSocket.

    ``serve`` runs until it returns or the peer is gone; the socket is closed afterwards.
    """

    serve: Callable[[WebSocket], Awaitable[None]]


Handler = Callable[[Request], Awaitable[Response | Upgrade]]


class RunningServer(Protocol):
    """A server that listens."""

    @property
    def url(self) -> str:
        """Its origin, for example ``http://127.0.0.1:3003``, with the port really bound."""
        ...

    def drop_sockets(self) -> None:
        """Cut every WebSocket without a close frame, as a broken network does."""
        ...

    async def close(self) -> None:
        """Stop listening, end open connections and streams, return within 2 s."""
        ...


class Network(Protocol):
    """Both ends of HTTP and WebSocket."""

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> RunningServer:
        """Listen on ``host``:``port`` (0 = any free port). Raises ``PortInUse``.

        ``too_large`` is the answer to a body above ``body_bytes_max``; its status is 413.
        """
        ...

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        """One request over a pooled connection. Raises ``NotSent`` or ``OutcomeUnknown``."""
        ...

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float) -> WebSocket:
        """Open a WebSocket at an ``http:`` or ``ws:`` URL (``https:``, ``wss:`` alike).

        Raises ``NotSent`` when unreachable and ``UpgradeRefused`` (with the status) when the peer answers otherwise.
        """
        ...

    async def close(self) -> None:
        """Close the client's pooled connections."""
        ...
