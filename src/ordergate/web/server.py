"""The page and the HTTP API of port 3003. It listens on the loopback only and never on anything else.

``routes`` lists what can be asked; a POST is answered by ``asking``. Every failure has the shape ``replies.Failure``; a
body that is too large is turned away with 413 by the network, before it is read.

Invariants:
1. Every request passes ``guard`` first.
2. What is read is true at one event number; nothing is computed from anything but what the gate has told.
3. While the gate's state is not known, or nobody follows it, reading says so and shows nothing old.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from ordergate.bus.brackets import Preset
from ordergate.bus.port import Bus
from ordergate.clock import Clock
from ordergate.core.account import Group
from ordergate.errors import InputRefused
from ordergate.net import guard
from ordergate.net.port import Network, Request, Response, RunningServer
from ordergate.telemetry import Step, logger
from ordergate.web import history, limits, openapi, pages, routes, views
from ordergate.web.asking import Asking
from ordergate.web.mirror import Mirror
from ordergate.web.presets import presets_answer
from ordergate.web.replies import JSON_HEADERS, refused, reply
from ordergate.web.rows import PriceRow

_log = logger("web")
HOST = "127.0.0.1"
BODY_BYTES_MAX = 65_536  # the largest command has some 500 bytes
_STREAM_HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class WebServer:
    """``start`` it once, ``close`` it once."""

    _server: RunningServer
    _following: asyncio.Task[None]

    def __init__(
        self,
        bus: Bus,
        network: Network,
        clock: Clock,
        rng: random.Random,
        trace: Step,
        connection_manager_url: str,
        presets: tuple[Preset, ...],
    ) -> None:
        self._bus = bus
        self._network = network
        self._clock = clock
        self._mirror = Mirror(bus, clock)
        self._bars = history.Bars(network, connection_manager_url)
        self._asking = Asking(self._mirror, bus, clock, rng, trace, presets)
        self._pages = pages.load()
        # What can be read without the gate's state, and what with it.
        self._at_any_time: dict[str, Callable[[], Response]] = {
            routes.HEALTH: self._health,
            routes.OPENAPI: lambda: Response(200, openapi.document(), JSON_HEADERS),
            routes.PRESETS: lambda: reply(presets_answer(presets)),
            routes.EVENTS: lambda: Response(200, headers=_STREAM_HEADERS, stream=self._mirror.stream.listen()),
        }
        self._rows: dict[str, Callable[[Group], Any]] = {
            "/api/accounts": lambda _: self._mirror.board.accounts(),
            "/api/if-we-die": lambda group: views.if_we_die_rows(group, self._mirror.quotes, self._clock.now_ns()),
            "/api/positions": lambda _: self._mirror.board.positions(),
            "/api/orders": lambda _: self._mirror.board.orders(),
            "/api/fills": lambda _: self._mirror.board.fills(),
            "/api/prices": lambda _: self._prices(),
            "/api/snapshot": lambda _: self._mirror.board.snapshot(self._clock.now_ns()),
            "/api/instruments/active": views.instrument_rows,
            "/api/limits": limits.answer,
            "/api/alarms": lambda _: self._mirror.board.alarms(),
            "/api/trading-status": views.trading_status,
        }

    @property
    def url(self) -> str:
        """The origin, with the port really bound."""
        return self._server.url

    @property
    def ready(self) -> bool:
        """Whether the gate's state and a price of every allowed product are here to be shown."""
        group = self._mirror.group
        return group is not None and set(group.limits.allowed_symbols) <= set(self._prices())

    async def start(self, port: int) -> None:
        """Listen on ``port`` (0 = any free one) and follow the gate. Raises ``PortInUse``."""
        too_large = refused(InputRefused("BODY_TOO_LARGE", f"the body is larger than {BODY_BYTES_MAX} bytes"))
        self._server = await self._network.serve(
            self.answer, host=HOST, port=port, body_bytes_max=BODY_BYTES_MAX, too_large=too_large
        )
        self._following = asyncio.create_task(self._mirror.run(), name="web")
        self._following.add_done_callback(_report)

    async def close(self) -> None:
        """Stop listening, end all streams and tasks."""
        await self._server.close()
        self._following.cancel()
        await asyncio.wait({self._following})

    async def answer(self, request: Request) -> Response:
        """One request."""
        try:
            guard.check(request)
            page = None if request.query else self._pages.get(request.path)
            if page is not None:
                routes.check_method(request.method, request.path, ("GET",))
                return pages.answer(page, request)
            route = routes.find(request.method, request.path)
            return await self._route(route.path, request)
        except InputRefused as error:
            return refused(error)

    async def _route(self, path: str, request: Request) -> Response:
        """The answer of the route ``path``."""
        if request.method == "POST":
            guard.check_json(request)
            return await self._asking.routes[path](request.body)
        if path in self._at_any_time:
            return self._at_any_time[path]()
        group = self._mirror.group
        if group is None:
            raise InputRefused("STARTING", self._mirror.unknown)
        if path == routes.BARS:
            return await self._bars.answer(group, request.query)
        if path == routes.PRICE:
            return reply(self._price(routes.symbol(request.path)))
        return reply(self._rows[path](group))

    def _prices(self) -> dict[str, PriceRow]:
        return self._mirror.board.prices(self._clock.now_ns())

    def _price(self, symbol: str) -> PriceRow:
        row = self._prices().get(symbol)
        if row is None:
            raise InputRefused("NO_PRICE", f"no price of {symbol[:64]!r} is known")
        return row

    def _health(self) -> Response:
        group = self._mirror.group
        status = "failed" if self._following.done() else "starting" if group is None else "healthy"
        link_up = group is not None and group.link_up
        redis = self._bus.health or UNSET
        health = routes.Health(status, "Manual Trading Server", self._mirror.stream.number, link_up, redis)
        return reply(health, 200 if status == "healthy" else 503)


def _report(following: asyncio.Task[None]) -> None:
    if not following.cancelled():
        _log.critical("the web part no longer follows the gate", exc_info=following.exception())
