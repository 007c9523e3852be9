"""A copy of the gate's state, kept by following the ``events`` topic: the whole state once, then each event.

Invariants:
1. The copy at number N equals the gate's state at N, because the same ``evolve`` folds both.
2. A missing number is never skipped: the copy is dropped and asked for anew.
3. Of a gate that is silent for ``SILENT_S`` there is no copy.
"""

from __future__ import annotations

import asyncio

from ordergate.bus.port import Bus, Topic
from ordergate.bus.topics import Alive, Happened, State, StateWanted, encode
from ordergate.core.account import Group
from ordergate.core.fold import evolve

# Five of the gate's own words that do not come: longer than a machine stutters, and than Redis takes to start again.
SILENT_S = 5.0


class Follower:
    """``group`` is None until the first whole state has come."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._heard_s = -SILENT_S
        self.group: Group | None = None

    @property
    def silent(self) -> bool:
        """Whether the gate has not been heard for ``SILENT_S``."""
        return asyncio.get_running_loop().time() - self._heard_s >= SILENT_S

    async def ask(self) -> None:
        """Ask the gate for its whole state."""
        await self._bus.send(Topic.ORDERS, encode(StateWanted()))

    def give_up(self) -> bool:
        """Drop the copy if the gate is silent; True if one was dropped."""
        if self.group is None or not self.silent:
            return False
        self.group = None
        return True

    async def follow(self, news: Happened | State | Alive) -> bool:
        """Take one message; True if the copy now includes it."""
        self._heard_s = asyncio.get_running_loop().time()
        if isinstance(news, Alive):
            if self.group is not None and news.number > self.group.version:
                self.group = None
                await self.ask()
            return False
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
