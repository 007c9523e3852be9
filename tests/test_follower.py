"""A copy of the gate's state is either true or not there."""

from __future__ import annotations

import asyncio

from ordergate.bus.follower import SILENT_S
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.bus.topics import ALIVE_S, Alive, Happened, News, State, StateWanted, encode, request
from ordergate.core.account import Group
from ordergate.core.events import LinkChanged
from ordergate.web.mirror import Mirror
from tests.simulation.virtual_time import VirtualClock, run


class Bench:
    """A mirror, and the gate's side of the bus played by hand in virtual time."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.asked = 0
        self.mirror = Mirror(self.bus, VirtualClock(asyncio.get_running_loop()))
        self._orders = self.bus.consume(Topic.ORDERS, "gate")
        self._tasks = [asyncio.create_task(work) for work in (self.mirror.run(), self._listen())]

    async def _listen(self) -> None:
        async for message in self._orders:
            assert isinstance(request(message), StateWanted)
            self.asked += 1

    async def tell(self, news: News) -> None:
        await self.bus.send(Topic.EVENTS, encode(news))
        await asyncio.sleep(0.1)

    async def beats(self, number: int, count: int) -> None:
        for _ in range(count):
            await self.tell(Alive(number))
            await asyncio.sleep(ALIVE_S)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


def changed(reason: str) -> LinkChanged:
    return LinkChanged(0, up=False, reason=reason, at_ns=1)


def test_a_gate_that_lives_and_has_nothing_to_tell_is_followed_on() -> None:
    async def main() -> None:
        bench = Bench()
        await asyncio.sleep(0.1)
        await bench.tell(State(Group(version=7)))
        await bench.beats(7, 20)
        assert bench.mirror.group == Group(version=7)
        assert bench.asked == 1
        await bench.close()

    run(main())


def test_of_a_silent_gate_nothing_is_shown_and_its_listeners_are_let_go_until_it_is_heard_again() -> None:
    async def main() -> None:
        bench = Bench()
        await asyncio.sleep(0.1)
        await bench.tell(State(Group(version=7)))
        listener = bench.mirror.stream.listen()
        await asyncio.sleep(SILENT_S - 1)
        seen = [(listener.closed, bench.mirror.group is None)]
        await asyncio.sleep(2)
        seen.append((listener.closed, bench.mirror.group is None))
        assert seen == [(False, False), (True, True)]
        assert bench.mirror.unknown == "the gate has not been heard for 5 s or more; try again in a moment"
        asked = bench.asked
        await asyncio.sleep(2)
        assert bench.asked > asked
        await bench.tell(State(Group(version=9)))
        assert bench.mirror.group == Group(version=9)
        await bench.close()

    run(main())


def test_a_last_event_that_was_lost_shows_by_the_number_of_the_next_heartbeat() -> None:
    async def main() -> None:
        bench = Bench()
        await asyncio.sleep(0.1)
        await bench.tell(State(Group(version=7)))
        await bench.tell(Happened(8, changed("x")))
        assert bench.asked == 1
        await bench.tell(Alive(9))
        assert bench.mirror.group is None
        assert bench.asked == 2
        await bench.close()

    run(main())
