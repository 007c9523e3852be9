"""Whatever a client sends: no request is answered 500, no frame ends anything but its own connection."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import SocketClosed
from ordergate.exchange.server import Exchange
from tests.exchange.support import Client, HubClient, in_virtual_time
from tests.exchange.test_rest import ENDPOINTS

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
# What is nearly right gets further than what is not: the accounts, contracts and enums that there are, and beside them.
NEARLY = st.one_of(
    st.integers(-2, 8),
    st.sampled_from([1001, 1002, 3_400_000_001, 2**31, 1e300, 0.25, -0.0, "2026-11-23T15:00:00Z", "0001-01-01", ""]),
    st.sampled_from(["CON.F.US.MES.Z26", "CON.F.US.MES.Z99", "CON.F.US.EP.Z26", {"ticks": 4, "type": 4}, [1, 8]]),
)
# A text after "@" goes as the number that it is: JSON can say more than a float can.
FAR = ["@1e9999999999", "@-1E+999999", "@1e-99999"]
PRICE = st.sampled_from([7_400, 0.25, 0.1, 0, -1, 1e300, -1e300, 5e-324, 2**70, *FAR])
PRICES = {"limitPrice": 7_400, "stopPrice": 7_600, "trailPrice": 7_490}
LEGS = {"stopLossBracket": {"ticks": -4, "type": 4}, "takeProfitBracket": {"ticks": 4, "type": 1}, "customTag": None}


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, object]:
    """A path, and a body that is like the right one or like nothing."""
    others = [*(name for name in ENDPOINTS if name != "Auth/logout"), "Auth/loginKey"]
    path = draw(st.sampled_from(["Order/place", "Order/modify"]) | st.sampled_from(others))
    body = ENDPOINTS.get(path, {}) | {"accountId": 1001}
    if path in ("Order/place", "Order/modify"):
        body = body | PRICES | LEGS | {"type": draw(st.integers(1, 7))}
    for name in draw(st.lists(st.sampled_from([*body]), max_size=2, unique=True)):
        body[name] = draw(ANY if draw(st.integers(0, 7)) == 7 else PRICE if name in PRICES else NEARLY)
    return path, draw(ANY) if draw(st.integers(0, 19)) == 19 else body


SETTINGS = {"symbols": ("MES",), "latency_ms": 0, "requests_max": 10_000, "history_requests_max": 10_000}


@given(st.lists(requests(), min_size=10, max_size=30))
def test_whatever_is_asked_is_answered_with_a_status_that_clients_know(asked: list[tuple[str, object]]) -> None:
    async def work(_exchange: Exchange, client: Client) -> None:
        for path, body in asked:
            response = await client.post(path, raw=re.sub(r'"@([^"]*)"', r"\1", json.dumps(body)).encode())
            assert response.status in (200, 400), (path, body, response.body)
            if response.status == 200:
                assert json.loads(response.body)["errorMessage"] != ""
        await client.ok("Account/search", onlyActiveAccounts=True)

    in_virtual_time(work, SETTINGS)


FRAMES = st.one_of(
    st.text(max_size=60),
    ANY.map(lambda value: json.dumps(value) + "\x1e"),
    st.fixed_dictionaries(
        {"type": st.integers(-1, 9), "target": st.text(max_size=9) | st.just("SubscribeOrders"), "arguments": ANY},
        optional={"invocationId": st.none() | st.text(max_size=4)},
    ).map(lambda message: json.dumps(message) + "\x1e"),
)


@given(st.lists(FRAMES, min_size=1, max_size=10), st.booleans())
def test_whatever_a_hub_is_sent_others_are_served(frames: list[str], shaken: bool) -> None:  # noqa: FBT001
    async def work(_exchange: Exchange, client: Client) -> None:
        url = f"{client.url}/hubs/user?access_token={client.token}"
        other = await HubClient.connect(client.network, url)
        socket = await client.network.connect(url, timeout_s=5)
        if shaken:
            await socket.send('{"protocol":"json","version":1}\x1e')
        for frame in frames:
            try:
                await socket.send(frame)
            except SocketClosed:
                break
        await socket.close()
        assert await other.invoke("SubscribeAccounts") is None

    in_virtual_time(work, SETTINGS)


@pytest.mark.slow
def test_memory_is_bounded_whatever_strangers_and_broken_clients_do() -> None:
    async def nonsense(client: Client, number: int) -> None:
        for path in ("Order/place", "Order/nothing", "Auth/loginKey", "History/retrieveBars"):
            await client.post(path, {"userName": f"stranger {number}", "apiKey": "x", "number": number})
        asked = Client(client.network, client.url)
        asked.token = f"{client.token[:-4]}{number:04}"
        await asked.post("Account/search", {"onlyActiveAccounts": True})
        url = f"{client.url}/hubs/user/negotiate?access_token={client.token}"
        answer = json.loads((await client.network.request("POST", url, timeout_s=5)).body)
        at = f"{client.url}/hubs/user?id={answer['connectionId']}&access_token={client.token}"
        hub = await HubClient.connect(client.network, at)
        await hub.invoke("SubscribeOrders", 1001)
        await hub.socket.send("no json\x1e" if number % 2 else '{"type":1,"target":"x"')
        await hub.socket.close()

    async def work(exchange: Exchange, client: Client) -> None:
        def held() -> int:
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        for number in range(1_200):  # what is remembered of strangers is full
            await nonsense(client, number)
        before = held()
        for number in range(1_200, 1_800):
            await nonsense(client, number)
        after = held()
        tracemalloc.stop()
        assert after - before < 600 * 100
        await asyncio.sleep(1)
        assert len(exchange._hubs.connections) == 0  # noqa: SLF001 - what nobody else can see

    in_virtual_time(work, SETTINGS | {"requests_max": 1_000_000})
