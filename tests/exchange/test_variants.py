"""What the service may do otherwise, one test for each ``exchange.variants``: with it, and without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ordergate.clock import Clock
from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.models import (
    BracketRequest,
    CloseRequest,
    ModifyRequest,
    OrderRequest,
    PartialCloseRequest,
    PlaceRequest,
)
from ordergate.exchange.placing import INVALID_TYPE, OFF_RANGE, TAG_TOO_LONG
from ordergate.exchange.server import Exchange
from ordergate.exchange.variants import Variant
from ordergate.exchange.wire import account_model
from ordergate.net.port import Network
from tests.exchange.support import ACCOUNT, MES, MONDAY_NS, SECOND_NS, Client, Desk, HubClient, SetClock

BUY, SELL = OrderSide.BID, OrderSide.ASK
Start = Callable[..., Awaitable[Exchange]]
EVER = {"startTimestamp": "2020-01-01T00:00:00Z"}
ASK_ACCOUNTS = {"onlyActiveAccounts": True}

otherwise = pytest.mark.parametrize("is_otherwise", [True, False], ids=["otherwise", "as by the evidence"])


def desk_of(variant: Variant, *, is_otherwise: bool) -> Desk:
    return Desk(variants=(variant,) if is_otherwise else ())


@pytest.fixture
def client_of(network: Network, start: Start) -> Callable[..., Awaitable[Client]]:
    async def logged_in(variant: Variant, *, is_otherwise: bool, clock: Clock | None = None, **settings: Any) -> Client:
        exchange = await start(clock, variants=(variant,) if is_otherwise else (), **settings)
        return await Client(network, exchange.url).login(exchange)

    return logged_in


async def user_hub(client: Client, *names: str) -> HubClient:
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/user?access_token={client.token}")
    for name in names:
        await hub.socket.send(hub.protocol.invoke(f"Subscribe{name}", *([] if name == "Accounts" else [ACCOUNT]))[1])
    return hub


async def is_silent(hub: HubClient) -> bool:
    """Whether nothing is told for a while."""
    try:
        async with asyncio.timeout(0.2):
            await hub.event()
    except TimeoutError:
        return True
    return False


def test_every_variant_has_a_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [variant.name for variant in Variant if f"Variant.{variant.name}" not in text] == []


@otherwise
async def test_events_are_bare(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.BARE_EVENTS, is_otherwise=is_otherwise)
    hub = await user_hub(client, "Trades")
    await client.place()
    _, [event] = await hub.event()
    assert ("action" in event, "price" in event) == ((False, True) if is_otherwise else (True, False))


@otherwise
async def test_a_subscription_is_told_first_what_there_is(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.HUB_SNAPSHOTS, is_otherwise=is_otherwise)
    await client.place()
    await client.place(type=4, side=1, stopPrice=7000)
    hub = await user_hub(client, "Accounts", "Orders", "Positions", "Trades")
    if not is_otherwise:
        assert await is_silent(hub)
        return
    told = [await hub.event() for _ in range(4)]
    assert [target for target, _ in told] == [
        "GatewayUserAccount",
        "GatewayUserAccount",
        "GatewayUserOrder",
        "GatewayUserPosition",
    ]
    assert told[2][1][0]["data"]["stopPrice"] == 7000


@otherwise
async def test_a_connection_ends_when_its_token_expires(client_of: Any, *, is_otherwise: bool) -> None:
    clock = SetClock()
    client = await client_of(Variant.EXPIRY_ENDS_SOCKETS, is_otherwise=is_otherwise, clock=clock, token_lifetime_s=1)
    clock.at_ns = MONDAY_NS + SECOND_NS * 9 // 10
    hub = await user_hub(client)
    if is_otherwise:
        assert await hub.next() is None
    else:
        assert await is_silent(hub)


@otherwise
async def test_a_login_ends_the_tokens_and_connections_before_it(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.LOGIN_ENDS_OTHERS, is_otherwise=is_otherwise, user_count=2, api_key="key")
    hub = await user_hub(client)
    login = {"userName": "practice", "apiKey": "key"}
    second = await client.ok("Auth/loginKey", **login)
    status = (await client.post("Account/search", ASK_ACCOUNTS)).status
    assert status == (401 if is_otherwise else 200)
    if is_otherwise:
        assert (await hub.event())[0] == "GatewayLogout"
        assert await hub.next() is None
    else:
        assert await is_silent(hub)
    client.token = second["token"]
    assert (await client.post("Account/search", ASK_ACCOUNTS)).status == 200


@otherwise
async def test_an_expired_token_is_validated_with_code_3(client_of: Any, *, is_otherwise: bool) -> None:
    clock = SetClock()
    client = await client_of(Variant.EXPIRED_VALIDATES, is_otherwise=is_otherwise, clock=clock)
    clock.at_ns += 86_401 * SECOND_NS
    answer = await client.post("Auth/validate", {})
    assert answer.status == (200 if is_otherwise else 401)
    if is_otherwise:
        body = await client.ask("Auth/validate")
        assert (body["success"], body["errorCode"], body["newToken"]) == (False, 3, None)
    client.token = "no token of ours"
    assert (await client.post("Auth/validate", {})).status == 401


def test_which_code_a_locked_account_has_is_tested_with_the_firm_that_locks_it() -> None:
    assert Variant.LOCKED_IS_REJECTED.value == "locked_is_rejected"


STOP_LIMIT = PlaceRequest(ACCOUNT, MES, OrderType.STOP_LIMIT, BUY, 2)


@otherwise
def test_a_stop_limit_waits_for_its_stop_and_then_for_its_limit(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.STOP_LIMITS, is_otherwise=is_otherwise)
    asked = PlaceRequest(
        ACCOUNT, MES, OrderType.STOP_LIMIT, BUY, 2, limit_price=desk.price(1_011), stop_price=desk.price(1_010)
    )
    answer = desk.venue.place(asked)
    if not is_otherwise:
        assert answer.text == INVALID_TYPE
        return
    order_id = answer.order_id
    assert order_id is not None
    desk.market(1_012, 1_013, [1_012])
    assert (desk.order(order_id).triggered, desk.net()) == (True, 0)
    desk.market(1_010, 1_011)
    assert desk.fill_prices() == [1_011]
    far = msgspec.structs.replace(asked, limit_price=desk.price(1_040), stop_price=desk.price(1_020))
    assert desk.venue.place(far).code == 0
    desk.market(1_022, 1_023, [1_022])
    assert desk.fill_prices() == [1_011, 1_023]
    assert desk.venue.place(STOP_LIMIT).text == "Invalid stop price. Price is not aligned to tick size."


@otherwise
def test_orders_that_join_a_touch_are_rejected(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.NO_JOINS, is_otherwise=is_otherwise)
    answer = desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.JOIN_BID, BUY, 1))
    assert answer.text == (INVALID_TYPE if is_otherwise else None)


@otherwise
def test_the_size_of_a_leg_is_fixed(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.LEG_SIZE_FIXED, is_otherwise=is_otherwise)
    entry = desk.place(BUY, 2, loss=-8, profit=12)
    price = desk.price(990)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, stop_price=price)).code == 0
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, size=2, stop_price=price)).code == 0
    assert desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, size=1)).code == (3 if is_otherwise else 0)


@otherwise
def test_a_leg_that_sleeps_takes_a_price_and_wakes_up_at_it(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.SUSPENDED_MODIFY, is_otherwise=is_otherwise)
    entry = desk.place(BUY, 1, limit=995, loss=-8, profit=12)
    answer = desk.venue.modify(ModifyRequest(ACCOUNT, entry + 1, stop_price=desk.price(980)))
    assert answer.code == (0 if is_otherwise else 3)
    desk.market(990, 994)
    assert desk.order(entry + 1).stop_ticks == (980 if is_otherwise else 987)
    assert desk.statuses(entry, entry + 1) == [OrderStatus.FILLED, OrderStatus.OPEN]


@otherwise
def test_cancelling_one_leg_cancels_the_other(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.LEG_CANCEL_TAKES_BOTH, is_otherwise=is_otherwise)
    entry = desk.place(BUY, 1, loss=-8, profit=12)
    desk.venue.cancel(OrderRequest(ACCOUNT, entry + 1))
    other = OrderStatus.CANCELLED if is_otherwise else OrderStatus.OPEN
    assert desk.statuses(entry + 1, entry + 2) == [OrderStatus.CANCELLED, other]


@otherwise
def test_an_exit_takes_the_legs(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.EXIT_TAKES_LEGS, is_otherwise=is_otherwise)
    entry = desk.place(BUY, 2, loss=-8, profit=12)
    single = desk.place(SELL, 1, stop=900)
    desk.place(SELL, 1)
    assert desk.statuses(entry + 1, entry + 2) == [OrderStatus.OPEN] * 2
    desk.place(SELL, 1)
    left = OrderStatus.CANCELLED if is_otherwise else OrderStatus.OPEN
    assert desk.statuses(entry + 1, entry + 2, single) == [left, left, OrderStatus.OPEN]


@otherwise
def test_a_close_takes_the_legs(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.CLOSE_TAKES_LEGS, is_otherwise=is_otherwise)
    entry = desk.place(BUY, 2, loss=-8, profit=12)
    desk.venue.close(CloseRequest(ACCOUNT, MES))
    left = OrderStatus.CANCELLED if is_otherwise else OrderStatus.OPEN
    assert desk.statuses(entry + 1, entry + 2) == [left, left]


def with_bracket(order: PlaceRequest, loss: int, profit: int) -> PlaceRequest:
    stop, target = BracketRequest(loss, OrderType.STOP), BracketRequest(profit, OrderType.LIMIT)
    return msgspec.structs.replace(order, stop_loss_bracket=stop, take_profit_bracket=target)


@otherwise
@pytest.mark.parametrize("side", [BUY, SELL])
def test_ticks_may_have_either_sign(side: OrderSide, *, is_otherwise: bool) -> None:
    desk = desk_of(Variant.UNSIGNED_TICKS, is_otherwise=is_otherwise)
    order = PlaceRequest(ACCOUNT, MES, OrderType.MARKET, side, 1)
    for loss, profit in ((8, 12), (-8, -12)):
        answer = desk.venue.place(with_bracket(order, loss, profit))
        if not is_otherwise:
            assert answer.text is not None
            continue
        assert answer.order_id is not None
        entry = desk.order(answer.order_id)
        filled = entry.filled_ticks
        stop, target = desk.order(entry.order_id + 1), desk.order(entry.order_id + 2)
        assert (stop.stop_ticks, target.limit_ticks) == (filled - side.sign * 8, filled + side.sign * 12)
        desk.venue.cancel(OrderRequest(ACCOUNT, stop.order_id))
        desk.venue.cancel(OrderRequest(ACCOUNT, target.order_id))


@otherwise
def test_a_leg_is_at_least_4_ticks_away(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.BRACKET_MINIMUM, is_otherwise=is_otherwise)
    order = PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)
    for loss, profit in ((-3, 4), (-4, 3)):
        assert (desk.venue.place(with_bracket(order, loss, profit)).code == 0) is not is_otherwise
    assert desk.venue.place(with_bracket(order, -4, 4)).code == 0


@otherwise
async def test_requests_are_counted_in_fixed_windows(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.FIXED_WINDOW, is_otherwise=is_otherwise, requests_max=2, requests_window_s=1)
    await asyncio.sleep(0.7)
    assert (await client.post("Account/search", ASK_ACCOUNTS)).status == 200
    await asyncio.sleep(0.4)  # the login is out of the window, the search is not
    statuses = [(await client.post("Account/search", ASK_ACCOUNTS)).status for _ in range(2)]
    assert statuses == ([200, 200] if is_otherwise else [200, 429])


@otherwise
async def test_each_token_has_limits_of_its_own(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.LIMITS_BY_TOKEN, is_otherwise=is_otherwise, requests_max=3)
    login = await client.ok("Auth/validate")
    assert (await client.post("Account/search", ASK_ACCOUNTS)).status == 200
    client.token = login["newToken"]
    assert (await client.post("Account/search", ASK_ACCOUNTS)).status == (200 if is_otherwise else 429)


@otherwise
async def test_429_says_how_long_to_wait(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.RETRY_AFTER, is_otherwise=is_otherwise, requests_max=1)
    answer = await client.post("Account/search", ASK_ACCOUNTS)
    assert answer.status == 429
    assert answer.headers.get("retry-after") == ("60" if is_otherwise else None)


@otherwise
async def test_searches_answer_the_newest_100(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.SHORT_PAGES, is_otherwise=is_otherwise, requests_max=1_000)
    ids = [(await client.place())["orderId"] for _ in range(101)]
    orders = (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]
    trades = (await client.ok("Trade/search", accountId=ACCOUNT, **EVER))["trades"]
    assert [order["id"] for order in orders] == ids[1 if is_otherwise else 0 :]
    assert [trade["orderId"] for trade in trades] == ids[: 0 if is_otherwise else None : -1]


@otherwise
async def test_the_volume_of_depth_is_by_how_much_it_changed(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.DEPTH_CHANGES, is_otherwise=is_otherwise, quote_interval_ms=10)
    hub = await HubClient.connect(client.network, f"{client.url}/hubs/market?access_token={client.token}")
    await hub.socket.send(hub.protocol.invoke("SubscribeContractMarketDepth", MES)[1])
    sizes: dict[tuple[int, Decimal], int] = {}
    for _ in range(10):
        _, [_, levels] = await hub.event()
        is_whole = levels[0]["type"] == 6
        for level in levels:
            if level["type"] in (1, 2):
                place = (level["type"], level["price"])
                change = level["currentVolume"] - sizes.get(place, 0)
                expected = change if is_otherwise and not is_whole else level["currentVolume"]
                assert level["volume"] == expected
                sizes[place] = level["currentVolume"]


@otherwise
@pytest.mark.parametrize("ticks", [799, 1_201])
def test_a_price_more_than_a_fifth_from_the_market_is_rejected(ticks: int, *, is_otherwise: bool) -> None:
    desk = desk_of(Variant.ANY_PRICE, is_otherwise=is_otherwise)
    near = ticks + (1 if ticks < 1_000 else -1)
    for level, is_taken in ((near, True), (ticks, is_otherwise)):
        limit = PlaceRequest(ACCOUNT, MES, OrderType.LIMIT, BUY if ticks < 1_000 else SELL, 1, desk.price(level))
        assert desk.venue.place(limit).text == (None if is_taken else OFF_RANGE)
    [order_id, *_] = desk.venue.book.orders
    answer = desk.venue.modify(ModifyRequest(ACCOUNT, order_id, limit_price=desk.price(ticks)))
    assert answer.text == (None if is_otherwise else OFF_RANGE)


@otherwise
def test_a_live_account_takes_no_order(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.LIVE_NO_ORDERS, is_otherwise=is_otherwise)
    assert desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1)).code == (10 if is_otherwise else 0)
    assert desk.venue.modify(ModifyRequest(ACCOUNT, 1)).code == (6 if is_otherwise else 2)


@otherwise
async def test_only_the_events_of_orders_are_wrapped(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.ORDERS_WRAPPED, is_otherwise=is_otherwise)
    hub = await user_hub(client, "Orders", "Trades")
    await client.place()
    told = [await hub.event() for _ in range(3)]
    assert {name: "data" in row for name, [row] in told} == {
        "GatewayUserOrder": True,
        "GatewayUserTrade": not is_otherwise,
    }


@otherwise
async def test_an_order_that_has_ended_is_told_as_removed(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.ORDERS_REMOVED, is_otherwise=is_otherwise)
    hub = await user_hub(client, "Orders")
    await client.place()
    told = [(await hub.event())[1][0] for _ in range(2)]
    assert [(row["data"]["status"], row["action"]) for row in told] == [(6, 1), (2, 2 if is_otherwise else 1)]


@otherwise
async def test_the_legs_of_a_bracket_are_told_with_their_distance(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.CHILDREN_TRAIL, is_otherwise=is_otherwise)
    hub = await user_hub(client, "Orders")
    legs = {"stopLossBracket": {"ticks": -8, "type": 4}, "takeProfitBracket": {"ticks": 12, "type": 1}}
    await client.place(**legs)
    told = [(await hub.event())[1][0]["data"] for _ in range(3)]
    distances = [(row.get("trailDistance"), row.get("trailPrice")) for row in told]
    assert distances == ([(-8, -2), (None, None), (12, 3)] if is_otherwise else [(None, None)] * 3)


def test_a_tag_longer_than_any_that_is_useful_is_rejected_and_not_kept() -> None:
    desk = Desk()
    answer = desk.venue.place(PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1, custom_tag="x" * 1_001))
    assert answer.text == TAG_TOO_LONG
    assert answer.order_id is not None
    assert desk.order(answer.order_id).tag is None


@otherwise
def test_a_long_tag_is_rejected(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.SHORT_TAGS, is_otherwise=is_otherwise)
    for length, is_taken in ((32, True), (33, not is_otherwise)):
        asked = PlaceRequest(ACCOUNT, MES, OrderType.MARKET, BUY, 1, custom_tag="x" * length)
        assert desk.venue.place(asked).text == (None if is_taken else TAG_TOO_LONG)


@otherwise
async def test_a_ping_needs_a_token(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.PING_NEEDS_TOKEN, is_otherwise=is_otherwise)

    async def status(headers: dict[str, str]) -> int:
        url = f"{client.url}/api/Status/ping"
        answer = await client.network.request("GET", url, headers=headers, timeout_s=5)
        return int(answer.status)

    assert await status({}) == (401 if is_otherwise else 200)
    assert await status({"authorization": f"Bearer {client.token}"}) == 200


@otherwise
async def test_rows_leave_out_what_is_null(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.NULLS_OMITTED, is_otherwise=is_otherwise)
    placed = await client.place()
    assert placed["errorMessage"] is None
    [order] = (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]
    assert ("parentOrderId" in order) is not is_otherwise
    found = await client.ok("Order/searchById", accountId=ACCOUNT, orderId=placed["orderId"])
    assert ("limitPrice" in found["order"]) is not is_otherwise


@otherwise
async def test_the_newer_queries_of_orders_do_not_exist(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.NO_ORDER_QUERIES, is_otherwise=is_otherwise)
    asked = {"Order/searchById": {"accountId": ACCOUNT, "orderId": 1}, "Order/v2/query": {"filter": {"accountId": 1}}}
    for path, body in asked.items():
        assert (await client.post(path, body)).status == (404 if is_otherwise else 200)


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        (Variant.FOLLOWER, "Follower accounts cannot cancel orders"),
        (Variant.LIVE_FUNDED, "Live accounts not supported"),
    ],
)
def test_accounts_that_are_not_simulated_cannot_cancel_nor_close_in_part(variant: Variant, text: str) -> None:
    desk = Desk(variants=(variant,))
    order_id = desk.place(BUY, 1, limit=990)
    desk.place(BUY, 2)
    row = account_model(desk.venue.book.accounts[ACCOUNT], (variant,))
    assert row.simulated is (variant is Variant.FOLLOWER), "who follows is not to be seen"
    answer = desk.venue.cancel(OrderRequest(ACCOUNT, order_id))
    assert (answer.code, answer.text) == (6, text)
    assert desk.venue.close_part(PartialCloseRequest(ACCOUNT, MES, 1)).code == 9
    assert desk.venue.close(CloseRequest(ACCOUNT, MES)).code == 0


@otherwise
def test_cancelling_what_has_ended_is_an_unknown_error(*, is_otherwise: bool) -> None:
    desk = desk_of(Variant.GONE_IS_UNKNOWN_ERROR, is_otherwise=is_otherwise)
    order_id = desk.place(BUY, 1)
    assert desk.venue.cancel(OrderRequest(ACCOUNT, order_id)).code == (5 if is_otherwise else 2)
    assert desk.venue.cancel(OrderRequest(ACCOUNT, order_id + 1)).code == 2


@otherwise
async def test_commissions_are_told_apart_from_fees(client_of: Any, *, is_otherwise: bool) -> None:
    client = await client_of(Variant.COMMISSIONS_APART, is_otherwise=is_otherwise)
    hub = await user_hub(client, "Trades")
    await client.place(size=2)
    [trade] = (await client.ok("Trade/search", accountId=ACCOUNT, **EVER))["trades"]
    split = (Decimal("0.22"), Decimal("0.50")) if is_otherwise else (Decimal("0.72"), 0)
    assert (trade["fees"], trade["commissions"]) == split
    _, [event] = await hub.event()
    assert (event["data"]["fees"], event["data"]["commissions"]) == split
