"""``GET /api/bars`` of the connection manager: the broker's bars, the oldest first, and nothing made up."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.broker.connection_manager import ConnectionManager
from ordergate.core.reports import Outcome, PlaceOutcome
from tests.broker.stand_in import MNQ, Desk
from tests.simulation.virtual_time import run

ROW = {"t": "2026-11-23T14:59:00+00:00", "o": 20000.25, "h": 20001.5, "l": 19999.75, "c": 20001, "v": 12}
EARLIER = ROW | {"t": "2026-11-23T14:58:00+00:00"}


async def asked(desk: Desk, manager: ConnectionManager, query: str) -> tuple[int, Any]:
    server = await manager.serve("127.0.0.1", 0)
    answer = await desk.network.request("GET", f"{server.url}/api/bars?{query}", timeout_s=10)
    await server.close()
    return answer.status, msgspec.json.decode(answer.body)


def answered(script: Any, query: str = f"contractId={MNQ}") -> tuple[Desk, int, Any]:
    async def main() -> tuple[Desk, int, Any]:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = script
        async with desk.open() as manager:
            return desk, *await asked(desk, manager, query)

    return run(main())


def test_bars_are_told_oldest_first_as_exact_numbers() -> None:
    desk, status, body = answered(lambda _body: {"bars": [ROW, EARLIER]}, f"contractId={MNQ}&unitMinutes=5&count=20")
    assert status == 200
    assert (body["contractId"], body["unitMinutes"]) == (MNQ, 5)
    assert [bar["time"] for bar in body["bars"]] == [
        "2026-11-23T14:58:00.000000+00:00",
        "2026-11-23T14:59:00.000000+00:00",
    ]
    assert Decimal(str(body["bars"][1]["low"])) == Decimal("19999.75")
    (said,) = desk.broker.bodies("History/retrieveBars")
    assert said["unit"] == 2
    assert (said["unitNumber"], said["limit"], said["includePartialBar"], said["live"]) == (5, 20, True, False)
    # Four days back a weekend with a holiday is over.
    assert said["startTime"] == "2026-11-19T13:21:00.010000+00:00"
    assert said["endTime"] == "2026-11-23T15:01:00.010000+00:00"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "contractId=" + "x" * 65,
        *(f"contractId={MNQ}&{bad}" for bad in ("count=0", "count=1501", "unitMinutes=61", "before=yesterday")),
    ],
)
def test_what_is_out_of_bounds_is_refused_without_asking_the_broker(query: str) -> None:
    desk, status, _ = answered(lambda _body: {"bars": []}, query)
    assert (status, desk.broker.count("History/retrieveBars")) == (400, 0)


def minutes(first: int, last: int) -> list[dict[str, Any]]:
    """The bars of some minutes of the hour from 15:00, the newest first; the volume of each is its minute."""
    return [ROW | {"t": f"2026-11-23T15:{minute:02}:00+00:00", "v": minute} for minute in range(last, first - 1, -1)]


def told(body: Any) -> list[tuple[str, int]]:
    return [(bar["time"][14:16], bar["volume"]) for bar in body["bars"]]


def test_bars_that_were_read_are_kept_and_only_the_last_are_read_again() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": minutes(0, 20)[:20]}
        async with desk.open() as manager:
            query = f"contractId={MNQ}&count=20"
            _, first = await asked(desk, manager, query)
            assert told(first)[-1] == ("20", 20)
            await asyncio.sleep(180)
            again = [row | ({"v": 99} if row["t"][14:16] == "20" else {}) for row in minutes(18, 23)]
            desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": again}
            _, second = await asked(desk, manager, query)
            assert told(second) == [(f"{minute:02}", 99 if minute == 20 else minute) for minute in range(4, 24)]
            whole, tail = desk.broker.bodies("History/retrieveBars")
            assert (whole["limit"], tail["startTime"]) == (20, "2026-11-23T15:18:00.000000+00:00")
            assert tail["limit"] < 10

    run(main())


@pytest.mark.parametrize("rows", [[], minutes(19, 23)], ids=["nothing", "a gap"])
def test_where_the_broker_s_bars_do_not_join_what_is_kept_all_is_read_again(rows: list[dict[str, Any]]) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": minutes(1, 20)}
        async with desk.open() as manager:
            query = f"contractId={MNQ}&count=20"
            await asked(desk, manager, query)
            answers = [{"bars": rows}, {"bars": minutes(4, 23)}]
            desk.broker.script["History/retrieveBars"] = lambda _body: answers.pop(0)
            _, body = await asked(desk, manager, query)
            assert [minute for minute, _ in told(body)] == [f"{minute:02}" for minute in range(4, 24)]
            assert desk.broker.count("History/retrieveBars") == 3

    run(main())


def test_more_bars_than_are_kept_and_those_of_another_unit_are_read_whole() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda body: {"bars": minutes(1, 20)[: body["limit"]]}
        async with desk.open() as manager:
            for query in ("count=10", "count=20", "count=20&unitMinutes=5"):
                await asked(desk, manager, f"contractId={MNQ}&{query}")
            limits = [body["limit"] for body in desk.broker.bodies("History/retrieveBars")]
            assert limits == [10, 20, 20]

    run(main())


def test_an_earlier_page_ends_before_its_instant_and_is_read_once() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": minutes(1, 20)}
        async with desk.open() as manager:
            await asyncio.sleep(3_600)
            query = f"contractId={MNQ}&count=5&before=2026-11-23T15:20:00Z"
            (_, page), (_, again) = await asyncio.gather(asked(desk, manager, query), asked(desk, manager, query))
            assert told(page) == told(again) == [(f"{minute:02}", minute) for minute in range(15, 20)]
            (body,) = desk.broker.bodies("History/retrieveBars")
            assert (body["endTime"], body["limit"]) == ("2026-11-23T15:20:00.000000+00:00", 6)
            assert body["startTime"] == "2026-11-19T15:14:00.000000+00:00"

    run(main())


def test_an_earlier_page_that_may_yet_change_and_one_without_bars_are_read_again() -> None:
    async def main() -> None:
        desk = Desk()
        answers = [[], minutes(2, 2), minutes(1, 2), minutes(1, 2)]
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": answers.pop(0)}
        async with desk.open() as manager:
            await asyncio.sleep(60 * 4)  # it is 15:04
            query = f"contractId={MNQ}&count=5&before=2026-11-23T15:03:00Z"
            found = [len(told((await asked(desk, manager, query))[1])) for _ in range(3)]
            assert found == [0, 1, 2]
            await asyncio.sleep(600)
            for _ in range(2):
                await asked(desk, manager, query)
            assert answers == []

    run(main())


def test_no_more_than_some_earlier_pages_are_kept() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": minutes(0, 0)}
        async with desk.open() as manager:
            await asyncio.sleep(3_600)
            for minute in [*range(1, 35), 34, 1]:
                await asyncio.sleep(2)  # bars have a limit of their own
                await asked(desk, manager, f"contractId={MNQ}&before=2026-11-23T15:{minute:02}:00Z")
            assert desk.broker.count("History/retrieveBars") == 35

    run(main())


def test_two_who_ask_at_once_get_what_was_read_for_both() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda body: {
            "bars": [row for row in minutes(1, 20) if row["t"] >= body["startTime"][:19]]
        }
        async with desk.open() as manager:
            await asyncio.sleep(60 * 20)
            query = f"contractId={MNQ}&count=20"
            (_, one), (_, other) = await asyncio.gather(asked(desk, manager, query), asked(desk, manager, query))
            assert one == other
            assert [body["limit"] < 20 for body in desk.broker.bodies("History/retrieveBars")] == [False, True]

    run(main())


def test_bars_that_could_not_be_read_again_are_still_kept() -> None:
    async def main() -> None:
        desk = Desk()
        answers: list[dict[str, Any]] = [{"bars": minutes(1, 20)}, {"bars": None}, {"bars": minutes(18, 21)}]
        desk.broker.script["History/retrieveBars"] = lambda _body: answers.pop(0)
        async with desk.open() as manager:
            await asyncio.sleep(60 * 21)
            query = f"contractId={MNQ}&count=20"
            statuses = [(await asked(desk, manager, query))[0] for _ in range(3)]
            assert (statuses, answers) == ([200, 503, 200], [])
            assert [body["limit"] == 20 for body in desk.broker.bodies("History/retrieveBars")] == [True, False, False]

    run(main())


def test_a_contract_the_broker_does_not_know_is_404() -> None:
    _, status, _ = answered(lambda _body: {"success": False, "errorCode": 1, "bars": []})
    assert status == 404


@pytest.mark.parametrize("answer", [{"bars": None}, {"success": False, "errorCode": 4}, {"bars": [{"t": "x"}]}])
def test_what_the_broker_does_not_answer_is_503(answer: dict[str, Any]) -> None:
    _, status, body = answered(lambda _body: answer)
    assert status == 503
    assert body["error"]


def test_a_bar_that_contradicts_itself_is_told_and_not_drawn() -> None:
    _, status, body = answered(lambda _body: {"bars": [ROW | {"h": 1}]})
    assert status == 503
    assert "contradicts itself" in body["error"]


def test_bars_have_a_request_limit_of_their_own() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["History/retrieveBars"] = lambda _body: {"bars": []}
        async with desk.open() as manager:
            answers = [await asked(desk, manager, f"contractId={MNQ}") for _ in range(31)]
            assert [status for status, _ in answers] == [200] * 30 + [503]
            assert "request limit" in answers[-1][1]["error"]
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE

    run(main())
