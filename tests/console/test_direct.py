"""``flatten --direct`` at the simulated exchange, over real sockets. What goes wrong goes wrong in its door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.projectx.messages import Order, OrderSide, OrderStatus, OrderType, Position
from ordergate.broker.projectx.session import Credentials
from ordergate.clock import SystemClock
from ordergate.console import gather
from ordergate.console.direct import Book, Direct, Login, guards, net_of
from ordergate.console.facts import BrokerFacts
from ordergate.core.reports import Outcome
from ordergate.errors import BrokerRefused
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.exchange.variants import Variant
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Handler, Request, Response, Upgrade

LIMIT, MARKET, STOP = 1, 2, 4
BUY, SELL = 0, 1
CLOSE, CANCEL = "Position/closeContract", "Order/cancel"
JSON = {"content-type": "application/json"}

Through = Callable[[], Awaitable[Response]]
Fault = Callable[[dict[str, Any], Through], Awaitable[Response]]


class Door(HttpNetwork):
    """The network of the exchange: what it is asked is noted, and a fault may stand before an endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, Fault] = {}

    def writes(self) -> list[str]:
        """The requests that change something, by their endpoint."""
        return [path for path, _ in self.asked if path in (CLOSE, CANCEL)]

    async def serve(self, handler: Handler, **options: Any) -> Any:
        async def answer(request: Request) -> Response | Upgrade:
            path, body = request.path.removeprefix("/api/"), msgspec.json.decode(request.body)
            self.asked.append((path, body))

            async def through() -> Response:
                response = await handler(request)
                assert isinstance(response, Response)
                return response

            return await self.faults[path](body, through) if path in self.faults else await through()

        return await super().serve(answer, **options)


class Stage:
    """One account at the exchange, with a trader of its own and a person who flattens."""

    def __init__(self, exchange: Exchange, door: Door, client: HttpNetwork) -> None:
        self.door, self.client, self.url = door, client, exchange.url
        self.account = exchange.account_ids[0]
        self.credentials = Credentials(exchange.user_name, exchange.api_key)
        self.lines: list[str] = []
        self.direct = Direct(client, SystemClock(), Login(exchange.url, self.credentials), 5.0, self.lines.append)
        self._token = ""
        self.contract = ""

    async def ask(self, path: str, **body: Any) -> Any:
        headers = JSON | {"authorization": f"Bearer {self._token}"}
        data = msgspec.json.encode({"accountId": self.account} | body)
        answer = await self.client.request("POST", f"{self.url}/api/{path}", headers=headers, body=data, timeout_s=5)
        return msgspec.json.decode(answer.body)

    async def log_in(self) -> None:
        login = await self.ask("Auth/loginKey", userName=self.credentials.user_name, apiKey=self.credentials.api_key)
        self._token = login["token"]
        rows = (await self.ask("Contract/available", live=False))["contracts"]
        self.contract = next(row["id"] for row in rows if ".MES." in row["id"])

    async def place(self, kind: int, side: int, size: int, **prices: Any) -> int:
        answer = await self.ask("Order/place", contractId=self.contract, type=kind, side=side, size=size, **prices)
        assert answer["success"], answer
        return int(answer["orderId"])

    async def hold(self, size: int, side: int = BUY) -> float:
        """Hold that many, with no order; what they cost."""
        await self.place(MARKET, side, size)
        while True:
            rows = (await self.ask("Position/searchOpen"))["positions"]
            if sum(row["size"] for row in rows) == size:
                return round(float(rows[0]["averagePrice"]) * 4) / 4
            await asyncio.sleep(0.05)

    async def book(self) -> tuple[int, list[int]]:
        """Contracts held, and the ids of the orders that rest."""
        held = (await self.ask("Position/searchOpen"))["positions"]
        orders = (await self.ask("Order/searchOpen"))["orders"]
        return sum(row["size"] for row in held), sorted(row["id"] for row in orders)


@asynccontextmanager
async def stage(*variants: Variant) -> AsyncIterator[Stage]:
    door, client = Door(), HttpNetwork()
    settings = ExchangeSettings(latency_ms=0, quote_interval_ms=50, variants=variants)
    exchange = Exchange(settings, MemoryStore(10), SystemClock())
    await exchange.start(door, "127.0.0.1", 0)
    try:
        found = Stage(exchange, door, client)
        await found.log_in()
        door.asked.clear()
        yield found
    finally:
        await client.close()
        await exchange.close()
        await door.close()


def refused(code: int) -> Response:
    return Response(200, msgspec.json.encode({"success": False, "errorCode": code, "errorMessage": None}), JSON)


async def test_what_could_open_goes_first_and_the_stop_that_covers_the_position_goes_last() -> None:
    async with stage() as at:
        price = await at.hold(2)
        covering = await at.place(STOP, SELL, 2, stopPrice=price - 50)
        beyond = await at.place(STOP, SELL, 1, stopPrice=price - 60)
        target = await at.place(LIMIT, SELL, 2, limitPrice=price + 50)
        entry = await at.place(LIMIT, BUY, 3, limitPrice=price - 70)
        at.door.asked.clear()
        assert await at.direct.flatten(at.account)
        assert await at.book() == (0, [])
        writes = [(path, body.get("orderId")) for path, body in at.door.asked if path in (CLOSE, CANCEL)]
        assert set(writes[:3]) == {(CANCEL, beyond), (CANCEL, target), (CANCEL, entry)}
        assert writes[3:] == [(CLOSE, None), (CANCEL, covering)]
        assert at.lines[-1] == f"account {at.account}: flat, no order works, as the broker shows twice"


@pytest.mark.parametrize(("variants", "barred"), [((), 0), ((Variant.LIVE_FUNDED,), 2)])
async def test_a_login_tells_of_an_account_that_may_cancel_nothing(variants: tuple[Variant, ...], barred: int) -> None:
    async with stage(*variants) as at:
        found = await gather.broker(at.direct)
        assert isinstance(found, BrokerFacts)
        assert len(found.barred) == barred
        assert all("cancel no order: it is not a simulated account" in text for text in found.barred)


async def test_a_short_position_is_closed_too() -> None:
    async with stage() as at:
        price = await at.hold(1, SELL)
        await at.place(STOP, BUY, 1, stopPrice=price + 50)
        assert await at.direct.flatten(at.account)
        assert await at.book() == (0, [])
        assert at.door.writes() == [CLOSE, CANCEL]


@pytest.mark.slow
async def test_a_position_that_cannot_be_closed_keeps_its_stop_and_is_told_as_not_flat() -> None:
    async with stage() as at:
        price = await at.hold(2)
        covering = await at.place(STOP, SELL, 2, stopPrice=price - 50)
        await at.place(LIMIT, SELL, 2, limitPrice=price + 50)

        async def closed_market(_body: dict[str, Any], _through: Through) -> Response:
            return refused(5)

        at.door.faults[CLOSE] = closed_market
        assert not await at.direct.flatten(at.account, within_s=1)
        assert await at.book() == (2, [covering])
        assert "NOT FLAT after 1 s: LONG 2 MES" in at.lines[-1]
        assert any("closing 2 MES: refused (order rejected)" in line for line in at.lines)
        at.door.faults.clear()
        assert await at.direct.flatten(at.account)
        assert await at.book() == (0, [])


CLOSE_ANSWERS = [
    *((refused(code), Outcome.REFUSED) for code in (1, 2, 3, 4, 5, 8)),
    *((refused(code), Outcome.UNKNOWN) for code in (6, 7, 9)),
    (Response(500), Outcome.UNKNOWN),
    (Response(429), Outcome.NOT_SENT),
]


async def test_a_close_is_refused_only_by_a_final_code() -> None:
    async with stage() as at:
        for answer, outcome in CLOSE_ANSWERS:

            async def say(_body: dict[str, Any], _through: Through, answer: Response = answer) -> Response:
                return answer

            at.door.faults[CLOSE] = say
            found, text = await at.direct.close(at.account, held(1, 1))
            assert found is outcome
            assert text


async def test_a_close_whose_answer_is_lost_is_not_sent_again_before_the_position_has_been_read() -> None:
    async with stage() as at:
        await at.hold(2)

        async def lost(_body: dict[str, Any], through: Through) -> Response:
            await through()
            return Response(502)

        at.door.faults[CLOSE] = lost
        assert await at.direct.flatten(at.account)
        assert at.door.writes() == [CLOSE]
        assert await at.book() == (0, [])


@pytest.mark.slow
async def test_a_close_that_fills_late_is_not_sent_a_second_time() -> None:
    async with stage() as at:
        await at.hold(2)
        filling: list[asyncio.Task[Response]] = []

        async def late(_body: dict[str, Any], through: Through) -> Response:
            async def fill() -> Response:
                await asyncio.sleep(1.5)
                return await through()

            filling.append(asyncio.create_task(fill()))
            return Response(200, msgspec.json.encode({"success": True, "errorCode": 0, "errorMessage": None}), JSON)

        at.door.faults[CLOSE] = late
        assert await at.direct.flatten(at.account)
        assert at.door.writes() == [CLOSE]
        assert await at.book() == (0, [])
        await asyncio.gather(*filling)


@pytest.mark.slow
async def test_what_is_refused_or_turned_away_once_is_asked_for_again() -> None:
    async with stage() as at:
        price = await at.hold(1)
        await at.place(LIMIT, BUY, 1, limitPrice=price - 50)
        left = {CLOSE: 1, CANCEL: 1, "Position/searchOpen": 1}

        async def once(path: str, through: Through) -> Response:
            left[path] -= 1
            return Response(429) if left[path] == 0 else await through()

        for path in left:
            at.door.faults[path] = lambda _body, through, path=path: once(path, through)  # type: ignore[misc]
        assert await at.direct.flatten(at.account)
        assert await at.book() == (0, [])
        assert any("cannot be read" in line for line in at.lines)


async def test_a_line_that_fails_at_first_is_tried_again_and_a_login_that_is_refused_is_not() -> None:
    async with stage() as at:
        left = 2

        async def away(_body: dict[str, Any], through: Through) -> Response:
            nonlocal left
            left -= 1
            return Response(502) if left >= 0 else await through()

        at.door.faults["Auth/loginKey"] = away
        assert list(await at.direct.books(None)) == [at.account, at.account + 1]
        assert [line.partition(":")[0] for line in at.lines] == ["asking again"] * 2
        wrong = Credentials(at.credentials.user_name, "a-wrong-key")
        stranger = Direct(at.client, SystemClock(), Login(at.url, wrong), 5.0, at.lines.append)
        at.door.asked.clear()
        with pytest.raises(BrokerRefused):
            await stranger.books(None)
        assert [path for path, _ in at.door.asked] == ["Auth/loginKey"]


async def test_legs_that_wait_for_their_entry_are_cancelled_with_it() -> None:
    async with stage() as at:
        price = await at.hold(1)
        bracket = {"stopLossBracket": {"ticks": -40, "type": STOP}, "takeProfitBracket": {"ticks": 40, "type": LIMIT}}
        await at.place(LIMIT, BUY, 1, limitPrice=price - 50, **bracket)
        suspended = [order for order in (await at.direct.book(at.account)).orders if order.status == 8]
        assert len(suspended) == 2
        assert await at.direct.flatten(at.account)
        assert (await at.direct.book(at.account)).is_empty


async def test_an_order_that_comes_between_two_readings_is_found_by_the_second() -> None:
    async with stage() as at:
        price = await at.hold(1)
        late: list[int] = []

        async def beside(_body: dict[str, Any], through: Through) -> Response:
            answer = await through()
            if not late:
                late.append(0)
                late[0] = await at.place(LIMIT, BUY, 1, limitPrice=price - 50)
            return answer

        at.door.faults[CLOSE] = beside
        assert await at.direct.flatten(at.account)
        assert await at.book() == (0, [])
        assert at.door.writes() == [CLOSE, CANCEL]


async def test_flat_is_said_only_after_two_readings_in_a_row() -> None:
    async with stage() as at:
        assert await at.direct.flatten(at.account)
        assert [path for path, _ in at.door.asked].count("Position/searchOpen") == 2


def order(number: int, side: int, size: int, kind: int, status: int = OrderStatus.OPEN, filled: int = 0) -> Order:
    return Order(number, 1, "CON.F.US.MES.Z26", "", status, kind, side, size, filled)


def held(size: int, kind: int) -> Position:
    return Position(1, "CON.F.US.MES.Z26", kind, size)


kinds = st.sampled_from(
    [OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP, OrderType.STOP_LIMIT]
)
orders = st.lists(
    st.tuples(st.sampled_from(list(OrderSide)), st.integers(1, 5), kinds, st.sampled_from(list(OrderStatus))),
    max_size=6,
)


@given(orders, st.integers(0, 6), st.sampled_from([1, 2]))
def test_the_stops_that_stay_until_the_close_can_only_close(
    given_orders: list[tuple[OrderSide, int, OrderType, OrderStatus]], size: int, kind: int
) -> None:
    rows = tuple(order(number, *given_order) for number, given_order in enumerate(given_orders))
    positions = (held(size, kind),) if size else ()
    kept = guards(Book(positions, rows))
    assert sum(row.size for row in kept) <= size
    closing = OrderSide.ASK if kind == 1 else OrderSide.BID
    assert all(row.side == closing and row.type in (OrderType.STOP, OrderType.TRAILING_STOP) for row in kept)


@pytest.mark.parametrize(("kind", "net"), [(1, 2), (2, -2), (0, 2)])
def test_what_is_neither_long_nor_short_is_held_all_the_same(kind: int, net: int) -> None:
    assert net_of(held(2, kind)) == net
