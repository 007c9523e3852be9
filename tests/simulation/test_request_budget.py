"""The broker's request limit under bursts: what protects leaves the reserve for exits alone, on the whole real path."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ordergate.broker.projectx.budget import RequestLimits
from ordergate.core.limits import Limits
from ordergate.exchange.enums import OrderSide
from ordergate.exchange.recording import Recording
from ordergate.exchange.records import QuoteRecord, TradeRecord
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Response
from tests.simulation.desk import SimulatedDesk, simulated
from tests.simulation.virtual_time import NS_PER_S, START_NS, run

ACCOUNTS = 10
ASK = 30_001
TICK = Decimal("0.25")
QUIET_S = 90  # until the requests of the start are forgotten
LIMITS = Limits(allowed_symbols=("MES",), risk_percent_max=Decimal(100), daily_loss_usd_max=Decimal(1_000_000))
SNAPSHOT = 6  # requests
UNRESERVED = RequestLimits().requests_max - RequestLimits().reserve
GATEWAY = re.compile(r"/api/(Order|Position|Trade|Account|Contract|Auth)/")


class CountingNetwork(MemoryNetwork):
    """Remembers when each request went to the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_s: list[float] = []

    async def request(self, method: str, url: str, **more: Any) -> Response:
        if GATEWAY.search(url):
            self.sent_s.append(asyncio.get_running_loop().time())
        return await super().request(method, url, **more)

    def most_in_a_window(self) -> int:
        """The most requests in any 60 s since the start was forgotten."""
        sent_s = [at_s for at_s in self.sent_s if at_s > RequestLimits().window_s]
        return max(sum(1 for at_s in sent_s if 0 <= last_s - at_s < RequestLimits().window_s) for last_s in sent_s)


def market(seconds: int, step_ms: int, quote: Callable[[int], tuple[int, int]]) -> Recording:
    """Quiet, then ``quote`` (ask and its size, by the number of the step) every ``step_ms``."""
    recording = Recording("made here", "ES")
    for second in range(QUIET_S):
        # The bid moves, or nobody would be told that the quote is fresh.
        recording.append(QuoteRecord(START_NS + second * NS_PER_S, ASK - 1 - second % 2, 99, ASK, 99))
    for step in range(seconds * 1_000 // step_ms):
        ask, size = quote(step)
        at_ns = START_NS + QUIET_S * NS_PER_S + step * step_ms * 1_000_000
        recording.append(QuoteRecord(at_ns, ask - 1 - step % 2, 99, ask, size))
        if not step % 40:  # a quote far from the last trade is not believed
            recording.append(TradeRecord(at_ns, OrderSide.BID, ask, 1))
    return recording


async def enter(desk: SimulatedDesk, **order: object) -> None:
    """The same order for every account."""
    for account in desk.at.account_ids:
        body = {"instrument": "MES", "side": "BUY", "accountId": account} | order
        status, answer = await desk.post("/api/order", body)
        assert status == 200, answer


async def burst() -> tuple[int, list[int]]:
    """Ten orders of 10, each of which fills one by one within a second."""
    network = CountingNetwork()
    played = market(30, 100, lambda _step: (ASK, 1))
    async with simulated(
        1,
        recording=played,
        symbols=("MES",),
        limits=LIMITS,
        network=network,
        account_count=ACCOUNTS,
        quote_interval_ms=100,
    ) as desk:
        await asyncio.sleep(QUIET_S + 0.5 - asyncio.get_running_loop().time())
        bracket = {"stop": {"ticks": 40}, "targets": [{"ticks": 80}]}
        await enter(desk, quantity=10, orderType="LIMIT", limitPrice=float(ASK * TICK), bracket=bracket)
        await asyncio.sleep(20)
        rows = await desk.get("/api/positions")
        assert all(row["protected"] for row in rows)
        return network.most_in_a_window(), [row["netPosition"] for row in rows]


async def running_market() -> tuple[int, list[int]]:
    """Ten stops that trail a market which rises by four ticks a second; how far each is behind it at the end."""
    network = CountingNetwork()
    played = market(120, 250, lambda step: (ASK + step, 99))
    async with simulated(
        1,
        recording=played,
        symbols=("MES",),
        limits=LIMITS,
        network=network,
        account_count=ACCOUNTS,
        quote_interval_ms=250,
    ) as desk:
        await asyncio.sleep(QUIET_S - 5 - asyncio.get_running_loop().time())
        await enter(desk, quantity=1, bracket={"targets": [], "trail": {"distance": 20}})
        await asyncio.sleep(120)
        bid = Decimal(str((await desk.get("/api/prices"))["MES"]["bid"]))
        stops = [Decimal(str(row["stopLoss"]["price"])) for row in await desk.get("/api/positions")]
        return network.most_in_a_window(), [int((bid - stop) / TICK) for stop in stops]


def test_orders_that_fill_one_by_one_leave_the_reserve_for_exits_alone() -> None:
    most, held = run(burst())
    assert held == [10] * ACCOUNTS
    assert most <= UNRESERVED


def test_ten_stops_that_trail_a_running_market_leave_the_reserve_for_exits_alone() -> None:
    most, behind = run(running_market())
    assert len(behind) == ACCOUNTS
    assert all(20 <= ticks <= 20 + 4 * ACCOUNTS + 4 for ticks in behind), "they do follow"
    assert most <= UNRESERVED


async def hubs_lost_again_and_again() -> None:
    """Of twenty accounts with a position and an order each the hubs are lost, again and again; seven are flattened."""
    network = CountingNetwork()
    async with simulated(3, symbols=("MES",), limits=LIMITS, network=network, account_count=20) as desk:
        await asyncio.sleep(QUIET_S)
        await enter(desk, quantity=1)
        below = (await desk.get("/api/prices"))["MES"]["bid"] - 100
        await enter(desk, quantity=1, orderType="LIMIT", limitPrice=below)
        await asyncio.sleep(QUIET_S)
        headers, body = {"content-type": "application/json"}, b'{"act": "drop"}'
        for _ in range(6):
            await network.request("POST", f"{desk.at.gateway}/sim/act", headers=headers, body=body, timeout_s=10)
            await asyncio.sleep(5)
        await asyncio.sleep(10)  # until they are back
        now_s = asyncio.get_running_loop().time()
        sent = sum(now_s - at_s < 45 for at_s in network.sent_s)
        assert sent > UNRESERVED - SNAPSHOT, "all that is not kept for exits, but too little for one more snapshot"
        first = desk.at.account_ids[:7]
        flattens = [asyncio.create_task(desk.post("/api/flatten", {"accountId": account})) for account in first]
        await asyncio.sleep(2)
        for account in first:
            assert not (await desk.venue("Position/searchOpen", accountId=account))["positions"]
            assert not (await desk.venue("Order/searchOpen", accountId=account))["orders"]
        await asyncio.gather(*flattens)
        await asyncio.sleep(QUIET_S)
        await enter(desk, quantity=1)
        assert not [alarm for alarm in await desk.get("/api/alarms") if "REST" in alarm["message"]]


def test_a_flatten_leaves_within_two_seconds_though_every_account_is_to_be_read_anew() -> None:
    run(hubs_lost_again_and_again())
