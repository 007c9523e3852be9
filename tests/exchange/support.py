"""What the exchange's tests share: a clock that is set, a market that is told what to do, a client of the API."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ordergate.exchange import listing
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.faults import Faults
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Market, Moved, Print, Walk
from ordergate.exchange.models import BracketRequest, PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore, Store
from ordergate.exchange.turn import Event
from ordergate.exchange.venue import Venue
from ordergate.net import signalr
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Network, Response, WebSocket
from tests.simulation.virtual_time import VirtualClock, run

SECOND_NS = 1_000_000_000
# A Monday, 09:00 in Chicago: open whatever the hours.
MONDAY_NS = int(datetime.datetime(2026, 11, 23, 15, tzinfo=datetime.UTC).timestamp()) * SECOND_NS
MES, MNQ = "CON.F.US.MES.Z26", "CON.F.US.MNQ.Z26"
ACCOUNT, OTHER_ACCOUNT = 1001, 1002
BARS_KEPT_MIN = 1_500


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, now_ns: int = MONDAY_NS) -> None:
        self.at_ns = now_ns

    def now_ns(self) -> int:
        return self.at_ns


class RunningClock:
    """A clock that starts on that Monday and runs, so that the contracts of these tests never expire."""

    def __init__(self) -> None:
        self._started_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return MONDAY_NS + time.monotonic_ns() - self._started_ns


class Script:
    """A market that stands still until it is told where to go: (bid, ask, trades in ticks, size of both touches)."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, int, tuple[int, ...], int]] = {}

    def tell(self, bid: int, ask: int, trades: Sequence[int] = (), size: int = 100, contract_id: str = MES) -> None:
        self._told[contract_id] = (bid, ask, tuple(trades), size)

    def opening(self, contract: Contract, now_ns: int, day: str) -> Market:
        return Walk(1).opening(contract, now_ns, day)

    def history(self, _market: Market, _contract: Contract) -> Sequence[Bar]:
        return ()

    def move(self, market: Market, _contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        if not is_open:
            return Moved(market)
        told = self._told.pop(market.contract_id, None)
        if told is None:
            moved = msgspec.structs.replace(market, moved_ns=now_ns, day=day)
            return Moved(moved, path=(moved.quote,))
        bid, ask, trades, size = told
        moved = msgspec.structs.replace(
            market,
            moved_ns=now_ns,
            number=market.number + 1,
            bid=bid,
            ask=ask,
            bid_size=size,
            ask_size=size,
            last=trades[-1] if trades else market.last,
            day=day,
        )
        prints = tuple(Print(OrderSide.BID, price, 1, now_ns) for price in trades)
        traded = tuple((price, 1) for price in trades)
        return Moved(moved, prints, (msgspec.structs.replace(moved.quote, traded=traded),))


class Desk:
    """A venue on a scripted market of MES and MNQ, and everything that it published. Prices are in ticks."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        publish: Callable[[Sequence[Event]], None] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = SetClock()
        self.script = Script()
        self.store = store or MemoryStore(BARS_KEPT_MIN)
        self.published: list[Event] = []
        self.settings = ExchangeSettings(symbols=("MES", "MNQ"), **settings)
        self.faults = Faults(self.settings.seed)
        self.venue = Venue(
            self.settings, self.store, self.clock, self.script, self.faults, publish or self.published.extend
        )
        self.market(1_000, 1_001, [1_000])
        self.market(1_000, 1_001, [1_000], contract_id=MNQ)

    def market(self, bid: int, ask: int, trades: Sequence[int] = (), size: int = 100, contract_id: str = MES) -> None:
        """One step in which the market goes there."""
        self.script.tell(bid, ask, trades, size, contract_id)
        self.clock.at_ns += SECOND_NS // 4
        self.venue.step()

    def place(
        self,
        side: OrderSide,
        size: int,
        *,
        limit: int | None = None,
        stop: int | None = None,
        tag: str | None = None,
        loss: int | None = None,
        profit: int | None = None,
        contract_id: str = MES,
    ) -> int:
        """Place an order that is accepted; its id."""
        order_type = OrderType.LIMIT if limit is not None else OrderType.STOP if stop is not None else OrderType.MARKET
        answer = self.venue.place(
            PlaceRequest(
                account_id=ACCOUNT,
                contract_id=contract_id,
                type=order_type,
                side=side,
                size=size,
                limit_price=self.price(limit, contract_id),
                stop_price=self.price(stop, contract_id),
                custom_tag=tag,
                stop_loss_bracket=None if loss is None else BracketRequest(loss, OrderType.STOP),
                take_profit_bracket=None if profit is None else BracketRequest(profit, OrderType.LIMIT),
            )
        )
        assert (answer.code, answer.text) == (0, None)
        assert answer.order_id is not None
        return answer.order_id

    def price(self, ticks: int | None, contract_id: str = MES) -> Decimal | None:
        return None if ticks is None else listing.known_contract(contract_id).price(ticks)

    def order(self, order_id: int) -> Order:
        order = self.store.order(order_id)
        assert order is not None
        return order

    def statuses(self, *order_ids: int) -> list[OrderStatus]:
        return [self.order(order_id).status for order_id in order_ids]

    def net(self, contract_id: str = MES) -> int:
        """Contracts held, positive when long."""
        held = self.venue.book.positions.get((ACCOUNT, contract_id))
        return 0 if held is None else held.net_quantity

    def fill_prices(self) -> list[int]:
        """Prices of all fills, oldest first."""
        return [fill.price_ticks for fill in reversed(self.store.fills(ACCOUNT, 0, 2**63 - 1))]


class Client:
    """A client of the REST API that has logged in."""

    def __init__(self, network: Network, url: str) -> None:
        self.network = network
        self.url = url
        self.token = ""

    async def login(self, exchange: Exchange) -> Client:
        answer = await self.ok("Auth/loginKey", userName=exchange.user_name, apiKey=exchange.api_key)
        self.token = answer["token"]
        return self

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, *, raw: bytes | None = None
    ) -> Response:
        """The answer to a POST under ``/api/``."""
        sent = {"content-type": "application/json"}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        data = raw if raw is not None else json.dumps(body).encode()
        url = f"{self.url}/api/{path}"
        return await self.network.request("POST", url, headers=sent | dict(headers or {}), body=data, timeout_s=5)

    async def ask(self, path: str, **body: object) -> dict[str, Any]:
        """The body of an answer with status 200."""
        response = await self.post(path, body)
        assert response.status == 200, (response.status, response.body)
        answer: dict[str, Any] = json.loads(response.body, parse_float=Decimal)
        return answer

    async def ok(self, path: str, **body: object) -> dict[str, Any]:
        """The body of a success."""
        answer = await self.ask(path, **body)
        assert (answer["success"], answer["errorCode"], answer["errorMessage"]) == (True, 0, None), answer
        return answer

    async def place(self, **order: object) -> dict[str, Any]:
        """Order/place of a market buy of 1 MES, but for what is given."""
        defaults: dict[str, object] = {"accountId": ACCOUNT, "contractId": MES, "type": 2, "side": 0, "size": 1}
        return await self.ask("Order/place", **(defaults | order))


class HubClient:
    """A client of one hub, shaken hands with."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.protocol = signalr.ClientProtocol()
        self._events: list[signalr.ClientEvent] = []

    @classmethod
    async def connect(cls, network: Network, url: str, *, headers: Mapping[str, str] | None = None) -> HubClient:
        """Connect to a hub's URL, query included, and shake hands."""
        client = cls(await network.connect(url, headers=headers, timeout_s=5))
        await client.socket.send(client.protocol.handshake())
        assert await client.next() == signalr.HandshakeResponse()
        return client

    async def next(self) -> signalr.ClientEvent | None:
        """The next message, None once the connection is closed."""
        while not self._events:
            text = await self.socket.receive()
            if text is None:
                return None
            self._events += self.protocol.receive(text)
        return self._events.pop(0)

    async def event(self) -> tuple[str, list[Any]]:
        """Target and arguments of the next event, pings left out."""
        while True:
            message = await self.next()
            assert message is not None, "the connection is open"
            if isinstance(message, signalr.Invocation):
                return message.target, json.loads(bytes(message.arguments), parse_float=Decimal)

    async def invoke(self, target: str, *arguments: object) -> str | None:
        """Call a method and wait for its end; the error's text. What comes before the completion is dropped."""
        invocation_id, text = self.protocol.invoke(target, *arguments)
        await self.socket.send(text)
        while True:
            message = await self.next()
            assert message is not None, "the connection is open"
            if isinstance(message, signalr.Completion) and message.invocation_id == invocation_id:
                return message.error


def in_virtual_time(
    body: Callable[[Exchange, Client], Coroutine[Any, Any, None]], settings: Mapping[str, Any] | None = None
) -> None:
    """Play ``body`` with an exchange and a client of it, on no sockets, in time that passes as it waits."""

    async def main() -> None:
        network = MemoryNetwork()
        chosen = ExchangeSettings(**({"quote_interval_ms": 1_000_000_000} | dict(settings or {})))
        clock = VirtualClock(asyncio.get_running_loop())
        exchange = Exchange(chosen, MemoryStore(BARS_KEPT_MIN), clock)
        await exchange.start(network, "127.0.0.1", 0)
        await body(exchange, await Client(network, exchange.url).login(exchange))
        await exchange.close()
        await network.close()

    run(main())
