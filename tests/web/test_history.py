"""``GET /api/bars`` of the page's server, with a connection manager of a few lines behind it."""

from __future__ import annotations

import asyncio

import pytest

from ordergate.net.port import Request, Response
from tests.simulation.virtual_time import run
from tests.web.desk import desk
from tests.web.history import MES, OLD

BARS = b'{"contractId":"x","unitMinutes":1,"bars":[{"time":"2026-11-23T15:00:00.000000+00:00","open":1.25}]}'


class Manager:
    """``status`` is what it answers with; None = nothing."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.method, request.path, dict(request.query)))
        if self.status is None:
            await asyncio.sleep(3_600)
        return Response(self.status or 200, BARS)


def test_a_symbol_is_its_active_contract_and_the_answer_is_the_connection_managers_own() -> None:
    async def main() -> None:
        manager = Manager(200)
        async with desk(connection_manager=manager.answer) as at:
            status, body = await at.call("GET", "/api/bars?symbol=MES&unitMinutes=5&count=30")
            assert (status, body["bars"][0]["time"]) == (200, "2026-11-23T15:00:00.000000+00:00")
            await at.call("GET", f"/api/bars?symbol={OLD}&before=2026-11-23T15%3A00%3A00Z")
        assert manager.asked == [
            ("GET", "/api/bars", {"contractId": MES, "unitMinutes": "5", "count": "30"}),
            ("GET", "/api/bars", {"contractId": OLD, "before": "2026-11-23T15:00:00Z"}),
        ]

    run(main())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "UNKNOWN_INSTRUMENT"),
        ("symbol=XX", "UNKNOWN_INSTRUMENT"),
        ("symbol=MES&count=-1", "BAD_QUERY"),
        ("symbol=MES&before=9", "BAD_QUERY"),
    ],
)
def test_what_is_no_question_is_not_asked(query: str, code: str) -> None:
    async def main() -> None:
        manager = Manager(200)
        async with desk(connection_manager=manager.answer) as at:
            status, body = await at.call("GET", f"/api/bars?{query}")
        assert (status, body["code"], manager.asked) == (400, code, [])

    run(main())


@pytest.mark.parametrize(("said", "status", "code"), [(400, 400, "BAD_QUERY"), (503, 503, "BARS_UNAVAILABLE")])
def test_what_the_connection_manager_refuses_is_told_in_our_shape(said: int, status: int, code: str) -> None:
    async def main() -> None:
        async with desk(connection_manager=Manager(said).answer) as at:
            answer = await at.call("GET", "/api/bars?symbol=MES&count=9999")
        assert (answer[0], answer[1]["code"]) == (status, code)

    run(main())


def test_a_connection_manager_that_does_not_answer_is_waited_for_five_seconds() -> None:
    async def main() -> None:
        async with desk(connection_manager=Manager(None).answer) as at:
            start = asyncio.get_running_loop().time()
            status, body = await at.call("GET", "/api/bars?symbol=MES")
            assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.1)
        assert (status, body["code"]) == (503, "BARS_UNAVAILABLE")

    run(main())
