"""How few calls to Redis do it: who is woken, what goes together, and what a shared connection may not do."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ordergate.bus import consumer, sender
from ordergate.bus.link import Link
from ordergate.bus.port import Subscription, Topic
from ordergate.bus.redis import RedisBus, redis_bus
from ordergate.bus.wire import ACKNOWLEDGE_S, BATCH_MAX
from ordergate.clock import SystemClock
from ordergate.errors import BusUnavailable
from tests.redis_server import RedisServer

RECEIVERS = {Topic.COMMANDS: "connection-manager"}
NEVER_S = 3_600.0


@pytest.fixture
def never_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks by the clock whether there is something new, or room."""
    for module in (consumer, sender):
        monkeypatch.setattr(module, "LOOK_S", NEVER_S)


@contextlib.asynccontextmanager
async def process(server: RedisServer, seed: int = 1, capacity: int = 10_000) -> AsyncIterator[RedisBus]:
    """The bus as one process of the desk has it."""
    clock, rng = SystemClock(), random.Random(seed)
    async with redis_bus(server.address, clock=clock, rng=rng, receivers=RECEIVERS, capacity=capacity) as bus:
        yield bus


@contextlib.asynccontextmanager
async def linked(server: RedisServer) -> AsyncIterator[Link]:
    async with Link(server.address, SystemClock(), random.Random(1), answer_s=5.0) as link:
        yield link


async def take(messages: Subscription, count: int) -> list[bytes]:
    async with asyncio.timeout(10):
        return [await anext(aiter(messages)) for _ in range(count)]


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


@pytest.mark.usefixtures("never_looking")
async def test_a_reader_that_waits_is_woken_by_each_message(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        for message in numbered(3):
            reading = asyncio.create_task(take(commands, 1))
            await asyncio.sleep(5 * ACKNOWLEDGE_S)  # all is acknowledged, and nothing is left to do but wait
            await gate.send(Topic.COMMANDS, message)
            assert await reading == [message]


@pytest.mark.usefixtures("never_looking")
async def test_a_reader_who_is_behind_reads_on_without_being_woken(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        messages = numbered(5 * BATCH_MAX)
        await gate.send(Topic.COMMANDS, *messages)
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        assert await take(commands, len(messages)) == messages


@pytest.mark.usefixtures("never_looking")
async def test_a_sender_that_waits_for_room_goes_on_when_there_is_some(redis_server: RedisServer) -> None:
    async with process(redis_server, capacity=2) as gate, process(redis_server, 2, capacity=2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        sending = asyncio.create_task(gate.send(Topic.COMMANDS, *numbered(7)))
        assert await take(commands, 7) == numbered(7)
        async with asyncio.timeout(10):
            await sending


@pytest.mark.usefixtures("never_looking")
async def test_the_last_that_is_done_is_acknowledged_though_nothing_follows(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        await gate.send(Topic.COMMANDS, *numbered(3))
        assert await take(commands, 3) == numbered(3)
        waiting = asyncio.create_task(take(commands, 1))
        async with asyncio.timeout(10):
            while redis_server.ask("XLEN", "ordergate:commands"):
                await asyncio.sleep(0.01)
        waiting.cancel()


async def test_what_is_sent_wakes_the_process_that_reads_it_and_no_other(redis_server: RedisServer) -> None:
    woken = list[bytes]()
    with redis_server.client() as client, client.pubsub() as heard:
        heard.psubscribe("ordergate:0:wake*")
        async with process(redis_server) as gate, process(redis_server, 2) as manager:
            commands = manager.consume(Topic.COMMANDS, "connection-manager")
            await gate.send(Topic.EVENTS, b"for nobody")
            await gate.send(Topic.COMMANDS, b"1")
            assert await take(commands, 1) == [b"1"]
            owner = str(redis_server.ask("GET", "ordergate:commands:owner:connection-manager").decode())  # type: ignore[attr-defined]
            woken = [message["channel"] for message in _messages(heard)]
    assert woken == [f"ordergate:0:wake:{owner.rpartition('-')[0]}".encode()]


async def test_what_is_asked_at_once_goes_over_one_connection(redis_server: RedisServer) -> None:
    async with linked(redis_server) as link:
        before = len(_connections(redis_server))
        answers = await asyncio.gather(*(link.do("ECHO", str(number)) for number in range(200)))
        assert answers == numbered(200)
        assert len(_connections(redis_server)) == before + 1


async def test_what_is_long_has_a_connection_of_its_own(redis_server: RedisServer) -> None:
    async with linked(redis_server) as link:
        await link.do("PING")
        before = len(_connections(redis_server))
        await link.do("SET", "long", b"x" * 1_000_000)
        assert len(_connections(redis_server)) == before + 1


async def test_a_command_that_is_refused_fails_alone(redis_server: RedisServer) -> None:
    async with linked(redis_server) as link:
        asked = (("ECHO", "1"), ("NONSENSE",), ("ECHO", "3"))
        first, refused, last = await asyncio.gather(*(link.do(*words) for words in asked), return_exceptions=True)
        assert (first, last) == (b"1", b"3")
        assert isinstance(refused, BusUnavailable)
        assert "unknown command" in str(refused)


async def test_with_the_connection_fails_all_that_was_asked_and_the_next_is_asked_anew(
    redis_server: RedisServer,
) -> None:
    async with linked(redis_server) as link:
        await link.do("PING")
        redis_server.pause()
        asked = [asyncio.create_task(link.do("INCR", "count")) for _ in range(3)]
        await asyncio.sleep(0.05)
        redis_server.kill()
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in failed] == 3 * [BusUnavailable]
        redis_server.start()
        assert await link.do("INCR", "count") == 1


async def test_a_connection_that_was_closed_meanwhile_costs_the_next_call_nothing(redis_server: RedisServer) -> None:
    async with linked(redis_server) as link:
        await link.do("PING")
        redis_server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.05)
        assert await link.do("ECHO", "still") == b"still"


async def test_who_gives_up_before_his_turn_has_asked_nothing(redis_server: RedisServer) -> None:
    async with linked(redis_server) as link:
        await link.do("PING")
        in_front = asyncio.create_task(link.do("BLPOP", "nothing", "0.2"))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(link.do("SET", "given", "up"))
        await asyncio.sleep(0.05)
        given_up.cancel()
        await in_front
        assert await link.do("GET", "given") is None


def _connections(server: RedisServer) -> list[Any]:
    with server.client() as client:
        return list(client.client_list(_type="normal"))


def _messages(heard: Any) -> Iterator[dict[str, Any]]:
    """What has come until now."""
    while (message := heard.get_message(timeout=0.2)) is not None:
        if message["type"] == "pmessage":
            yield message
