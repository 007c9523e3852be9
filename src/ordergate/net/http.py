"""The network on real sockets: aiohttp behind ``port``. The only module that imports aiohttp (3.14).

It must never send a request twice, and never let a query string into an error: tokens travel in query strings
(ProjectX API notes, section 8.1, 2026-11-22).

Invariants, beside those of ``port``:
1. ``NotSent`` is decided by one fact: aiohttp never reported a connection. Which exception it raised decides nothing.
2. A server reads no more of an oversized body than its bound and what the kernel had already taken.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp
from aiohttp import web

from ordergate.errors import NotSent, OutcomeUnknown, SocketClosed, StartRefused, TransportError, UpgradeRefused
from ordergate.net.port import TOO_LARGE, Handler, Request, Response, Upgrade
from ordergate.net.serving import NOT_AN_UPGRADE, Serving, port_in_use

# The longest answer known is 20,000 bars of some 120 bytes (ProjectX API notes, section 5.3).
ANSWER_BYTES_MAX = 16 * 1_048_576
FRAME_BYTES_MAX = 4 * 1_048_576
# An idle connection of a page or a client. Behind it stand no more than a few local programs.
KEEPALIVE_S = 75.0
# How long a closing WebSocket waits for the peer to agree. Less than the grace that ``Serving.close`` has.
SOCKET_CLOSE_S = 0.5
# How long, and how much, a refused upload may go on sending before it is cut: cut at once, the peer sees no 413.
LINGER_S = 0.5
LINGER_BYTES_MAX = 16 * 1_048_576


class HttpNetwork:
    """A ``Network`` on real sockets."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> HttpServer:
        server = HttpServer(handler, host, body_bytes_max, too_large)
        await server.listen(port)
        return server

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        with _attempted(method, url):
            async with asyncio.timeout(timeout_s):
                answer = await self._client().request(
                    method, url, headers=headers, data=body or None, allow_redirects=False
                )
                try:
                    return Response(answer.status, await _body(answer), _headers(answer.headers))
                finally:
                    answer.close()  # a connection whose answer was read to the end is in the pool by now

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float) -> HttpSocket:
        closing = aiohttp.ClientWSTimeout(ws_close=SOCKET_CLOSE_S)
        with _attempted("WebSocket", url):
            try:
                async with asyncio.timeout(timeout_s):
                    return HttpSocket(
                        await self._client().ws_connect(
                            url, headers=headers, max_msg_size=FRAME_BYTES_MAX, timeout=closing
                        )
                    )
            except aiohttp.WSServerHandshakeError as error:
                raise UpgradeRefused(error.status) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_note_connection)
            trace.on_connection_reuseconn.append(_note_connection)
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(),  # none: each call has its own
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
                middlewares=[_send_once],
            )
        return self._session


class HttpServer:
    """A server on a real port. ``listen`` once."""

    _site: web.TCPSite

    def __init__(self, handler: Handler, host: str, body_bytes_max: int, too_large: Response) -> None:
        self._serving = Serving(handler)
        self._host = host
        self._body_bytes_max = body_bytes_max
        self._too_large = too_large
        app = web.Application(client_max_size=body_bytes_max)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # a small body must not become a large one
            handler_cancellation=True,  # cancels ``_answer`` when the peer goes; ``Serving`` keeps the handler running
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=0,
            shutdown_timeout=0.1,  # by then ``Serving`` has given everything its time
        )

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._site.port}"

    async def listen(self, port: int) -> None:
        """Bind and accept. Raises ``PortInUse``, or ``StartRefused`` for another reason the system gives."""
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, self._host, port)
        try:
            await self._site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise port_in_use(self._host, port) from error
            raise StartRefused(f"cannot listen on {self._host}, port {port}: {error.strerror}") from error

    def drop_sockets(self) -> None:
        """Cut every WebSocket without a close frame, as a broken network does."""
        self._serving.drop_sockets()

    async def close(self) -> None:
        for site in self._runner.sites:  # none the second time
            await site.stop()
        await self._serving.close()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await self._read(request)
        if body is None:
            return await _refuse_upload(request, self._too_large)
        answer = await self._serving.answer(
            Request(request.method, request.path, _first_values(request.query), _headers(request.headers), body)
        )
        if answer is None:
            return _hang_up(request)
        if isinstance(answer, Upgrade):
            return await self._upgrade(request, answer)
        if answer.stream is None:
            return _whole(answer)
        delivery = _deliver(request, answer, answer.stream)
        return await self._serving.stream(answer.stream, delivery, request.path) or _hang_up(request)

    async def _read(self, request: web.Request) -> bytes | None:
        """The whole body, or None where it is too large: at once if it says so itself."""
        if (request.content_length or 0) > self._body_bytes_max:
            return None
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            return None

    async def _upgrade(self, request: web.Request, upgrade: Upgrade) -> web.StreamResponse:
        answer = web.WebSocketResponse(timeout=SOCKET_CLOSE_S, max_msg_size=FRAME_BYTES_MAX, compress=False)
        if not answer.can_prepare(request):
            return _whole(NOT_AN_UPGRADE)
        await answer.prepare(request)
        await asyncio.wait({self._serving.start(upgrade, _ServerSocket(answer, request), request.path)})
        return answer


class HttpSocket:
    """One end of a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        if self._socket.closed:
            raise SocketClosed("the WebSocket is closed")
        try:
            await self._socket.send_str(text)
        except ConnectionError:
            raise SocketClosed("the connection was lost") from None

    async def receive(self) -> str | None:
        if self._socket.closed:
            return None
        try:
            message = await self._socket.receive()
        except ConnectionError:  # met while answering the peer's ping
            return None
        if isinstance(message.data, str) and message.type is aiohttp.WSMsgType.TEXT:
            return message.data
        await self.close()  # a binary frame breaks the port's promise of text; all else is already an end
        return None

    async def close(self) -> None:
        # aiohttp's own bound begins anew with each frame that a talkative peer still sends.
        with suppress(TimeoutError):
            async with asyncio.timeout(SOCKET_CLOSE_S):
                await self._socket.close()


class _ServerSocket(HttpSocket):
    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        super().__init__(socket)
        self._transport = request.transport

    def sever(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Attempt:
    """How far one request came."""

    def __init__(self) -> None:
        self.is_connected = False
        self.status: int | None = None


# aiohttp runs its traces and middlewares in the caller's task, so this tells them whose attempt they see.
_attempt: ContextVar[_Attempt] = ContextVar("_attempt")


@contextmanager
def _attempted(what: str, url: str) -> Iterator[None]:
    """The translator of aiohttp's errors."""
    attempt = _Attempt()
    _attempt.set(attempt)
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
        # Not ``from error``: several of aiohttp's errors print the URL with its query.
        raise _translated(error, attempt, f"{what} {url.partition('?')[0]}") from None


def _translated(error: Exception, attempt: _Attempt, what: str) -> TransportError:
    if isinstance(error, TimeoutError):
        reason = "timed out"
    elif isinstance(error, aiohttp.ClientConnectionError):
        reason = str(error)
    else:
        reason = type(error).__name__
    return OutcomeUnknown(f"{what}: {reason}") if attempt.is_connected else NotSent(f"{what}: {reason}")


async def _note_connection(_session: aiohttp.ClientSession, _context: SimpleNamespace, _parameters: object) -> None:
    _attempt.get().is_connected = True


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again.

    It would, for GET, PUT and DELETE on a pooled connection that turns out dead (RFC 9112, section 9.3.1; no setting
    turns it off, aiohttp issue 10790), and for a WebSocket that is redirected.
    """
    attempt = _attempt.get()
    if attempt.status is not None:
        raise UpgradeRefused(attempt.status)
    if attempt.is_connected:
        raise aiohttp.ClientConnectionError("the connection was lost")
    answer = await send(request)
    attempt.status = answer.status
    return answer


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise aiohttp.ClientConnectionError(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """By lower-case name, the values of a repeated name joined (RFC 9110, section 5.2)."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    return joined


def _first_values(query: Mapping[str, str]) -> dict[str, str]:
    """One value a name. SignalR clients may send ``access_token`` twice, with the same value (notes, section 8.1)."""
    first: dict[str, str] = {}
    for name, value in query.items():
        first.setdefault(name, value)
    return first


def _whole(answer: Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection under an answer that cannot be given, or was given in part."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # goes nowhere: aiohttp finds the connection closed


async def _deliver(request: web.Request, answer: Response, stream: AsyncIterator[bytes]) -> web.StreamResponse:
    """Write the items as they come, until there are no more or the peer has gone."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    with suppress(ConnectionError):
        await response.prepare(request)
        async for item in stream:
            await response.write(item)
        await response.write_eof()
    return response


async def _refuse_upload(request: web.Request, too_large: Response) -> web.StreamResponse:
    response = _whole(too_large)
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    # Many clients read the answer only when all is sent: what still comes is thrown away, within bounds.
    thrown = 0
    with suppress(TimeoutError, aiohttp.ClientPayloadError, ConnectionError):
        async with asyncio.timeout(LINGER_S):
            while thrown < LINGER_BYTES_MAX and (part := await request.content.readany()):
                thrown += len(part)
    return response
