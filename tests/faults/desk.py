"""A whole desk for one case: real sockets, the real clock, a market that is told where to go, a line that can fail."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import replace

from ordergate import app
from ordergate.bus.memory import MemoryBus
from ordergate.core import events as e
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode as Setting
from ordergate.desk import Books, Ports
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Market, Moved
from ordergate.exchange.matching import Quote
from ordergate.exchange.settings import BracketMode, ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.exchange.variants import Variant
from ordergate.journal.codec import decode
from ordergate.journal.memory import MemoryJournal
from ordergate.settings import Settings
from tests.end_to_end.process import Events
from tests.exchange.support import BARS_KEPT_MIN, MES, RunningClock
from tests.faults.line import MARKET_HUB, Fault, Line, any_order
from tests.simulation.desk import NoEmergency

BID, ASK = 20_000, 20_001
TICK = Decimal("0.25")
BUY, SELL = 0, 1
WORKING = 1
LOOK_S = 0.01
_encoder = msgspec.json.Encoder(decimal_format="number")
_exact = msgspec.json.Decoder(float_hook=Decimal)
_seeds = itertools.count(1)

F = TypeVar("F", bound=Fault)


class Told:
    """The market of MES: it stands still until it is told where to go."""

    made: ClassVar[dict[int, Told]] = {}

    def __init__(self, seed: int) -> None:
        self.made[seed] = self
        self._told: list[tuple[Quote, asyncio.Event]] = []

    async def tell(self, quote: Quote) -> None:
        """Go there, and return when it has been there."""
        been = asyncio.Event()
        self._told.append((quote, been))
        await been.wait()

    def opening(self, contract: Contract, now_ns: int, day: str) -> Market:
        last = BID
        return Market(contract.contract_id, now_ns, 0, 0, 0, BID, ASK, 100, 100, last, day, last, last, last, last)

    def history(self, _market: Market, _contract: Contract) -> Sequence[Bar]:
        return ()

    def move(self, market: Market, _contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        if not self._told or not is_open:
            return Moved(market)
        quote, been = self._told.pop(0)
        been.set()
        moved = replace(
            market,
            moved_ns=now_ns,
            number=market.number + 1,
            bid=quote.bid,
            ask=quote.ask,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            last=quote.last,
            day=day,
        )
        return Moved(moved, path=(quote,))


class Desk:
    """See the module. Prices are in ticks."""

    def __init__(self, line: Line, journal: MemoryJournal, market: Told, at: app.Ready, events: Events) -> None:
        self.line = line
        self.at = at
        self._journal = journal
        self._market = market
        self._events = events

    # The trader at our page.

    async def get(self, path: str) -> Any:
        answer = await self.line.request("GET", f"{self.at.web}{path}", timeout_s=10)
        assert answer.status == 200, (path, answer)
        return msgspec.json.decode(answer.body)

    async def post(self, path: str, **body: object) -> tuple[int, Any]:
        data = _encoder.encode({"accountId": self.account} | body)
        headers = {"content-type": "application/json"}
        answer = await self.line.request("POST", f"{self.at.web}{path}", headers=headers, body=data, timeout_s=10)
        return answer.status, msgspec.json.decode(answer.body)

    async def buy(self, quantity: int = 1, order_id: str = "a", **more: object) -> None:
        """A market order with its stop 20 ticks below and its target 40 above, but for what is given."""
        bracket = {"stop": {"ticks": 20}, "targets": [{"ticks": 40}]}
        asked = {"instrument": "MES", "side": "BUY", "quantity": quantity, "orderId": order_id, "bracket": bracket}
        status, answer = await self.post("/api/order", **(asked | more))
        assert status == 200, answer

    async def position(self) -> Any:
        return next(iter(await self.get("/api/positions")), None)

    async def protection(self) -> tuple[str, int] | None:
        """What the position says of its protection: the state, and the contracts that no stop covers."""
        row = await self.position()
        return None if row is None else (row["protection"]["state"], row["protection"]["uncovered"])

    async def protected(self) -> None:
        await until(lambda: self.says("protected"))

    async def says(self, state: str) -> bool:
        found = await self.protection()
        return found is not None and found[0] == state

    def alarms(self, code: str) -> list[str]:
        raised = {row["number"]: row["message"] for row in self._events.named("alarm") if row["code"] == code}
        return list(raised.values())

    async def alarmed(self, code: str) -> None:
        await until(lambda: self.alarms(code))

    # What the exchange's own books say, and what the trader does there in another window.

    async def exchange(self, path: str, **body: object) -> Any:
        headers = {"content-type": "application/json", "authorization": self.line.trader}
        data = _encoder.encode({"accountId": self.account} | body)
        url = f"{self.at.gateway}/api/{path}"
        answer = await self.line.request("POST", url, headers=headers, body=data, timeout_s=10)
        assert answer.status == 200, (path, answer)
        return _exact.decode(answer.body)

    async def log_in(self) -> None:
        login = await self.exchange("Auth/loginKey", userName=self.at.user_name, apiKey=self.at.api_key)
        self.line.trader = f"Bearer {login['token']}"

    async def orders(self, side: int, order_type: int) -> list[Any]:
        """Every order of that kind that the exchange ever had, the oldest first."""
        found = (await self.exchange("Order/search", startTimestamp="2020-01-01T00:00:00Z"))["orders"]
        rows = [row for row in found if (row["side"], row["type"]) == (side, order_type)]
        return sorted(rows, key=lambda row: row["id"])

    async def resting(self, order_type: int | None = None) -> list[Any]:
        rows = (await self.exchange("Order/searchOpen"))["orders"]
        return [row for row in rows if order_type in (None, row["type"])]

    async def nets(self) -> list[int]:
        """The position after each fill, by the exchange's own trades."""
        found = (await self.exchange("Trade/search", startTimestamp="2020-01-01T00:00:00Z"))["trades"]
        signed = [row["size"] if row["side"] == BUY else -row["size"] for row in sorted(found, key=lambda r: r["id"])]
        return list(itertools.accumulate(signed))

    async def over(self) -> None:
        """Until both books are flat and nothing is at the exchange any more."""

        async def is_over() -> bool:
            if await self.position() is not None or await self.resting():
                return False
            return not (await self.exchange("Position/searchOpen"))["positions"]

        await until(is_over)

    async def quoted(self, bid: int, *traded: int, bid_size: int = 100, ask_size: int = 100) -> None:
        """The market goes there; it has ``traded`` at those prices on its way. A size of 0: nobody is there."""
        last = traded[-1] if traded else bid
        await self._market.tell(Quote(bid, bid + 1, last, bid_size, ask_size, tuple((price, 1) for price in traded)))

    async def seen(self, bid: int) -> None:
        """Until the desk has heard of that bid."""

        async def is_seen() -> bool:
            return bool((await self.get("/api/prices"))["MES"]["bid"] == float(bid * TICK))

        await until(is_seen)

    # What goes wrong.

    async def crossed(self, bid: int, ask: int) -> None:
        """The market hub says what cannot be."""
        said = {"symbol": "F.US.MES", "bestBid": price(bid), "bestAsk": price(ask)}
        await self.line.say(MARKET_HUB, "GatewayQuote", MES, said)

    def fault(self, kind: type[F], path: str, of: Callable[[Any], bool] = any_order, times: int | None = None) -> F:
        fault = kind(path, of, times)
        self.line.put(fault)
        return fault

    async def journaled(self, kind: type[e.Event]) -> list[Any]:
        """The events of one kind, the oldest first."""
        events = [decode(row.kind, row.version, row.body) async for row in self._journal.read()]
        return [event for event in events if isinstance(event, kind)]

    @property
    def account(self) -> int:
        return self.at.account_ids[0]


async def until(what: Callable[[], Any | Awaitable[Any]], within_s: float = 10) -> Any:
    """The first truthy result of ``what``; fails with its last one."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while True:
        found = what()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert loop.time() < end, f"not within {within_s} s; last seen: {found!r}"
        await asyncio.sleep(LOOK_S)


def price(ticks: int) -> Decimal:
    return ticks * TICK


@contextlib.asynccontextmanager
async def running(
    limits: Limits,
    *,
    native: bool,
    platform: BracketMode,
    modes: Modes | None = None,
    variants: tuple[Variant, ...] = (),
) -> AsyncIterator[Desk]:
    """A ready desk. ``native``: it attaches brackets to its orders; ``platform`` is what the account really takes."""
    seed, line, journal = next(_seeds), Line(), MemoryJournal()
    venue = ExchangeSettings(
        seed=seed,
        symbols=("MES",),
        account_count=1,
        bracket_mode=platform,
        variants=variants,
        latency_ms=0,
        quote_interval_ms=10,
        requests_max=10_000,  # of the trader in another window, whom these tests ask often
    )
    settings = Settings(
        web_port=0,
        connection_manager_port=0,
        aggregator_port=0,
        gateway_port=0,
        exchange=venue,
        limits=limits,
        bracket_mode=Setting.AUTO_OCO if native else Setting.UNKNOWN,
        modes=modes or Modes(),
    )
    ports = Ports(
        bus=MemoryBus(),
        network=line,
        clock=RunningClock(),
        rng=random.Random(seed),
        approval_key=b"k" * 32,
        step=lambda _step, _name: None,
        stop=lambda: None,
    )
    books = Books(journal, NoEmergency(), "aaaaaaaa")
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(line.close)
        at = await opened.enter_async_context(
            app.demo_desk(settings, ports, books, MemoryJournal(), MemoryStore(BARS_KEPT_MIN))
        )
        assert at.web is not None
        events = await asyncio.to_thread(Events, at.web)
        opened.push_async_callback(asyncio.to_thread, events.close)
        desk = Desk(line, journal, Told.made[seed], at, events)
        await desk.log_in()
        await desk.seen(BID)
        yield desk
