"""The clock that is never set back, on the loop's own time."""

from __future__ import annotations

import asyncio

from ordergate.clock import Clock, SteadyClock
from tests.simulation.virtual_time import run

SECOND_NS = 1_000_000_000


class Wall:
    """A wall clock as fast as the loop, which can be set."""

    def __init__(self) -> None:
        self.offset_ns = 1_800_000_000 * SECOND_NS

    def now_ns(self) -> int:
        return self.offset_ns + round(asyncio.get_running_loop().time() * SECOND_NS)


async def elapsed_s(clock: Clock, seconds: float) -> float:
    """What passes by ``clock`` while ``seconds`` pass by the loop."""
    before = clock.now_ns()
    await asyncio.sleep(seconds)
    return (clock.now_ns() - before) / SECOND_NS


def test_it_is_the_clock_it_stands_for_forwards_too() -> None:
    async def main() -> None:
        wall = Wall()
        steady = SteadyClock(wall)
        assert await elapsed_s(steady, 5) == 5
        wall.offset_ns += 3_600 * SECOND_NS
        assert steady.now_ns() == wall.now_ns()

    run(main())


def test_set_back_it_goes_on_at_half_pace_until_it_has_been_caught_up() -> None:
    async def main() -> None:
        wall = Wall()
        steady = SteadyClock(wall)
        before_ns = steady.now_ns()
        wall.offset_ns -= 3_600 * SECOND_NS
        assert steady.now_ns() == before_ns
        for _ in range(72):
            assert await elapsed_s(steady, 100) == 50
        assert steady.now_ns() == wall.now_ns()
        assert await elapsed_s(steady, 100) == 100

    run(main())
