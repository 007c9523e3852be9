"""The connection manager's health: each part by what was seen of it, and nothing by its being there."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.broker import health
from ordergate.broker.health import QUOTE_AGE_MS_MAX
from ordergate.bus import topics
from ordergate.bus.port import BusHealth, Topic
from ordergate.core.instrument import Instrument
from ordergate.core.reports import LinkReport, PlaceOutcome
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, MNQ, Desk, FullDisk
from tests.core.desk import instant
from tests.simulation.virtual_time import run

INSTRUMENT = Instrument(MNQ, "MNQ", "MNQU6", Decimal("0.25"), Decimal("0.50"), Decimal("0.36"))
LATE_S = QUOTE_AGE_MS_MAX / 1_000 + 2


async def looked(desk: Desk, url: str) -> tuple[int, dict[str, Any]]:
    response = await desk.network.request("GET", url, timeout_s=1)
    return response.status, msgspec.json.decode(response.body)


async def alive(desk: Desk) -> None:
    """A word of the gate, and of the market."""
    await desk.bus.send(Topic.EVENTS, topics.encode(topics.Alive(1)))
    await desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": 20_000, "bestAsk": 20_000.25})
    await asyncio.sleep(0.01)


def test_all_is_well_only_while_every_part_was_seen_to_work() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            url = f"{server.url}/health"
            await alive(desk)
            status, told = await looked(desk, url)
            assert (status, told["status"], told["overall"], told["alerts"]) == (200, "ok", "HEALTHY", [])
            assert (told["userHub"], told["marketHub"], told["rest"]) == ("ok", "ok", "ok")
            assert (told["accounts"], told["shadow"]) == ([ACCOUNT], False)
            parts = told["components"]
            assert {name: part and part["status"] for name, part in parts.items()} == {
                "userHub": "ok",
                "marketHub": "ok",
                "rest": "ok",
                "token": "ok",
                "requestBudget": "ok",
                "journal": "untried",
                "gate": "ok",
                "redis": None,
            }
            assert parts["userHub"]["subscriptions"] == 4
            (contract,) = parts["marketHub"]["contracts"]
            assert (contract["instrument"], contract["inSession"]) == ("MNQ", True)
            assert 0 <= contract["quoteAgeMs"] < 1_000
            assert parts["rest"]["lastFailure"] == ""
            assert parts["rest"]["lastAnswerAgeMs"] >= 0
            life_ms = desk.broker.token_lifetime_s * 1_000
            assert life_ms - 2_000 < parts["token"]["ageMs"] + parts["token"]["expiresInMs"] <= life_ms
            budget = parts["requestBudget"]
            spent = len(desk.broker.asked)
            assert (budget["requestsMax"], budget["reserve"], budget["windowMs"]) == (200, 40, 60_000)
            assert (budget["left"], budget["leftForExits"]) == (160 - spent, 200 - spent)
            await server.close()

    run(main())


def test_before_the_broker_was_reached_health_is_degraded() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open(until_linked=False) as manager:
            server = await manager.serve("127.0.0.1", 0)
            status, told = await looked(desk, f"{server.url}/health")
            assert (status, told["status"], told["accounts"]) == (503, "degraded", [])
            assert told["components"]["token"]["status"] == "none"
            await server.close()

    run(main())


def test_health_follows_both_hubs_and_rest() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            url = f"{server.url}/health"
            await alive(desk)
            desk.broker.script["Order/place"] = lambda _body: Response(502)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            status, told = await looked(desk, url)
            assert (status, told["status"], told["rest"]) == (503, "degraded", "Order/place: HTTP status 502")
            assert told["components"]["journal"]["status"] == "ok"
            await desk.broker.drop("user")
            await desk.report(LinkReport)
            told = (await looked(desk, url))[1]
            assert told["userHub"] == "closed by the broker"
            assert "userHub: closed by the broker" in told["alerts"]
            await server.close()

    run(main())


def test_a_failure_of_rest_stays_in_health_with_its_age_when_later_requests_are_answered() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            desk.broker.script["Order/place"] = lambda _body: Response(502)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            del desk.broker.script["Order/place"]
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            await alive(desk)
            told = (await looked(desk, f"{server.url}/health"))[1]
            rest = told["components"]["rest"]
            assert (rest["status"], rest["lastFailure"]) == ("ok", "Order/place: HTTP status 502")
            assert rest["lastFailureAgeMs"] >= rest["lastAnswerAgeMs"]
            await server.close()

    run(main())


def test_a_market_hub_that_is_connected_and_silent_is_not_well_while_its_contracts_trade() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            url = f"{server.url}/health"
            assert (await looked(desk, url))[1]["marketHub"] == "ok", "nobody is late who was asked just now"
            await asyncio.sleep(LATE_S)
            told = (await looked(desk, url))[1]
            assert told["components"]["marketHub"]["status"] == "stale"
            assert "no quote of MNQ" in told["marketHub"]
            await alive(desk)
            told = (await looked(desk, url))[1]
            assert (told["marketHub"], told["status"]) == ("ok", "ok")
            await asyncio.sleep(LATE_S)
            assert (await looked(desk, url))[1]["components"]["marketHub"]["status"] == "stale"
            await server.close()

    run(main())


def test_a_contract_that_does_not_trade_now_need_not_be_quoted() -> None:
    def part(at_ns: int) -> health.MarketHub:
        return health.market_hub("", {MNQ: 0}, {MNQ: INSTRUMENT}, {}, at_ns)

    assert part(instant("2026-11-23 09:00")).status == "stale"
    assert part(instant("2026-11-21 09:00")).status == "ok", "a Saturday"
    assert part(instant("2026-11-22 17:00:59")).status == "ok", "its session has just begun"
    assert part(instant("2026-11-22 17:01:01")).status == "stale"


def test_a_record_that_cannot_be_written_is_told() -> None:
    async def main() -> None:
        desk = Desk(FullDisk())
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            status, told = await looked(desk, f"{server.url}/health")
            assert (status, told["components"]["journal"]["status"]) == (503, "failing")
            assert "no space left" in told["components"]["journal"]["why"]
            await server.close()

    run(main())


def test_a_silent_gate_is_told_with_how_long_it_has_been_silent() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            url = f"{server.url}/health"
            gate = (await looked(desk, url))[1]["components"]["gate"]
            assert (gate["status"], gate["lastHeardAgeMs"]) == ("silent", None)
            await alive(desk)
            assert (await looked(desk, url))[1]["components"]["gate"]["status"] == "ok"
            await asyncio.sleep(6)
            gate = (await looked(desk, url))[1]["components"]["gate"]
            assert gate["status"] == "silent"
            assert 6_000 <= gate["lastHeardAgeMs"] < 7_000
            await server.close()

    run(main())


@pytest.mark.parametrize(
    ("left", "left_for_exits", "pause_s", "status"),
    [(1, 41, 0.0, "ok"), (0, 40, 0.0, "reserve only"), (0, 0, 0.0, "used up"), (0, 30, 12.4, "paused")],
)
def test_the_request_budget_says_who_may_still_ask(left: int, left_for_exits: int, pause_s: float, status: str) -> None:
    room = health.request_room(
        requests_max=200, window_s=60.0, reserve=40, left=left, left_for_exits=left_for_exits, pause_s=pause_s
    )
    assert (room.status, bool(room.why), room.pause_ms) == (status, status != "ok", round(pause_s * 1_000))


def test_a_token_that_has_expired_is_told() -> None:
    assert health.token((0, 5_000_000), 4_000_000).status == "ok"
    expired = health.token((0, 5_000_000), 6_000_000)
    assert (expired.status, expired.expires_in_ms) == ("expired", -1)


def test_a_redis_that_is_not_connected_is_told_with_its_reason() -> None:
    seen = BusHealth("redis://127.0.0.1", None, "connection refused", {}, 0)
    part = health.redis(seen)
    assert part is not None
    assert (part.status, part.why) == ("down", "not connected: connection refused")
    part = health.redis(msgspec.structs.replace(seen, connected_since="2026-11-23T15:00:00.000Z"))
    assert part is not None
    assert part.status == "ok"


def test_every_number_of_health_can_be_exported_by_its_place() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            await alive(desk)
            found = health.figures(manager.health())
            assert (found["ok"], found["userHub.ok"], found["requestBudget.reserve"]) == (1, 1, 40)
            assert found["marketHub.MNQ.quoteAgeMs"] >= 0
            assert "rest.lastFailureAgeMs" not in found
            await asyncio.sleep(6)
            found = health.figures(manager.health())
            assert (found["ok"], found["gate.ok"]) == (0, 0)
            assert found["gate.lastHeardAgeMs"] >= 6_000

    run(main())
