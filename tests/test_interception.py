"""Interception: a client that speaks only the documented messages is understood, and answered in them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ordergate.bus.port import Channel, Topic
from ordergate.core.effects import Place
from ordergate.core.order import Breakeven, Exit, Protection, Side, Target
from ordergate.core.reports import FillReport, Outcome, PlaceOutcome, Quote
from tests.dialect.client import BARE, ORDER, intercepted, placed
from tests.engine.gate_on_memory import ACCOUNT, MES, SetClock


async def test_a_place_order_is_sent_and_its_acceptance_and_fill_are_told_with_the_callers_ids() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER)
        place = await placed(client)
        assert (place.terms.side, place.terms.quantity) == (Side.BUY, 2)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 3_400_000_001))
        response = await client.told("ORDER_RESPONSE")
        assert (response["instanceId"], response["orderId"]) == (ORDER["instanceId"], ORDER["orderId"])
        assert (response["success"], response["error"], response["topStepOrderId"]) == (True, None, 3_400_000_001)
        await client.desk.report(
            FillReport(
                account_id=ACCOUNT,
                fill_id=1,
                broker_order_id=3_400_000_001,
                contract_id=MES.contract_id,
                side=Side.BUY,
                quantity=2,
                price_ticks=20_001,
                fee_usd=MES.fee_usd * 2,
                pnl_usd=None,
                voided=False,
                at_ns=client.desk.clock.now_ns(),
            )
        )
        filled = await client.told("ORDER_FILLED", Channel.MARKET_DATA)
        assert (filled["orderId"], filled["accountId"], filled["instrument"]) == (
            ORDER["orderId"],
            ACCOUNT,
            MES.contract_id,
        )
        assert (filled["filledPrice"], filled["filledQuantity"]) == (5000.25, 2)
        enhanced = await client.told("ENHANCED_FILL", Channel.FILL_ENHANCED)
        assert enhanced["fill"]["orderId"] == ORDER["orderId"]
        levels = enhanced["sltpLevels"]
        assert (levels["stopLoss"], levels["takeProfit"]) == (4995.25, 5010.25)
        assert (levels["stopLossAmount"], levels["takeProfitAmount"], levels["riskRewardRatio"]) == (5, 10, 2)
        assert levels["calculations"]["tickSize"] == 0.25


@pytest.mark.parametrize(
    "said",
    [
        {"stopLossPoints": 5},
        {"takeProfitPoints": 5},
        {"stopLoss": {"enabled": True}},
        {"takeProfit": {"enabled": False}},
        {"bracket": {}},
    ],
    ids=str,
)
async def test_a_preset_beside_any_other_word_about_the_bracket_is_refused(said: dict[str, Any]) -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", BARE | {"preset": "scalp"} | said)
        assert (await client.told("ORDER_REJECTED"))["reason"] == "BAD_PRESET"
        assert client.known() == []


async def test_a_place_order_may_name_a_preset() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", BARE | {"preset": "scalp"})
        await placed(client)
        order = client.desk.gate.group.accounts[ACCOUNT].order(str(ORDER["orderId"]))
        assert order is not None
        assert order.protection == Protection(Exit(8), (Target(Exit(8), 1),), Breakeven(4))


async def test_a_denied_order_is_answered_with_order_rejected_and_a_failed_order_response() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"quantity": 11})
        rejected = await client.told("ORDER_REJECTED")
        assert (rejected["orderId"], rejected["reason"]) == (ORDER["orderId"], "RISK_VIOLATION")
        assert {violation["type"] for violation in rejected["violations"]} >= {"MAX_ORDER_SIZE", "MAX_POSITION_SIZE"}
        response = await client.told("ORDER_RESPONSE")
        assert (response["instanceId"], response["success"]) == (ORDER["instanceId"], False)
        assert "11 contracts" in response["error"]
        assert client.desk.sent[Topic.COMMANDS] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"instrument": "NOPE"}, "UNKNOWN_INSTRUMENT"),
        ({"quantity": 2.9}, "BAD_QUANTITY"),
        ({"quantity": "two"}, "BAD_MESSAGE"),
        ({"side": "HOLD"}, "BAD_SIDE"),
        ({"orderType": "LIMIT"}, "MISSING_PRICE"),
        ({"orderType": "LIMIT", "limitPrice": 5000.1}, "OFF_TICK"),
        ({"stopLossPoints": -5}, "DISTANCE_NOT_POSITIVE"),
        ({"preset": "scalp"}, "BAD_PRESET"),  # and the points that every ORDER has
        ({"preset": "nope", "stopLossPoints": None, "takeProfitPoints": None}, "UNKNOWN_PRESET"),
        ({"preset": 7}, "BAD_MESSAGE"),
    ],
)
async def test_what_is_no_order_but_carries_an_order_id_is_answered_and_goes_no_further(
    change: dict[str, Any], code: str
) -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | change)
        rejected = await client.told("ORDER_REJECTED")
        assert (rejected["orderId"], rejected["reason"]) == (ORDER["orderId"], code)
        assert (await client.told("ORDER_RESPONSE"))["success"] is False
        assert client.known() == []


async def test_our_own_answers_and_the_orders_of_nobody_are_never_taken_for_orders() -> None:
    async with intercepted() as client:
        await client.say("ORDER_RESPONSE", {"instanceId": "MANUAL_TRADING_V2", "orderId": "x", "success": True})
        await client.say("ORDER_REJECTED", {"orderId": "x", "reason": "RISK_VIOLATION"})
        await client.desk.bus.publish(Channel.ORDER_MANAGEMENT, b"not json at all")
        await client.desk.bus.publish(Channel.ORDER_MANAGEMENT, b'{"type":"PLACE_ORDER"}')
        await client.desk.bus.publish(Channel.ORDER_MANAGEMENT, b'{"type":"PLACE_ORDER","payload":{"orderId":"\xff"}}')
        await client.desk.bus.publish(Channel.ORDER_MANAGEMENT, b"[" * 100_000)
        await client.say("PLACE_ORDER", ORDER)
        await placed(client)
        assert client.known() == [ORDER["orderId"]]


async def test_the_same_message_twice_is_one_order() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER)
        await client.say("PLACE_ORDER", ORDER | {"timestamp": client.desk.clock.now_ns() // 1_000_000 + 1_000})
        await placed(client)
        await client.say("PLACE_ORDER", ORDER | {"orderId": "another"})
        async with asyncio.timeout(5):
            while len(client.desk.sent[Topic.COMMANDS]) < 2:
                await asyncio.sleep(0)
        assert [effect.terms.quantity for effect in client.desk.sent[Topic.COMMANDS] if isinstance(effect, Place)] == [
            2,
            2,
        ]


async def test_an_order_that_waited_on_the_bus_is_too_old() -> None:
    async with intercepted() as client:
        now_ms = client.desk.clock.now_ns() // 1_000_000
        await client.say("PLACE_ORDER", ORDER | {"timestamp": now_ms - 6_000})
        rejected = await client.told("ORDER_REJECTED")
        assert (rejected["orderId"], rejected["reason"]) == (ORDER["orderId"], "RISK_VIOLATION")
        assert [violation["type"] for violation in rejected["violations"]] == ["TOO_OLD"]
        assert client.desk.sent[Topic.COMMANDS] == []


async def test_a_client_whose_clock_is_slow_is_believed_with_its_third_order_and_then_held_to_it() -> None:
    clock = SetClock()
    async with intercepted(clock) as client:

        async def codes(order_id: str, *, late_ms: int) -> list[str]:
            """What an order is denied for, that says it was sent so long ago."""
            quote = Quote(MES.contract_id, 20_000, 20_001, 20_000, clock.now_ns())
            client.desk.bus.tell(MES.contract_id, msgspec.json.encode(quote))
            sent_ms = clock.now_ns() // 1_000_000 - late_ms
            await client.say("PLACE_ORDER", ORDER | {"orderId": order_id, "requestId": order_id, "timestamp": sent_ms})
            return [breach.code for breach in (await client.desk.answer(order_id)).breaches]

        seen = []
        for order_id in ("first", "second", "third"):
            clock.ahead_ns += 15_000_000_000
            seen.append(await codes(order_id, late_ms=60_000))
        assert seen == [["TOO_OLD"], ["TOO_OLD"], []]
        assert await codes("waited", late_ms=66_000) == ["TOO_OLD"]
        assert await codes("prompt", late_ms=60_000) == []


async def test_an_order_without_a_time_is_as_old_as_its_arrival() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"timestamp": None})
        await placed(client)


async def test_a_documented_cancel_is_carried_out_and_told() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"orderType": "LIMIT", "limitPrice": 4990})
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
        await client.told("ORDER_RESPONSE")
        await client.say("CANCEL_ORDER", {"instanceId": "MANUAL_TRADING_V2", "orderId": ORDER["orderId"]})
        async with asyncio.timeout(5):
            while not client.desk.sent[Topic.EXITS]:
                await asyncio.sleep(0)
        assert type(client.desk.sent[Topic.EXITS][-1]).__name__ in ("Cancel", "ReadSnapshot")
