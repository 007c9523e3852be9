"""Fills that others tell: understood in all three spellings, and never believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.bus.foreign_fills import ForeignFill, foreign_fill
from ordergate.bus.messages import UNREADABLE
from ordergate.bus.port import Channel, Topic
from ordergate.core.effects import ReadSnapshot
from ordergate.core.reports import Outcome, PlaceOutcome
from ordergate.dialect import hints
from tests.dialect.client import ORDER, Client, intercepted, placed
from tests.engine.gate_on_memory import ACCOUNT, MES
from tests.simulation.virtual_time import VirtualClock, run

ID = str(ORDER["orderId"])
CHANNELS = (Channel.BROKER_MARKET_DATA, Channel.BROKER_USER_DATA, Channel.BROKER_FILLS)
FLAT: dict[str, Any] = {
    "type": "FILL",
    "orderId": ID,
    "instrument": "MES",
    "side": "BUY",
    "quantity": 2,
    "fillPrice": 5000.25,
    "accountId": ACCOUNT,
    "timestamp": 1,
}
WRAPPED: dict[str, Any] = {
    "type": "ORDER_FILLED",
    "payload": {
        "orderId": 7,
        "accountId": ACCOUNT,
        "instrument": MES.contract_id,
        "side": "BUY",
        "filledPrice": 5000.25,
        "filledQuantity": 2,
        "positionId": 1,
        "timestamp": 1,
        "rawData": {},
    },
    "timestamp": 1,
}
AGAIN: dict[str, Any] = {
    "type": "ORDER_FILLED",
    "payload": {
        "orderId": "7",
        "accountId": ACCOUNT,
        "contractId": MES.contract_id,
        "side": "BUY",
        "fillVolume": 2,
        "filledPrice": 5000.25,
        "timestamp": 1,
    },
    "timestamp": 1,
}
SPELLINGS = (FLAT, WRAPPED, AGAIN)
Part = Callable[[Client], Coroutine[Any, Any, None]]


def working(part: Part) -> None:
    """With an order of ours that the broker has as 7, in virtual time."""

    async def scenario() -> None:
        async with intercepted(VirtualClock(asyncio.get_running_loop())) as client:
            await client.say("PLACE_ORDER", ORDER)
            place = await placed(client)
            await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
            await client.told("ORDER_RESPONSE")
            await asyncio.sleep(5)
            client.desk.sent[Topic.EXITS].clear()
            await part(client)

    run(scenario())


def readings(client: Client) -> list[ReadSnapshot]:
    return [effect for effect in client.desk.sent[Topic.EXITS] if isinstance(effect, ReadSnapshot)]


@pytest.mark.parametrize("said", SPELLINGS, ids=["flat", "wrapped", "wrapped again"])
def test_each_spelling_is_read_as_the_same_fill(said: dict[str, Any]) -> None:
    fill = foreign_fill(msgspec.json.encode(said))
    assert fill is not None
    assert (str(fill.order_id) in (ID, "7"), fill.quantity, float(fill.price)) == (True, 2, 5000.25)


@pytest.mark.parametrize("said", [{"type": "QUOTE"}, {"type": "MARKET_DATA", "payload": {}}, FLAT | {"type": "TRADE"}])
def test_what_tells_something_else_is_no_fill(said: dict[str, Any]) -> None:
    assert foreign_fill(msgspec.json.encode(said)) is None


@given(st.recursive(st.none() | st.integers() | st.text() | st.floats(allow_nan=False), st.lists, max_leaves=5))
def test_a_fill_of_whatever_shape_is_read_or_unreadable(value: object) -> None:
    for said in (
        {"type": "FILL"} | dict.fromkeys(("orderId", "quantity", "fillPrice"), value),
        FLAT | {"payload": value},
    ):
        try:
            fill = foreign_fill(msgspec.json.encode(said))
        except UNREADABLE:
            continue
        assert isinstance(fill, ForeignFill)
        assert fill.quantity > 0


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("said", SPELLINGS, ids=["flat", "wrapped", "wrapped again"])
def test_a_fill_that_we_do_not_have_makes_us_read_the_broker_and_moves_nothing(
    said: dict[str, Any], channel: Channel
) -> None:
    async def part(client: Client) -> None:
        before = client.desk.gate.group
        await client.publish(channel, said)
        await asyncio.sleep(hints.GRACE_S * 0.75)
        assert readings(client) == []
        await asyncio.sleep(hints.GRACE_S)
        assert [reading.account_id for reading in readings(client)] == [ACCOUNT]
        account = client.desk.gate.group.accounts[ACCOUNT]
        assert (account.positions, account.fills) == (
            before.accounts[ACCOUNT].positions,
            before.accounts[ACCOUNT].fills,
        )
        assert client.desk.gate.group.version == before.version

    working(part)


def test_a_fill_that_we_have_is_no_reason_to_read_the_broker() -> None:
    async def part(client: Client) -> None:
        await client.fill(7, client.desk.gate.group.accounts[ACCOUNT].orders[ID].terms.side, 2, fill_id=1)
        await client.told("ORDER_FILLED", Channel.MARKET_DATA)
        for said in SPELLINGS * 3:
            await client.publish(Channel.BROKER_MARKET_DATA, said)
        await asyncio.sleep(5)
        assert readings(client) == []
        assert client.desk.gate.group.accounts[ACCOUNT].position(MES.contract_id).net == 2

    working(part)


def test_a_fill_that_reaches_us_within_the_grace_is_no_reason_to_read_the_broker() -> None:
    async def part(client: Client) -> None:
        await client.publish(Channel.BROKER_FILLS, FLAT)
        await asyncio.sleep(hints.GRACE_S / 4)
        await client.fill(7, client.desk.gate.group.accounts[ACCOUNT].orders[ID].terms.side, 2, fill_id=1)
        await asyncio.sleep(5)
        assert readings(client) == []

    working(part)


def test_a_flood_of_invented_fills_makes_us_read_the_broker_once_in_a_while() -> None:
    async def part(client: Client) -> None:
        for number in range(600):
            await client.publish(CHANNELS[number % 3], FLAT | {"quantity": number + 1, "fillPrice": 5000 + number})
            await asyncio.sleep(0.1)
        assert 1 <= len(readings(client)) <= 60 / hints.APART_S + 1

    working(part)


@pytest.mark.parametrize(
    "said",
    [
        FLAT | {"orderId": "nobody"},
        FLAT | {"orderId": "9" * 5_000},
        FLAT | {"orderId": 9},
        FLAT | {"quantity": 0},
        FLAT | {"quantity": -2},
        FLAT | {"fillPrice": "NaN"},
        FLAT | {"quantity": None, "fillPrice": None},
        WRAPPED | {"payload": []},
        {"type": ["FILL"]},
    ],
    ids=["nobody", "digits", "number", "none", "below 0", "NaN", "missing", "no payload", "no type"],
)
def test_a_fill_of_nobodys_order_and_one_that_is_none_are_passed_over(said: dict[str, Any]) -> None:
    async def part(client: Client) -> None:
        for channel in CHANNELS:
            await client.publish(channel, said)
            await client.publish(channel, b"\xff{" + b"[" * 1_000)
        await asyncio.sleep(5)
        assert readings(client) == []
        await client.publish(Channel.BROKER_USER_DATA, FLAT)
        await asyncio.sleep(5)
        assert len(readings(client)) == 1

    working(part)
