"""``instance:control``: a pause lets nothing in that adds risk and everything out, and its end loosens nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ordergate.bus.port import Channel, Topic
from ordergate.core.commands import LockOut, SetPaused
from ordergate.core.effects import Modify
from ordergate.core.events import Door
from ordergate.core.order import Side
from ordergate.core.reports import Outcome, PlaceOutcome
from tests.dialect.client import ORDER, Client, intercepted, placed
from tests.engine.gate_on_memory import ACCOUNT, MES

POSITION = f"{ACCOUNT}:{MES.contract_id}"
STATUS = Channel.AGGREGATOR_STATUS


async def command(client: Client, said: str, target: str = "AGGREGATOR") -> Any:
    """Say it, and wait for the status that answers it."""
    count = len(await client.until("AGGREGATOR_STATUS", 1, STATUS))  # the one of the start
    await client.publish(Channel.INSTANCE_CONTROL, {"target": target, "command": said, "data": {}})
    return (await client.until("AGGREGATOR_STATUS", count + 1, STATUS))[-1]


def violations(rejected: Any) -> list[str]:
    return [violation["type"] for violation in rejected["violations"]]


@pytest.mark.parametrize("target", ["AGGREGATOR", "ALL"])
async def test_a_pause_refuses_new_risk_and_its_end_takes_it_again(target: str) -> None:
    async with intercepted() as client:
        assert (await command(client, "PAUSE_PROCESSING", target))["status"] == "PAUSED"
        await client.say("PLACE_ORDER", ORDER)
        await client.manual_order(ORDER | {"orderId": "two"})
        refused = [violations(message["payload"]) for message in await client.until("ORDER_REJECTED", 2)]
        assert refused == [["PAUSED"], ["PAUSED"]]
        assert client.desk.sent[Topic.COMMANDS] == []
        assert (await command(client, "RESUME_PROCESSING", target))["status"] == "HEALTHY"
        await client.say("PLACE_ORDER", ORDER | {"orderId": "three"})
        await placed(client)


async def test_an_order_that_only_closes_passes_a_pause_and_what_is_beyond_it_does_not() -> None:
    async with intercepted() as client:
        await client.hold()
        await command(client, "PAUSE_PROCESSING")
        sell = ORDER | {"side": "SELL"}
        await client.say("PLACE_ORDER", sell | {"orderId": "out", "quantity": 2})
        await client.say("PLACE_ORDER", sell | {"orderId": "through", "quantity": 1})
        await client.say("PLACE_ORDER", ORDER | {"orderId": "more"})
        rejected = [message["payload"]["orderId"] for message in await client.until("ORDER_REJECTED", 2)]
        assert rejected == ["through", "more"]
        assert "out" in client.known()


async def test_exits_pass_a_pause() -> None:
    async with intercepted() as client:
        await client.hold()
        await client.rest_legs()
        await client.until("BRACKET_ORDER_COMPLETE", 1, Channel.MARKET_DATA)
        await command(client, "PAUSE_PROCESSING")
        assert (await client.request("UPDATE_SLTP", positionId=POSITION, stopLoss=4996))["success"] is True
        wider = await client.request("UPDATE_SLTP", positionId=POSITION, stopLoss=4990)
        assert wider["error"].startswith("PAUSED")
        await client.say("CANCEL_ORDER", {"orderId": "nobody"})
        assert (await client.told("ORDER_CANCELLATION_RESPONSE"))["error"].startswith("UNKNOWN_ORDER")
        assert (await client.request("CLOSE_POSITION", accountId=ACCOUNT, contractId="MES"))["success"] is True


async def test_a_paused_order_cannot_be_changed_either() -> None:
    async with intercepted() as client:
        await client.say("PLACE_ORDER", ORDER | {"orderType": "LIMIT", "limitPrice": 4990})
        place = await placed(client)
        await client.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 3_400_000_001))
        await client.told("ORDER_RESPONSE")
        await command(client, "PAUSE_PROCESSING")
        await client.say("MODIFY_ORDER", {"orderId": ORDER["orderId"], "quantity": 3})
        assert (await client.told("ORDER_STATUS_UPDATE"))["error"].startswith("PAUSED")
        assert [effect for effect in client.desk.sent[Topic.COMMANDS] if isinstance(effect, Modify)] == []


async def test_an_order_from_before_the_pause_still_gets_its_answer() -> None:
    async with intercepted() as client:
        await client.hold()
        await command(client, "PAUSE_PROCESSING")
        await client.say("PLACE_ORDER", ORDER)
        assert [row["payload"]["success"] for row in await client.until("ORDER_RESPONSE", 2)] == [True, True]


async def test_a_pause_of_the_page_does_not_end_over_the_bus() -> None:
    async with intercepted() as client:
        await client.desk.gate.take(SetPaused("page", on=True, by=Door.PAGE))
        assert (await client.desk.answer("page")).ok
        status = await command(client, "RESUME_PROCESSING")
        assert status["status"] == "PAUSED"
        assert "RESUME_PROCESSING refused: PAUSED" in status["details"]["reason"]
        await client.say("PLACE_ORDER", ORDER)
        assert violations(await client.told("ORDER_REJECTED")) == ["PAUSED"]


async def test_a_gate_that_has_halted_says_that_it_did_neither_pause_nor_resume() -> None:
    async with intercepted() as client:
        client.desk.gate.halted = True
        for said in ("PAUSE_PROCESSING", "RESUME_PROCESSING"):
            status = await command(client, said)
            assert status["status"] == "DEGRADED"
            assert status["details"]["reason"].startswith(f"{said} refused: HALTED")


async def test_the_end_of_a_pause_that_never_was_lifts_no_lockout() -> None:
    async with intercepted() as client:
        await client.desk.gate.take(LockOut("lock", ACCOUNT, reason="enough"))
        assert (await client.desk.answer("lock")).ok
        await command(client, "RESUME_PROCESSING")
        await client.say("PLACE_ORDER", ORDER)
        rejected = await client.told("ORDER_REJECTED")
        assert violations(rejected) == ["LOCKED_OUT"]


async def test_a_shutdown_begins_an_orderly_stop() -> None:
    async with intercepted() as client:
        await command(client, "SHUTDOWN", "ALL")
        assert client.stops == 1


@pytest.mark.parametrize(
    "said",
    [
        {"target": "CONNECTION_MANAGER", "command": "SHUTDOWN"},
        {"target": "MANUAL_TRADING", "command": "PAUSE_PROCESSING"},
        {"target": ["ALL"], "command": "SHUTDOWN"},
        {"target": "ALL", "command": "HEARTBEAT"},
        {"target": "ALL", "command": "shutdown"},
        {"target": "ALL", "command": ["SHUTDOWN"]},
        {"command": "SHUTDOWN"},
        [],
        "SHUTDOWN",
        {"target": "ALL", "command": "SHUTDOWN", "data": "x" * 70_000},
        b"\xff\xfe",
        b"[" * 10_000,
    ],
    ids=lambda said: str(said)[:50],
)
async def test_what_is_not_for_an_aggregator_or_no_command_does_nothing(said: object) -> None:
    async with intercepted() as client:
        await client.publish(Channel.INSTANCE_CONTROL, said)
        await client.quiet()
        assert client.stops == 0
        await client.say("PLACE_ORDER", ORDER)
        assert (await placed(client)).terms.side is Side.BUY
