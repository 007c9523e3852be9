"""What is durable goes out: effects to the connection manager, events and answers to whoever follows.

Exits have a lane of their own, so a stop, a close or a cancel never waits behind entries. The writer never waits for an
effect's result; it comes back as an input.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ordergate.broker.approvals import Approved, approve
from ordergate.bus.port import Bus, Topic
from ordergate.bus.topics import Alive, Happened, News, encode
from ordergate.core.account import Group
from ordergate.core.commands import Answer
from ordergate.core.decide import Decided
from ordergate.core.effects import Effect, Modify, Place, effects
from ordergate.core.events import Event
from ordergate.engine import decision_log
from ordergate.telemetry import Step

_encoder = msgspec.json.Encoder()

# A lane that is this far behind makes the writer wait: the connection manager has stopped reading.
_LANE_MAX = 10_000
# What waits in a lane leaves together: over Redis each call costs as much as twenty messages in it.
_TOGETHER_MAX = 100


class Outlet:
    """Lanes out of the writer; ``run`` carries what ``carry`` and ``tell`` have put in.

    Who follows in this process gets the very objects that the state is made of: nothing is read back, or kept twice.

    ``heard`` gets each event and its number, with the state after it or after a later one of the same decision;
    ``answered`` gets each answer.
    """

    def __init__(
        self,
        bus: Bus,
        approval_key: bytes,
        step: Step,
        heard: Callable[[Group, Event, int], None],
        answered: Callable[[Answer], None],
    ) -> None:
        self._bus = bus
        self._key = approval_key
        self._step = step
        self._heard = heard
        self._answered = answered
        self._number = 0  # of the last event that was put in its lane; 0 = none yet
        self._lanes: dict[Topic, asyncio.Queue[bytes]] = {
            topic: asyncio.Queue(_LANE_MAX) for topic in (Topic.COMMANDS, Topic.EXITS, Topic.EVENTS)
        }
        self._near: list[asyncio.Queue[News]] = []

    def follow(self) -> asyncio.Queue[News]:
        """All that is told on ``events`` from now on, for a follower in this process, for whom the writer waits."""
        near: asyncio.Queue[News] = asyncio.Queue(_LANE_MAX)
        self._near.append(near)
        return near

    async def carry(self, decided: Decided, first_number: int) -> None:
        """Send on all that one decision calls for. Only ever called with durable events."""
        for offset, event in enumerate(decided.events):
            for effect in effects(decided.group, event):
                await self._send(decided.group, event, effect)
            self._number = first_number + offset
            self._heard(decided.group, event, self._number)
            await self.tell(Happened(self._number, event))
        if decided.answer is not None:
            if not decided.answer.ok and not decided.events:
                decision_log.refused(decided.answer)
            await self.tell(decided.answer)

    async def tell(self, news: News) -> None:
        """Send an event, an answer, or the whole state, in their order."""
        if isinstance(news, Answer):
            self._answered(news)
        for near in self._near:
            await near.put(news)
        await self._lanes[Topic.EVENTS].put(encode(news))

    async def beat(self, trouble: str) -> None:
        """Say that the gate lives, and what is wrong with it."""
        alive, lane = Alive(self._number, trouble), self._lanes[Topic.EVENTS]
        for near in self._near:
            if near.empty():  # else what waits says it
                await near.put(alive)
        if lane.empty():
            await lane.put(encode(alive))

    async def run(self) -> None:
        """Carry until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for topic, lane in self._lanes.items():
                tasks.create_task(self._drain(topic, lane), name=f"outlet {topic.value}")

    async def _drain(self, topic: Topic, lane: asyncio.Queue[bytes]) -> None:
        while True:
            waiting = [await lane.get()]
            while len(waiting) < _TOGETHER_MAX and not lane.empty():
                waiting.append(lane.get_nowait())
            await self._bus.send(topic, *waiting)

    async def _send(self, group: Group, event: Event, effect: Effect) -> None:
        message: Effect | Approved = effect
        if isinstance(effect, Place | Modify):
            message = approve(effect, group.book(event.account_id), self._key)
            self._step("approved", effect.order_id)
        await self._lanes[lane_of(effect)].put(_encoder.encode(message))


def lane_of(effect: Effect) -> Topic:
    """New risk has a lane of its own, so that nothing else ever waits behind it."""
    if isinstance(effect, Place | Modify) and effect.grant.kind.adds_risk:
        return Topic.COMMANDS
    return Topic.EXITS
