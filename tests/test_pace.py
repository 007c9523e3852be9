"""The loop whose time runs faster. Numbers in docstrings are the invariants of ``pace``."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from ordergate.clock import MarketClock
from ordergate.errors import OutcomeUnknown
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from ordergate.pace import PacedLoop, new_event_loop

T = TypeVar("T")

SPEED = 100


def run(main: Coroutine[Any, Any, T], speed: int = SPEED) -> T:
    with asyncio.Runner(loop_factory=new_event_loop(speed)) as runner:
        return runner.run(main)


@pytest.mark.parametrize("speed", [2, 100])
def test_the_loop_has_at_most_as_many_seconds_as_its_speed_in_a_real_one(speed: int) -> None:
    """Invariant 1."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        for _ in range(10):
            before_s = loop.time()
            await asyncio.sleep(0.1)
            assert loop.time() - before_s >= 0.1 - 1e-6
        assert loop.time() <= (time.monotonic() - began) * speed

    run(main(), speed)


def test_a_timer_runs_at_its_instant_however_busy_the_machine_is() -> None:
    """Invariant 2."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for delay_s in (0.001, 0.3, 2.0, 5.0):
            due_s = loop.time() + delay_s
            loop.call_later(delay_s / 2, time.sleep, 0.05)  # five seconds of the loop, were they counted
            await asyncio.sleep(delay_s)
            assert loop.time() == pytest.approx(due_s, rel=0, abs=2e-6)

    run(main())


def test_computing_takes_no_time_and_so_misses_no_deadline() -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(0.5)
            time.sleep(0.1)  # noqa: ASYNC251 - a busy machine
            await asyncio.sleep(0.4)

    run(main())


def test_waiting_for_the_world_takes_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        real, before_s = time.monotonic(), loop.time()
        await asyncio.to_thread(time.sleep, 0.05)
        assert 0 < loop.time() - before_s <= (time.monotonic() - real) * SPEED

    run(main())


def test_a_minute_of_waiting_does_not_take_a_minute() -> None:
    """The bound on the whole test is its time-out of a minute."""

    async def main() -> None:
        await asyncio.gather(asyncio.sleep(60), asyncio.sleep(59))

    run(main())


def test_sockets_answer_and_deadlines_pass_in_the_time_of_the_loop() -> None:
    async def main() -> None:
        network = HttpNetwork()

        async def answer(request: Request) -> Response:
            await asyncio.sleep(3_600 if request.path == "/slow" else 0)
            return Response(200, request.body)

        server = await network.serve(answer, host="127.0.0.1", port=0)
        try:
            for _ in range(20):
                answered = await network.request("POST", f"{server.url}/", body=b"tick", timeout_s=60)
                assert answered.body == b"tick"
            with pytest.raises(OutcomeUnknown):
                await network.request("POST", f"{server.url}/slow", timeout_s=20)
        finally:
            await server.close()
            await network.close()

    run(main())


def test_a_thread_wakes_the_loop() -> None:
    """As the journal's thread does."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        threading.Timer(0.01, loop.call_soon_threadsafe, (done.set_result, "written")).start()
        return await done

    assert run(main()) == "written"


def test_the_market_clock_starts_where_it_is_told_and_runs_with_the_loop() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        began_s, clock = loop.time(), MarketClock(1_703_541_600_000_000_000)
        await asyncio.sleep(30)
        passed_ns = clock.now_ns() - 1_703_541_600_000_000_000
        assert passed_ns == round((loop.time() - began_s) * 1e9)
        assert passed_ns >= 30_000_000_000

    run(main())


def test_real_time_runs_on_the_fastest_loop() -> None:
    loop = new_event_loop(1)()
    try:
        assert not isinstance(loop, PacedLoop)
        assert (type(loop).__module__.partition(".")[0] == "uvloop") is (sys.platform != "win32")
    finally:
        loop.close()
