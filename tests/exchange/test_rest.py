"""The REST API over real sockets, endpoint by endpoint: sections 2 to 5 of the API notes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from ordergate.exchange.market import HISTORY_MIN
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import Hours
from ordergate.net.port import Network
from tests.exchange.support import ACCOUNT, BARS_KEPT_MIN, MES, MONDAY_NS, OTHER_ACCOUNT, SECOND_NS, Client, SetClock

Start = Callable[..., Awaitable[Exchange]]
EVER = {"startTimestamp": "2020-01-01T00:00:00Z"}
BARS = {
    "contractId": MES,
    "live": False,
    "startTime": "2026-11-23T00:00:00Z",
    "endTime": "2026-11-24T00:00:00Z",
    "unit": 2,
    "unitNumber": 1,
    "limit": 100,
    "includePartialBar": True,
}

# Every endpoint that wants a token, with a body that it takes.
ENDPOINTS: dict[str, dict[str, Any]] = {
    "Account/search": {"onlyActiveAccounts": True},
    "Contract/search": {"searchText": "MES", "live": False},
    "Contract/searchById": {"contractId": MES},
    "Contract/available": {"live": False},
    "History/retrieveBars": BARS,
    "Order/place": {"accountId": 1, "contractId": MES, "type": 2, "side": 0, "size": 1},
    "Order/modify": {"accountId": 1, "orderId": 1},
    "Order/cancel": {"accountId": 1, "orderId": 1},
    "Order/search": {"accountId": 1, **EVER},
    "Order/searchOpen": {"accountId": 1},
    "Order/searchById": {"accountId": 1, "orderId": 1},
    "Order/v2/query": {"filter": {"accountId": 1}},
    "Position/searchOpen": {"accountId": 1},
    "Position/closeContract": {"accountId": 1, "contractId": MES},
    "Position/partialCloseContract": {"accountId": 1, "contractId": MES, "size": 1},
    "Trade/search": {"accountId": 1},
    "Auth/validate": {},
    "Auth/logout": {},
}


async def test_a_login_gives_a_token_and_the_user_name_has_no_case(network: Network, start: Start) -> None:
    exchange = await start()
    client = Client(network, exchange.url)
    answer = await client.ask("Auth/loginKey", userName="PRACTICE", apiKey=exchange.api_key)
    assert set(answer) == {"token", "success", "errorCode", "errorMessage"}
    assert (answer["success"], answer["errorCode"], answer["token"].count(".")) == (True, 0, 2)


@pytest.mark.parametrize(("user", "key"), [("practice", "wrong"), ("nobody", None), ("", "")])
async def test_a_failed_login_is_answered_200_with_code_3(
    network: Network, start: Start, user: str, key: str | None
) -> None:
    exchange = await start()
    response = await Client(network, exchange.url).post(
        "Auth/loginKey", {"userName": user, "apiKey": exchange.api_key if key is None else key}
    )
    assert response.status == 200
    assert json.loads(response.body) == {"token": None, "success": False, "errorCode": 3, "errorMessage": None}


async def test_a_key_of_ones_own_can_be_set(network: Network, start: Start) -> None:
    exchange = await start(user_name="trader", api_key="secret")
    assert (exchange.user_name, exchange.api_key) == ("trader", "secret")
    await Client(network, exchange.url).login(exchange)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_without_a_valid_token_every_endpoint_answers_401_with_an_empty_body(client: Client, path: str) -> None:
    token, client.token = client.token, ""
    for headers in ({}, {"authorization": f"Bearer {token}x"}, {"authorization": token}, {"authorization": "Bearer "}):
        response = await client.post(path, ENDPOINTS[path], headers)
        assert (response.status, response.body) == (401, b"")


async def test_an_expired_token_is_answered_401(network: Network, start: Start) -> None:
    clock = SetClock()
    exchange = await start(clock)
    client = await Client(network, exchange.url).login(exchange)
    clock.at_ns += 86_400 * SECOND_NS - 1
    await client.ok("Auth/validate")
    clock.at_ns += 1
    assert (await client.post("Auth/validate", {})).status == 401


async def test_validating_gives_a_new_token_and_the_old_one_stays_valid(client: Client) -> None:
    old = client.token
    for body in (b"", b"{}"):
        answer = json.loads((await client.post("Auth/validate", raw=body)).body)
        client.token = answer["newToken"]
        await client.ok("Account/search", onlyActiveAccounts=True)
    client.token = old
    await client.ok("Account/search", onlyActiveAccounts=True)


async def test_after_a_logout_the_token_is_refused(client: Client) -> None:
    assert await client.ask("Auth/logout") == {"success": True, "errorCode": 0, "errorMessage": None}
    assert (await client.post("Account/search", {"onlyActiveAccounts": True})).status == 401


async def test_the_ping_needs_no_token(client: Client) -> None:
    response = await client.network.request("GET", f"{client.url}/api/Status/ping", timeout_s=5)
    assert (response.status, json.loads(response.body)) == (200, "pong")


@pytest.mark.parametrize("path", ["", "Order/unheardOf", "Order", "Order/place/more"])
async def test_an_unknown_path_is_answered_404(client: Client, path: str) -> None:
    assert (await client.post(path, {})).status == 404


async def test_a_known_path_with_another_method_is_answered_405(client: Client) -> None:
    for path in ("Order/place", "Auth/loginKey", "Auth/logout"):
        response = await client.network.request("GET", f"{client.url}/api/{path}", timeout_s=5)
        assert (response.status, response.headers["allow"]) == (405, "POST")
    assert (await client.post("Status/ping", {})).status == 405


async def test_paths_and_names_are_matched_without_case_and_answers_are_json_whatever_is_accepted(
    client: Client,
) -> None:
    response = await client.post("oRDER/searchopen", {"ACCOUNTID": ACCOUNT}, {"accept": "text/plain"})
    assert response.headers["content-type"].startswith("application/json")
    assert json.loads(response.body) == {"orders": [], "success": True, "errorCode": 0, "errorMessage": None}


@pytest.mark.parametrize("path", [path for path, body in ENDPOINTS.items() if body])
async def test_a_malformed_body_is_answered_400_with_problem_details(client: Client, path: str) -> None:
    for raw in (b"", b"{", b"[]", b"{}"):
        response = await client.post(path, raw=raw)
        assert response.status == 400
        assert response.headers["content-type"].startswith("application/problem+json")
        problem = json.loads(response.body)
        assert (problem["title"], problem["status"]) == ("One or more validation errors occurred.", 400)
        assert all(isinstance(texts, list) for texts in problem["errors"].values())
        assert problem["traceId"]


@pytest.mark.parametrize(
    ("path", "member"),
    [("Order/search", "startTimestamp"), ("Trade/search", "endTimestamp"), ("History/retrieveBars", "endTime")],
)
async def test_an_instant_that_is_none_is_answered_400_with_its_path(client: Client, path: str, member: str) -> None:
    response = await client.post(path, ENDPOINTS[path] | {member: "yesterday"})
    assert response.status == 400
    assert list(json.loads(response.body)["errors"]) == [f"$.{member}"]


async def test_a_body_that_is_not_json_by_its_media_type_is_answered_415(client: Client) -> None:
    response = await client.post("Account/search", {"onlyActiveAccounts": True}, {"content-type": "text/plain"})
    assert response.status == 415


async def test_a_login_without_its_members_is_answered_400(client: Client) -> None:
    client.token = ""
    assert (await client.post("Auth/loginKey", {"userName": "practice"})).status == 400


async def test_200_requests_are_answered_in_a_window_and_the_next_429_with_an_empty_body(
    network: Network, start: Start
) -> None:
    exchange = await start(requests_max=3, history_requests_max=2)
    client = await Client(network, exchange.url).login(exchange)
    statuses = [(await client.post("Account/search", {"onlyActiveAccounts": True})).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]  # a login counts as well
    history = [await client.post("History/retrieveBars", BARS) for _ in range(3)]
    assert [response.status for response in history] == [200, 200, 429]
    assert history[-1].body == b""
    login = {"userName": "Practice", "apiKey": exchange.api_key}
    assert (await client.post("Auth/loginKey", login)).status == 429
    login["userName"] = "somebody else"
    assert [(await client.post("Auth/loginKey", login)).status for _ in range(4)] == [200, 200, 200, 429]


async def test_the_accounts_are_those_of_the_settings(network: Network, start: Start) -> None:
    exchange = await start(account_count=3, starting_balance_usd=Decimal("150000.00"))
    client = await Client(network, exchange.url).login(exchange)
    answer = await client.ok("Account/search", onlyActiveAccounts=True)
    assert exchange.account_ids == (1001, 1002, 1003)
    assert answer["accounts"][2] == {
        "id": 1003,
        "name": "PRACTICE-150K-3",
        "balance": 150_000,
        "canTrade": True,
        "isVisible": True,
        "simulated": True,
    }


async def test_one_active_contract_of_each_product_is_available_and_found_by_id(client: Client) -> None:
    answer = await client.ok("Contract/available", live=False)
    assert len(answer["contracts"]) == 51
    mes = next(contract for contract in answer["contracts"] if contract["id"] == MES)
    assert json.loads(json.dumps(mes, default=float)) == {
        "id": MES,
        "name": "MESZ6",
        "description": "Micro E-mini S&P 500",
        "tickSize": 0.25,
        "tickValue": 1.25,
        "activeContract": True,
        "symbolId": "F.US.MES",
    }
    assert (await client.ok("Contract/searchById", contractId=MES))["contract"] == mes


async def test_a_practice_user_has_no_contracts_in_the_live_data(client: Client) -> None:
    assert (await client.ok("Contract/available", live=True))["contracts"] == []
    assert (await client.ok("Contract/search", live=True, searchText="MES"))["contracts"] == []


async def test_a_search_finds_by_name_and_id_and_at_most_twenty(client: Client) -> None:
    found = (await client.ok("Contract/search", searchText="nq", live=False))["contracts"]
    assert [contract["name"] for contract in found] == ["NQZ6", "MNQZ6", "QMF7", "QGF7"]
    assert len((await client.ok("Contract/search", live=False))["contracts"]) == 20


async def test_another_month_is_found_by_id_as_inactive_and_an_unknown_one_is_code_1(client: Client) -> None:
    answer = await client.ok("Contract/searchById", contractId="CON.F.US.MES.U25")
    assert (answer["contract"]["name"], answer["contract"]["activeContract"]) == ("MESU5", False)
    answer = await client.ask("Contract/searchById", contractId="CON.F.US.NQ.U26")
    assert (answer["success"], answer["errorCode"], answer["contract"]) == (False, 1, None)


async def test_a_market_order_ends_as_order_trade_and_position(client: Client) -> None:
    answer = await client.place(size=2, customTag="t")
    assert answer == {"orderId": 3_400_000_001, "success": True, "errorCode": 0, "errorMessage": None}
    [order] = (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]
    price = order["filledPrice"]
    assert order == {
        "id": 3_400_000_001,
        "accountId": ACCOUNT,
        "contractId": MES,
        "symbolId": "F.US.MES",
        "creationTimestamp": "2026-11-23T15:00:00+00:00",
        "updateTimestamp": "2026-11-23T15:00:00+00:00",
        "status": 2,
        "type": 2,
        "side": 0,
        "size": 2,
        "limitPrice": None,
        "stopPrice": None,
        "fillVolume": 2,
        "filledPrice": price,
        "customTag": "t",
        "trailDistance": None,
        "trailPrice": None,
        "parentOrderId": None,
        "linkedOrderId": None,
    }
    [trade] = (await client.ok("Trade/search", accountId=ACCOUNT))["trades"]
    assert (trade["id"], trade["orderId"], trade["price"], trade["size"]) == (3_000_000_001, 3_400_000_001, price, 2)
    assert (trade["profitAndLoss"], float(trade["fees"]), trade["commissions"]) == (None, 0.72, 0)
    [position] = (await client.ok("Position/searchOpen", accountId=ACCOUNT))["positions"]
    assert (position["type"], position["size"], position["averagePrice"]) == (1, 2, price)
    assert position["contractDisplayName"] == "MESZ26"
    account = (await client.ok("Account/search", onlyActiveAccounts=True))["accounts"][0]
    assert float(account["balance"]) == 49_999.28


async def test_open_orders_are_those_of_status_open_without_sleeping_children(client: Client) -> None:
    bracket = {"stopLossBracket": {"ticks": -8, "type": 4}, "takeProfitBracket": {"ticks": 8, "type": 1}}
    waiting = await client.place(type=1, limitPrice=7_000, customTag="w", **bracket)
    entry = (await client.place(customTag="t", **bracket))["orderId"]
    found = (await client.ok("Order/searchOpen", accountId=ACCOUNT))["orders"]
    assert [order["id"] for order in found] == [waiting["orderId"], entry + 1, entry + 2]
    stop, target = found[1:]
    assert (stop["customTag"], stop["type"], stop["parentOrderId"], stop["linkedOrderId"]) == ("t-SL", 4, entry, None)
    assert (target["customTag"], target["type"], target["parentOrderId"]) == ("t-TP", 1, entry)
    assert target["linkedOrderId"] == stop["id"]
    assert target["limitPrice"] - stop["stopPrice"] == 4
    history = (await client.ok("Order/search", accountId=ACCOUNT, **EVER))["orders"]
    assert [order["status"] for order in history] == [1, 8, 8, 2, 1, 1]


async def test_an_order_is_found_by_its_id_in_its_account_only(client: Client) -> None:
    order_id = (await client.place())["orderId"]
    answer = await client.ok("Order/searchById", accountId=ACCOUNT, orderId=order_id)
    assert answer["order"]["id"] == order_id
    for wrong in ({"accountId": OTHER_ACCOUNT, "orderId": order_id}, {"accountId": ACCOUNT, "orderId": 1}):
        answer = await client.ask("Order/searchById", **wrong)
        assert (answer["errorCode"], answer["order"]) == (1, None)


async def test_orders_are_queried_by_status_contract_and_page(client: Client) -> None:
    filled = (await client.place())["orderId"]
    resting = (await client.place(type=1, limitPrice=7_000))["orderId"]
    other = (await client.place(type=1, limitPrice=27_000, contractId="CON.F.US.MNQ.Z26"))["orderId"]

    async def found(page: dict[str, Any] | None = None, **wanted: object) -> list[int]:
        answer = await client.ok("Order/v2/query", filter={"accountId": ACCOUNT, **wanted}, **(page or {}))
        assert answer["totalCount"] is None
        return [order["id"] for order in answer["orders"]]

    assert await found() == [filled, resting, other]
    assert await found({"sortBy": 1, "sortDirection": 1}) == [other, resting, filled]
    assert await found(statuses=[1]) == [resting, other]
    assert await found(statuses=[1, 2], contractId=MES) == [filled, resting]
    assert await found({"pageSize": 1, "pageOffset": 1}) == [resting]
    assert await found(createdAfter="2026-11-24T00:00:00Z") == []
    assert await found(createdBefore="2026-11-22T00:00:00Z") == []
    counted = await client.ok(
        "Order/v2/query", filter={"ACCOUNTID": ACCOUNT, "statuses": [1]}, pageSize=1, includeTotalCount=True
    )
    assert (len(counted["orders"]), counted["totalCount"]) == (1, 2)


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ({"pageSize": 0}, "$.pageSize"),
        ({"pageOffset": -1}, "$.pageOffset"),
        ({"sortBy": 2}, "$.sortBy"),
        ({"sortDirection": 7}, "$.sortDirection"),
        ({"filter": {"accountId": ACCOUNT, "createdAfter": "soon"}}, "$.filter.createdAfter"),
        ({"filter": {"statuses": [1]}}, "$.filter.accountId"),
    ],
)
async def test_a_query_that_cannot_be_is_answered_400_with_its_path(
    client: Client, page: dict[str, Any], path: str
) -> None:
    response = await client.post("Order/v2/query", {"filter": {"accountId": ACCOUNT}} | page)
    assert response.status == 400
    assert list(json.loads(response.body)["errors"]) == [path]


async def test_a_login_as_an_application_finds_none(client: Client) -> None:
    names = ("userName", "password", "deviceId", "appId", "verifyKey")
    answer = await client.ask("Auth/loginApp", **dict.fromkeys(names, "x"))
    assert (answer["token"], answer["success"], answer["errorCode"]) == (None, False, 4)
    assert (await client.post("Auth/loginApp", {"userName": "x"})).status == 400


async def test_a_rejected_order_is_answered_with_its_id_and_a_refused_one_with_null(client: Client) -> None:
    rejected = await client.place(size=0)
    assert rejected == {
        "orderId": 3_400_000_001,
        "success": False,
        "errorCode": 2,
        "errorMessage": "Invalid order size specified",
    }
    refused = await client.place(accountId=1)
    assert refused == {"orderId": None, "success": False, "errorCode": 1, "errorMessage": None}


@pytest.mark.parametrize("price", [b"1e9999999999", b"-1E+999999", b"1e-99999", b"1" + b"0" * 400])
@pytest.mark.parametrize("member", [b"limitPrice", b"stopPrice", b"trailPrice"])
async def test_a_price_beyond_every_number_is_a_rejected_order(client: Client, member: bytes, price: bytes) -> None:
    kind = {b"limitPrice": b"1", b"stopPrice": b"4", b"trailPrice": b"5"}[member]
    order = b'{"accountId":%d,"contractId":"%s","type":%s,"side":0,"size":1,' % (ACCOUNT, MES.encode(), kind)
    response = await client.post("Order/place", raw=order + b'"%s":%s}' % (member, price))
    assert (response.status, json.loads(response.body)["errorCode"]) == (200, 2)


async def test_an_order_is_modified_and_cancelled(client: Client) -> None:
    order_id = (await client.place(type=1, limitPrice=7_000.25, size=3))["orderId"]
    await client.ok("Order/modify", accountId=ACCOUNT, orderId=order_id, size=2, limitPrice=None, stopPrice=None)
    order = (await client.ok("Order/searchById", accountId=ACCOUNT, orderId=order_id))["order"]
    assert (order["size"], float(order["limitPrice"])) == (2, 7_000.25)
    await client.ok("Order/cancel", accountId=ACCOUNT, orderId=order_id)
    answer = await client.ask("Order/cancel", accountId=ACCOUNT, orderId=order_id)
    assert answer == {"success": False, "errorCode": 2, "errorMessage": None}
    answer = await client.ask("Order/modify", accountId=ACCOUNT, orderId=order_id, limitPrice=7_000.1)
    assert (answer["success"], answer["errorCode"]) == (False, 2)


async def test_a_position_is_closed_in_part_and_whole_and_trades_come_newest_first(client: Client) -> None:
    await client.place(side=1, size=3)
    close = {"accountId": ACCOUNT, "contractId": MES}
    assert (await client.ask("Position/partialCloseContract", **close, size=4))["errorCode"] == 5
    await client.ok("Position/partialCloseContract", **close, size=1)
    [position] = (await client.ok("Position/searchOpen", accountId=ACCOUNT))["positions"]
    assert (position["type"], position["size"]) == (2, 2)
    await client.ok("Position/closeContract", **close)
    assert (await client.ok("Position/searchOpen", accountId=ACCOUNT))["positions"] == []
    assert (await client.ask("Position/closeContract", **close))["errorCode"] == 2
    trades = (await client.ok("Trade/search", accountId=ACCOUNT, **EVER))["trades"]
    assert [(trade["side"], trade["size"], trade["profitAndLoss"] is None) for trade in trades] == [
        (0, 2, False),
        (0, 1, False),
        (1, 3, True),
    ]


@pytest.mark.parametrize("path", ["Order/search", "Order/searchOpen", "Position/searchOpen", "Trade/search"])
async def test_a_search_in_an_unknown_account_is_code_1(client: Client, path: str) -> None:
    answer = await client.ask(path, **(ENDPOINTS[path] | {"accountId": 1}))
    assert (answer["success"], answer["errorCode"]) == (False, 1)


async def test_a_closed_market_rejects_with_code_2_and_its_text(network: Network, start: Start) -> None:
    clock = SetClock(MONDAY_NS - 2 * 86_400 * SECOND_NS)  # a Saturday
    exchange = await start(clock, hours=Hours.EXCHANGE)
    client = await Client(network, exchange.url).login(exchange)
    answer = await client.place()
    assert (answer["errorCode"], answer["orderId"]) == (2, 3_400_000_001)
    assert answer["errorMessage"].startswith("Trading is currently unavailable.")


async def test_bars_come_newest_first_nearest_the_end_and_agree_with_the_trades(network: Network, start: Start) -> None:
    clock = SetClock()
    exchange = await start(clock, symbols=("MES",))
    client = await Client(network, exchange.url).login(exchange)
    for _ in range(5 * 240 + 10):
        exchange._venue.step()  # noqa: SLF001 - five minutes of market without waiting for them
        clock.at_ns += SECOND_NS // 4
    since = BARS | {"startTime": "2026-11-23T15:00:00Z"}
    found = (await client.ok("History/retrieveBars", **since))["bars"]
    assert [bar["t"] for bar in found] == [f"2026-11-23T15:0{minute}:00+00:00" for minute in (5, 4, 3, 2, 1, 0)]
    assert all(bar["l"] <= min(bar["o"], bar["c"]) and max(bar["o"], bar["c"]) <= bar["h"] for bar in found)
    assert all(bar["v"] > 0 for bar in found)
    whole = (await client.ok("History/retrieveBars", **(since | {"includePartialBar": False})))["bars"]
    assert whole == found[1:]
    assert (await client.ok("History/retrieveBars", **(since | {"limit": 2})))["bars"] == found[:2]
    [five, first_five] = (await client.ok("History/retrieveBars", **(since | {"unitNumber": 5})))["bars"]
    assert (five, first_five["t"]) == (found[0], found[-1]["t"])
    assert first_five["v"] == sum(bar["v"] for bar in found[1:])
    assert (await client.ok("History/retrieveBars", **(since | {"live": True})))["bars"] == []
    window = BARS | {"startTime": "2026-11-23T15:01:00Z", "endTime": "2026-11-23T15:03:00Z"}
    assert (await client.ok("History/retrieveBars", **window))["bars"] == found[3:5]
    chart = (await client.ok("History/retrieveBars", **(BARS | {"limit": 20_000})))["bars"]
    assert chart[:6] == found
    assert chart[6]["t"] == "2026-11-23T14:59:00+00:00"  # from before the exchange was first started
    assert abs(chart[6]["c"] - found[-1]["o"]) < 5
    assert len(chart) == 6 + 15 * 60


@pytest.mark.parametrize("symbol_id", ["MES", "CLE"])
async def test_a_new_exchange_has_a_day_of_bars_of_every_contract(
    network: Network, start: Start, symbol_id: str
) -> None:
    clock = SetClock()
    exchange = await start(clock)
    client = await Client(network, exchange.url).login(exchange)
    contract_id = f"CON.F.US.{symbol_id}.{'F27' if symbol_id == 'CLE' else 'Z26'}"
    asked = BARS | {"contractId": contract_id, "startTime": "2026-11-20T00:00:00Z", "limit": 20_000}
    found = (await client.ok("History/retrieveBars", **asked))["bars"]
    assert (len(found), found[0]["t"]) == (HISTORY_MIN, "2026-11-23T14:59:00+00:00")
    hours = (await client.ok("History/retrieveBars", **(asked | {"unit": 3})))["bars"]
    assert sum(bar["v"] for bar in hours) == sum(bar["v"] for bar in found)
    inside = asked | {"unit": 3, "endTime": "2026-11-23T12:30:00Z"}
    assert (await client.ok("History/retrieveBars", **inside))["bars"] == [
        bar for bar in hours if bar["t"][:13] <= "2026-11-23T12"
    ]
    clock.at_ns += 20 * 3_600 * SECOND_NS  # no more than a day is kept of it, as of what the exchange has seen itself
    left = (await client.ok("History/retrieveBars", **(asked | {"endTime": "2026-11-25T00:00:00Z"})))["bars"]
    assert left == found[: BARS_KEPT_MIN - 20 * 60]


async def test_where_the_exchange_closes_its_past_has_no_bars_of_closed_hours(network: Network, start: Start) -> None:
    exchange = await start(hours=Hours.EXCHANGE)
    client = await Client(network, exchange.url).login(exchange)
    asked = BARS | {"startTime": "2026-11-20T00:00:00Z", "limit": 20_000}
    found = (await client.ok("History/retrieveBars", **asked))["bars"]
    assert found[-1]["t"] == "2026-11-22T23:00:00+00:00"  # Sunday, 17:00 in Chicago


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"contractId": "CON.F.US.NQ.U26"}, 1),
        ({"unit": 0}, 2),
        ({"unit": 8}, 2),
        ({"unitNumber": 0}, 3),
        ({"unitNumber": 2**31 - 1}, 3),
        ({"limit": 0}, 4),
        ({"limit": 20_001}, 4),
    ],
)
async def test_bars_that_cannot_be_are_refused_by_code(client: Client, changes: dict[str, Any], code: int) -> None:
    answer = await client.ask("History/retrieveBars", **(BARS | changes))
    assert (answer["success"], answer["errorCode"], answer["bars"]) == (False, code, [])
