"""Faults on demand, over real sockets: ``exchange.faults``, ``exchange.outage``, ``exchange.admin``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import OutcomeUnknown, UpgradeRefused
from ordergate.exchange.faults import EVENTS, STANDING_MAX, Fault, Faults, Kind
from ordergate.exchange.server import Exchange
from ordergate.net import signalr
from ordergate.net.port import Response
from tests.exchange.support import ACCOUNT, MES, Client, HubClient

EVER = {"startTimestamp": "2020-01-01T00:00:00Z"}
Start = Callable[..., Awaitable[Exchange]]


async def sim(client: Client, method: str, path: str, body: object = None, **headers: str) -> Response:
    """A call under ``/sim/``."""
    sent = {"content-type": "application/json"} | headers
    data = b"" if body is None else json.dumps(body).encode()
    return await client.network.request(method, f"{client.url}/sim/{path}", headers=sent, body=data, timeout_s=5)


async def strikes(client: Client, **fault: Any) -> None:
    assert (await sim(client, "POST", "faults", fault)).status == 200


async def act(client: Client, what: str) -> int:
    answer: dict[str, Any] = json.loads((await sim(client, "POST", "act", {"act": what})).body)
    return int(answer["done"])


async def hub_of_all(client: Client) -> HubClient:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    for name in ("Accounts", "Orders", "Positions", "Trades"):
        assert await hub.invoke(f"Subscribe{name}", *([] if name == "Accounts" else [ACCOUNT])) is None
    return hub


async def told(hub: HubClient, count: int) -> list[str]:
    return [(await hub.event())[0].removeprefix("GatewayUser") for _ in range(count)]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize(("when", "placed"), [("before", 0), ("after", 1)])
async def test_a_request_is_answered_with_a_status_before_or_after_it_was_acted_on(
    client: Client, status: int, when: str, placed: int
) -> None:
    await strikes(client, kind="status", on="/API/order/PLACE", when=when, status=status)
    order = {"accountId": ACCOUNT, "contractId": MES, "type": 2, "side": 0, "size": 1}
    response = await client.post("Order/place", order)
    assert (response.status, response.body) == (status, b"")
    assert len((await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]) == placed
    assert (await client.place())["success"] is True
    assert json.loads((await sim(client, "GET", "faults")).body) == []


@pytest.mark.parametrize(("when", "placed"), [("before", 0), ("after", 1)])
async def test_a_request_hangs_before_or_after_it_was_acted_on(client: Client, when: str, placed: int) -> None:
    await strikes(client, kind="hang", on="/api/Order/place", when=when, seconds=30)
    order = {"accountId": ACCOUNT, "contractId": MES, "type": 2, "side": 0, "size": 1}
    sent = {"content-type": "application/json", "authorization": f"Bearer {client.token}"}
    with pytest.raises(OutcomeUnknown):
        await client.network.request(
            "POST", f"{client.url}/api/Order/place", headers=sent, body=json.dumps(order).encode(), timeout_s=0.2
        )
    assert len((await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]) == placed


async def test_a_hang_ends_with_504(client: Client) -> None:
    await strikes(client, kind="hang", seconds=0)
    assert (await client.post("Account/search", {"onlyActiveAccounts": True})).status == 504


async def test_a_page_comes_empty_and_all_else_of_the_answer_as_it_is(client: Client) -> None:
    await client.place()
    await strikes(client, kind="empty", on="/api/Trade/search")
    assert await client.ok("Trade/search", accountId=ACCOUNT) == {
        "trades": [],
        "success": True,
        "errorCode": 0,
        "errorMessage": None,
    }
    [trade] = (await client.ok("Trade/search", accountId=ACCOUNT))["trades"]
    assert trade["size"] == 1


async def test_the_newest_bars_are_missing_and_the_others_as_they_are(client: Client) -> None:
    asked = {
        "contractId": MES,
        "live": False,
        "startTime": "2026-11-23T00:00:00Z",
        "endTime": "2026-11-24T00:00:00Z",
        "unit": 2,
        "unitNumber": 1,
        "limit": 200,
        "includePartialBar": True,
    }
    bars = (await client.ok("History/retrieveBars", **asked))["bars"]
    await strikes(client, kind="stale", minutes=90)
    stale = (await client.ok("History/retrieveBars", **asked))["bars"]
    assert bars[0]["t"] == "2026-11-23T14:59:00+00:00"
    assert stale[0]["t"] == "2026-11-23T13:29:00+00:00"
    assert stale == bars[90:]


async def test_what_is_no_bar_is_not_stale(client: Client) -> None:
    await client.place()
    await strikes(client, kind="stale", times=None)
    assert len((await client.ok("Trade/search", accountId=ACCOUNT))["trades"]) == 1


async def test_an_event_is_lost_and_what_was_lost_is_found_by_asking(client: Client) -> None:
    hub = await hub_of_all(client)
    await strikes(client, kind="lose", on="GatewayUserTrade")
    await client.place()
    assert await told(hub, 4) == ["Order", "Order", "Position", "Account"]
    assert len((await client.ok("Trade/search", accountId=ACCOUNT))["trades"]) == 1
    await client.place()
    assert await told(hub, 5) == ["Order", "Order", "Trade", "Position", "Account"]


async def test_an_event_is_told_twice(client: Client) -> None:
    hub = await hub_of_all(client)
    await strikes(client, kind="double", on="gatewayusertrade")
    await client.place()
    assert await told(hub, 6) == ["Order", "Order", "Trade", "Trade", "Position", "Account"]


async def test_an_event_comes_late_after_others(client: Client) -> None:
    hub = await hub_of_all(client)
    await strikes(client, kind="late", on="GatewayUserOrder", ms=100, times=2)
    await client.place()
    assert await told(hub, 5) == ["Trade", "Position", "Account", "Order", "Order"]


async def test_what_a_fill_tells_comes_in_another_order_each_time_and_whole(client: Client) -> None:
    hub = await hub_of_all(client)
    await strikes(client, kind="shuffle", times=None)
    orders = set()
    for _ in range(8):
        await client.place()
        orders.add(tuple((await told(hub, 5))[1:]))
    assert len(orders) > 2
    assert {tuple(sorted(order)) for order in orders} == {("Account", "Order", "Position", "Trade")}
    [standing] = json.loads((await sim(client, "GET", "faults")).body)
    assert (standing["left"], standing["struck"]) == (None, 8)


async def test_a_slow_hub_holds_up_each_frame(client: Client) -> None:
    hub = await hub_of_all(client)
    await strikes(client, kind="slow", on="/hubs/user", ms=300, times=2)
    await client.place()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await hub.event()
    assert await told(hub, 5) == ["Order", "Order", "Trade", "Position", "Account"]


async def test_connections_are_dropped_and_a_client_can_come_back(client: Client) -> None:
    hub = await hub_of_all(client)
    assert await act(client, "drop") == 1
    assert await hub.next() is None
    again = await hub_of_all(client)
    assert await act(client, "drop") == 1
    assert await again.next() is None


async def test_a_dropped_connection_has_no_close_frame(client: Client) -> None:
    """Seen by a client that is not ours: 1006 is what a connection without a close frame ends with."""
    url = f"{client.url}/hubs/user?access_token={client.token}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await socket.send_str('{"protocol":"json","version":1}\x1e')
        await socket.receive(timeout=5)
        assert await act(client, "drop") == 1
        await socket.receive(timeout=5)
        assert socket.close_code == 1006


@pytest.mark.parametrize("reconnect", [False, True])
async def test_a_close_is_told_with_the_text_that_clients_print(client: Client, *, reconnect: bool) -> None:
    hub = await hub_of_all(client)
    assert (await sim(client, "POST", "act", {"act": "close", "reconnect": reconnect})).status == 200
    assert await hub.next() == signalr.Close("Connection closed with an error.", allow_reconnect=reconnect)
    assert await hub.next() is None


@pytest.mark.parametrize("path", ["/hubs/user/negotiate", "/hubs/user"])
async def test_a_hub_can_be_out_of_order_too(client: Client, path: str) -> None:
    await strikes(client, kind="status", on=path, status=429)
    if path.endswith("negotiate"):
        url = f"{client.url}{path}?access_token={client.token}"
        assert (await client.network.request("POST", url, timeout_s=5)).status == 429
    else:
        with pytest.raises(UpgradeRefused) as refused:
            await hub_of_all(client)
        assert refused.value.status == 429
    await hub_of_all(client)


async def test_a_request_is_refused_with_any_code_and_text_and_is_not_acted_on(client: Client) -> None:
    await strikes(client, kind="refuse", on="/api/order/place", code=3, text="Not enough margin.")
    answer = await client.place()
    assert answer == {"orderId": None, "success": False, "errorCode": 3, "errorMessage": "Not enough margin."}
    await strikes(client, kind="refuse", on="/api/auth/validate", code=2, text="")
    answer = await client.ask("Auth/validate")
    assert (answer["success"], answer["errorCode"], answer["errorMessage"]) == (False, 2, None)
    assert (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"] == []


@pytest.mark.parametrize("kind", ["empty", "stale"])
async def test_an_answer_without_a_list_passes_as_it_is(client: Client, kind: str) -> None:
    await strikes(client, kind=kind)
    response = await client.network.request("GET", f"{client.url}/api/Status/ping", timeout_s=5)
    assert (response.status, json.loads(response.body)) == (200, "pong")


async def test_a_half_open_connection_says_nothing_more_and_stays(client: Client) -> None:
    mute = await hub_of_all(client)
    assert await act(client, "mute") == 1
    other = await hub_of_all(client)
    await client.place()
    assert await told(other, 5) == ["Order", "Order", "Trade", "Position", "Account"]
    await mute.socket.send(mute.protocol.invoke("SubscribeAccounts")[1])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await mute.next()
    await mute.socket.close()


async def test_a_half_open_connection_outlives_the_silence_of_its_client(client: Client, start: Start) -> None:
    quick = await start(client_timeout_s=0.1)
    other = await Client(client.network, quick.url).login(quick)
    mute = await hub_of_all(other)
    assert await act(other, "mute") == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await mute.next()


async def test_a_logout_is_told_and_ends_the_connection(client: Client) -> None:
    hub = await hub_of_all(client)
    assert await act(client, "logout") == 1
    assert (await hub.event())[0] == "GatewayLogout"
    assert await hub.next() is None


async def test_expired_tokens_are_refused_and_a_new_login_serves(client: Client, start: Start) -> None:
    assert await act(client, "expire") == 1
    assert (await client.post("Account/search", {"onlyActiveAccounts": True})).status == 401
    other = await start()
    assert (await Client(client.network, other.url).login(other)).token
    renewed = await client.ask("Auth/loginKey", userName=other.user_name, apiKey=other.api_key)
    client.token = renewed["token"]
    await client.ok("Account/search", onlyActiveAccounts=True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "flood"}, "flood"),
        ({"kind": "status", "status": 200}, "status"),
        ({"kind": "late", "ms": 0}, "ms"),
        ({"kind": "lose", "times": 0}, "times"),
        ({"kind": "lose", "chancePercent": 101}, "chancePercent"),
        ({"kind": "lose", "where": "here"}, "where"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_what_is_wrong(
    client: Client, body: dict[str, Any], said: str
) -> None:
    response = await sim(client, "POST", "faults", body)
    assert response.status == 400
    assert said in json.loads(response.body)["error"]


async def test_only_programs_of_this_machine_are_answered(client: Client) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        assert (await sim(client, "POST", "faults", {"kind": "lose"}, **headers)).status == 403
    assert (await sim(client, "POST", "act", {"act": "drop"}, **{"content-type": "text/plain"})).status == 415
    assert (await sim(client, "GET", "nothing")).status == 404
    assert json.loads((await sim(client, "GET", "faults")).body) == []


async def test_faults_are_taken_away_together(client: Client) -> None:
    await strikes(client, kind="status", times=None, on="/api/Order/place")
    await strikes(client, kind="lose", times=3)
    assert json.loads((await sim(client, "DELETE", "faults")).body) == {"taken": 2}
    assert (await client.place())["success"] is True


def test_no_more_faults_stand_than_there_is_room_for() -> None:
    faults = Faults(1)
    for _ in range(STANDING_MAX):
        faults.add(Fault(Kind.LOSE))
    with pytest.raises(ValueError, match="100 faults stand already"):
        faults.add(Fault(Kind.LOSE))


@given(seed=st.integers(0, 9), chance=st.integers(1, 100), times=st.none() | st.integers(1, 5))
def test_the_same_seed_strikes_the_same_and_never_more_often_than_asked(
    seed: int, chance: int, times: int | None
) -> None:
    def struck() -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(Kind.LOSE, chance_percent=chance, times=times))
        return [faults.strike(EVENTS, "GatewayUserTrade") is not None for _ in range(30)]

    first = struck()
    assert first == struck()
    assert times is None or sum(first) <= times
    assert chance < 100 or all(first[:times])


def test_a_chance_of_a_half_strikes_sometimes() -> None:
    faults = Faults(1)
    faults.add(Fault(Kind.LOSE, chance_percent=50, times=None))
    assert 5 < sum(faults.strike(EVENTS, "GatewayUserTrade") is not None for _ in range(30)) < 25
