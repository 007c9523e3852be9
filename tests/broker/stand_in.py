"""A broker of a few lines, in memory and on a virtual clock: it answers as told, and counts what it is asked.

It stands where the real gateway does, behind the network port; nothing of ours is replaced. What it must be faithful in
is tested against the simulated exchange (test_simulated_exchange.py).
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from ordergate.broker.approvals import Approved, approve
from ordergate.broker.connection import Settings
from ordergate.broker.connection_manager import ConnectionManager
from ordergate.broker.projectx.session import Credentials
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.clock import Clock
from ordergate.core.effects import Effect, Grant, Modify, Place
from ordergate.core.events import ApprovalKind
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import LinkReport, Report
from ordergate.errors import JournalUnavailable, StartRefused
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry, Journal
from ordergate.net import signalr
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Network, Request, Response, RunningServer, Upgrade, WebSocket
from tests.simulation.virtual_time import VirtualClock

KEY = b"k" * 32
MNQ = "CON.F.US.MNQ.U26"
MES = "CON.F.US.MES.U26"
ACCOUNT = 101
BOOK = f"sim:{ACCOUNT}:live"
BEGUN = LinkReport(up=False, reason="the connection manager has started")
API_KEY = "not-to-be-seen-in-any-log"

Said = dict[str, Any] | Response
Script = Callable[[dict[str, Any]], Said | Awaitable[Said]]
_Report = TypeVar("_Report")


class StandIn:
    """The broker. ``script`` replaces the answer of an endpoint; ``asked`` is every request, in order."""

    def __init__(self, network: MemoryNetwork, clock: VirtualClock) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.script: dict[str, Script] = {}
        self.orders: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.trades: list[dict[str, Any]] = []
        self.subscribed: list[tuple[Any, ...]] = []
        self.tokens: list[str] = []
        self.token_lifetime_s = 3_600  # an hour is played in a fraction of the time a day takes
        self.refused_tokens: set[str] = set()
        self.deaf = False  # hubs that take everything and say nothing
        self.quiet = False  # a market hub that only pings
        self.confirms = True  # subscriptions are answered
        self.denies = ""  # the subscription that is answered with an error
        self.server: RunningServer | None = None
        self._network = network
        self._clock = clock
        self._sockets: dict[str, tuple[WebSocket, signalr.ServerProtocol]] = {}

    async def start(self) -> str:
        self.server = await self._network.serve(self._handle, host="127.0.0.1", port=0)
        return self.server.url

    def count(self, endpoint: str) -> int:
        return sum(path == endpoint for path, _ in self.asked)

    def bodies(self, endpoint: str) -> list[dict[str, Any]]:
        return [body for path, body in self.asked if path == endpoint]

    def token(self) -> str:
        claims = {"exp": self._clock.now_ns() // 1_000_000_000 + self.token_lifetime_s, "n": len(self.tokens)}
        text = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
        self.tokens.append(f"h.{text}.s")
        return self.tokens[-1]

    async def say(self, hub: str, target: str, *arguments: object) -> None:
        socket, protocol = self._sockets[hub]
        await socket.send(protocol.send(signalr.invocation(target, *arguments)))

    async def drop(self, hub: str) -> None:
        await self._sockets[hub][0].close()

    def placed(self, body: dict[str, Any], status: int = 1) -> dict[str, Any]:
        """The order that ``body`` makes, as the searches show it."""
        order = {
            "id": 9001 + len(self.orders),
            "accountId": body["accountId"],
            "contractId": body["contractId"],
            "symbolId": "F.US.MNQ",
            "creationTimestamp": "2026-11-23T15:00:00.1234567+00:00",
            "status": status,
            "type": body["type"],
            "side": body["side"],
            "size": body["size"],
            "limitPrice": body.get("limitPrice"),
            "stopPrice": body.get("stopPrice"),
            "fillVolume": 0,
            "customTag": body.get("customTag"),
        }
        self.orders.append(order)
        return order

    async def _handle(self, request: Request) -> Response | Upgrade:
        if request.path.startswith("/hubs/"):
            return self._hub(request)
        endpoint = request.path.removeprefix("/api/")
        body = msgspec.json.decode(request.body)
        self.asked.append((endpoint, body))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if endpoint != "Auth/loginKey" and (token not in self.tokens or token in self.refused_tokens):
            return Response(401)
        answer = self.script.get(endpoint, getattr(self, "_" + endpoint.replace("/", "_")))(body)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Response):
            return answer
        return Response(200, msgspec.json.encode({"success": True, "errorCode": 0, "errorMessage": None} | answer))

    def _Auth_loginKey(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - named like the endpoint, as are the next
        if body["apiKey"] != API_KEY:
            return {"success": False, "errorCode": 3, "token": None}
        return {"token": self.token()}

    def _Auth_validate(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"newToken": self.token()}

    def _Account_search(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"accounts": [{"id": ACCOUNT, "name": "PRAC-1", "balance": 50000.25, "canTrade": True}]}

    def _Contract_available(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"contracts": [contract("MNQ", 0.5), contract("MES", 1.25)]}

    def _Contract_searchById(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return (
            {"success": False, "errorCode": 1}
            if body["contractId"] != "CON.F.US.MNQ.M26"
            else {"contract": contract("MNQ", 0.5) | {"id": "CON.F.US.MNQ.M26", "activeContract": False}}
        )

    def _Order_place(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"orderId": self.placed(body)["id"]}

    def _Order_modify(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {}

    def _Order_cancel(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {}

    def _Order_searchOpen(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"orders": [order for order in self.orders if order["status"] == 1]}

    def _Order_search(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"orders": self.orders}

    def _Position_searchOpen(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"positions": self.positions}

    def _Trade_search(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"trades": self.trades}

    def _History_retrieveBars(self, _body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"bars": []}

    def _hub(self, request: Request) -> Response | Upgrade:
        token = request.query.get("access_token", "")
        if token not in self.tokens or token in self.refused_tokens:
            return Response(401)
        hub = request.path.removeprefix("/hubs/")

        async def serve(socket: WebSocket) -> None:
            protocol = signalr.ServerProtocol()
            self._sockets[hub] = socket, protocol
            while (text := await socket.receive()) is not None:
                for event in () if self.deaf else protocol.receive(text):
                    match event:
                        case signalr.HandshakeRequest():
                            await socket.send(protocol.accept(event))
                        case signalr.Invocation():
                            self.subscribed.append((event.target, *msgspec.json.decode(event.arguments)))
                            if self.confirms:
                                error = "no" if event.target == self.denies else None
                                await socket.send(protocol.complete(event, error=error) or "")
                        case signalr.Ping():
                            await socket.send(protocol.send(signalr.Ping()))
                            if hub == "market" and not self.quiet:
                                await socket.send(protocol.send(signalr.invocation("GatewayTrade", MNQ, [])))

        return Upgrade(serve)


def contract(root: str, tick_value: float) -> dict[str, Any]:
    return {
        "id": f"CON.F.US.{root}.U26",
        "name": f"{root}U6",
        "description": "",
        "tickSize": 0.25,
        "tickValue": tick_value,
        "activeContract": True,
        "symbolId": f"F.US.{root}",
    }


def position(kind: int, size: int, contract_id: str = MNQ) -> dict[str, Any]:
    """``kind`` 1 long, 2 short."""
    return {
        "id": 1,
        "accountId": ACCOUNT,
        "contractId": contract_id,
        "creationTimestamp": "2026-11-23T15:00:00+00:00",
        "type": kind,
        "size": size,
        "averagePrice": 20000,
    }


class FullDisk(MemoryJournal):
    """A journal whose disk is full."""

    async def append(self, _entries: Sequence[Entry], _expected: Mapping[str, int]) -> None:
        raise JournalUnavailable("no space left")


class Seat:
    """A connection manager between a bus and a broker. ``steps`` is its trace, ``reports`` what it said.

    Without the first report of each run, which says that it has begun: ``begun`` counts those.
    """

    def __init__(self, network: Network, clock: Clock, journal: Journal | None, settings: dict[str, Any]) -> None:
        self.network = network
        self.clock = clock
        self.bus = MemoryBus()
        self.journal = journal or MemoryJournal()
        self.steps: list[tuple[str, str]] = []
        self.reports: list[Report] = []
        self.begun = 0
        self.account_id = ACCOUNT
        self.contract_id = MNQ
        self._settings = settings
        self._numbers = 0

    @asynccontextmanager
    async def linked(self, url: str, *, until_up: bool) -> AsyncIterator[ConnectionManager]:
        """Run a connection manager against the broker at ``url``; at the end it is cancelled."""
        reports = self.bus.consume(Topic.REPORTS, "test")
        settings: dict[str, Any] = {"symbols": ("MNQ",), "credentials": Credentials("trader", API_KEY)}
        manager = ConnectionManager(
            bus=self.bus,
            network=self.network,
            clock=self.clock,
            journal=self.journal,
            approval_key=KEY,
            settings=Settings(
                venue="sim",
                gateway_url=url,
                user_hub_url=f"{url}/hubs/user",
                market_hub_url=f"{url}/hubs/market",
                **(settings | self._settings),
            ),
            rng=random.Random(1),
            trace=lambda step, name: self.steps.append((step, name)),
        )

        async def listen() -> None:
            decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
            async for message in reports:
                report = decoder.decode(message)
                if report == BEGUN:
                    self.begun += 1
                else:
                    self.reports.append(report)

        tasks = [asyncio.create_task(listen()), asyncio.create_task(manager.run())]
        try:
            if until_up:
                await self.report(LinkReport, lambda link: link.up)
            yield manager
        finally:
            reports.close()
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception) and not isinstance(ended, StartRefused):
                    raise ended

    async def report(
        self, kind: type[_Report], wanted: Callable[[_Report], bool] = lambda _report: True, within_s: float = 120
    ) -> _Report:
        """The first report of that kind not taken yet, waited for; it is taken."""
        async with asyncio.timeout(within_s):
            while True:
                for index, found in enumerate(self.reports):
                    if isinstance(found, kind) and wanted(found):
                        del self.reports[index]
                        return found
                await asyncio.sleep(0.01)

    async def send(self, message: Approved | Effect, topic: Topic = Topic.COMMANDS) -> None:
        await self.bus.send(topic, msgspec.json.encode(message))

    def place(self, *, kind: ApprovalKind = ApprovalKind.APPROVED, epoch: int = 0, **changes: Any) -> Place:
        """A market buy of one MNQ, but for ``changes``; each with a number and a tag of its own."""
        self._numbers += 1
        terms = Terms(self.account_id, self.contract_id, Side.BUY, 1, OrderType.MARKET)
        grant = Grant(kind, self._numbers, epoch, limits_version=1, issued_ns=self.clock.now_ns())
        number = self._numbers
        return Place(msgspec.structs.replace(terms, **changes), f"tag-{number}", grant, f"order-{number}")

    def approved(self, effect: Place | Modify | None = None) -> Approved:
        mode = "shadow" if self._settings.get("shadow") else "live"
        return approve(effect or self.place(), f"sim:{self.account_id}:{mode}", KEY)


class Desk(Seat):
    """A seat in front of the stand-in, in virtual time."""

    def __init__(self, journal: Journal | None = None, **settings: Any) -> None:
        network, clock = MemoryNetwork(), VirtualClock(asyncio.get_running_loop())
        super().__init__(network, clock, journal, settings)
        self.broker = StandIn(network, clock)

    @asynccontextmanager
    async def open(self, *, until_linked: bool = True) -> AsyncIterator[ConnectionManager]:
        """A connection manager that runs until the end of the block; the stand-in stays."""
        url = self.broker.server.url if self.broker.server else await self.broker.start()
        async with self.linked(url, until_up=until_linked) as manager:
            yield manager
