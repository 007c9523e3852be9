"""Who follows the gate in its own process hears what every follower hears, and shares what the state is made of."""

from __future__ import annotations

import asyncio

from ordergate.bus.follower import Follower
from ordergate.bus.memory import MemoryBus
from ordergate.bus.topics import Alive, News
from ordergate.core.commands import Answer
from ordergate.engine.effects import Outlet
from ordergate.journal.memory import MemoryJournal
from tests.engine.gate_on_memory import ACCOUNT, KEY, Bench, bench


def outlet() -> Outlet:
    """Lanes that nobody carries away."""
    return Outlet(MemoryBus(), KEY, lambda _step, _name: None, lambda *_: None, lambda _answer: None)


async def heard_by(told: asyncio.Queue[News], desk: Bench) -> list[News]:
    """All that has come, up to the last that the gate has told over the bus."""
    heard = [await told.get()]
    while heard[-1] != desk.told[-1]:
        heard.append(await told.get())
    return heard


async def test_a_follower_in_the_process_hears_the_same_in_the_same_order() -> None:
    async with bench(MemoryJournal()) as desk:
        told = desk.gate.follow()
        await desk.adopt()
        await desk.buy(2, "a")
        async with asyncio.timeout(5):
            heard = await heard_by(told, desk)
    news = [each for each in heard if not isinstance(each, Alive)]
    assert news == [each for each in desk.told if not isinstance(each, Alive)][-len(news) :]
    assert isinstance(news[-1], Answer)


async def test_its_copy_is_the_state_and_what_an_order_says_is_there_once() -> None:
    async with bench(MemoryJournal()) as desk:
        told, follower = desk.gate.follow(), Follower(desk.bus)
        await follower.ask()
        await desk.adopt()
        await desk.buy(2, "a")
        async with asyncio.timeout(5):
            while follower.group is None or follower.group.version < desk.gate.group.version:
                if not isinstance(news := await told.get(), Answer):
                    await follower.follow(news)
        assert follower.group == desk.gate.group
        theirs, ours = (group.accounts[ACCOUNT].orders["a"].terms for group in (follower.group, desk.gate.group))
        assert theirs is ours


async def test_it_knows_that_the_gate_lives_while_nothing_leaves_the_process() -> None:
    stuck = outlet()
    told = stuck.follow()
    answer = Answer("ask-1", ok=True)
    await stuck.tell(answer)
    assert await told.get() is answer
    await stuck.beat("")
    assert told.get_nowait() == Alive(0)


async def test_what_waits_for_it_says_that_the_gate_lives() -> None:
    stuck = outlet()
    told = stuck.follow()
    for _ in range(3):
        await stuck.beat("")
    assert told.qsize() == 1
