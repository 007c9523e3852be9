"""What the bus port promises, asked of every adapter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis

from ordergate.bus.bridged import Bridged
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Bus, Channel, Subscription, Topic
from ordergate.bus.redis import RedisBus, redis_bus
from ordergate.bus.sealed import Sealed
from ordergate.clock import SystemClock
from tests.redis_server import running_redis

CAPACITY = 4


@pytest.fixture(params=["memory", "sealed", "bridged", "redis", "valkey"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    if request.param in ("redis", "valkey"):
        with running_redis(tmp_path, name=request.param) as server:
            clock, rng = SystemClock(), random.Random(1)
            async with redis_bus(server.address, clock=clock, rng=rng, receivers={}, capacity=CAPACITY) as over_redis:
                yield over_redis
        return
    made: dict[str, Callable[[], Bus]] = {
        "memory": lambda: MemoryBus(capacity=CAPACITY),
        "sealed": lambda: Sealed(MemoryBus(capacity=CAPACITY), b"k" * 32, str.encode),
        "bridged": lambda: Bridged(MemoryBus(capacity=CAPACITY), MemoryBus(capacity=CAPACITY)),
    }
    bus = made[request.param]()
    yield bus
    bus.close()


async def take(subscription: Subscription, count: int) -> list[bytes]:
    """The next ``count`` messages."""
    messages = aiter(subscription)
    async with asyncio.timeout(5):
        return [await anext(messages) for _ in range(count)]


async def rest(subscription: Subscription) -> list[bytes]:
    """All messages to the end of the iteration."""
    async with asyncio.timeout(5):
        return [message async for message in subscription]


async def waits(sending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """The task of a send that has been given every chance to finish and has not."""
    task = asyncio.create_task(sending)
    await asyncio.wait({task}, timeout=0.02)
    assert not task.done()
    return task


async def test_every_consumer_of_a_topic_gets_every_message_once_and_in_order(bus: Bus) -> None:
    one, other = bus.consume(Topic.EVENTS, "page"), bus.consume(Topic.EVENTS, "audit")
    for message in (b"1", b"2", b"3"):
        await bus.send(Topic.EVENTS, message)
    assert await take(one, 3) == await take(other, 3) == [b"1", b"2", b"3"]
    bus.close()
    assert await rest(one) == await rest(other) == []


async def test_what_is_sent_together_arrives_in_its_order_and_leaves_with_what_was_sent_before(bus: Bus) -> None:
    orders = bus.consume(Topic.ORDERS, "gate")
    sending = [asyncio.create_task(bus.send(Topic.ORDERS, *messages)) for messages in ((b"1",), (b"2", b"3"), (b"4",))]
    assert await take(orders, 4) == [b"1", b"2", b"3", b"4"]
    await asyncio.gather(*sending)


async def test_a_consumer_is_there_as_soon_as_consume_returns(bus: Bus) -> None:
    await bus.send(Topic.ORDERS, b"before")
    orders = bus.consume(Topic.ORDERS, "gate")
    await bus.send(Topic.ORDERS, b"after")
    assert await take(orders, 1) == [b"after"]


async def test_topics_and_channels_are_apart(bus: Bus) -> None:
    topics = {topic: bus.consume(topic, "all") for topic in Topic}
    channels = {channel: bus.subscribe(channel) for channel in Channel}
    for topic in Topic:
        await bus.send(topic, topic.name.encode())
    for channel in Channel:
        await bus.publish(channel, channel.name.encode())
    assert {kind: await take(messages, 1) for kind, messages in (topics | channels).items()} == {
        kind: [kind.name.encode()] for kind in (*Topic, *Channel)
    }
    bus.close()
    assert not any([await rest(messages) for messages in (topics | channels).values()])


async def test_a_message_that_nobody_waits_for_does_not_hold_up_its_sender(bus: Bus) -> None:
    for _ in range(2 * CAPACITY):
        await bus.send(Topic.REPORTS, b"x")
        await bus.publish(Channel.FILL_ENHANCED, b"x")


async def test_a_reader_that_came_first_is_woken(bus: Bus) -> None:
    orders, quotes = bus.consume(Topic.ORDERS, "gate"), bus.watch()
    reading = [asyncio.create_task(take(messages, 1)) for messages in (orders, quotes)]
    await asyncio.sleep(0)
    await bus.send(Topic.ORDERS, b"order")
    bus.tell("MES", b"quote")
    assert await asyncio.gather(*reading) == [[b"order"], [b"quote"]]


async def test_a_full_consumer_makes_senders_wait_in_line_and_loses_nothing(bus: Bus) -> None:
    full, idle = bus.consume(Topic.REPORTS, "slow"), bus.consume(Topic.REPORTS, "quick")
    for number in range(CAPACITY):
        await bus.send(Topic.REPORTS, b"%d" % number)
    assert await take(idle, CAPACITY) == [b"0", b"1", b"2", b"3"]
    senders = [await waits(bus.send(Topic.REPORTS, b"%d" % number)) for number in range(CAPACITY, 3 * CAPACITY)]
    quick = asyncio.create_task(rest(idle))
    expected = [b"%d" % number for number in range(3 * CAPACITY)]
    assert await take(full, len(expected)) == expected
    await asyncio.gather(*senders)
    bus.close()
    assert await quick == expected[CAPACITY:]


async def test_a_newcomer_does_not_overtake_a_sender_that_waits(bus: Bus) -> None:
    orders = bus.consume(Topic.ORDERS, "gate")
    for _ in range(CAPACITY):
        await bus.send(Topic.ORDERS, b"first")
    await waits(bus.send(Topic.ORDERS, b"waiting"))
    await take(orders, CAPACITY)  # makes room, and the sender that waits has not been woken yet
    await bus.send(Topic.ORDERS, b"newcomer")
    bus.close()
    assert await rest(orders) == [b"waiting", b"newcomer"]


async def test_a_full_topic_does_not_hold_up_another(bus: Bus) -> None:
    bus.consume(Topic.ORDERS, "gate")
    exits = bus.consume(Topic.EXITS, "sender")
    for _ in range(CAPACITY):
        await bus.send(Topic.ORDERS, b"order")
    stuck = await waits(bus.send(Topic.ORDERS, b"order"))
    await bus.send(Topic.EXITS, b"flatten")
    assert await take(exits, 1) == [b"flatten"]
    bus.close()
    await stuck


async def test_a_send_that_is_cancelled_while_it_waits_has_reached_no_one(bus: Bus) -> None:
    full, idle = bus.consume(Topic.COMMANDS, "slow"), bus.consume(Topic.COMMANDS, "quick")
    for _ in range(CAPACITY):
        await bus.send(Topic.COMMANDS, b"sent")
    await take(idle, CAPACITY)
    given_up = await waits(bus.send(Topic.COMMANDS, b"given up"))
    next_in_line = await waits(bus.send(Topic.COMMANDS, b"next"))
    given_up.cancel()
    await take(full, CAPACITY)
    await next_in_line
    bus.close()
    assert await rest(full) == await rest(idle) == [b"next"]


async def test_of_several_whose_send_is_cancelled_those_without_room_have_reached_no_one(bus: Bus) -> None:
    full = bus.consume(Topic.COMMANDS, "slow")
    several = [b"%d" % number for number in range(CAPACITY + 2)]
    given_up = await waits(bus.send(Topic.COMMANDS, *several))
    given_up.cancel()
    await asyncio.wait({given_up})
    assert await take(full, CAPACITY) == several[:CAPACITY]
    await bus.send(Topic.COMMANDS, b"next")
    bus.close()
    assert await rest(full) == [b"next"]


async def test_a_closed_subscription_ends_after_what_it_holds(bus: Bus) -> None:
    orders, quotes = bus.consume(Topic.ORDERS, "gate"), bus.watch()
    await bus.send(Topic.ORDERS, b"1")
    await bus.send(Topic.ORDERS, b"2")
    bus.tell("MES", b"1")
    for subscription in (orders, quotes):
        subscription.close()
    await bus.send(Topic.ORDERS, b"3")
    bus.tell("MES", b"2")
    assert [await rest(orders), await rest(quotes)] == [[b"1", b"2"], [b"1"]]


async def test_closing_ends_an_iteration_that_waits(bus: Bus) -> None:
    subscriptions = [bus.consume(Topic.ORDERS, "gate"), bus.subscribe(Channel.MARKET_DATA), bus.watch()]
    waiting = [asyncio.create_task(rest(subscription)) for subscription in subscriptions]
    await asyncio.sleep(0)
    for subscription in subscriptions:
        subscription.close()
    assert await asyncio.gather(*waiting) == [[], [], []]


async def test_a_full_consumer_that_closes_lets_the_senders_go(bus: Bus) -> None:
    full = bus.consume(Topic.ORDERS, "gate")
    for _ in range(CAPACITY):
        await bus.send(Topic.ORDERS, b"x")
    stuck = await waits(bus.send(Topic.ORDERS, b"x"))
    full.close()
    async with asyncio.timeout(5):
        await stuck


async def test_closing_the_bus_ends_every_subscription(bus: Bus) -> None:
    subscriptions = [bus.consume(Topic.ORDERS, "gate"), bus.subscribe(Channel.MARKET_DATA), bus.watch()]
    await bus.send(Topic.ORDERS, b"order")
    bus.close()
    assert [await rest(subscription) for subscription in subscriptions] == [[b"order"], [], []]


async def test_a_name_consumes_a_topic_once_at_a_time(bus: Bus) -> None:
    first = bus.consume(Topic.ORDERS, "gate")
    with pytest.raises(AssertionError, match="gate already consumes orders"):
        bus.consume(Topic.ORDERS, "gate")
    bus.consume(Topic.EXITS, "gate")
    first.close()
    again = bus.consume(Topic.ORDERS, "gate")
    await bus.send(Topic.ORDERS, b"x")
    assert await take(again, 1) == [b"x"]


async def test_a_channel_reaches_all_its_subscribers_the_publisher_too(bus: Bus) -> None:
    own, other = bus.subscribe(Channel.ORDER_MANAGEMENT), bus.subscribe(Channel.ORDER_MANAGEMENT)
    await bus.publish(Channel.ORDER_MANAGEMENT, b"hello")
    assert await take(own, 1) == await take(other, 1) == [b"hello"]


async def test_a_watcher_starts_with_the_latest_of_every_key(bus: Bus) -> None:
    for key, message in (("MES", b"1"), ("MNQ", b"2"), ("MES", b"3")):
        bus.tell(key, message)
    quotes = bus.watch()
    assert await take(quotes, 2) == [b"3", b"2"]
    bus.tell("MNQ", b"4")
    assert await take(quotes, 1) == [b"4"]


async def test_an_unread_quote_is_replaced_and_keeps_its_turn(bus: Bus) -> None:
    slow, quick = bus.watch(), bus.watch()
    bus.tell("MES", b"1")
    bus.tell("MNQ", b"2")
    assert await take(quick, 1) == [b"1"]
    for number in range(3, 1_000):
        bus.tell("MES", b"%d" % number)
    assert await take(slow, 2) == [b"999", b"2"]
    assert await take(quick, 2) == [b"2", b"999"]
    bus.close()
    assert await rest(slow) == await rest(quick) == []


async def test_what_is_said_together_is_heard_in_its_order_on_each_channel(bus: Bus) -> None:
    orders, status = bus.subscribe(Channel.ORDER_MANAGEMENT), bus.subscribe(Channel.AGGREGATOR_STATUS)
    said = [(Channel.ORDER_MANAGEMENT, b"1"), (Channel.AGGREGATOR_STATUS, b"2"), (Channel.ORDER_MANAGEMENT, b"3")]
    await bus.say(said)
    assert await take(orders, 2) == [b"1", b"3"]
    assert await take(status, 1) == [b"2"]


async def test_a_reply_reaches_whoever_listens_on_its_channel_and_nobody_else(bus: Bus) -> None:
    if isinstance(bus, Sealed | Bridged):
        pytest.skip("replies are the inner bus's own")
    channels = [bus.subscribe(channel) for channel in Channel]
    if isinstance(bus, MemoryBus):
        mine, other = bus.listen("close-position-response:1"), bus.listen("close-position-response:2")
        await bus.say([("close-position-response:1", b"done")])
        await bus.say([("nobody-listens", b"lost")])
        bus.close()
        heard = [await rest(mine), await rest(other)]
    else:
        assert isinstance(bus, RedisBus)
        with redis.Redis(port=bus.address.port, protocol=2) as client, client.pubsub() as listener:
            listener.subscribe("close-position-response:1", "close-position-response:2")
            assert [listener.get_message(timeout=5)["type"] for _ in range(2)] == ["subscribe"] * 2
            await bus.say([("close-position-response:1", b"done")])
            await bus.say([("nobody-listens", b"lost")])
            told = [listener.get_message(timeout=wait_s) for wait_s in (5, 0.1)]
            names = ("close-position-response:1", "close-position-response:2")
            heard = [[m["data"] for m in told if m and m["channel"] == name.encode()] for name in names]
        bus.close()
    assert heard == [[b"done"], []]
    assert [await rest(subscription) for subscription in channels] == [[]] * len(channels)
