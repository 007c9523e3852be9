"""What stands on a topic without the desk's seal reaches nobody."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.bus.sealed import Sealed

KEY = b"k" * 32


@pytest.mark.parametrize("topic", Topic)
async def test_only_what_has_the_seal_of_this_desk_and_of_its_topic_is_delivered(topic: Topic) -> None:
    open_bus = MemoryBus()
    bus, stranger = Sealed(open_bus, KEY, str.encode), Sealed(open_bus, b"another key" * 3, str.encode)
    messages = bus.consume(topic, "reader")
    written = open_bus.consume(topic, "eavesdropper")
    await bus.send(topic, b"first")
    await stranger.send(topic, b"forged")
    for raw in (b"", b"{}", b"x" * 31, b"x" * 32, b"x" * 100):
        await open_bus.send(topic, raw)
    moved = await anext(aiter(written))
    for other in Topic:
        if other is not topic:
            await open_bus.send(other, moved)
    await bus.send(topic, b"last")
    async with asyncio.timeout(5):
        assert [await anext(aiter(messages)) for _ in range(2)] == [b"first", b"last"]
    assert bus.unsealed == {topic.value: 6}


async def test_a_message_that_was_moved_to_another_topic_is_not_delivered() -> None:
    open_bus = MemoryBus()
    bus = Sealed(open_bus, KEY, str.encode)
    written, exits = open_bus.consume(Topic.COMMANDS, "eavesdropper"), bus.consume(Topic.EXITS, "reader")
    await bus.send(Topic.COMMANDS, b"an order")
    await open_bus.send(Topic.EXITS, await anext(aiter(written)))
    await bus.send(Topic.EXITS, b"a cancel")
    async with asyncio.timeout(5):
        assert await anext(aiter(exits)) == b"a cancel"


async def test_the_gate_is_told_of_a_forgery_once_a_second() -> None:
    open_bus = MemoryBus()
    bus = Sealed(open_bus, KEY, lambda place: f"forged on {place}".encode())
    reports, commands = bus.consume(Topic.REPORTS, "gate"), bus.consume(Topic.COMMANDS, "reader")
    for _ in range(100):
        await open_bus.send(Topic.COMMANDS, b"forged")
    await bus.send(Topic.COMMANDS, b"an order")
    async with asyncio.timeout(5):
        assert await anext(aiter(commands)) == b"an order"
        assert await anext(aiter(reports)) == b"forged on commands"
    await open_bus.send(Topic.COMMANDS, b"forged again")
    await bus.send(Topic.COMMANDS, b"another order")
    async with asyncio.timeout(5):
        assert await anext(aiter(commands)) == b"another order"
    await asyncio.sleep(0)
    await open_bus.send(Topic.COMMANDS, b"forged again")
    await bus.send(Topic.COMMANDS, b"another order")
    async with asyncio.timeout(5):
        assert await anext(aiter(commands)) == b"another order"
    await asyncio.sleep(0)
    await bus.send(Topic.REPORTS, b"the next")
    async with asyncio.timeout(5):
        assert await anext(aiter(reports)) == b"the next"


async def test_a_forged_quote_is_not_shown() -> None:
    open_bus = MemoryBus()
    bus = Sealed(open_bus, KEY, str.encode)
    quotes = bus.watch()
    open_bus.tell("MES", b'{"bid":1}')
    bus.tell("MNQ", b"true")
    async with asyncio.timeout(5):
        assert await anext(aiter(quotes)) == b"true"
    assert bus.unsealed == {"quotes": 1}


@given(st.binary(max_size=200), st.integers(min_value=0), st.integers(0, 7))
def test_one_changed_bit_breaks_the_seal(message: bytes, at: int, bit: int) -> None:
    asyncio.run(broken(message, at, bit))


async def broken(message: bytes, at: int, bit: int) -> None:
    bus = Sealed(MemoryBus(), KEY, str.encode)
    sealed = bytearray(bus.sealed("orders", message))
    assert bus.opened("orders", bytes(sealed)) == message
    sealed[at % len(sealed)] ^= 1 << bit
    assert bus.opened("orders", bytes(sealed)) is None
