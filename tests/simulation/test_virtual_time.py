"""The loop that simulations run on. Numbers in docstrings are the invariants of ``virtual_time``."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.virtual_time import NS_PER_S, Deadlock, VirtualClock, run

DAY_S = 86_400


def test_a_year_of_waiting_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(365 * DAY_S)
        return asyncio.get_running_loop().time()

    assert run(main()) == 365 * DAY_S


def test_the_wall_clock_moves_with_the_loop() -> None:
    async def main() -> list[int]:
        clock = VirtualClock(asyncio.get_running_loop(), start_ns=5)
        before = clock.now_ns()
        await asyncio.sleep(1.5)
        return [before, clock.now_ns()]

    assert run(main()) == [5, 5 + 3 * NS_PER_S // 2]


def test_computing_takes_no_time() -> None:
    async def main() -> float:
        for _ in range(1_000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(main()) == 0


def test_timers_run_in_the_order_of_their_instants() -> None:
    async def main() -> list[int]:
        order: list[int] = []

        async def wait(seconds: int) -> None:
            await asyncio.sleep(seconds)
            order.append(seconds)

        await asyncio.gather(*(wait(seconds) for seconds in (30, 10, 20)))
        return order

    assert run(main()) == [10, 20, 30]


def test_a_timeout_passes_in_virtual_time_and_bounds_a_loop_without_end() -> None:
    async def main() -> float:
        async def tick_for_ever() -> None:
            while True:
                await asyncio.sleep(60)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tick_for_ever(), DAY_S)
        return asyncio.get_running_loop().time()

    assert run(main()) == DAY_S


@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=20))
def test_a_timer_runs_when_its_instant_is_reached_and_time_never_goes_back(delays_s: list[float]) -> None:
    """Invariant 1."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen = [loop.time()]
        for delay_s in delays_s:
            due_s = loop.time() + delay_s
            await asyncio.sleep(delay_s)
            assert loop.time() == pytest.approx(due_s, rel=0, abs=2e-6)
            seen.append(loop.time())
        assert seen == sorted(seen)

    run(main())


def test_waiting_for_a_rounded_instant_gets_there() -> None:
    """Invariant 1: a wait shorter than the clock's tick must not leave the time where it was."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.3)
        due_s = 0.1 + 0.2  # a little above 0.3
        assert loop.time() < due_s
        await asyncio.sleep(due_s - loop.time())
        assert loop.time() >= due_s

    run(main())


def test_two_who_wait_for_less_than_a_tick_do_not_keep_each_other_awake() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.000_000_011)

        async def wait(due_s: float, steps: int) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            while loop.time() < due_s:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due_s):
                        await asyncio.Event().wait()

        async with asyncio.timeout(1):
            await asyncio.gather(wait(loop.time() + 1e-7, 0), wait(loop.time() + 2e-7, 1))

    run(main())


@pytest.mark.parametrize("seed", range(3))
def test_the_same_program_runs_in_the_same_order(seed: int) -> None:
    """Invariant 2."""

    async def main() -> list[tuple[float, int]]:
        rng = random.Random(seed)
        log: list[tuple[float, int]] = []
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)

        async def produce(number: int) -> None:
            for _ in range(5):
                await asyncio.sleep(rng.choice([0, 0.001, 0.001, 1]))
                await queue.put(number)

        async def consume() -> None:
            while True:
                log.append((asyncio.get_running_loop().time(), await queue.get()))
                await asyncio.sleep(rng.random())

        consumer = asyncio.create_task(consume())
        await asyncio.gather(*(produce(number) for number in range(5)))
        consumer.cancel()
        return log

    assert run(main()) == run(main())


def test_a_deadlock_is_an_error_that_names_who_waits() -> None:
    async def main() -> None:
        stuck = asyncio.create_task(asyncio.Event().wait(), name="the desk")
        await stuck

    with pytest.raises(Deadlock, match="the desk"):
        run(main())


def test_a_deadlock_after_some_time_is_still_found() -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Deadlock, match=r"at 5\.0 s"):
        run(main())


def test_what_can_be_read_at_once_is_read_before_time_moves() -> None:
    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            here.settimeout(0)
            read = asyncio.create_task(loop.sock_recv(here, 1))
            await asyncio.sleep(0)  # it waits now
            there.sendall(b"x")
            async with asyncio.timeout(60):
                return await read, loop.time()

    assert run(main()) == (b"x", 0)
