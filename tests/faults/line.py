"""The line between the desk and its exchange, where a test makes things go wrong. Real sockets on both sides of it.

It stands in the exchange's own door: what is refused or turned away here is answered over the same socket as everything
else. The trader in another window has a line of its own, where nothing goes wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ordergate.net import signalr
from ordergate.net.http import HttpNetwork, HttpServer, HttpSocket
from ordergate.net.port import TOO_LARGE, Handler, Request, Response, Upgrade, WebSocket

USER_HUB, MARKET_HUB = "/hubs/user", "/hubs/market"
_JSON = {"content-type": "application/json"}
# Of Order/place (ProjectX API notes, section 7, 2026-11-22).
LIMIT, MARKET, STOP = 1, 2, 4

Body = Mapping[str, Any]
Through = Callable[[], Awaitable[Response]]


class Fault:
    """What happens to the next ``left`` requests to ``path`` whose body is meant; None = to all of them.

    ``met`` are the bodies it has happened to.
    """

    def __init__(self, path: str, of: Callable[[Body], bool], left: int | None) -> None:
        self.met: list[Body] = []
        self.path = f"/api/{path}".casefold()
        self._of = of
        self._left = left

    def is_met(self, path: str, body: Body) -> bool:
        if path != self.path or self._left == 0 or not self._of(body):
            return False
        self._left = None if self._left is None else self._left - 1
        self.met.append(body)
        return True

    async def answer(self, through: Through) -> Response:
        """``through`` lets the request go on to the exchange. By itself a fault only takes note."""
        return await through()

    def over(self) -> None:
        """From now on nothing happens any more."""
        self._left = 0


class Refused(Fault):
    """The answer is "rejected", and the exchange hears nothing."""

    text = "Order rejected."

    async def answer(self, _through: Through) -> Response:
        code = 2 if self.path.endswith("place") else 3  # each endpoint has its own codes
        body = {"orderId": None, "success": False, "errorCode": code, "errorMessage": self.text}
        return Response(200, msgspec.json.encode(body), _JSON)


class OffRange(Refused):
    """The answer is that the price is too far from the market (ProjectX API notes, section 4.1, 2026-11-22)."""

    text = "Invalid price. Price is outside allowed range."


class TurnedAway(Fault):
    """HTTP 429, and the exchange hears nothing."""

    async def answer(self, _through: Through) -> Response:
        return Response(429)


class Held(Fault):
    """The request is on its way until the test lets it arrive."""

    def __init__(self, path: str, of: Callable[[Body], bool], left: int | None) -> None:
        super().__init__(path, of, left)
        self._arrives = asyncio.Event()

    def arrive(self) -> None:
        self.over()
        self._arrives.set()

    async def answer(self, through: Through) -> Response:
        await self._arrives.wait()
        return await through()


def any_order(_body: Body) -> bool:
    return True


def a_stop(body: Body) -> bool:
    return body.get("type") == STOP


def a_market_order(body: Body) -> bool:
    return body.get("type") == MARKET


class Line(HttpNetwork):
    """A network whose first server, the exchange, is behind the faults."""

    def __init__(self) -> None:
        super().__init__()
        self.trader = ""
        self._faults: list[Fault] = []
        self._deaf: set[str] = set()
        self._silent: set[int] = set()
        self._hubs: dict[str, list[WebSocket]] = {}
        self._servers_total = 0

    def put(self, fault: Fault) -> None:
        self._faults.append(fault)

    def deafen(self, hub: str) -> None:
        """From now on the rows of a hub do not arrive."""
        self._deaf.add(hub)

    def silence(self, hub: str) -> None:
        """From now on the connections of a hub that there are tell no event; pings and answers go on."""
        self._silent |= {id(socket) for socket in self._hubs.get(hub, ())}

    async def say(self, hub: str, target: str, *arguments: object) -> None:
        """An event of a hub that the exchange did not send."""
        for socket in self._hubs[hub]:
            await socket.send(signalr.encode(signalr.invocation(target, *arguments)))

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> HttpServer:
        self._servers_total += 1
        if self._servers_total == 1:
            handler = self._behind(handler)
        return await super().serve(handler, host=host, port=port, body_bytes_max=body_bytes_max, too_large=too_large)

    def _behind(self, exchange: Handler) -> Handler:
        async def answer(request: Request) -> Response | Upgrade:
            path = request.path.casefold()
            is_order = path.startswith("/api/order/") and request.headers.get("authorization") != self.trader
            fault = self._fault(path, msgspec.json.decode(request.body)) if is_order else None

            async def through() -> Response:
                response = await exchange(request)
                assert isinstance(response, Response)
                return response

            if fault is not None:
                return await fault.answer(through)
            answered = await exchange(request)
            return self._overheard(path, answered) if isinstance(answered, Upgrade) else answered

        return answer

    def _fault(self, path: str, body: Body) -> Fault | None:
        return next((fault for fault in self._faults if fault.is_met(path, body)), None)

    def _overheard(self, hub: str, upgrade: Upgrade) -> Upgrade:
        async def serve(socket: WebSocket) -> None:
            assert isinstance(socket, HttpSocket)
            self._hubs.setdefault(hub, []).append(socket)
            await upgrade.serve(_Deafened(socket, lambda: hub in self._deaf, lambda: id(socket) in self._silent))

        return Upgrade(serve)


class _Deafened:
    """The exchange's end of a hub."""

    def __init__(self, socket: WebSocket, is_deaf: Callable[[], bool], is_silent: Callable[[], bool]) -> None:
        self._socket = socket
        self._is_deaf = is_deaf
        self._is_silent = is_silent

    async def send(self, text: str) -> None:
        if self._is_silent():
            text = "".join(
                f"{record}{signalr.RECORD_SEPARATOR}"
                for record in text.split(signalr.RECORD_SEPARATOR)[:-1]
                if '"target"' not in record
            )
        if text and not self._is_deaf():
            await self._socket.send(text)

    async def receive(self) -> str | None:
        return await self._socket.receive()

    async def close(self) -> None:
        await self._socket.close()
