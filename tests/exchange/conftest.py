"""A running exchange on real sockets, its market standing still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from ordergate.clock import Clock
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Network
from tests.exchange.support import BARS_KEPT_MIN, Client, SetClock

NEVER_MS = 1_000_000_000

Start = Callable[..., Awaitable[Exchange]]


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = HttpNetwork()
    yield network
    await network.close()


@pytest.fixture
async def start(network: Network) -> AsyncIterator[Start]:
    """Starts an exchange; its clock and any settings may be given."""
    running: list[Exchange] = []

    async def started(clock: Clock | None = None, **settings: Any) -> Exchange:
        chosen = ExchangeSettings(**({"latency_ms": 0, "quote_interval_ms": NEVER_MS} | settings))
        exchange = Exchange(chosen, MemoryStore(BARS_KEPT_MIN), clock or SetClock())
        await exchange.start(network, "127.0.0.1", 0)
        running.append(exchange)
        return exchange

    yield started
    for exchange in running:
        await exchange.close()


@pytest.fixture
async def client(network: Network, start: Start) -> Client:
    """A client that has logged in to an exchange of its own."""
    exchange = await start()
    return await Client(network, exchange.url).login(exchange)
