"""The line to a venue, cut for a while."""

from __future__ import annotations

import asyncio

import pytest

from ordergate.certify.line import Line
from ordergate.errors import NotSent, OutcomeUnknown
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Request, Response, Upgrade, WebSocket
from tests.simulation.virtual_time import run

HELD_S = 1.0


class Far:
    """A server that answers after a while, and keeps WebSockets open. ``asked`` counts what arrived."""

    def __init__(self) -> None:
        self.asked = 0

    async def answer(self, request: Request) -> Response | Upgrade:
        self.asked += 1
        if request.path == "/hub":
            return Upgrade(self.keep)
        await asyncio.sleep(HELD_S)
        return Response(200)

    async def keep(self, socket: WebSocket) -> None:
        while await socket.receive() is not None:
            pass


def test_while_the_line_is_cut_nothing_leaves_and_afterwards_it_does() -> None:
    async def work() -> None:
        far, line = Far(), Line(MemoryNetwork())
        server = await line.serve(far.answer, host="127.0.0.1", port=0)
        line.cut(5)
        with pytest.raises(NotSent, match="the line is cut"):
            await line.request("POST", f"{server.url}/api/Order/place", timeout_s=5)
        with pytest.raises(NotSent, match="the line is cut"):
            await line.connect(f"{server.url}/hub", timeout_s=5)
        assert (far.asked, line.sent) == (0, {})
        await asyncio.sleep(5)
        assert (await line.request("POST", f"{server.url}/api/Order/place", timeout_s=5)).status == 200
        assert line.sent == {"Order/place": 1}
        await server.close()

    run(work())


def test_a_request_that_was_under_way_when_the_line_was_cut_may_have_been_acted_on() -> None:
    async def work() -> None:
        far, line = Far(), Line(MemoryNetwork())
        server = await line.serve(far.answer, host="127.0.0.1", port=0)
        asking = asyncio.ensure_future(line.request("POST", f"{server.url}/api/Order/place", timeout_s=5))
        await asyncio.sleep(HELD_S / 2)
        line.cut(0.1)
        with pytest.raises(OutcomeUnknown, match="the line was cut before the answer"):
            await asking
        assert far.asked == 1
        await server.close()

    run(work())


def test_a_cut_ends_every_websocket() -> None:
    async def work() -> None:
        far, line = Far(), Line(MemoryNetwork())
        server = await line.serve(far.answer, host="127.0.0.1", port=0)
        sockets = [await line.connect(f"{server.url}/hub", timeout_s=5) for _ in range(2)]
        line.cut(1)
        assert [await socket.receive() for socket in sockets] == [None, None]
        await asyncio.sleep(1)
        await (await line.connect(f"{server.url}/hub", timeout_s=5)).send("still there")
        await server.close()
        await line.close()

    run(work())
