"""A copy of the gate's state, kept by following the ``events`` topic: the whole state once, then each event.

Invariants:
1. The copy at number N equals the gate's state at N, because the same ``evolve`` folds both.
2. A missing number is never skipped: the copy is dropped and asked for anew.
"""

from __future__ import annotations

from ordergate.bus.port import Bus, Topic
from ordergate.bus.topics import Happened, State, StateWanted, encode
from ordergate.core.account import Group
from ordergate.core.fold import evolve


class Follower:
    """``group`` is None until the first whole state has come."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.group: Group | None = None

    async def ask(self) -> None:
        """Ask the gate for its whole state."""
        await self._bus.send(Topic.ORDERS, encode(StateWanted()))

    async def follow(self, news: Happened | State) -> bool:
        """Take one message; True if the copy now includes it."""
        if isinstance(news, State):
            self.group = news.group
            return True
        if self.group is None or news.number <= self.group.version:
            return False
        if news.number != self.group.version + 1:
            self.group = None
            await self.ask()
            return False
        self.group = evolve(self.group, news.event)
        return True
