"""What is told without being asked: fills, positions, brackets, prices, orders, our own health."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ordergate.bus.announcements import OrderUpdate, PositionUpdate
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Channel
from ordergate.clock import SystemClock
from ordergate.core.account import Account, Group
from ordergate.core.modes import Modes
from ordergate.core.order import Side
from ordergate.core.pnl import Position
from ordergate.core.reports import LinkReport, Outcome, PlaceOutcome, Quote
from ordergate.dialect import outbox as outboxes
from ordergate.dialect.outbox import Outbox
from ordergate.dialect.telling import moved_positions
from tests.dialect.client import BARE, ORDER, Client, intercepted, placed
from tests.engine.gate_on_memory import ACCOUNT, MES
from tests.simulation.virtual_time import VirtualClock, run

MARKET, STATUS = Channel.MARKET_DATA, Channel.AGGREGATOR_STATUS


def statuses(client: Client) -> list[str]:
    return [message["status"] for message in client.messages("ORDER_UPDATE", STATUS)]


async def test_a_fill_is_told_as_the_page_reads_it_with_the_callers_own_order_id() -> None:
    async with intercepted() as client:
        await client.hold()
        filled = (await client.until("ORDER_FILLED", 1, MARKET))[0]
        assert filled["payload"]["orderId"] == ORDER["orderId"]
        assert (filled["payload"]["filledPrice"], filled["payload"]["filledQuantity"]) == (5000.25, 2)
        assert (filled["payload"]["accountId"], filled["payload"]["instrument"]) == (ACCOUNT, MES.contract_id)
        assert filled["payload"]["positionId"] == f"{ACCOUNT}:{MES.contract_id}"


@pytest.mark.parametrize("shadow", [True, False])
async def test_answers_to_orders_and_fills_say_so_in_shadow_mode_and_have_no_other_field_else(*, shadow: bool) -> None:
    async with intercepted(modes=Modes(shadow=shadow)) as client:
        await client.hold()
        await client.say("PLACE_ORDER", ORDER | {"orderId": "large", "quantity": 11})
        told = [
            *await client.until("ORDER_RESPONSE", 2),
            *await client.until("ORDER_FILLED", 1, MARKET),
            *await client.until("ENHANCED_FILL", 1, Channel.FILL_ENHANCED),
        ]
        assert [message["payload"].get("shadow") for message in told] == [shadow or None] * 4


async def test_what_is_told_on_our_channels_carries_the_marks_of_an_aggregator() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.until("AGGREGATOR_STATUS", 1, STATUS)
        told = [message for channel in (MARKET, STATUS, Channel.POSITION_UPDATES) for message in client.heard[channel]]
        assert {(message["source"], message["aggregatorId"]) for message in told} == {("TRADING_AGGREGATOR", "default")}
        assert all(message["messageId"].startswith("AGG-") and message["timestamp"].endswith("Z") for message in told)
        assert len({message["messageId"] for message in told}) == len(told)


async def test_a_position_is_told_on_both_channels_as_each_of_its_readers_wants_it() -> None:
    async with intercepted() as client:
        await client.hold()
        (told,) = await client.until("POSITION_UPDATE", 1, MARKET)
        position = told["payload"]
        assert (position["instrument"], position["netPosition"], position["avgPrice"]) == (MES.contract_id, 2, 5000.25)
        assert (position["accountId"], position["side"], position["type"], position["size"]) == (
            ACCOUNT,
            "LONG",
            "LONG",
            2,
        )
        assert (told["processedBy"], told["channel"]) == ("aggregator", "market-data")
        (routed,) = await client.until("POSITION_UPDATE", 1, Channel.POSITION_UPDATES)
        assert (routed["payload"], routed["channel"]) == (position, "position-updates")


async def test_each_change_of_a_position_is_told_once_and_the_end_of_it_as_flat() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.fill(3_400_000_100, Side.SELL, 2, fill_id=2, price_ticks=19_981)
        told = [message["payload"] for message in await client.until("POSITION_UPDATE", 2, MARKET)]
        assert [(row["netPosition"], row["side"], row["avgPrice"]) for row in told] == [
            (2, "LONG", 5000.25),
            (0, "FLAT", None),
        ]
        await client.quiet()
        assert len(client.messages("POSITION_UPDATE", MARKET)) == 2


async def test_a_bracket_is_told_once_when_all_of_it_rests_at_the_broker() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs(1)
        await client.quiet()
        assert client.messages("BRACKET_ORDER_COMPLETE", MARKET) == []
        await client.rest_legs()
        bracket = await client.told("BRACKET_ORDER_COMPLETE", MARKET)
        assert (bracket["orderId"], bracket["instanceId"]) == (ORDER["orderId"], "MANUAL_TRADING_V2")
        assert (bracket["stopLoss"], bracket["takeProfit"]) == (4995.25, 5010.25)
        assert (bracket["success"], bracket["error"]) == (True, None)
        await client.quiet()
        assert len(client.messages("BRACKET_ORDER_COMPLETE", MARKET)) == 1


async def test_a_bracket_of_two_targets_is_told_once() -> None:
    async with intercepted() as client:
        targets = [{"ticks": 8, "quantity": 1}, {"ticks": 16}]
        await client.say("PLACE_ORDER", BARE | {"bracket": {"stop": {"ticks": 20}, "targets": targets}})
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 9))
        await client.fill(9, Side.BUY, 2, fill_id=1)
        await client.rest_legs(3)
        assert (await client.told("BRACKET_ORDER_COMPLETE", MARKET))["takeProfit"] == 5002.25
        await client.quiet()
        assert len(client.messages("BRACKET_ORDER_COMPLETE", MARKET)) == 1


def test_a_position_that_stays_as_it_is_is_not_told_with_one_that_moves() -> None:
    other = msgspec.structs.replace(MES, contract_id="CON.F.US.MES.H27")
    instruments = {MES.contract_id: MES, other.contract_id: other}
    held = {name: Position(name, 2, 20_001, 1) for name in instruments}
    before = Group(instruments=instruments, accounts={ACCOUNT: Account(ACCOUNT, positions=held)})
    moved = held | {MES.contract_id: Position(MES.contract_id, -1, 60_001, 3)}
    after = msgspec.structs.replace(before, accounts={ACCOUNT: Account(ACCOUNT, positions=moved)})
    told = [message for _, message in moved_positions(before, after, ACCOUNT, 0)]
    assert all(isinstance(message, PositionUpdate) for message in told)
    rows = [message.payload for message in told if isinstance(message, PositionUpdate)]
    assert [(row.contract_id, row.net_position, row.side) for row in rows] == [(MES.contract_id, -1, "SHORT")] * 2
    assert str(rows[0].avg_price) == "5000.0833333333"
    assert list(moved_positions(before, before, ACCOUNT, 0)) == []


async def test_a_bracket_without_a_target_is_complete_when_its_stop_rests() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", BARE | {"instanceId": "bot-7", "stopLossPoints": 5})
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 9))
        await client.fill(9, Side.BUY, 2, fill_id=1)
        await client.rest_legs(1)
        bracket = await client.told("BRACKET_ORDER_COMPLETE", MARKET)
        assert (bracket["instanceId"], bracket["stopLoss"], bracket["takeProfit"]) == ("bot-7", 4995.25, None)


async def test_a_stop_that_is_refused_is_told_as_a_bracket_that_failed() -> None:
    async with intercepted() as client:
        await client.hold()
        while not client.legs():
            await client.quiet()
        await client.desk.report(
            PlaceOutcome(ACCOUNT, client.legs()[0].order_tag, Outcome.REFUSED, code=2, text="too near")
        )
        bracket = await client.told("BRACKET_ORDER_COMPLETE", MARKET)
        assert bracket["success"] is False
        assert "too near" in bracket["error"]


async def test_where_an_order_stands_is_told_at_every_step() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.say("PLACE_ORDER", ORDER | {"orderId": "big", "quantity": 11})
        await client.until("ORDER_UPDATE", 4, STATUS)
        assert statuses(client) == ["PROCESSING", "SENT_TO_BROKER", "FILLED", "FAILED"]
        update = client.messages("ORDER_UPDATE", STATUS)[1]
        assert (update["orderId"], update["order"]["id"]) == (ORDER["orderId"], ORDER["orderId"])
        assert (update["order"]["action"], update["order"]["aggregatorProcessed"]) == ("BUY", True)


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.REFUSED, "EXECUTION_FAILED"), (Outcome.NOT_SENT, "EXECUTION_FAILED")]
)
async def test_an_order_that_the_broker_never_had_is_told_as_failed_and_why(outcome: Outcome, status: str) -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER)
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, outcome, code=2, text="no margin"))
        response = await client.told("ORDER_RESPONSE")
        assert response["success"] is False
        assert "no margin" in response["error"]
        await client.until("ORDER_UPDATE", 2, STATUS)
        assert statuses(client)[-1] == status
        await client.say("PLACE_ORDER", ORDER)
        again = (await client.until("ORDER_RESPONSE", 2))[1]["payload"]
        assert (again["success"], again["topStepOrderId"]) == (False, None)
        assert "no margin" in again["error"]


async def test_a_quote_is_told_flattened_and_as_it_was_before_that() -> None:
    async with intercepted() as client:
        (quote,) = await client.until("QUOTE", 1, MARKET)
        assert (quote["instrument"], quote["bid"], quote["ask"]) == (MES.contract_id, 5000, 5000.25)
        assert (quote["processedBy"], quote["channel"]) == ("aggregator", "market-data")
        assert (quote["data"]["bid"], quote["data"]["ask"]) == (5000, 5000.25)


def test_a_busy_market_is_told_at_most_four_times_a_second_and_with_its_latest_price() -> None:
    async def scenario() -> list[Any]:
        async with intercepted(VirtualClock(asyncio.get_running_loop())) as client:
            for number in range(100):
                quote = Quote(MES.contract_id, 20_000 + number, 20_001 + number, None, client.desk.clock.now_ns())
                client.desk.bus.tell(MES.contract_id, msgspec.json.encode(quote))
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.3)
            return client.messages("QUOTE", MARKET)

    quotes = run(scenario())
    assert 4 <= len(quotes) <= 6
    assert quotes[-1]["bid"] == 5024.75


def test_the_heartbeat_comes_every_thirty_seconds_and_says_what_was_heard_and_said() -> None:
    async def scenario() -> list[Any]:
        async with intercepted(VirtualClock(asyncio.get_running_loop())) as client:
            await client.publish(Channel.ORDER_MANAGEMENT, b"no json")
            await asyncio.sleep(61)
            return client.messages("AGGREGATOR_STATUS", STATUS)

    beats = run(scenario())
    assert len(beats) == 3
    assert [beat["uptime"] for beat in beats] == [0, 30_000, 60_000]
    assert beats[-1]["status"] == "HEALTHY"
    stats = beats[-1]["messageStats"]
    assert (stats["received"], stats["errors"]) == (1, 1)
    assert stats["published"] >= 2
    assert beats[-1]["details"]["subscribedChannels"] == [
        "order:management",
        "aggregator:orders",
        "aggregator:requests",
        "instance:control",
    ]


def test_the_heartbeat_is_never_healthy_while_the_broker_is_not_seen() -> None:
    async def scenario() -> Any:
        async with intercepted(VirtualClock(asyncio.get_running_loop())) as client:
            await client.desk.report(LinkReport(up=False, reason="the user hub is silent"))
            await asyncio.sleep(31)
            return client.messages("AGGREGATOR_STATUS", STATUS)[-1]

    beat = run(scenario())
    assert (beat["status"], beat["details"]["reason"]) == ("DEGRADED", "the user hub is silent")


async def test_who_does_not_take_what_is_said_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "WAITING_MAX", 3)
    bus = MemoryBus(capacity=1)
    unread = bus.subscribe(Channel.AGGREGATOR_STATUS)
    outbox = Outbox(bus, SystemClock())
    sending = asyncio.create_task(outbox.run())
    replies = bus.listen("anybody")
    for _ in range(20):
        outbox.reply("anybody", b"x")
        outbox.say(Channel.AGGREGATOR_STATUS, _update())
        await asyncio.sleep(0)
    assert outbox.dropped > 0
    sending.cancel()
    for subscription in (unread, replies):
        subscription.close()


def _update() -> OrderUpdate:
    return OrderUpdate(order_id="a", status="FILLED", order=msgspec.UNSET)  # type: ignore[arg-type]
