"""Health and balance over HTTP: true, or not said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ordergate.core.reports import LinkReport, PlaceOutcome
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, Desk
from tests.simulation.virtual_time import run


async def asked(desk: Desk, url: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    response = await desk.network.request(method, url, timeout_s=1)
    return response.status, msgspec.json.decode(response.body)


def test_health_follows_both_hubs_and_rest() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            url = f"{server.url}/health"
            parts = {"userHub": "ok", "marketHub": "ok", "rest": "ok"}
            healthy = {"status": "ok"} | parts | {"accounts": [ACCOUNT], "shadow": False}
            assert await asked(desk, url) == (200, healthy)
            desk.broker.script["Order/place"] = lambda _body: Response(502)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            status, health = await asked(desk, url)
            assert (status, health["status"], health["rest"]) == (503, "degraded", "Order/place: HTTP status 502")
            await desk.broker.drop("user")
            await desk.report(LinkReport)
            assert (await asked(desk, url))[1]["userHub"] == "closed by the broker"
            await server.close()

    run(main())


def test_before_the_broker_was_reached_health_is_degraded() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open(until_linked=False) as manager:
            server = await manager.serve("127.0.0.1", 0)
            status, health = await asked(desk, f"{server.url}/health")
            assert (status, health["status"], health["accounts"]) == (503, "degraded", [])
            await server.close()

    run(main())


def test_the_balance_is_the_brokers_and_what_it_does_not_say_is_null() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            status, balance = await asked(desk, f"{server.url}/account/balance?accountId={ACCOUNT}")
            assert status == 200
            assert balance.pop("lastUpdated").startswith("2026-11-23T15:00:00")
            assert balance == {
                "totalBalance": 50000.25,
                "availableBalance": None,
                "currency": "USD",
                "accountNumber": str(ACCOUNT),
                "accountId": ACCOUNT,
                "accountName": "PRAC-1",
            }
            await server.close()

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/account/balance?accountId=102", 404),
        ("GET", "/account/balance", 400),
        ("GET", "/account/balance?accountId=-1", 400),
        ("GET", "/account/balance?accountId=" + "9" * 5000, 400),
        ("GET", "/account/balance?accountId=%C2%B2", 400),
        ("GET", "/nowhere", 404),
        ("POST", "/health", 405),
    ],
)
def test_an_account_that_is_not_known_is_never_answered_with_another(method: str, path: str, status: int) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            answer = await asked(desk, server.url + path, method)
            assert answer[0] == status
            assert "error" in answer[1]
            await server.close()

    run(main())
