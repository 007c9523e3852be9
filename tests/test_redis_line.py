"""The bus over Redis when the wire is slow or cut, and when somebody does not read."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from ordergate.bus.address import RedisAddress
from ordergate.bus.port import Channel, Subscription, Topic
from ordergate.bus.redis import RedisBus, redis_bus
from ordergate.clock import SystemClock
from tests.redis_line import redis_line
from tests.redis_server import RedisServer

RECEIVERS = {Topic.COMMANDS: "connection-manager"}
CAPACITY = 20


@contextlib.asynccontextmanager
async def process(address: RedisAddress, answer_s: float = 0.5) -> AsyncIterator[RedisBus]:
    """The bus as one process of the desk has it."""
    clock, rng = SystemClock(), random.Random(1)
    opened = redis_bus(address, clock=clock, rng=rng, receivers=RECEIVERS, capacity=CAPACITY, answer_s=answer_s)
    async with opened as bus:
        yield bus


async def take(messages: Subscription, count: int) -> list[bytes]:
    async with asyncio.timeout(10):
        return [await anext(aiter(messages)) for _ in range(count)]


def numbered(start: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, end)]


async def send_all(bus: RedisBus, topic: Topic, messages: list[bytes]) -> None:
    async with asyncio.timeout(10):
        for message in messages:
            await bus.send(topic, message)


async def test_over_a_slow_wire_all_arrives_in_order(redis_server: RedisServer) -> None:
    async with (
        redis_line(redis_server.address) as line,
        process(line.address) as gate,
        process(line.address) as manager,
    ):
        line.delay_s = 0.05
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        sending = asyncio.create_task(send_all(gate, Topic.COMMANDS, numbered(0, 10)))
        assert await take(commands, 10) == numbered(0, 10)
        await sending
        assert gate.health.lost == manager.health.lost == {}


async def test_what_was_carried_out_and_not_answered_is_neither_lost_nor_doubled(redis_server: RedisServer) -> None:
    async with (
        redis_line(redis_server.address) as to_gate,
        redis_line(redis_server.address) as to_manager,
        process(to_gate.address) as gate,
        process(to_manager.address) as manager,
    ):
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        await gate.send(Topic.COMMANDS, b"0")
        assert await take(commands, 1) == [b"0"]
        for number, line in enumerate((to_gate, to_manager), start=1):
            line.deaf = True
            sending = asyncio.create_task(gate.send(Topic.COMMANDS, b"%d" % number))
            await asyncio.sleep(0.2)
            line.cut()
            line.deaf = False
            await sending
        await gate.send(Topic.COMMANDS, b"3")
        assert await take(commands, 3) == numbered(1, 4)


async def test_what_was_given_up_while_there_was_no_redis_is_not_sent_when_there_is_one(
    redis_server: RedisServer,
) -> None:
    async with process(redis_server.address) as gate, process(redis_server.address) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        await gate.send(Topic.COMMANDS, b"before")
        assert await take(commands, 1) == [b"before"]
        redis_server.kill()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.send(Topic.COMMANDS, b"given up"), 0.3)
        redis_server.start()
        await gate.send(Topic.COMMANDS, b"after")
        assert await take(commands, 1) == [b"after"]


@pytest.mark.parametrize("before", ["nobody", "the dead"])
async def test_what_was_asked_in_vain_is_not_asked_again_after_a_flush(redis_server: RedisServer, before: str) -> None:
    async with process(redis_server.address) as web, process(redis_server.address) as gate:
        if before == "the dead":  # so a killed gate's place stands, when its lease is over
            redis_server.ask("XGROUP", "CREATE", "ordergate:orders", "gate", "0", "MKSTREAM")
        await web.send(Topic.ORDERS, b"in vain")
        redis_server.ask("FLUSHALL")
        orders = gate.consume(Topic.ORDERS, "gate")
        await gate.send(Topic.EVENTS, b"in force")
        await web.send(Topic.ORDERS, b"of the gate")
        assert await take(orders, 1) == [b"of the gate"]


async def test_what_a_gate_left_unread_is_not_for_its_successor_after_a_flush_either(redis_server: RedisServer) -> None:
    async with process(redis_server.address) as web, process(redis_server.address) as old:
        old.consume(Topic.ORDERS, "gate")
        await old.send(Topic.EVENTS, b"in force")
        await web.send(Topic.ORDERS, b"unread")
        async with process(redis_server.address) as gate:
            orders = gate.consume(Topic.ORDERS, "gate")
            await gate.send(Topic.EVENTS, b"in force")
            async with asyncio.timeout(5):
                while redis_server.ask("XLEN", "ordergate:orders"):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(1.2)  # the web asks what became of it once a second
            redis_server.ask("FLUSHALL")
            await web.send(Topic.ORDERS, b"of the gate")
            assert await take(orders, 1) == [b"of the gate"]


async def test_a_follower_that_does_not_read_holds_up_neither_its_sender_nor_the_others(
    redis_server: RedisServer,
) -> None:
    async with process(redis_server.address) as gate, process(redis_server.address) as web:
        stuck = web.consume(Topic.EVENTS, "web")
        quick = gate.consume(Topic.EVENTS, "integration")
        count = 30 * CAPACITY
        begun_s = asyncio.get_running_loop().time()
        sending = asyncio.create_task(send_all(gate, Topic.EVENTS, numbered(0, count)))
        assert await take(quick, count) == numbered(0, count)
        await sending
        assert asyncio.get_running_loop().time() - begun_s < 8, "each second is one in which the sender waited"
        await gate.send(Topic.EVENTS, b"last")
        seen = await take(stuck, 1)
        while seen[-1] != b"last":
            seen += await take(stuck, 1)
        assert seen[:-1] == sorted(set(seen[:-1]), key=int)
        assert len(seen) < count
        assert web.health.lost[Topic.EVENTS.value] >= 1
        assert Topic.EVENTS.value not in gate.health.lost


async def test_a_channel_that_nobody_reads_keeps_no_more_than_its_capacity_and_counts_the_rest(
    redis_server: RedisServer,
) -> None:
    async with process(redis_server.address) as bus:
        unread, heard = bus.subscribe(Channel.MARKET_DATA), bus.subscribe(Channel.MARKET_DATA)
        for message in numbered(0, CAPACITY + 5):
            await bus.publish(Channel.MARKET_DATA, message)
            assert await take(heard, 1) == [message]
        assert await take(unread, CAPACITY) == numbered(0, CAPACITY)
        assert bus.health.lost == {Channel.MARKET_DATA.value: 5}


async def test_a_reply_reaches_who_listens_and_one_to_a_redis_that_is_away_raises_nothing(
    redis_server: RedisServer,
) -> None:
    async with process(redis_server.address) as bus:
        with redis_server.client() as client, client.pubsub() as asker:
            asker.subscribe("response:1")
            assert asker.get_message(timeout=5) is not None
            await bus.say([("response:1", b"1")])
            message = await asyncio.to_thread(asker.get_message, timeout=5)
            assert message is not None
            assert message["data"] == b"1"
        redis_server.kill()
        reply = asyncio.create_task(bus.say([("response:1", b"2")]))
        bus.tell("MES", b"1")
        await asyncio.sleep(0.1)
        redis_server.start()
        async with asyncio.timeout(5):
            await reply
