"""Orders, cancels and changes on both channels: each has one defined answer, whatever way it comes."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ordergate.bus import messages
from ordergate.bus.port import Channel, Topic
from ordergate.core.commands import LockOut
from ordergate.core.effects import Cancel, Modify, Place
from ordergate.core.events import ApprovalKind
from ordergate.core.reports import CancelOutcome, OrderState, Outcome, PlaceOutcome
from tests.dialect.client import BARE, ORDER, Client, intercepted, placed, shown
from tests.engine.gate_on_memory import ACCOUNT

LIMIT = ORDER | {"orderType": "LIMIT", "limitPrice": 4990}
ID = str(ORDER["orderId"])


async def working(client: Client) -> Place:
    """A limit order that the broker has taken, as 7."""
    await client.say("PLACE_ORDER", LIMIT)
    place = await placed(client)
    await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
    await client.told("ORDER_RESPONSE")
    return place


@pytest.mark.parametrize("kind", ["MANUAL_ORDER", "PLACE_ORDER"])
async def test_an_order_of_the_shipped_page_is_answered_under_that_pages_own_name(kind: str) -> None:
    async with intercepted() as client:
        await client.manual_order(ORDER | {"instanceId": "MANUAL_TRADING"}, kind)
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
        response = await client.told("ORDER_RESPONSE")
        assert (response["instanceId"], response["success"]) == ("MANUAL_TRADING", True)
        assert response["topStepOrderId"] == 7


async def test_a_refused_order_of_the_shipped_page_is_told_in_both_documented_messages() -> None:
    async with intercepted() as client:
        await client.manual_order(ORDER | {"instanceId": "MANUAL_TRADING", "quantity": 11})
        response = await client.told("ORDER_RESPONSE")
        assert (response["instanceId"], response["orderId"], response["success"]) == ("MANUAL_TRADING", ID, False)
        assert (await client.told("ORDER_REJECTED"))["reason"] == "RISK_VIOLATION"


async def test_the_same_order_on_both_channels_is_one_order() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER)
        await client.manual_order(ORDER)
        await client.say("PLACE_ORDER", ORDER | {"orderId": "another"})
        await placed(client, 2)
        await client.quiet()
        assert len(client.desk.sent[Topic.COMMANDS]) == 2
        assert client.known() == [ID, "another"]


@pytest.mark.parametrize(
    ("top", "inside"),
    [
        ({"source": "TRADING_AGGREGATOR"}, {}),
        ({}, {"instanceId": "TRADING_AGGREGATOR"}),
        ({}, {"aggregatorStatus": "AGGREGATOR_APPROVED"}),
        ({}, {"aggregatorStatus": "RISK_VIOLATION"}),
        ({}, {"processedByAggregator": True}),
        ({}, {"processedByAggregator": "yes"}),
    ],
    ids=str,
)
async def test_what_an_aggregator_has_had_before_is_no_order(top: dict[str, Any], inside: dict[str, Any]) -> None:
    async with intercepted() as client:
        now_ms = client.desk.clock.now_ns() // 1_000_000
        body = ORDER | {"timestamp": now_ms} | inside
        await client.publish(Channel.ORDER_MANAGEMENT, {"type": "PLACE_ORDER", "payload": body} | top)
        await client.publish(Channel.AGGREGATOR_ORDERS, {"type": "MANUAL_ORDER", "order": body} | top)
        await client.say("PLACE_ORDER", ORDER | {"orderId": "mine"})
        await placed(client)
        await client.quiet()
        assert client.known() == ["mine"]
        assert client.messages("ORDER_REJECTED") == []


async def test_what_we_say_carries_the_mark_that_we_look_for() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"quantity": 11})
        await client.until("ORDER_RESPONSE")
        await client.say("CANCEL_ORDER", {"orderId": "nobody"})
        await client.until("ORDER_CANCELLATION_RESPONSE")
        await client.say("MODIFY_ORDER", {"orderId": "nobody"})
        await client.until("ORDER_STATUS_UPDATE")
        said = [message for message in client.heard[Channel.ORDER_MANAGEMENT] if message["type"].startswith("ORDER_")]
        assert {message["source"] for message in said} == {"TRADING_AGGREGATOR"}
        assert len(said) == 4


async def test_an_order_of_another_instance_has_the_bracket_that_it_carries_and_no_default() -> None:
    async with intercepted() as client:
        await client.manual_order(BARE | {"instanceId": "bot-7", "orderId": "bare"})
        await client.manual_order(BARE | {"instanceId": "bot-7", "orderId": "stop", "stopLossPoints": 5})
        await client.manual_order(BARE | {"instanceId": "MANUAL_TRADING", "orderId": "manual"})
        await placed(client, 3)
        orders = client.desk.gate.group.accounts[ACCOUNT]
        found = {name: getattr(orders.order(name), "protection") for name in ("bare", "stop", "manual")}  # noqa: B009
        assert (found["bare"].stop, found["bare"].targets) == (None, ())
        assert (found["stop"].stop.ticks, found["stop"].targets) == (20, ())
        assert found["manual"].stop is not None
        assert found["manual"].targets != ()


async def test_an_order_that_is_said_again_is_answered_again_and_not_placed_again() -> None:
    async with intercepted() as client:
        await working(client)
        await client.say("PLACE_ORDER", LIMIT)
        first, second = await client.until("ORDER_RESPONSE", 2)
        assert first["payload"] | {"timestamp": 0} == second["payload"] | {"timestamp": 0}
        assert len(client.desk.sent[Topic.COMMANDS]) == 1


async def test_a_denied_order_that_is_said_again_is_denied_again() -> None:
    async with intercepted() as client:
        for count in (1, 2):
            await client.say("PLACE_ORDER", ORDER | {"quantity": 11})
            rejected = await client.until("ORDER_REJECTED", count)
            assert rejected[-1]["payload"]["violations"] != []
            assert (await client.until("ORDER_RESPONSE", count))[-1]["payload"]["success"] is False


@pytest.mark.parametrize(
    ("change", "code"),
    [({"quantity": 1}, "ORDER_ID_REUSED"), ({"orderId": "b", "accountId": 9}, "UNKNOWN_ACCOUNT")],
)
async def test_what_the_gate_refuses_without_a_rule_is_answered_too(change: dict[str, Any], code: str) -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER)
        await placed(client)
        await client.say("PLACE_ORDER", ORDER | change)
        assert (await client.told("ORDER_REJECTED"))["reason"] == code
        response = await client.told("ORDER_RESPONSE")
        assert response["success"] is False
        assert response["error"].startswith(code)


async def test_two_sessions_at_once_are_each_answered_in_their_order() -> None:
    async with intercepted() as client:
        said = []
        for number in range(20):
            instance = ("MANUAL_TRADING", "MANUAL_TRADING_V2")[number % 2]
            said.append((instance, f"{instance}-{number}"))
            order = ORDER | {"instanceId": instance, "orderId": said[-1][1], "quantity": 11}
            if number % 2:
                await client.say("PLACE_ORDER", order)
            else:
                await client.manual_order(order)
        heard = [message["payload"] for message in await client.until("ORDER_RESPONSE", 20)]
        for instance in ("MANUAL_TRADING", "MANUAL_TRADING_V2"):
            mine = [(row["instanceId"], row["orderId"]) for row in heard if row["instanceId"] == instance]
            assert mine == [one for one in said if one[0] == instance]


async def test_two_orders_under_one_request_id_are_each_answered_for_themselves() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"orderId": "good", "requestId": "same"})
        await client.say("PLACE_ORDER", ORDER | {"orderId": "big", "quantity": 11, "requestId": "same"})
        await client.say("PLACE_ORDER", ORDER | {"orderId": "good", "side": "HOLD", "requestId": "same"})
        await placed(client)
        await client.until("ORDER_REJECTED", 2)
        await client.quiet()
        told = [(row["payload"]["orderId"], row["payload"]["reason"]) for row in client.messages("ORDER_REJECTED")]
        assert sorted(told) == [("big", "RISK_VIOLATION"), ("good", "BAD_SIDE")]


async def test_a_cancel_is_answered_when_the_order_is_gone_and_under_the_name_of_who_asked() -> None:
    async with intercepted() as client:
        await working(client)
        await client.say("CANCEL_ORDER", {"instanceId": "bot-7", "orderId": ID, "topStepOrderId": 7})
        while not any(isinstance(effect, Cancel) for effect in client.desk.sent[Topic.EXITS]):
            await client.quiet()
        assert client.messages("ORDER_CANCELLATION_RESPONSE") == []
        await client.desk.report(CancelOutcome(ACCOUNT, 7, Outcome.DONE))
        await client.desk.report(msgspec.structs.replace(_shown(client), state=OrderState.CANCELLED))
        told = await client.told("ORDER_CANCELLATION_RESPONSE")
        assert (told["instanceId"], told["orderId"], told["success"], told["error"]) == ("bot-7", ID, True, None)


async def test_a_cancel_may_name_the_order_by_the_brokers_id_alone() -> None:
    async with intercepted() as client:
        await working(client)
        await client.say("CANCEL_ORDER", {"orderId": "lost-by-the-page", "topStepOrderId": 7})
        while not any(isinstance(effect, Cancel) for effect in client.desk.sent[Topic.EXITS]):
            await client.quiet()
        await client.desk.report(msgspec.structs.replace(_shown(client), state=OrderState.CANCELLED))
        told = await client.told("ORDER_CANCELLATION_RESPONSE")
        assert (told["orderId"], told["success"]) == ("lost-by-the-page", True)


async def test_a_cancel_that_is_refused_is_answered_so() -> None:
    async with intercepted() as client:
        await client.say("CANCEL_ORDER", {"instanceId": "MANUAL_TRADING", "orderId": "nobody"})
        told = await client.told("ORDER_CANCELLATION_RESPONSE")
        assert (told["instanceId"], told["orderId"], told["success"]) == ("MANUAL_TRADING", "nobody", False)
        assert told["error"].startswith("UNKNOWN_ORDER")


@pytest.mark.parametrize("kind", ["MANUAL_ORDER", "PLACE_ORDER"])
async def test_orders_of_other_instances_pass_the_limits_and_those_of_the_pages_and_of_nobody_do_not(kind: str) -> None:
    async with intercepted() as client:
        large = ORDER | {"quantity": 11}
        for instance in ("bot-7", "MANUAL_TRADING", "MANUAL_TRADING_V2", "", " "):
            await client.manual_order(large | {"instanceId": instance, "orderId": f"of-{instance.strip()}x"}, kind)
        await client.until("ORDER_REJECTED", 3)
        await client.quiet()
        place = await placed(client)
        assert (place.grant.kind, place.terms.quantity) == (ApprovalKind.PASSED, 11)
        assert len(client.desk.sent[Topic.COMMANDS]) == 1
        rejected = {message["payload"]["orderId"] for message in client.messages("ORDER_REJECTED")}
        assert rejected == {"of-MANUAL_TRADINGx", "of-MANUAL_TRADING_V2x", "of-x"}


async def test_an_order_of_another_instance_that_is_said_again_on_both_channels_is_one_order() -> None:
    async with intercepted() as client:
        order = ORDER | {"instanceId": "bot-7", "timestamp": client.desk.clock.now_ns() // 1_000_000}
        for _ in range(2):
            await client.say("PLACE_ORDER", order)
            await client.manual_order(order)
        await placed(client)
        await client.quiet()
        assert len(client.desk.sent[Topic.COMMANDS]) == 1


async def test_an_order_of_another_instance_that_is_late_or_locked_out_does_not_pass() -> None:
    async with intercepted() as client:
        late_ms = client.desk.clock.now_ns() // 1_000_000 - 60_000
        await client.say("PLACE_ORDER", ORDER | {"instanceId": "bot-7", "orderId": "late", "timestamp": late_ms})
        await client.until("ORDER_REJECTED")
        await client.desk.gate.take(LockOut("lock", ACCOUNT))
        assert (await client.desk.answer("lock")).ok
        await client.say("PLACE_ORDER", ORDER | {"instanceId": "bot-7", "orderId": "locked"})
        told = [message["payload"] for message in await client.until("ORDER_REJECTED", 2)]
        assert [(one["orderId"], one["violations"][0]["type"]) for one in told] == [
            ("late", "TOO_OLD"),
            ("locked", "LOCKED_OUT"),
        ]


async def test_no_field_of_a_message_makes_an_order_of_a_page_pass() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"quantity": 11, "passed": True, "kind": "passed"})
        assert (await client.told("ORDER_REJECTED"))["reason"] == "RISK_VIOLATION"


async def test_a_cancel_that_comes_before_its_order_finds_none_and_the_order_stands() -> None:
    async with intercepted() as client:
        await client.say("CANCEL_ORDER", {"orderId": ID})
        assert (await client.told("ORDER_CANCELLATION_RESPONSE"))["error"].startswith("UNKNOWN_ORDER")
        await client.say("PLACE_ORDER", ORDER)
        await placed(client)


async def test_a_cancel_that_cannot_be_read_is_answered_by_its_order() -> None:
    async with intercepted() as client:
        await client.say("CANCEL_ORDER", {"instanceId": "MANUAL_TRADING", "orderId": ID, "accountId": "all of them"})
        told = await client.told("ORDER_CANCELLATION_RESPONSE")
        assert (told["orderId"], told["success"]) == (ID, False)
        assert client.messages("ORDER_REJECTED") == []


async def test_a_cancel_of_an_order_that_fills_first_is_told_as_failed() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.say("CANCEL_ORDER", {"instanceId": "MANUAL_TRADING", "orderId": ID})
        told = await client.told("ORDER_CANCELLATION_RESPONSE")
        assert told["success"] is False
        assert "filled" in told["error"]


async def test_an_order_and_its_cancel_in_one_breath_are_both_answered() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", LIMIT)
        await client.say("CANCEL_ORDER", {"orderId": ID})
        assert (await client.told("ORDER_CANCELLATION_RESPONSE"))["success"] is True
        assert (await client.told("ORDER_RESPONSE"))["success"] is False
        assert client.desk.sent[Topic.COMMANDS] == []


async def test_a_change_in_one_breath_with_its_order_is_told_to_wait_and_the_order_stands_as_it_was_asked_for() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", LIMIT)
        await client.say("MODIFY_ORDER", {"orderId": ID, "limitPrice": 4985})
        told = await client.told("ORDER_STATUS_UPDATE")
        assert (told["success"], told["error"].partition(":")[0]) == (False, "BUSY")
        assert (await placed(client)).terms.limit_ticks == 19_960


async def test_a_change_is_carried_out_and_answered_by_a_message_that_kills_no_order_on_a_page() -> None:
    async with intercepted() as client:
        await working(client)
        await client.say("MODIFY_ORDER", {"instanceId": "MANUAL_TRADING", "orderId": ID, "limitPrice": 4985})
        told = await client.told("ORDER_STATUS_UPDATE")
        assert (told["instanceId"], told["orderId"], told["success"]) == ("MANUAL_TRADING", ID, True)
        modifies = [effect for lane in client.desk.sent.values() for effect in lane if isinstance(effect, Modify)]
        assert [modify.terms.limit_ticks for modify in modifies] == [19_940]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"orderId": "nobody", "limitPrice": 4985}, "UNKNOWN_ORDER"),
        ({}, "NOTHING_TO_CHANGE"),
        ({"limitPrice": 4985.1}, "OFF_TICK"),
        ({"quantity": 1.5}, "BAD_QUANTITY"),
        ({"quantity": 11}, "MAX_ORDER_SIZE"),
        ({"quantity": "two"}, "BAD_MESSAGE"),
    ],
)
async def test_a_change_that_is_refused_is_answered_and_fails_no_order(change: dict[str, Any], code: str) -> None:
    async with intercepted() as client:
        await working(client)
        await client.say("MODIFY_ORDER", {"instanceId": "MANUAL_TRADING", "orderId": ID} | change)
        told = await client.told("ORDER_STATUS_UPDATE")
        assert (told["success"], told["error"].partition(":")[0]) == (False, code)
        assert [row["payload"]["success"] for row in client.messages("ORDER_RESPONSE")] == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"accountId": "1001x"},
        {"accountId": None},
        {"instanceId": 7},
        {"stopLossPoints": {"a": [[[[[[]]]]]]}},
        {"timestamp": "2026-11-23T15:00:00Z"},
        {"limitPrice": "dear", "orderType": "LIMIT"},
        {"instanceId": "i" * 201},
        {"requestId": "r" * 201},
        {"quantity": []},
    ],
    ids=lambda change: str(change)[:40],
)
async def test_a_malformed_order_that_carries_an_order_id_is_answered_in_both_messages(change: dict[str, Any]) -> None:
    async with intercepted() as client:
        await client.manual_order(ORDER | change)
        assert (await client.told("ORDER_REJECTED"))["orderId"] == ID
        response = await client.told("ORDER_RESPONSE")
        assert (response["orderId"], response["success"]) == (ID, False)
        assert client.known() == []


@pytest.mark.parametrize(
    ("price", "code"),
    [
        (b"1e999999999999", "PRICE_OUT_OF_RANGE"),
        (b"-1e2000000", "PRICE_OUT_OF_RANGE"),
        (b"1e-999999999999", "OFF_TICK"),
    ],
)
async def test_a_price_that_no_instrument_has_is_refused_by_the_code_of_any_bad_price(price: bytes, code: str) -> None:
    async with intercepted() as client:
        order = msgspec.json.encode({"type": "PLACE_ORDER", "payload": LIMIT})
        await client.publish(Channel.ORDER_MANAGEMENT, order.replace(b'"limitPrice":4990', b'"limitPrice":' + price))
        assert (await client.told("ORDER_REJECTED"))["reason"] == code


@pytest.mark.parametrize("price", [b"1e999999999999", b"-1e2000000", b'"NaN"', b'"Infinity"', b"1e-3"])
async def test_a_number_beyond_all_reason_is_refused_and_ends_nothing(price: bytes) -> None:
    async with intercepted() as client:
        order = msgspec.json.encode({"type": "PLACE_ORDER", "payload": LIMIT})
        for field in (b'"limitPrice":4990', b'"stopLossPoints":5', b'"quantity":2'):
            name = field.partition(b":")[0]
            await client.publish(Channel.ORDER_MANAGEMENT, order.replace(field, name + b":" + price))
        await client.until("ORDER_REJECTED", 3)
        await client.say("PLACE_ORDER", ORDER | {"orderId": "after"})
        await placed(client)
        assert client.known() == ["after"]


async def test_a_message_longer_than_the_bound_is_not_read() -> None:
    async with intercepted() as client:
        for size, count in ((messages.BYTES_MAX, 1), (messages.BYTES_MAX + 1, 0)):
            client.heard[Channel.ORDER_MANAGEMENT].clear()
            bare = msgspec.json.encode({"type": "PLACE_ORDER", "payload": ORDER | {"side": "HOLD", "note": ""}})
            padded = bare.replace(b'"note":""', b'"note":"' + b"x" * (size - len(bare)) + b'"')
            assert len(padded) == size
            await client.publish(Channel.ORDER_MANAGEMENT, padded)
            await client.quiet()
            assert len(client.messages("ORDER_REJECTED")) == count


async def test_a_burst_that_fills_the_channel_is_answered_and_nobody_waits_for_himself() -> None:
    async with intercepted() as client:
        async with asyncio.timeout(55):
            for number in range(10_100):  # more than a subscription holds unread
                await client.publish(
                    Channel.ORDER_MANAGEMENT, b'{"type":"PLACE_ORDER","payload":{"orderId":"%d"}}' % number
                )
            await client.say("PLACE_ORDER", ORDER)
            await placed(client)
            while len(client.messages("ORDER_REJECTED")) <= 5_000:
                await asyncio.sleep(0.01)


def _shown(client: Client) -> Any:
    place = client.desk.sent[Topic.COMMANDS][0]
    assert isinstance(place, Place)
    return shown(place, 7, client.desk.clock.now_ns())
