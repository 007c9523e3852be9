"""Any sequence of sending, reading, restarting and a Redis that dies or forgets keeps the promises of a topic."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ordergate.bus.port import Subscription, Topic
from ordergate.bus.redis import RedisBus, redis_bus
from ordergate.clock import SystemClock
from tests.redis_server import RedisServer, running_redis

READER = "connection-manager"
WITHIN_S = 15.0


class Reader:
    """A process that reads the topic, and what came in each of its lives."""

    def __init__(self) -> None:
        self.lives: list[list[int]] = []
        self._messages: Subscription | None = None

    def begin(self, bus: RedisBus) -> None:
        self._messages = bus.consume(Topic.COMMANDS, READER)
        self.lives.append([])

    async def take(self, count: int) -> None:
        """Read until so many more have come; those that come once more, after a restart, do not count."""
        assert self._messages is not None
        end = self.reached + count
        async with asyncio.timeout(WITHIN_S):
            while self.reached < end:
                self.lives[-1].append(int(await anext(aiter(self._messages))))

    @property
    def reached(self) -> int:
        """How many messages have come."""
        return max((life[-1] + 1 for life in self.lives if life), default=0)

    def check(self) -> None:
        reached = 0
        for life in self.lives:
            if life:
                assert life == list(range(life[0], life[0] + len(life))), "in order, once, without a gap"
                assert life[0] <= reached, "nothing is lost between two lives"
                reached = max(reached, life[-1] + 1)


@contextlib.asynccontextmanager
async def process(server: RedisServer, seed: int) -> AsyncIterator[RedisBus]:
    clock, rng = SystemClock(), random.Random(seed)
    receivers = {Topic.COMMANDS: READER}
    async with redis_bus(server.address, clock=clock, rng=rng, receivers=receivers, answer_s=0.5) as bus:
        yield bus


async def history(server: RedisServer, seed: int, steps: int) -> None:
    chance = random.Random(seed)
    reader, sent = Reader(), 0
    async with process(server, seed) as sender, contextlib.AsyncExitStack() as living:
        reader.begin(await living.enter_async_context(process(server, seed + 1)))
        for _ in range(steps):
            match chance.choices(("send", "take", "restart", "kill", "flush"), (5, 5, 1, 1, 1))[0]:
                case "send":
                    for _ in range(chance.randint(1, 5)):
                        async with asyncio.timeout(WITHIN_S):
                            await sender.send(Topic.COMMANDS, b"%d" % sent)
                        sent += 1
                case "take":
                    await reader.take(min(chance.randint(1, 5), sent - reader.reached))
                case "restart":
                    await living.aclose()
                    reader.begin(await living.enter_async_context(process(server, chance.randrange(10**6))))
                case "kill":
                    server.kill()
                    server.start()
                case "flush":
                    server.ask("FLUSHALL")
        await reader.take(sent - reader.reached)
    reader.check()


@pytest.mark.parametrize("seed", range(4))
def test_a_living_reader_gets_everything_once_and_in_order(tmp_path: Path, seed: int) -> None:
    with running_redis(tmp_path) as server:
        asyncio.run(history(server, seed, 12))


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["redis", "valkey"])
@pytest.mark.parametrize("seed", range(100, 106))
def test_at_length_too(tmp_path: Path, name: str, seed: int) -> None:
    with running_redis(tmp_path, "--appendonly", "yes" if seed % 2 else "no", name=name) as server:
        asyncio.run(history(server, seed, 80))
