"""The SignalR hubs: section 8 of the API notes, over real sockets, and over none where time must pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.errors import UpgradeRefused
from ordergate.exchange import listing, wire
from ordergate.exchange.market import Walk
from ordergate.exchange.server import Exchange
from ordergate.exchange.turn import Tick
from ordergate.net import signalr
from ordergate.net.port import Network
from tests.exchange.support import (
    ACCOUNT,
    MES,
    MONDAY_NS,
    OTHER_ACCOUNT,
    Client,
    HubClient,
    in_virtual_time,
)

Start = Callable[..., Awaitable[Exchange]]
USER_EVENTS = ("Accounts", "Orders", "Positions", "Trades")


async def user_hub(client: Client, account_id: int = ACCOUNT) -> HubClient:
    """A client of the user hub, subscribed to everything of one account."""
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    for name in USER_EVENTS:
        assert await hub.invoke(f"Subscribe{name}", *([] if name == "Accounts" else [account_id])) is None
    return hub


async def market_hub(client: Client) -> HubClient:
    return await HubClient.connect(client.network, f"{client.url}/hubs/market?access_token={client.token}")


@pytest.mark.parametrize("hub", ["user", "market"])
@pytest.mark.parametrize("way", ["query", "header", "both"])
@pytest.mark.parametrize("version", [None, "0", "1"])
async def test_every_way_of_connecting_that_real_clients_use_works(
    client: Client, hub: str, way: str, version: str | None
) -> None:
    token = f"access_token={client.token}" if way != "header" else ""
    headers = {"authorization": f"Bearer {client.token}"} if way != "query" else {}
    url = f"{client.url}/hubs/{hub}"
    asked = "&".join(filter(None, [token, f"negotiateVersion={version}" if version else ""]))
    response = await client.network.request("POST", f"{url}/negotiate?{asked}", headers=headers, timeout_s=5)
    negotiated = json.loads(response.body)
    assert response.status == 200
    assert negotiated["negotiateVersion"] == int(version or 0)
    assert negotiated["connectionId"]
    assert negotiated["availableTransports"] == [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
    connection_id = negotiated["connectionToken"] if version == "1" else negotiated["connectionId"]
    for extra in ("", f"id={connection_id}"):
        query = "&".join(filter(None, [token, extra]))
        connected = await HubClient.connect(client.network, f"{url}?{query}", headers=headers)
        await connected.socket.close()


async def test_an_id_that_was_never_negotiated_is_answered_404(client: Client) -> None:
    with pytest.raises(UpgradeRefused) as refused:
        await client.network.connect(f"{client.url}/hubs/user?access_token={client.token}&id=unknown", timeout_s=5)
    assert refused.value.status == 404


@pytest.mark.parametrize("token", ["", "access_token=wrong"])
async def test_without_a_valid_token_a_hub_answers_401_and_says_why(client: Client, token: str) -> None:
    url = f"{client.url}/hubs/user"
    response = await client.network.request("POST", f"{url}/negotiate?{token}", timeout_s=5)
    assert response.status == 401
    assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    with pytest.raises(UpgradeRefused) as refused:
        await client.network.connect(f"{url}?{token}", timeout_s=5)
    assert refused.value.status == 401


async def test_one_fill_is_told_as_order_trade_position_and_account_wrapped_and_without_nulls(client: Client) -> None:
    hub = await user_hub(client)
    await client.place(size=2, customTag="t")
    told = [await hub.event() for _ in range(5)]
    assert [target for target, _ in told] == [
        "GatewayUserOrder",
        "GatewayUserOrder",
        "GatewayUserTrade",
        "GatewayUserPosition",
        "GatewayUserAccount",
    ]
    bodies = [arguments[0] for _, arguments in told]
    assert all(len(arguments) == 1 and set(arguments[0]) == {"action", "data"} for _, arguments in told)
    assert [body["action"] for body in bodies] == [1, 1, 0, 1, 1]
    pending, filled, trade, position, account = (body["data"] for body in bodies)
    assert set(pending) == {
        "id",
        "accountId",
        "contractId",
        "symbolId",
        "creationTimestamp",
        "updateTimestamp",
        "status",
        "type",
        "side",
        "size",
        "fillVolume",
        "customTag",
    }
    assert [pending["status"], filled["status"]] == [6, 2]
    assert filled["filledPrice"] == trade["price"] == position["averagePrice"]
    assert "profitAndLoss" not in trade
    assert trade["orderId"] == filled["id"]
    assert position["contractDisplayName"] == "MESZ26"
    assert account["balance"] == Decimal("49999.28")


async def test_a_flat_position_is_told_with_action_2_and_keeps_its_average_price(client: Client) -> None:
    await client.place()
    hub = await user_hub(client)
    await client.ok("Position/closeContract", accountId=ACCOUNT, contractId=MES)
    events = [await hub.event() for _ in range(5)]
    [position] = [arguments[0] for target, arguments in events if target == "GatewayUserPosition"]
    assert position["action"] == 2
    assert (position["data"]["type"], position["data"]["size"]) == (0, 0)
    assert position["data"]["averagePrice"] > 0
    [trade] = [arguments[0]["data"] for target, arguments in events if target == "GatewayUserTrade"]
    assert trade["profitAndLoss"] < 0


async def test_a_rejected_order_is_told_as_it_was_seen_live(client: Client) -> None:
    hub = await user_hub(client)
    await client.place(size=0, customTag="t1")
    target, [body] = await hub.event()
    assert (target, body["action"], body["data"]["status"]) == ("GatewayUserOrder", 1, 5)
    assert "errorMessage" not in body["data"]
    assert "limitPrice" not in body["data"]


async def test_only_what_was_subscribed_to_is_told_and_nothing_after_unsubscribing(client: Client) -> None:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    await hub.invoke("SubscribeTrades", OTHER_ACCOUNT)
    await hub.invoke("SubscribePositions", ACCOUNT)
    await client.place()
    assert (await hub.event())[0] == "GatewayUserPosition"
    await hub.invoke("UnsubscribePositions", ACCOUNT)
    await client.place()
    await client.place(accountId=OTHER_ACCOUNT)
    target, [body] = await hub.event()
    assert (target, body["data"]["accountId"]) == ("GatewayUserTrade", OTHER_ACCOUNT)


async def test_method_names_have_no_case_and_a_call_without_an_id_gets_no_completion(client: Client) -> None:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    await hub.socket.send('{"type":1,"target":"SUBSCRIBEorders","arguments":[1001]}\x1e')
    assert await hub.invoke("subscribeaccounts") is None
    await client.place()
    assert (await hub.event())[0] == "GatewayUserOrder"


@pytest.mark.parametrize(
    ("target", "arguments", "error"),
    [
        ("Unheard", [], "Unknown hub method 'Unheard'"),
        ("SubscribeContractQuotes", [MES], "Unknown hub method 'SubscribeContractQuotes'"),
        ("Orders", [1001], "Unknown hub method 'Orders'"),
        ("SubscribeOrders", [], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("SubscribeOrders", ["1001"], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("SubscribeOrders", [True], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("SubscribeOrders", [1001, 2], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("SubscribeAccounts", [1001], "Failed to invoke 'SubscribeAccounts' due to an error on the server."),
        ("SubscribeOrders", [[]], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
    ],
)
async def test_a_call_that_cannot_be_carried_out_is_answered_with_an_error_and_the_connection_lives(
    client: Client, target: str, arguments: list[Any], error: str
) -> None:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    assert await hub.invoke(target, *arguments) == error
    assert await hub.invoke("SubscribeAccounts") is None


async def test_a_stream_call_is_answered_with_an_error(client: Client) -> None:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    await hub.socket.send('{"type":4,"invocationId":"7","target":"SubscribeAccounts","arguments":[]}\x1e')
    answer = await hub.next()
    assert isinstance(answer, signalr.Completion)
    assert answer.invocation_id == "7"
    assert answer.error


async def test_what_is_not_signalr_ends_the_connection_and_another_protocol_is_refused_in_words(
    client: Client,
) -> None:
    url = f"{client.url}/hubs/user?access_token={client.token}"
    socket = await client.network.connect(url, timeout_s=5)
    await socket.send("hello\x1e")
    assert await socket.receive() is None
    socket = await client.network.connect(url, timeout_s=5)
    await socket.send('{"protocol":"messagepack","version":1}\x1e')
    refusal = await socket.receive()
    assert refusal is not None
    assert "messagepack" in json.loads(refusal.rstrip("\x1e"))["error"]
    assert await socket.receive() is None


async def test_the_first_quote_is_whole_and_the_next_have_only_what_changed(network: Network, start: Start) -> None:
    exchange = await start(quote_interval_ms=10)
    client = await Client(network, exchange.url).login(exchange)
    hub = await market_hub(client)
    await hub.socket.send(hub.protocol.send(signalr.invocation("SubscribeContractQuotes", MES)))
    target, [contract_id, first] = await hub.event()
    assert (target, contract_id) == ("GatewayQuote", MES)
    assert set(first) == {
        "symbol",
        "symbolName",
        "lastPrice",
        "bestBid",
        "bestAsk",
        "change",
        "changePercent",
        "open",
        "high",
        "low",
        "volume",
        "lastUpdated",
        "timestamp",
        "contract",
    }
    assert (first["symbol"], first["contract"]) == ("F.US.MES", MES)
    merged = first
    for _ in range(20):
        _, [_, quote] = await hub.event()
        assert {"symbol", "contract", "timestamp", "lastUpdated"} < set(quote)
        assert "symbolName" not in quote
        merged = merged | quote
        assert merged["bestBid"] < merged["bestAsk"]
    assert merged["volume"] > first["volume"]


async def test_trades_come_as_arrays_with_the_contract_first(network: Network, start: Start) -> None:
    exchange = await start(quote_interval_ms=10)
    client = await Client(network, exchange.url).login(exchange)
    hub = await market_hub(client)
    await hub.invoke("SubscribeContractTrades", MES)
    target, [contract_id, trades] = await hub.event()
    assert (target, contract_id) == ("GatewayTrade", MES)
    assert set(trades[0]) == {"symbolId", "price", "timestamp", "type", "volume", "contractId"}


Depth = dict[tuple[int, Decimal], int]
RESET, ASK, BID, BESTS = 6, 1, 2, {3, 4, 9, 10}


def rebuilt(depth: Depth, levels: list[dict[str, Any]]) -> None:
    """What a client makes of one GatewayDepth."""
    for level in levels:
        assert set(level) == {"contractId", "timestamp", "type", "price", "volume", "currentVolume"}
        if level["type"] == RESET:
            depth.clear()
        elif level["type"] in BESTS:
            side = BID if level["type"] in (4, 9) else ASK
            assert depth[side, level["price"]] == level["volume"]
        elif level["volume"]:
            depth[level["type"], level["price"]] = level["volume"]
        else:
            del depth[level["type"], level["price"]]


async def test_depth_is_told_whole_and_then_by_what_changed_which_keeps_the_book_whole(
    network: Network, start: Start
) -> None:
    exchange = await start(quote_interval_ms=10)
    client = await Client(network, exchange.url).login(exchange)
    early, late = await market_hub(client), await market_hub(client)
    kept, fresh = Depth(), Depth()
    subscription = signalr.encode(signalr.invocation("SubscribeContractMarketDepth", MES))
    await early.socket.send(subscription)
    for _ in range(20):
        _, [_, levels] = await early.event()
        rebuilt(kept, levels)
        assert sum(side == BID for side, _ in kept) == sum(side == ASK for side, _ in kept) == 10
        assert max(price for side, price in kept if side == BID) < min(price for side, price in kept if side == ASK)
    await late.socket.send(subscription)
    _, [_, whole] = await late.event()
    rebuilt(fresh, whole)
    assert [level["type"] for level in whole] == [RESET, *[BID] * 10, *[ASK] * 10, 4, 3]
    while kept != fresh:
        _, [_, levels] = await early.event()
        rebuilt(kept, levels)


async def test_a_contract_that_is_not_traded_can_be_subscribed_to_and_is_silent(client: Client) -> None:
    hub = await market_hub(client)
    assert await hub.invoke("SubscribeContractQuotes", "CON.F.US.MES.H30") is None
    assert await hub.invoke("SubscribeContractQuotes", "nonsense") is None


async def test_a_connection_cannot_subscribe_without_end(client: Client) -> None:
    hub = await market_hub(client)
    for number in range(1_000):
        await hub.socket.send(hub.protocol.send(signalr.invocation("SubscribeContractQuotes", str(number))))
    assert await hub.invoke("SubscribeContractQuotes", "one more") is not None
    assert await hub.invoke("UnsubscribeContractQuotes", "0") is None
    assert await hub.invoke("SubscribeContractQuotes", "one more") is None


async def test_a_connection_that_has_gone_is_forgotten(network: Network, start: Start) -> None:
    exchange = await start()
    client = await Client(network, exchange.url).login(exchange)
    hub = await user_hub(client)
    assert exchange._hubs._subscribers  # noqa: SLF001 - what is forgotten can be seen nowhere else
    await hub.socket.close()
    async with asyncio.timeout(5):
        while exchange._hubs._subscribers:  # noqa: SLF001
            await asyncio.sleep(0.01)


async def test_closing_ends_connections_and_leaves_no_task(network: Network, start: Start) -> None:
    before = asyncio.all_tasks()
    exchange = await start()
    client = await Client(network, exchange.url).login(exchange)
    hub = await user_hub(client)
    waiting = asyncio.create_task(exchange.wait())
    await exchange.close()
    await waiting
    assert await hub.next() is None
    left = [task for task in asyncio.all_tasks() - before if "ordergate/exchange" in str(task.get_coro())]
    assert left == []


# Where seconds must pass, they pass on a virtual clock.


def test_an_order_is_acted_on_after_the_latency_and_a_question_at_once() -> None:
    async def body(_exchange: Exchange, client: Client) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await client.ok("Order/searchOpen", accountId=ACCOUNT)
        assert loop.time() == began
        placing = asyncio.create_task(client.place(type=1, limitPrice=7_000))
        await asyncio.sleep(0.299)
        assert (await client.ok("Order/searchOpen", accountId=ACCOUNT))["orders"] == []
        order_id = (await placing)["orderId"]
        assert loop.time() - began == pytest.approx(0.3)
        await client.ok("Order/cancel", accountId=ACCOUNT, orderId=order_id)
        assert loop.time() - began == pytest.approx(0.6)

    in_virtual_time(body, {"latency_ms": 300})


def test_a_silent_client_is_pinged_every_15_seconds_and_dropped_after_30() -> None:
    async def body(_exchange: Exchange, client: Client) -> None:
        loop = asyncio.get_running_loop()
        hub = await market_hub(client)
        began = loop.time()
        assert await hub.next() == signalr.Ping()
        assert loop.time() - began == pytest.approx(15)
        assert await hub.next() in (signalr.Ping(), None)
        assert loop.time() - began == pytest.approx(30)
        assert await hub.next() is None

    in_virtual_time(body)


def test_a_client_that_pings_is_kept() -> None:
    async def body(_exchange: Exchange, client: Client) -> None:
        hub = await market_hub(client)
        for _ in range(10):
            await asyncio.sleep(29)
            await hub.socket.send(signalr.encode(signalr.Ping()))
        assert await hub.invoke("SubscribeContractQuotes", "x") is None

    in_virtual_time(body)


def test_a_client_that_does_not_shake_hands_is_dropped_after_15_seconds() -> None:
    async def body(_exchange: Exchange, client: Client) -> None:
        began = asyncio.get_running_loop().time()
        url = f"{client.url}/hubs/user?access_token={client.token}"
        socket = await client.network.connect(url, timeout_s=5)
        while await socket.receive() is not None:
            pass
        assert asyncio.get_running_loop().time() - began == pytest.approx(15)

    in_virtual_time(body)


def test_a_client_that_does_not_keep_up_is_dropped_and_the_others_go_on() -> None:
    async def body(exchange: Exchange, client: Client) -> None:
        slow, quick = await market_hub(client), await market_hub(client)
        for hub in (slow, quick):
            await hub.invoke("SubscribeContractMarketDepth", MES)
        for _ in range(2_000):
            exchange._venue.step()  # noqa: SLF001 - a market faster than anybody waits for
            async with asyncio.timeout(1):
                await quick.event()
        began, received = asyncio.get_running_loop().time(), 0
        while await slow.next() is not None:
            received += 1
        assert 100 < received < 2_000
        assert asyncio.get_running_loop().time() == began, "dropped for its outbox, not for its silence"

    in_virtual_time(body, {"outbox_messages_max": 100, "symbols": ("MES",)})


def test_the_market_moves_four_times_a_second_and_the_same_way_every_time() -> None:
    seen: list[list[Any]] = []

    async def body(_exchange: Exchange, client: Client) -> None:
        hub = await market_hub(client)
        began = asyncio.get_running_loop().time()
        await hub.invoke("SubscribeContractMarketDepth", MES)
        events = [await hub.event() for _ in range(40)]
        assert asyncio.get_running_loop().time() - began == pytest.approx(10)
        seen.append(events)

    for _ in range(2):
        in_virtual_time(body, {"quote_interval_ms": 250})
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"moved_ns": 1}, None),
        ({"bid_size": 7}, {"bestBid", "bestAsk"}),
        ({"ask": 30_400}, {"bestBid", "bestAsk"}),
        ({"volume": 9}, {"volume"}),
        ({"ask_size": 7, "volume": 9}, {"bestBid", "bestAsk", "volume"}),
    ],
)
def test_a_quote_is_told_when_a_price_or_a_size_changed_with_what_changed(
    changes: dict[str, int], told: set[str] | None
) -> None:
    contract = listing.known_contract(MES)
    before = Walk(1).opening(contract, MONDAY_NS, "2026-11-23")
    after = msgspec.structs.replace(before, **changes)
    always = {"symbol", "lastUpdated", "timestamp", "contract"}
    sent = wire.quote_changes(Tick(before, after, ()), contract)
    assert (None if sent is None else set(sent) - always) == told
