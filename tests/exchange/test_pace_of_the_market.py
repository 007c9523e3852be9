"""The market and its clock: steps come when they are due, all of them, and a day of them is a day."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import pytest

from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MINUTE_NS, MemoryStore
from ordergate.net.memory import MemoryNetwork
from tests.exchange.support import BARS_KEPT_MIN, MES, RunningClock
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
def test_a_day_of_accelerated_time_has_every_step_and_every_minute_and_no_drift() -> None:
    async def day(seed: int) -> float:
        """How far the market went, in moves that are usual for a day."""
        clock, network = VirtualClock(asyncio.get_running_loop()), MemoryNetwork()
        store = MemoryStore(BARS_KEPT_MIN)
        exchange = Exchange(ExchangeSettings(seed=seed, symbols=("MES",)), store, clock)
        first = exchange._venue.book.markets[MES]  # noqa: SLF001
        await exchange.start(network, "127.0.0.1", 0)
        await asyncio.sleep(86_400.1)
        paused_s = 60
        assert 4 * (86_400 - paused_s) <= steps(exchange) <= 4 * 86_400
        bars = store.bars(MES, START_NS, START_NS + 86_400 * 1_000_000_000)
        assert [bar.start_ns for bar in bars] == [START_NS + minute * MINUTE_NS for minute in range(len(bars))]
        assert len(bars) == 1_440
        last = exchange._venue.book.markets[MES]  # noqa: SLF001
        await exchange.close()
        await network.close()
        return (last.fair - first.fair) / (first.fair * 0.01)

    moves = [run(day(seed)) for seed in range(1, 7)]
    assert all(abs(move) < 5 for move in moves)
    # Rounded down at each step it would be -0.5 and more on average. Six days are told from that by a wide margin.
    assert abs(statistics.fmean(moves)) < 3 * statistics.stdev(moves) / len(moves) ** 0.5 + 0.2
