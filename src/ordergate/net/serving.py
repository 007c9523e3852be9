"""What the servers of both adapters share: each run of a handler, a stream or a WebSocket in a task of its own.

Invariants, beside 3 and 4 of ``port``:
1. A handler is never cancelled because its peer has gone: the order it is journaling goes on.
2. A stream is closed when it ends or fails, when its peer goes, and when the server closes.
3. ``close`` returns within ``CLOSE_GRACE_S + CANCEL_GRACE_S``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any, Protocol, TypeVar

import structlog

from ordergate.errors import PortInUse, SocketClosed
from ordergate.net.port import Handler, Request, Response, Upgrade, WebSocket

# The port allows 2 s for closing. A handler in flight has most of it, so that an order sent is also answered.
CLOSE_GRACE_S = 1.0
CANCEL_GRACE_S = 0.25

_JSON = {"content-type": "application/json"}
NOT_AN_UPGRADE = Response(400, b"{}", _JSON)
FAILED = Response(500, b"{}", _JSON)

T = TypeVar("T")
_log = structlog.get_logger(part="http")


class ServerSocket(WebSocket, Protocol):
    """The server's end of a WebSocket."""

    def sever(self) -> None:
        """Cut the connection as a broken network does: no close frame, what is under way is lost."""
        ...


class Serving:
    """The tasks of one server."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        # Dictionaries as sets that keep their order: closing must go the same way every time.
        self._tasks: dict[asyncio.Future[Any], None] = {}
        self._streams: dict[asyncio.Future[Any], None] = {}
        self._sockets: dict[ServerSocket, None] = {}
        self._is_closing = False

    async def answer(self, request: Request) -> Response | Upgrade | None:
        """The handler's answer, ``FAILED`` where it raised, None where the server closed before it was done.

        Cancel it when the peer has gone: the handler goes on, its answer is dropped.
        """
        if self._is_closing:
            return None
        task = self._spawn(self._handler(request), f"{request.method} {request.path}")
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            self._spawn(_drop_answer(task), "an answer that nobody waits for")
            raise
        if task.cancelled():
            return None
        return FAILED if task.exception() is not None else task.result()

    async def stream(self, stream: AsyncIterator[bytes], delivery: Awaitable[T], path: str) -> T | None:
        """The result of ``delivery``, which reads ``stream``; None where it failed or the server closed.

        Cancel it when the peer has gone: the delivery is cancelled.
        """
        task = self._spawn(delivery, f"stream of {path}")
        self._streams[task] = None
        if self._is_closing:
            task.cancel()
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})  # a generator can be closed only when nobody runs in it
            del self._streams[task]
            await asyncio.wait({self._spawn(close_stream(stream), f"closing the stream of {path}")})
        return None if task.cancelled() or task.exception() is not None else task.result()

    def start(self, upgrade: Upgrade, socket: ServerSocket, path: str) -> asyncio.Future[None]:
        """Serve a WebSocket, and close it afterwards.

        ``upgrade.serve`` learns that the peer has gone from ``receive`` or ``send``; it should then return.
        """
        self._sockets[socket] = None
        task = self._spawn(self._serve(upgrade, socket), f"WebSocket {path}")
        task.add_done_callback(lambda _task: self._sockets.pop(socket))
        return task

    def drop_sockets(self) -> None:
        """Cut every WebSocket."""
        for socket in [*self._sockets]:
            socket.sever()

    async def close(self) -> None:
        """End streams and WebSockets, let handlers finish for ``CLOSE_GRACE_S``, cancel the rest."""
        self._is_closing = True
        for task in self._streams:
            task.cancel()
        closing = [asyncio.ensure_future(socket.close()) for socket in self._sockets]
        unfinished = await _wait([*self._tasks, *closing], CLOSE_GRACE_S)
        for task in unfinished:
            task.cancel()
        await _wait(unfinished, CANCEL_GRACE_S)

    async def _serve(self, upgrade: Upgrade, socket: ServerSocket) -> None:
        try:
            if not self._is_closing:
                await upgrade.serve(socket)
        except SocketClosed:
            pass  # the peer left while something was sent to it: an ordinary end
        finally:
            await socket.close()

    def _spawn(self, work: Awaitable[T], what: str) -> asyncio.Future[T]:
        task = asyncio.ensure_future(work)
        self._tasks[task] = None
        task.add_done_callback(functools.partial(self._ended, what))
        return task

    def _ended(self, what: str, task: asyncio.Future[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("handler failed", request=what, exc_info=error)


async def close_stream(stream: AsyncIterator[bytes]) -> None:
    """Close an iterator that can be closed: a generator's ``finally`` runs now and not at some garbage collection."""
    aclose = getattr(stream, "aclose", None)
    if aclose is not None:
        await aclose()


def port_in_use(host: str, port: int) -> PortInUse:
    """What a server raises when it cannot have its port."""
    return PortInUse(f"port {port} on {host} is in use: stop the program that listens there, or choose another port")


async def _drop_answer(task: asyncio.Future[Response | Upgrade]) -> None:
    """Wait for an answer that has no peer any more, and close its stream."""
    await asyncio.wait({task})
    if task.cancelled() or task.exception() is not None:
        return
    answer = task.result()
    if isinstance(answer, Response) and answer.stream is not None:
        await close_stream(answer.stream)


async def _wait(tasks: Iterable[asyncio.Future[Any]], timeout_s: float) -> list[asyncio.Future[Any]]:
    """Those of ``tasks`` that are not done after ``timeout_s``."""
    tasks = [*tasks]
    if tasks:  # asyncio.wait refuses to wait for nothing
        await asyncio.wait(tasks, timeout=timeout_s)
    return [task for task in tasks if not task.done()]
