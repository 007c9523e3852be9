"""kill -9 of a process that runs the exchange, and what the next process finds: invariant 1 of ``exchange.venue``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ordergate.errors import TransportError
from ordergate.exchange.market import Market
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.sqlite import SqliteStore
from ordergate.net import signalr
from ordergate.net.port import Network
from tests.exchange.conftest import NEVER_MS
from tests.exchange.support import ACCOUNT, BARS_KEPT_MIN, MES, MONDAY_NS, SECOND_NS, Client, HubClient, SetClock

ROOT = Path(__file__).resolve().parents[2]
EVER = {"startTimestamp": "2020-01-01T00:00:00Z"}
BRACKET = {"stopLossBracket": {"ticks": -400, "type": 4}, "takeProfitBracket": {"ticks": 400, "type": 1}}
LATER_NS = MONDAY_NS + 3_600 * SECOND_NS

CHILD = """
import asyncio, sys
from pathlib import Path
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.sqlite import SqliteStore
from ordergate.net.http import HttpNetwork
from tests.exchange.support import RunningClock

async def main():
    settings = ExchangeSettings(latency_ms=0, quote_interval_ms=5, requests_max=1_000_000)
    exchange = Exchange(settings, SqliteStore(Path(sys.argv[1]), settings.bars_kept_min), RunningClock())
    await exchange.start(HttpNetwork(), "127.0.0.1", 0)
    print(exchange.url, exchange.api_key, flush=True)
    await exchange.wait()

asyncio.run(main())
"""


class Child:
    """A process that runs the exchange on a file."""

    def __init__(self, network: Network, path: Path) -> None:
        self._network = network
        self._path = path
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Client:
        """Start it; a client that has logged in."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(self._path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert self._process.stdout is not None
        url, api_key = (await self._process.stdout.readline()).decode().split()
        client = Client(self._network, url)
        client.token = (await client.ok("Auth/loginKey", userName="practice", apiKey=api_key))["token"]
        return client

    async def kill(self) -> None:
        """End it without a warning; harmless if it has ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@pytest.fixture
async def child(network: Network, tmp_path: Path) -> AsyncIterator[Child]:
    child = Child(network, tmp_path / "exchange.db")
    yield child
    await child.kill()


@pytest.fixture
async def found(network: Network, tmp_path: Path) -> AsyncIterator[Any]:
    """Opens the file as the next process does, with a market that stands still, and logs in."""
    running: list[Exchange] = []

    async def opened() -> tuple[Exchange, Client]:
        settings = ExchangeSettings(latency_ms=0, quote_interval_ms=NEVER_MS)
        exchange = Exchange(settings, SqliteStore(tmp_path / "exchange.db", BARS_KEPT_MIN), SetClock(LATER_NS))
        await exchange.start(network, "127.0.0.1", 0)
        running.append(exchange)
        return exchange, await Client(network, exchange.url).login(exchange)

    yield opened
    for exchange in running:
        await exchange.close()


async def picture(client: Client) -> dict[str, Any]:
    """Everything that a client can ask of the first account."""
    return {
        "account": (await client.ok("Account/search", onlyActiveAccounts=False))["accounts"],
        "orders": (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"],
        "open": (await client.ok("Order/searchOpen", accountId=ACCOUNT))["orders"],
        "positions": (await client.ok("Position/searchOpen", accountId=ACCOUNT))["positions"],
        "trades": (await client.ok("Trade/search", accountId=ACCOUNT, **EVER))["trades"],
    }


async def test_after_kill_minus_9_orders_fills_positions_and_tags_are_as_they_were(child: Child, found: Any) -> None:
    client = await child.start()
    await client.place(size=3, customTag="bracket", **BRACKET)
    await client.place(side=1, size=1, customTag="exit")
    await client.place(type=1, limitPrice=7_000, customTag="waiting", **BRACKET)
    await client.place(size=0, customTag="rejected")
    before = await picture(client)
    assert [len(before[name]) for name in ("orders", "open", "positions", "trades")] == [8, 3, 1, 2]
    token = client.token
    await child.kill()
    _, client = await found()
    assert await picture(client) == before
    for tag in ("bracket", "bracket-SL", "exit", "waiting-TP", "rejected"):
        assert "custom tag already in use" in (await client.place(customTag=tag))["errorMessage"]
    client.token = token
    assert (await client.place(customTag="new"))["orderId"] == before["orders"][-1]["id"] + 6


async def test_while_the_process_is_down_the_market_stands_still(child: Child, found: Any, tmp_path: Path) -> None:
    client = await child.start()
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/market?access_token={client.token}")
    await hub.invoke("SubscribeContractQuotes", MES)
    last = [await hub.event() for _ in range(50)][-1]
    await child.kill()
    store = SqliteStore(tmp_path / "exchange.db", BARS_KEPT_MIN)
    stored: tuple[Market, ...] = store.load(1).markets
    store.close()
    exchange, client = await found()
    assert tuple(exchange._venue.book.markets.values()) == stored  # noqa: SLF001 - the market as the file has it
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/market?access_token={client.token}")
    await hub.socket.send(hub.protocol.send(signalr.invocation("SubscribeContractQuotes", MES)))
    _, [_, quote] = await hub.event()
    assert quote["timestamp"] >= last[1][1]["timestamp"]
    market = next(state for state in stored if state.contract_id == MES)
    assert (quote["bestBid"] * 4, quote["volume"]) == (market.bid, market.volume)


async def test_whatever_was_answered_or_told_before_the_kill_is_there_afterwards(child: Child, found: Any) -> None:
    client = await child.start()
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    for name in ("Orders", "Trades"):
        await hub.invoke(f"Subscribe{name}", ACCOUNT)
    answered: list[int] = []
    told: list[tuple[str, int]] = []

    async def trade() -> None:
        number = 0
        while True:
            number += 1
            answer = await client.place(side=number % 2, customTag=f"t{number}", **(BRACKET if number % 5 == 0 else {}))
            answered.append(answer["orderId"])

    async def listen() -> None:
        while True:
            target, [body] = await hub.event()
            told.append((target, body["data"]["id"]))

    tasks = [asyncio.create_task(trade()), asyncio.create_task(listen())]
    async with asyncio.timeout(20):
        while len(answered) < 60:
            await asyncio.sleep(0.01)
    await child.kill()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ended[0], TransportError)
    _, client = await found()
    after = await picture(client)
    orders, trades = ({row["id"] for row in after[name]} for name in ("orders", "trades"))
    assert set(answered) <= orders
    assert {number for target, number in told if target == "GatewayUserOrder"} <= orders
    assert {number for target, number in told if target == "GatewayUserTrade"} <= trades
    account = after["account"][0]
    earned = sum((row["profitAndLoss"] or 0) - row["fees"] for row in after["trades"])
    assert account["balance"] == 50_000 + earned
