"""The market and its clock: steps come when they are due, all of them, and a day of them is a day."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ordergate import app
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MINUTE_NS, MemoryStore
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Network
from ordergate.settings import Settings
from tests.exchange.support import BARS_KEPT_MIN, MES, SECOND_NS, Client, RunningClock
from tests.simulation.virtual_time import START_NS, VirtualClock, run

Start = Callable[..., Awaitable[Exchange]]


def steps(exchange: Exchange) -> int:
    return exchange._venue.book.markets[MES].number  # noqa: SLF001 - nobody is told a step's number


async def test_a_hiccup_is_made_up_for_and_no_step_is_lost(start: Start) -> None:
    exchange = await start(RunningClock(), quote_interval_ms=20, symbols=("MES",))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(5):
        await asyncio.sleep(0.05)
        time.sleep(0.15)  # noqa: ASYNC251 - the machine is busy with something else
    await asyncio.sleep(0.1)
    due = int((loop.time() - began_s) / 0.02)
    assert due - 6 <= steps(exchange) <= due + 1


async def test_a_machine_that_slept_does_not_play_what_it_missed(start: Start) -> None:
    exchange = await start(RunningClock(), quote_interval_ms=20, symbols=("MES",))
    await asyncio.sleep(0.1)
    before = steps(exchange)
    time.sleep(2.5)  # noqa: ASYNC251 - a laptop that was closed
    await asyncio.sleep(0.1)
    assert steps(exchange) - before < 20


@pytest.mark.slow
def test_a_day_of_accelerated_time_has_every_step_and_every_minute_and_ends_near_where_it_began() -> None:
    async def day() -> None:
        clock, network = VirtualClock(asyncio.get_running_loop()), MemoryNetwork()
        store = MemoryStore(BARS_KEPT_MIN)
        exchange = Exchange(ExchangeSettings(symbols=("MES",)), store, clock)
        first = exchange._venue.book.markets[MES]  # noqa: SLF001
        await exchange.start(network, "127.0.0.1", 0)
        await asyncio.sleep(86_401)
        paused_s = 60
        assert 4 * (86_400 - paused_s) <= steps(exchange) <= 4 * 86_401
        bars = store.bars(MES, START_NS, START_NS + 86_400 * 1_000_000_000)
        assert [bar.start_ns for bar in bars] == [START_NS + minute * MINUTE_NS for minute in range(1_440)]
        last = exchange._venue.book.markets[MES]  # noqa: SLF001
        usual = first.fair * 0.01
        assert abs(last.fair - first.fair) < 4 * usual
        assert max(bar.high for bar in bars) - min(bar.low for bar in bars) > usual / 1_000 / 2
        await exchange.close()
        await network.close()

    run(day())


async def minutes_before(network: Network, market_from: str) -> list[Any]:
    """The last bars that an exchange knows whose time begins at ``market_from``, in seconds and without zone."""
    began_ns = int(datetime.datetime.fromisoformat(f"{market_from}Z").timestamp()) * SECOND_NS
    opened: asyncio.Future[app.Ready] = asyncio.get_running_loop().create_future()
    settings = Settings(gateway_port=0, market_from_ns=began_ns)
    running = asyncio.create_task(app.exchange(settings, opened.set_result))
    try:
        at = await asyncio.wait_for(opened, 10)
        client = Client(network, str(at.gateway))
        client.token = (await client.ok("Auth/loginKey", userName=at.user_name, apiKey=at.api_key))["token"]
        span = {"startTime": "2026-11-23T12:00:00Z", "endTime": f"{market_from}Z", "limit": 100}
        asked = {"contractId": MES, "live": False, "unit": 2, "unitNumber": 1, "includePartialBar": False}
        return list((await client.ok("History/retrieveBars", **asked, **span))["bars"])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_market_whose_time_begins_at_an_instant_has_the_same_past_each_time(network: Network) -> None:
    first = await minutes_before(network, "2026-11-23T14:30:00")
    assert len(first) == 100
    assert await minutes_before(network, "2026-11-23T14:30:00") == first
    assert await minutes_before(network, "2026-11-23T14:29:00") != first
