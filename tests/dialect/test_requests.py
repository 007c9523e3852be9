"""The eight documented requests, asked on ``aggregator:requests`` and answered where the asker says."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ordergate.bus import messages
from ordergate.bus.port import Channel, Topic, checked_reply_channel
from ordergate.core.commands import CancelAll, LockOut
from ordergate.core.effects import Modify
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import Outcome, PlaceOutcome
from ordergate.dialect import answering
from ordergate.errors import InputRefused
from tests.dialect.client import ORDER, Client, intercepted, placed
from tests.engine.gate_on_memory import ACCOUNT, MES
from tests.simulation.virtual_time import VirtualClock, run

POSITION = f"{ACCOUNT}:{MES.contract_id}"


def modified(client: Client) -> list[Modify]:
    """The changes that were sent to the broker."""
    return [effect for lane in client.desk.sent.values() for effect in lane if isinstance(effect, Modify)]


def head(answer: Any) -> tuple[object, ...]:
    return answer["type"], answer["requestId"], answer["success"], answer.get("error")


async def test_every_answer_has_the_type_the_request_id_and_a_time() -> None:
    async with intercepted() as client:
        answer = await client.request("GET_ACCOUNTS", forceFresh=True)
        assert head(answer) == ("GET_ACCOUNTS", "request-1", True, None)
        assert abs(answer["timestamp"] - client.desk.clock.now_ns() // 1_000_000) < 5_000
        assert answer["accounts"] == [
            {
                "id": ACCOUNT,
                "name": "PRACTICE-1",
                "balance": 50_000,
                "canTrade": True,
                "isVisible": True,
                "simulated": True,
            }
        ]
        assert (answer["count"], answer["cached"]) == (1, True)


@pytest.mark.parametrize("kind", ["GET_CONTRACTS", "GET_ACTIVE_CONTRACTS"])
async def test_contracts_are_told_with_their_documented_fields(kind: str) -> None:
    async with intercepted() as client:
        answer = await client.request(kind)
        contract = answer["contracts"][0]
        assert (contract["contractId"], contract["symbol"], contract["name"]) == (MES.contract_id, "F.US.MES", "MES")
        assert (contract["tickSize"], contract["pointValue"], contract["currency"]) == (0.25, 5, "USD")
        assert (contract["isActive"], answer["count"]) == (True, 1)


async def test_positions_are_told_as_our_books_have_them() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", channel=Channel.MARKET_DATA)
        for asked in ({"accountId": ACCOUNT}, {"accountId": str(ACCOUNT)}, {}):
            answer = await client.request("GET_POSITIONS", **asked)
            position = answer["positions"][0]
            assert (position["id"], position["accountId"], position["contractId"]) == (
                POSITION,
                ACCOUNT,
                MES.contract_id,
            )
            assert (position["positionSize"], position["size"], position["side"]) == (2, 2, 0)
            assert (position["averagePrice"], position["profitAndLoss"]) == (5000.25, -2.5)
            assert (position["stopLoss"], position["takeProfit"]) == (4995.25, 5010.25)
            assert position["entryTime"].endswith("Z")


async def test_a_flat_account_has_no_positions_and_an_unknown_one_is_refused() -> None:
    async with intercepted() as client:
        assert (await client.request("GET_POSITIONS", accountId=ACCOUNT))["positions"] == []
        for account in (7, "7", "seven", "9" * 5_000, -1, "٣"):
            answer = await client.request("GET_POSITIONS", accountId=account)
            assert answer["success"] is False
            assert answer["error"].startswith("UNKNOWN_ACCOUNT")


async def test_working_orders_are_told_to_the_desk_that_sent_them_and_to_whoever_asks_for_all() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"orderType": "LIMIT", "limitPrice": 4990})
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
        await client.told("ORDER_RESPONSE")
        for instance in ("MANUAL_TRADING", "MANUAL_TRADING_V2", None):
            answer = await client.request("GET_WORKING_ORDERS", instanceId=instance)
            order = answer["orders"][0]
            assert (order["orderId"], order["contractId"], order["price"]) == (ORDER["orderId"], MES.contract_id, 4990)
            assert (order["side"], order["quantity"], order["orderType"]) == ("BUY", 2, "LIMIT")
            assert answer["count"] == 1
        assert (await client.request("GET_WORKING_ORDERS", instanceId="bot-7"))["orders"] == []


async def test_the_legs_of_an_entry_are_working_orders_of_its_sender() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", channel=Channel.MARKET_DATA)
        answer = await client.request("GET_WORKING_ORDERS", instanceId="MANUAL_TRADING")
        assert sorted((order["orderType"], order["price"]) for order in answer["orders"]) == [
            ("LIMIT", 5010.25),
            ("STOP", 4995.25),
        ]


async def test_statistics_are_of_the_days_closing_fills() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", channel=Channel.MARKET_DATA)
        legs = {place.terms.order_type: number for number, place in enumerate(client.legs(), 3_400_000_100)}
        await client.fill(legs[OrderType.LIMIT], Side.SELL, 1, fill_id=2, price_ticks=20_041)
        await client.fill(legs[OrderType.STOP], Side.SELL, 1, fill_id=3, price_ticks=20_021 - 40)
        await client.until("POSITION_UPDATE", 3, Channel.MARKET_DATA)
        answer = await client.request("GET_STATISTICS", accountId=ACCOUNT)
        assert (answer["accountId"], answer["statisticsType"]) == (ACCOUNT, "todaystats")
        assert answer["statistics"] == {
            "totalTrades": 2,
            "winRate": 50,
            "totalPnL": 25 - 1.44,
            "profitFactor": 2,
            "averageWin": 50,
            "averageLoss": 25,
            "grossProfit": 50,
            "grossLoss": 25,
            "winningTrades": 1,
            "losingTrades": 1,
            "largestWin": 50,
            "largestLoss": 25,
        }


async def test_statistics_of_another_kind_are_refused_and_never_made_up() -> None:
    async with intercepted() as client:
        answer = await client.request("GET_STATISTICS", accountId=ACCOUNT, statisticsType="lifetimestats")
        assert answer["success"] is False
        assert "statistics" not in answer
        empty = (await client.request("GET_STATISTICS", accountId=ACCOUNT))["statistics"]
        assert set(empty.values()) == {0}


async def test_a_stop_and_a_target_are_moved_and_the_answer_says_where() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", channel=Channel.MARKET_DATA)
        answer = await client.request("UPDATE_SLTP", positionId=POSITION, stopLoss=4996, takeProfit=None, attempt=1)
        assert head(answer) == ("UPDATE_SLTP", "request-1", True, None)
        assert (answer["positionId"], answer["stopLoss"], answer["takeProfit"]) == (POSITION, 4996, None)
        async with asyncio.timeout(5):  # moves of a leg are at least a quarter of a second apart
            while not modified(client):
                await asyncio.sleep(0.01)
        assert [modify.terms.stop_ticks for modify in modified(client)] == [19_984]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"positionId": "1001:CON.F.US.MES.Z26"}, "NOTHING_TO_CHANGE"),
        ({"positionId": "1001:CON.F.US.MES.Z26", "stopLoss": None, "takeProfit": None}, "NOTHING_TO_CHANGE"),
        ({"positionId": "1001:NOPE", "stopLoss": 4990}, "UNKNOWN_POSITION"),
        ({"positionId": 7, "stopLoss": 4990}, "BAD_MESSAGE"),
        ({"positionId": "1001:CON.F.US.MES.Z26", "stopLoss": 4990.1}, "OFF_TICK"),
        ({"positionId": "1001:CON.F.US.MES.Z26", "stopLoss": "1e999999999999"}, "PRICE_OUT_OF_RANGE"),
        ({"stopLoss": 4990}, "BAD_MESSAGE"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_update_that_cannot_be_made_is_answered_with_the_reason(fields: dict[str, Any], code: str) -> None:
    async with intercepted() as client:
        await client.hold()
        answer = await client.request("UPDATE_SLTP", **fields)
        assert answer["success"] is False
        assert answer["error"].startswith(code)


@pytest.mark.parametrize(
    ("fields", "quantity"),
    [
        ({"closeType": "full"}, None),
        ({}, None),
        ({"closeType": "full", "size": 1}, None),
        ({"closeType": "partial", "size": 1}, 1),
        ({"size": 1}, 1),
    ],
    ids=str,
)
async def test_a_position_is_closed_by_its_contract_or_its_symbol(fields: dict[str, Any], quantity: int | None) -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        answer = await client.request("CLOSE_POSITION", accountId=str(ACCOUNT), contractId="MES", **fields)
        assert head(answer) == ("CLOSE_POSITION", "request-1", True, None)
        assert answer["data"] == {"success": True, "errorCode": 0, "errorMessage": None}
        assert client.desk.gate.group.accounts[ACCOUNT].exits[MES.contract_id].quantity == quantity


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"accountId": ACCOUNT, "contractId": MES.contract_id}, "UNKNOWN_POSITION"),
        ({"accountId": 7, "contractId": MES.contract_id}, "UNKNOWN_ACCOUNT"),
        ({"accountId": ACCOUNT, "contractId": "NOPE"}, "UNKNOWN_INSTRUMENT"),
        ({"accountId": ACCOUNT, "contractId": "MES", "closeType": "partial"}, "MISSING_FIELD"),
        ({"accountId": ACCOUNT, "contractId": "MES", "closeType": "some"}, "BAD_MESSAGE"),
        ({"accountId": ACCOUNT, "contractId": "MES", "closeType": "partial", "size": 0.5}, "BAD_QUANTITY"),
    ],
    ids=lambda value: str(value)[:80],
)
async def test_a_close_that_cannot_be_made_is_answered_in_both_documented_places(
    fields: dict[str, Any], code: str
) -> None:
    async with intercepted() as client:
        answer = await client.request("CLOSE_POSITION", **fields)
        assert answer["success"] is False
        assert answer["error"].startswith(code)
        assert (answer["data"]["success"], answer["data"]["errorMessage"]) == (False, answer["error"])


async def test_a_partial_close_that_is_sent_twice_closes_once_and_is_answered_twice() -> None:
    async with intercepted() as client:
        await client.hold(4)
        replies = aiter(client.desk.bus.listen("twice"))
        for _ in range(2):
            await client.ask(
                "CLOSE_POSITION", "twice", accountId=ACCOUNT, contractId="MES", closeType="partial", size=1
            )
            first = await asyncio.wait_for(anext(replies), 5)
            assert msgspec.json.decode(first)["success"] is True
        await client.quiet()
        assert client.desk.gate.group.accounts[ACCOUNT].exits[MES.contract_id].quantity == 1


async def test_a_widened_stop_is_put_before_the_rules_however_it_is_asked_for() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", channel=Channel.MARKET_DATA)
        answer = await client.request("UPDATE_SLTP", positionId=POSITION, stopLoss=4500)
        assert answer["success"] is False
        await asyncio.sleep(0.3)
        assert modified(client) == []


async def test_closing_is_answered_while_locked_out() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.desk.gate.take(LockOut("lock", ACCOUNT, reason="enough"))
        assert (await client.desk.answer("lock")).ok
        assert (await client.request("CLOSE_POSITION", accountId=ACCOUNT, contractId="MES"))["success"] is True


@pytest.mark.parametrize("kind", ["SEARCH_TRADES", "GET_TRADES", "GET_ACCOUNT_SUMMARY", "", "get_positions"])
async def test_any_other_request_is_unknown_by_name(kind: str) -> None:
    async with intercepted() as client:
        answer = await client.request(kind)
        assert head(answer)[2:] == (False, f"Unknown request type: {kind}")


@pytest.mark.parametrize("kind", [7, None, [], {"a": 1}])
async def test_a_type_that_is_no_text_is_answered_as_unknown(kind: Any) -> None:
    async with intercepted() as client:
        answer = await client.request(kind)
        assert answer["success"] is False
        assert answer["error"].startswith("Unknown request type")


@pytest.mark.parametrize("request_id", [None, 7, "", "x" * 201, ["a"]], ids=lambda value: str(value)[:10])
async def test_a_request_without_a_usable_id_is_answered_as_failed(request_id: Any) -> None:
    async with intercepted() as client:
        answer = await client.request("CLOSE_POSITION", requestId=request_id, accountId=ACCOUNT, contractId="MES")
        assert answer["success"] is False
        assert answer["error"].startswith("BAD_REQUEST_ID")
        assert client.desk.gate.group.accounts[ACCOUNT].exits == {}


async def test_a_request_longer_than_the_bound_is_not_read() -> None:
    async with intercepted() as client:
        replies = client.desk.bus.listen("long")
        for size in (messages.BYTES_MAX + 1, messages.BYTES_MAX):
            bare = msgspec.json.encode(
                {"type": "GET_ACCOUNTS", "requestId": str(size), "responseChannel": "long", "note": ""}
            )
            await client.publish(Channel.AGGREGATOR_REQUESTS, bare[:-2] + b"x" * (size - len(bare)) + b'"}')
        async with asyncio.timeout(5):
            assert msgspec.json.decode(await anext(aiter(replies)))["requestId"] == str(messages.BYTES_MAX)


RESERVED = [*(channel.value for channel in Channel), *(topic.value for topic in Topic)]


@pytest.mark.parametrize(
    "name",
    [
        *RESERVED,
        "connection-manager:requests",
        "connection-manager:response",
        "aggregator:anything",
        "AGGREGATOR:orders",
        "ordergate:orders",
        "system:events",
        "historical:data:response",
        "",
        "x" * 201,
        "a b",
        "a\r\nPUBLISH",
        "*",
        ":a",
        "é",
    ],
    ids=lambda name: name[:30],
)
async def test_nobody_can_make_us_speak_on_a_channel_that_somebody_acts_upon(name: str) -> None:
    with pytest.raises(InputRefused, match=r"responseChannel|channel for replies"):
        checked_reply_channel(name)
    async with intercepted() as client:
        replies = client.desk.bus.listen(name)
        await client.hold()
        await client.ask("CLOSE_POSITION", name, accountId=ACCOUNT, contractId="MES")
        await client.quiet()
        assert client.desk.gate.group.accounts[ACCOUNT].exits == {}
        replies.close()
        assert [message async for message in replies] == []


@pytest.mark.parametrize(
    "name",
    [
        "account-response",
        "contract-response",
        "position-response",
        "manual-trading:working-orders-response:7b0f",
        "manual-trading:instrument-response:7b0f",
        "sltp-response:7b0f",
        "close-position-response:7b0f",
        "bot-close-response:7b0f",
    ],
)
def test_the_channels_that_clients_name_are_taken(name: str) -> None:
    assert checked_reply_channel(name) == name


async def test_a_burst_of_closes_is_bounded_and_every_one_is_answered() -> None:
    async with intercepted() as client:
        await client.hold()
        count = answering.WAITING_MAX + 20
        replies = [client.desk.bus.listen(f"burst:{number}") for number in range(count)]
        client.taking.clear()
        for number in range(count):
            await client.ask("CLOSE_POSITION", f"burst:{number}", accountId=ACCOUNT, contractId="MES")
        await client.quiet()
        moved = await client.request("UPDATE_SLTP", positionId=POSITION)
        assert moved["error"].startswith("NOTHING_TO_CHANGE")
        client.taking.set()
        async with asyncio.timeout(5):
            answers = [msgspec.json.decode(await anext(aiter(each))) for each in replies]
        refused = [answer for answer in answers if not answer["success"]]
        assert len(refused) == 20
        assert all(answer["error"].startswith("BUSY") for answer in refused)


def test_a_request_that_the_gate_does_not_answer_is_undecided_before_the_page_gives_up() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with intercepted(VirtualClock(loop)) as client:
            await client.hold()
            replies = client.desk.bus.listen("slow")
            client.taking.clear()
            await client.ask("CLOSE_POSITION", "slow", accountId=ACCOUNT, contractId="MES")
            began = loop.time()
            answer = msgspec.json.decode(await anext(aiter(replies)))
            assert answer["error"].startswith("UNDECIDED")
            assert 0 < loop.time() - began < 10
            client.taking.set()

    run(scenario())


async def test_what_was_asked_before_is_asked_in_its_order() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.desk.gate.take(CancelAll("all"))
        first, second = client.desk.bus.listen("one"), client.desk.bus.listen("two")
        await client.ask("UPDATE_SLTP", "one", positionId=POSITION, stopLoss=4996)
        await client.ask("UPDATE_SLTP", "two", positionId=POSITION, stopLoss=4997)
        async with asyncio.timeout(5):
            assert msgspec.json.decode(await anext(aiter(first)))["success"] is True
            assert msgspec.json.decode(await anext(aiter(second)))["stopLoss"] == 4997
