"""A simulated venue for each case: an exchange of its own in this process, behind a line that can be cut.

It is driven as a person would drive it, by ``/sim/`` and by a second client of the same login: a port that reads well
and is told wrong is found out by what that client reads. Its clock begins where a case needs it: on a quiet morning,
before a roll, before a close.

Where it is disturbed, events are lost, told twice, late and in another order, and requests fail before and after they
are acted on: as often for every run of the same seed and case. A case that provokes requests to fail, or
something of one order by its tag, is left to its own, and so are the requests of the second client.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import zlib
from collections.abc import AsyncIterator
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec.structs import replace

from ordergate.broker.connection import Settings
from ordergate.broker.projectx.session import Credentials
from ordergate.certify import market
from ordergate.certify import venue as v
from ordergate.certify.case import Needs
from ordergate.certify.line import Line
from ordergate.clock import MarketClock
from ordergate.core import sessions
from ordergate.core.contracts import PRODUCT_BY_SYMBOL, active_month
from ordergate.core.order import Side
from ordergate.exchange.hours import trading_day
from ordergate.exchange.listing import known_contract
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.store import MemoryStore
from ordergate.exchange.variants import Variant
from ordergate.net.port import Network

HOST = "127.0.0.1"
SYMBOLS = ("MES", "MNQ")
# A Tuesday without an event: open whatever the hours.
_DAY = datetime.date(2026, 11, 24)
_MORNING, _OPENS, _CLOSES = datetime.time(9), datetime.time(17), datetime.time(16)
# How long a case has before the roll, or the close, that it waits for.
_BEFORE_S = 20
_S_NS = 1_000_000_000
_WINDOW_S = 10.0
_PATHS = {
    v.Asked.PLACE: "/api/Order/place",
    v.Asked.MODIFY: "/api/Order/modify",
    v.Asked.CANCEL: "/api/Order/cancel",
    v.Asked.READ: "/api/Order/search",
}
_ELSEWHERE = {v.OrderElsewhere, v.TrailElsewhere, v.JoinElsewhere, v.CancelElsewhere, v.MoveElsewhere, v.CloseElsewhere}
_OF_ONE_ORDER = {v.Part, v.Reject, v.RejectLeg, v.Overfill}
_OF_REQUESTS = {v.LoseAnswer, v.LoseRequest, v.Hang, v.Limit, v.Unlimit, v.Cut} | _ELSEWHERE | _OF_ONE_ORDER
_SIDES = {Side.BUY: 0, Side.SELL: 1}
_MARKET, _STOP, _TRAILING_STOP, _JOIN_BID = 2, 4, 5, 6
_WORKING = "open"
_TRADE, _ORDER, _POSITION = "GatewayUserTrade", "GatewayUserOrder", "GatewayUserPosition"
_ACCOUNT = "GatewayUserAccount"
_DISTURBED_EVENTS: tuple[dict[str, Any], ...] = (
    {"kind": "lose", "on": _TRADE, "chancePercent": 10},
    {"kind": "lose", "on": _ORDER, "chancePercent": 10},
    {"kind": "lose", "on": _POSITION, "chancePercent": 10},
    {"kind": "lose", "on": _ACCOUNT, "chancePercent": 10},
    {"kind": "double", "on": _TRADE, "chancePercent": 20},
    {"kind": "double", "on": _ORDER, "chancePercent": 20},
    {"kind": "late", "on": _TRADE, "chancePercent": 20, "ms": 700},
    {"kind": "late", "on": _ORDER, "chancePercent": 20, "ms": 700},
    {"kind": "late", "on": _POSITION, "chancePercent": 20, "ms": 700},
    {"kind": "shuffle", "on": _TRADE, "chancePercent": 30},
    {"kind": "slow", "on": "/hubs/user", "chancePercent": 10, "ms": 200},
)
_DISTURBED_REQUESTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "on": "/api/Order/place", "when": "before", "chancePercent": 5},
    {"kind": "status", "on": "/api/Order/place", "when": "after", "chancePercent": 10},
    {"kind": "status", "on": "/api/Order/modify", "when": "before", "chancePercent": 10},
    {"kind": "status", "on": "/api/Order/modify", "when": "after", "chancePercent": 20},
    {"kind": "status", "on": "/api/Order/cancel", "when": "before", "chancePercent": 10},
    {"kind": "status", "on": "/api/Order/cancel", "when": "after", "chancePercent": 20},
    {"kind": "hang", "on": "/api/Order/place", "when": "after", "chancePercent": 3, "seconds": 15},
    {"kind": "status", "on": "/api/Order/search", "chancePercent": 10},
    {"kind": "status", "on": "/api/Trade/search", "chancePercent": 10},
    {"kind": "status", "on": "/api/Position/searchOpen", "chancePercent": 10},
)
_encoder = msgspec.json.Encoder(decimal_format="number")


class SimVenues:
    """See the module. ``network`` stays the caller's; ``variants``: what the venue does otherwise."""

    name = "sim"

    def __init__(self, network: Network, seed: int, *, is_disturbed: bool, variants: tuple[Variant, ...] = ()) -> None:
        self._network = network
        self._variants = variants
        # The second client is a second login.
        alone = {*_ELSEWHERE, v.TwoLogins} if Variant.LOGIN_ENDS_OTHERS in variants else set()
        self.can: frozenset[type[v.Provocation]] = frozenset(v.Provocation.__subclasses__()) - alone
        self._seed = seed
        self._is_disturbed = is_disturbed

    @contextlib.asynccontextmanager
    async def opened(self, name: str, needs: Needs) -> AsyncIterator[SimVenue]:
        seed = zlib.crc32(f"{self._seed} {name}".encode())
        start_ns = _start_ns(needs)
        clock = MarketClock(start_ns)
        settings = ExchangeSettings(
            seed=seed,
            symbols=SYMBOLS,
            account_count=1,
            hours=Hours.EXCHANGE if v.Close in needs else Hours.ALWAYS,
            variants=self._variants,
            requests_max=1_000,  # the second client's too; the limit itself is provoked
        )
        exchange = Exchange(settings, MemoryStore(settings.bars_kept_min), clock, market.swing(start_ns, seed))
        await exchange.start(self._network, HOST, 0)
        try:
            venue = SimVenue(self._network, exchange, clock)
            await venue.begin(needs if self._is_disturbed else None)
            yield venue
        finally:
            await exchange.close()


class SimVenue:
    """See the module."""

    symbols: tuple[str, str] = SYMBOLS
    is_fresh: bool = True

    def __init__(self, network: Network, exchange: Exchange, clock: MarketClock) -> None:
        self.account_id = exchange.account_ids[0]
        self.is_disturbed = False
        self.site = v.Site(
            network=Line(network),
            clock=clock,
            settings=Settings(
                venue="sim",
                gateway_url=exchange.url,
                user_hub_url=f"{exchange.url}/hubs/user",
                market_hub_url=f"{exchange.url}/hubs/market",
                credentials=Credentials(exchange.user_name, exchange.api_key),
                symbols=SYMBOLS,
            ),
        )
        wrong = Credentials(exchange.user_name, "no-such-key")
        self.wrong_site: v.Site | None = replace(self.site, settings=replace(self.site.settings, credentials=wrong))
        self._network = network
        self._token = ""
        self._standing: tuple[dict[str, Any], ...] = ()

    async def begin(self, disturbed_for: Needs | None) -> None:
        """Log the second client in, and let things go wrong at random for a case with those needs."""
        await self._log_in()
        if disturbed_for is not None:
            self.is_disturbed = True
            alone = _OF_REQUESTS & set(disturbed_for)
            self._standing = _DISTURBED_EVENTS if alone else _DISTURBED_EVENTS + _DISTURBED_REQUESTS
            await self._disturb()

    async def provoke(self, asked: v.Provocation) -> None:
        match asked:
            case v.Cut():
                assert isinstance(self.site.network, Line)
                self.site.network.cut(asked.seconds)
            case v.Mute():
                await self._act("mute")
            case v.Withhold():
                for event in (_ORDER, _TRADE, _POSITION, _ACCOUNT):
                    await self._fault(kind="lose", on=event, times=None)
            case v.LogOut():
                await self._act("logout")
            case v.Expire():
                await self._act("expire")
                await self._log_in()
            case v.LoseAnswer():
                await self._fault(kind="status", on=_PATHS[asked.of], when="after")
            case v.LoseRequest():
                await self._fault(kind="status", on=_PATHS[asked.of], when="before")
            case v.Hang():
                await self._fault(kind="hang", on=_PATHS[asked.of], when="after", seconds=60)
            case v.Limit():
                await self._fault(kind="status", status=429, times=None)
            case v.Unlimit():
                await self._sim("DELETE", "faults")
                await self._disturb()
            case v.Part():
                await self._fault(kind="part", on=asked.order_tag)
            case v.Reject():
                await self._fault(kind="reject", on=asked.order_tag, text=asked.text)
            case v.RejectLeg():
                await self._fault(kind="reject_leg", on=f"{asked.order_tag}-SL")
            case v.Overfill():
                await self._fault(kind="overfill", on=asked.order_tag)
            case v.Bust():
                await self._act("bust", fillId=asked.fill_id)
            case v.Halt():
                await self._act("halt", contractId=asked.contract_id, seconds=asked.seconds)
            case v.Liquidate():
                await self._act("liquidate", accountId=asked.account_id)
            case v.Roll() | v.Close():
                await asyncio.sleep(max(0.0, (self._turns_ns() - self.site.clock.now_ns()) / _S_NS) + 1)
            case _:
                await self._elsewhere(asked)

    async def shown(self, account_id: int) -> v.Shown | None:
        """Of its page, which no fault strikes."""
        state = await self._sim("GET", "state")
        account = next(row for row in state["accounts"] if row["accountId"] == account_id)
        return v.Shown(
            positions={row["contract"]: row["net"] for row in account["positions"]},
            working=frozenset(row["orderId"] for row in state["orders"] if row["status"] == _WORKING),
            fills=frozenset(row["fillId"] for row in state["fills"] if not row["voided"]),
        )

    def _turns_ns(self) -> int:
        """When the roll or the close comes that the case waits for."""
        at_ns = self.site.clock.now_ns()
        wall = sessions.chicago(at_ns)
        at = _CLOSES if wall.time() < _CLOSES else _OPENS
        return sessions.wall_ns(wall.date(), at)

    async def _elsewhere(self, asked: v.Provocation) -> None:
        """What the second client does."""
        body: dict[str, Any]
        match asked:
            case v.OrderElsewhere():
                body = {"accountId": asked.account_id, "contractId": asked.contract_id, "customTag": asked.tag}
                body |= {"side": _SIDES[asked.side], "size": asked.quantity, "type": _MARKET}
                if asked.stop_ticks is not None:
                    body |= {"type": _STOP, "stopPrice": _price(asked.contract_id, asked.stop_ticks)}
                await self._api("Order/place", body)
            case v.TrailElsewhere():
                body = {"accountId": asked.account_id, "contractId": asked.contract_id, "side": 1, "size": 1}
                price = _price(asked.contract_id, asked.stop_ticks)
                await self._api("Order/place", body | {"type": _TRAILING_STOP, "trailPrice": price})
            case v.JoinElsewhere():
                body = {"accountId": asked.account_id, "contractId": asked.contract_id, "side": 0, "size": 1}
                await self._api("Order/place", body | {"type": _JOIN_BID})
            case v.CancelElsewhere():
                await self._api("Order/cancel", {"accountId": asked.account_id, "orderId": asked.broker_order_id})
            case v.MoveElsewhere():
                stop = _price(asked.contract_id, asked.stop_ticks)
                body = {"accountId": asked.account_id, "orderId": asked.broker_order_id, "stopPrice": stop}
                await self._api("Order/modify", body)
            case v.CloseElsewhere():
                body = {"accountId": asked.account_id, "contractId": asked.contract_id}
                await self._api("Position/closeContract", body)
            case _:
                raise AssertionError(f"nothing that is provoked: {asked}")

    async def _disturb(self) -> None:
        for fault in self._standing:
            await self._sim("POST", "faults", {"times": None} | fault)

    async def _fault(self, **fault: Any) -> None:
        await self._sim("POST", "faults", fault)

    async def _act(self, act: str, **of: Any) -> None:
        done = (await self._sim("POST", "act", {"act": act} | of))["done"]
        assert done, f"there was nothing to {act}"

    async def _log_in(self) -> None:
        login = self.site.settings.credentials
        answer = await self._api("Auth/loginKey", {"userName": login.user_name, "apiKey": login.api_key})
        self._token = answer["token"]

    async def _sim(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._asked(method, f"sim/{path}", {}, body)

    async def _api(self, path: str, body: dict[str, Any]) -> Any:
        """A request of the second client."""
        return await self._asked("POST", f"api/{path}", {"authorization": f"Bearer {self._token}"}, body)

    async def _asked(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None) -> Any:
        data = b"" if body is None else _encoder.encode(body)
        url = f"{self.site.settings.gateway_url}/{path}"
        given = headers | {"content-type": "application/json"}
        answer = await self._network.request(method, url, headers=given, body=data, timeout_s=_WINDOW_S)
        assert answer.status == HTTPStatus.OK, f"{path}: HTTP status {answer.status}: {answer.body[:200]!r}"
        return msgspec.json.decode(answer.body)


def _start_ns(needs: Needs) -> int:
    """When the case begins, by the venue's clock."""
    if v.Close in needs:
        return sessions.wall_ns(_DAY, _CLOSES) - _BEFORE_S * _S_NS
    if v.Roll in needs:
        product, day = PRODUCT_BY_SYMBOL[SYMBOLS[0]], _DAY
        month = active_month(product, day)
        while active_month(product, trading_day(sessions.wall_ns(day, _OPENS))) == month:
            day += datetime.timedelta(days=1)
        return sessions.wall_ns(day, _OPENS) - _BEFORE_S * _S_NS
    return sessions.wall_ns(_DAY, _MORNING)


def _price(contract_id: str, ticks: int) -> Decimal:
    return known_contract(contract_id).price(ticks)
