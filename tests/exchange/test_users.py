"""Several logins of one exchange: each sees and trades its own accounts, and has its own key and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ordergate.errors import StartRefused
from ordergate.exchange.server import Exchange, User
from ordergate.exchange.settings import ExchangeSettings
from ordergate.net.port import Network
from tests.exchange.support import MES, Client, HubClient

EVER = {"startTimestamp": "2020-01-01T00:00:00Z"}
Start = Callable[..., Awaitable[Exchange]]


async def logged_in(network: Network, exchange: Exchange, user: User) -> Client:
    client = Client(network, exchange.url)
    answer = await client.ok("Auth/loginKey", userName=user.user_name, apiKey=user.api_key)
    client.token = answer["token"]
    return client


@pytest.fixture
async def two(network: Network, start: Start) -> tuple[Client, Client]:
    exchange = await start(user_count=2, account_count=2)
    first, second = exchange.users
    assert (first.user_name, first.account_ids) == ("practice", (1001, 1002))
    assert (second.user_name, second.account_ids) == ("practice-2", (2001, 2002))
    assert first.api_key != second.api_key
    wrong = await Client(network, exchange.url).ask("Auth/loginKey", userName="practice-2", apiKey=first.api_key)
    assert (wrong["success"], wrong["errorCode"]) == (False, 3)
    return await logged_in(network, exchange, first), await logged_in(network, exchange, second)


async def test_each_login_sees_its_own_accounts_only(two: tuple[Client, Client]) -> None:
    for client, ids in zip(two, ([1001, 1002], [2001, 2002]), strict=True):
        found = (await client.ok("Account/search", onlyActiveAccounts=True))["accounts"]
        assert [account["id"] for account in found] == ids


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("Order/place", {"accountId": 1001, "contractId": MES, "type": 2, "side": 0, "size": 1}, 1),
        ("Order/modify", {"accountId": 1001, "orderId": "id", "size": 2}, 1),
        ("Order/cancel", {"accountId": 1001, "orderId": "id"}, 1),
        ("Order/search", {"accountId": 1001, **EVER}, 1),
        ("Order/searchOpen", {"accountId": 1001}, 1),
        ("Order/searchById", {"accountId": 1001, "orderId": "id"}, 1),
        ("Order/v2/query", {"filter": {"accountId": 1001}}, 1),
        ("Position/searchOpen", {"accountId": 1001}, 1),
        ("Position/closeContract", {"accountId": 1001, "contractId": MES}, 1),
        ("Position/partialCloseContract", {"accountId": 1001, "contractId": MES, "size": 1}, 1),
        ("Trade/search", {"accountId": 1001, **EVER}, 1),
    ],
)
async def test_another_s_account_is_as_one_that_there_is_not(
    two: tuple[Client, Client], path: str, body: dict[str, Any], code: int
) -> None:
    owner, other = two
    await owner.place()
    order_id = (await owner.place(type=1, limitPrice=7_000))["orderId"]
    asked = body | ({"orderId": order_id} if "orderId" in body else {})
    refused = await other.ask(path, **asked)
    assert (refused["success"], refused["errorCode"]) == (False, code)
    assert (await owner.ask(path, **asked))["success"] is True


async def test_a_hub_tells_a_login_nothing_of_another_s_accounts(two: tuple[Client, Client]) -> None:
    owner, other = two
    hub = await HubClient.connect(other.network, f"{other.url}/hubs/user?access_token={other.token}")
    assert await hub.invoke("SubscribeAccounts") is None
    for account_id in (1001, 2001):
        for name in ("Orders", "Positions", "Trades"):
            assert await hub.invoke(f"Subscribe{name}", account_id) is None
    await owner.place()
    await other.place(accountId=2001)
    told = [(await hub.event())[1][0]["data"] for _ in range(5)]
    assert {event.get("accountId", event["id"]) for event in told} == {2001}


async def test_each_login_has_limits_of_its_own(network: Network, start: Start) -> None:
    exchange = await start(user_count=2, requests_max=2)
    clients = [await logged_in(network, exchange, user) for user in exchange.users]
    for client in clients:
        statuses = [(await client.post("Account/search", {"onlyActiveAccounts": True})).status for _ in range(2)]
        assert statuses == [200, 429]


def test_there_are_no_more_than_50_accounts_in_all() -> None:
    assert ExchangeSettings(user_count=10, account_count=5).checked()
    with pytest.raises(StartRefused, match="10 users with 6 accounts each are not 1 to 50 accounts"):
        ExchangeSettings(user_count=10, account_count=6).checked()
