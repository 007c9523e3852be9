"""The gate, as the connection manager hears it: whether it lives, and what it answers to what is asked of it.

Must never decide in the gate's place, nor take its silence for a yes.
"""

from __future__ import annotations

import asyncio

import msgspec

from ordergate.bus import topics
from ordergate.bus.follower import SILENT_S
from ordergate.bus.port import Bus, Topic
from ordergate.bus.waiting import Waiting
from ordergate.core.commands import Answer, Command

# Below the ten seconds after which the shipped page gives up (wire notes, section 2.3).
_ANSWER_WAIT_S = 8.0


class _Event(msgspec.Struct, frozen=True, tag="event"):
    """Something was decided. Only that the gate lives is of interest here, so nothing of it is read."""


class _State(msgspec.Struct, frozen=True, tag="state"):
    """As ``_Event``."""


_news = msgspec.json.Decoder(Answer | topics.Alive | _Event | _State)


class GateLine:
    """See the module. From its construction the gate is listened to; it is heard while ``run`` runs."""

    def __init__(self, bus: Bus, consumer: str) -> None:
        self._bus = bus
        self._told = bus.consume(Topic.EVENTS, consumer)
        self._waiting = Waiting(self._send)
        self._heard_s: float | None = None

    @property
    def silent_s(self) -> float | None:
        """How long ago the gate was heard; None: never."""
        return None if self._heard_s is None else asyncio.get_running_loop().time() - self._heard_s

    async def run(self) -> None:
        """Listen until cancelled."""
        async for message in self._told:
            self._heard_s = asyncio.get_running_loop().time()
            told = _news.decode(message)
            if isinstance(told, Answer):
                self._waiting.answered(told)

    def close(self) -> None:
        """Stop listening."""
        self._told.close()

    @property
    def fault(self) -> str:
        """Why the gate cannot be asked now, or empty."""
        silent_s = self.silent_s
        if silent_s is None:
            return "the gate has not been heard since the start"
        return "" if silent_s < SILENT_S else f"the gate has not been heard for {silent_s:.0f} s"

    async def ask(self, command: Command) -> Answer:
        """The gate's answer, or UNDECIDED: it may be decided later."""
        return await self._waiting.ask(command, _ANSWER_WAIT_S)

    async def _send(self, command: Command) -> None:
        await self._bus.send(Topic.ORDERS, topics.encode(command))
