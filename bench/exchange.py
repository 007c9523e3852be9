"""The simulated exchange under load: 50 accounts and 100 orders a second, and what a listening client costs it.

The exchange is a process of its own; the load is this one, over sockets. Orders are open loop: each is due at its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.far_side import started
from bench.figures import NS_PER_MS, NS_PER_S, percentiles, progress, tell
from bench.processes import cpu_s, rss_kib
from ordergate.net import signalr
from ordergate.net.http import HttpNetwork

_USERS, _ACCOUNTS_EACH = 25, 2
_RATE, _LOAD_S = 100, 20
# Requests of one login in a minute: 240 at this rate, so the limit of 200 is lifted.
_SETTINGS = {"ORDERGATE_SIMULATED_USERS": str(_USERS), "ORDERGATE_REQUESTS_A_MINUTE": "100000"}
_READY_S_MAX, _LOOK_S = 30.0, 0.01
_LISTENERS, _LISTEN_S = 10, 20
# No less than the published live load of 42 quotes, 20 batches of trades and 62 levels a second.
_CONTRACTS = 11
_STREAMS = ("Quotes", "Trades", "MarketDepth")


async def measure(folder: Path) -> None:
    progress("orders at the simulated exchange")
    async with _exchange(folder) as (at, pid):
        await _orders(at, pid)
    progress("clients that listen to the simulated exchange")
    async with _exchange(folder) as (at, pid):
        await _listeners(at, pid)


@contextlib.asynccontextmanager
async def _exchange(folder: Path) -> AsyncIterator[tuple[dict[str, Any], int]]:
    ready = folder / "ready.json"
    words = [sys.executable, "-m", "ordergate", "exchange", "--gateway-port=0", f"--ready-file={ready}"]
    words.append(f"--state-dir={folder / f'state-{time.monotonic_ns()}'}")
    with started(words, folder / "exchange.log", os.environ | _SETTINGS) as process:
        async with asyncio.timeout(_READY_S_MAX):
            while not ready.exists():
                assert process.poll() is None, (folder / "exchange.log").read_text()
                await asyncio.sleep(_LOOK_S)
        yield json.loads(ready.read_text()), process.pid
    ready.unlink(missing_ok=True)


async def _call(network: HttpNetwork, at: dict[str, Any], path: str, token: str, **body: object) -> dict[str, Any]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    url = f"{at['gateway']}/api/{path}"
    answer = await network.request("POST", url, headers=headers, body=json.dumps(body).encode(), timeout_s=30)
    told: dict[str, Any] = json.loads(answer.body)
    assert told["success"], (path, told)
    return told


async def _orders(at: dict[str, Any], pid: int) -> None:
    """Market orders with a bracket, so that each is three orders and a fill, on every account in turn."""
    network = HttpNetwork()
    accounts: list[tuple[str, int]] = []
    for user in at["users"]:
        login = await _call(network, at, "Auth/loginKey", "", userName=user["userName"], apiKey=user["apiKey"])
        accounts += [(login["token"], account_id) for account_id in user["accountIds"]]
    contract = await _call(network, at, "Contract/search", accounts[0][0], searchText="MES", live=False)
    mes = contract["contracts"][0]["id"]
    legs = {"stopLossBracket": {"ticks": 400, "type": 4}, "takeProfitBracket": {"ticks": -400, "type": 1}}
    taken_ns: list[float] = []

    async def place(number: int, due_ns: int) -> None:
        token, account_id = accounts[number % len(accounts)]
        side = number // len(accounts) % 2
        sign = 1 if side else -1
        bracket = {name: leg | {"ticks": leg["ticks"] * sign} for name, leg in legs.items()}
        order = {"accountId": account_id, "contractId": mes, "type": 2, "side": side, "size": 1}
        await _call(network, at, "Order/place", token, **order, **bracket)
        taken_ns.append(time.perf_counter_ns() - due_ns)

    behind_ms: list[float] = []

    async def watch() -> None:
        while True:
            answer = await network.request("GET", f"{at['gateway']}/sim/state", timeout_s=10)
            behind_ms.append(json.loads(answer.body)["behindMs"])
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    before_s, start_ns = cpu_s(pid), time.perf_counter_ns()
    async with asyncio.TaskGroup() as tasks:
        for number in range(_RATE * _LOAD_S):
            due_ns = start_ns + number * NS_PER_S // _RATE
            await asyncio.sleep(max(0.0, (due_ns - time.perf_counter_ns()) / NS_PER_S))
            tasks.create_task(place(number, due_ns))
    after_s = cpu_s(pid)
    spent = None if before_s is None or after_s is None else round(100 * (after_s - before_s) / _LOAD_S, 1)
    watching.cancel()
    name = f"place at the simulated exchange, {len(accounts)} accounts, {_RATE}/s, each with two legs"
    rss_mib = round(rss_kib(pid) / 1024, 1)
    tell(name, "ms", percentiles(taken_ns, NS_PER_MS), latency_ms_set=20, cpu_percent=spent, rss_mib=rss_mib)
    late = {"count": len(behind_ms), "p50": statistics.median(behind_ms), "max": max(behind_ms)}
    tell("how late the market's steps are meanwhile", "ms", late, goal={"max": 250})
    await network.close()


async def _listeners(at: dict[str, Any], pid: int) -> None:
    """What each client costs that is told the load of the live service."""
    network = HttpNetwork()
    user = at["users"][0]
    token = (await _call(network, at, "Auth/loginKey", "", **{name: user[name] for name in ("userName", "apiKey")}))[
        "token"
    ]
    listed = (await _call(network, at, "Contract/available", token, live=False))["contracts"][:_CONTRACTS]
    alone = await _percent(pid)
    counts = dict.fromkeys(("GatewayQuote", "GatewayTrade", "GatewayDepth"), 0)
    tasks = [
        asyncio.create_task(_listen(network, at, token, [each["id"] for each in listed], counts))
        for _ in range(_LISTENERS)
    ]
    await asyncio.sleep(1)
    counts.update(dict.fromkeys(counts, 0))
    with_them = await _percent(pid)
    told = {name: round(count / _LISTENERS / _LISTEN_S, 1) for name, count in counts.items()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await network.close()
    if alone is None or with_them is None:
        return
    each = {"value": round((with_them - alone) / _LISTENERS, 2), "alone": alone, "clients": _LISTENERS}
    tell("a core per client that is told the live load", "%", each, goal={"value": 5}, a_second=told)


async def _percent(pid: int) -> float | None:
    """How much of a core a process takes."""
    before_s = cpu_s(pid)
    await asyncio.sleep(_LISTEN_S)
    after_s = cpu_s(pid)
    return None if before_s is None or after_s is None else round(100 * (after_s - before_s) / _LISTEN_S, 2)


async def _listen(
    network: HttpNetwork, at: dict[str, Any], token: str, contract_ids: list[str], counts: dict[str, int]
) -> None:
    """Be told everything of some contracts; levels of depth are counted one by one."""
    protocol = signalr.ClientProtocol()
    socket = await network.connect(f"{at['gateway']}/hubs/market?access_token={token}", timeout_s=10)
    await socket.send(protocol.handshake())
    while (text := await socket.receive()) is not None:
        for event in protocol.receive(text):
            if isinstance(event, signalr.HandshakeResponse):
                for contract_id in contract_ids:
                    for stream in _STREAMS:
                        call = signalr.invocation(f"SubscribeContract{stream}", contract_id)
                        await socket.send(protocol.send(call))
            elif isinstance(event, signalr.Invocation):
                is_depth = event.target == "GatewayDepth"
                counts[event.target] += bytes(event.arguments).count(b'"volume"') if is_depth else 1
            elif isinstance(event, signalr.Ping):
                await socket.send(protocol.send(signalr.Ping()))
