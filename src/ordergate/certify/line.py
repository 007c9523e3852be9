"""The line between an adapter and its venue, which can be cut for a while.

Invariants:
1. While it is cut nothing arrives: a new request is ``NotSent``, and one that was under way is ``OutcomeUnknown``.
2. A cut ends every WebSocket that is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ordergate.errors import NotSent, OutcomeUnknown
from ordergate.net.port import TOO_LARGE, Handler, Network, Response, RunningServer, WebSocket


class Line:
    """A network that can be cut. ``sent`` counts the requests that have left, by the last two steps of their path."""

    def __init__(self, network: Network) -> None:
        self.sent: dict[str, int] = {}
        self._network = network
        self._sockets: dict[WebSocket, None] = {}
        self._cuts_total = 0
        self._until_s = float("-inf")
        self._closing: set[asyncio.Task[None]] = set()

    def cut(self, seconds: float) -> None:
        """From now on nothing comes through, for so long."""
        self._cuts_total += 1
        self._until_s = asyncio.get_running_loop().time() + seconds
        for socket in self._sockets:
            closing = asyncio.ensure_future(socket.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._sockets.clear()

    @property
    def is_cut(self) -> bool:
        return asyncio.get_running_loop().time() < self._until_s

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> RunningServer:
        return await self._network.serve(
            handler, host=host, port=port, body_bytes_max=body_bytes_max, too_large=too_large
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        if self.is_cut:
            raise NotSent(f"{method} {url}: the line is cut")
        cuts = self._cuts_total
        endpoint = "/".join(url.rsplit("/", 2)[-2:])
        self.sent[endpoint] = self.sent.get(endpoint, 0) + 1
        answer = await self._network.request(method, url, headers=headers, body=body, timeout_s=timeout_s)
        if self._cuts_total != cuts:
            raise OutcomeUnknown(f"{method} {url}: the line was cut before the answer")
        return answer

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float) -> WebSocket:
        if self.is_cut:
            raise NotSent("the line is cut")
        cuts = self._cuts_total
        socket = await self._network.connect(url, headers=headers, timeout_s=timeout_s)
        if self._cuts_total != cuts:
            await socket.close()
            raise NotSent("the line was cut while it connected")
        self._sockets[socket] = None
        return socket

    async def close(self) -> None:
        await asyncio.gather(*self._closing)
        await self._network.close()
