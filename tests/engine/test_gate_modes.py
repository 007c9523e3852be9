"""The modes at the gate: switched with orders under way, told in health and in warnings, and kept apart from paper."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from ordergate.broker.approvals import Approved
from ordergate.broker.approvals import Order as Ordered
from ordergate.bus.port import Topic
from ordergate.bus.topics import encode
from ordergate.core import events as e
from ordergate.core.commands import Flatten, LockOut, SetInterception, SubmitOrder
from ordergate.core.effects import Place
from ordergate.core.modes import Modes
from ordergate.core.order import OrderType, Side
from ordergate.engine import endpoints, gate
from ordergate.engine.recovery import recover
from ordergate.errors import StartRefused
from ordergate.journal.memory import MemoryJournal
from ordergate.net.port import Request
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, FullDisk, bench

LARGE = 11  # contracts: one above the largest order


def health(desk: Bench) -> Any:
    return msgspec.json.decode(endpoints.answer(Request("GET", "/health"), desk.gate).body)


async def switched(desk: Bench, name: str, *, on: bool) -> bool:
    await desk.gate.take(SetInterception(name, on))
    return (await desk.answer(name)).ok


async def test_interception_switched_while_orders_are_under_way_loses_and_doubles_none() -> None:
    """Orders of every size come in one stream with the switch; each is answered once, and sent once or not at all."""
    journal = MemoryJournal()
    async with bench(journal, orders_max=1_000) as desk:
        await desk.adopt()
        approvals: list[Approved] = []

        async def watch() -> None:
            async for message in desk.bus.consume(Topic.COMMANDS, "approvals"):
                order: Ordered = msgspec.json.decode(message, type=Ordered)
                assert isinstance(order, Approved)
                approvals.append(order)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        asked: list[str] = []
        for number in range(120):
            if number % 7 == 3:
                request = f"switch-{number}"
                await desk.bus.send(Topic.ORDERS, encode(SetInterception(request, on=number % 2 == 0)))
                asked.append(request)
            request = f"ask-{number}"
            side = Side.BUY if number % 2 else Side.SELL
            order = SubmitOrder(
                request, ACCOUNT, f"order-{number}", MES.contract_id, side, LARGE, OrderType.LIMIT, limit_ticks=20_000
            )
            await desk.bus.send(Topic.ORDERS, encode(order))
            asked.append(request)
            if number % 5 == 0:
                await asyncio.sleep(0)
        for request in asked:
            await desk.answer(request)
        told = Counter(news.request_id for news in desk.told if hasattr(news, "request_id"))
        assert told == Counter(asked)
        group = desk.gate.group
        decided = [group.accounts[ACCOUNT].order(f"order-{number}") for number in range(120)]
        passed = [order.tag for order in decided if order is not None and order.tag]
        denied = [order for order in decided if order is not None and order.status.value == "denied"]
        assert len(passed) + len(denied) == 120
        assert min(len(passed), len(denied)) > 10, "it was switched under way"
        async with asyncio.timeout(5):
            while len(approvals) < len(passed):
                await asyncio.sleep(0)
        assert [approval.effect.order_tag for approval in approvals] == passed
        assert {approval.approval.kind for approval in approvals} == {e.ApprovalKind.PASSED}
        assert all(desk.answers[f"ask-{n}"].ok == bool(o is not None and o.tag) for n, o in enumerate(decided))
        watching.cancel()
    assert (await recover(journal))[0] == group


async def test_a_switch_comes_through_the_bus_is_answered_and_recovered() -> None:
    journal = MemoryJournal()
    async with bench(journal) as desk:
        await desk.adopt()
        await desk.bus.send(Topic.ORDERS, encode(SetInterception("off", on=False)))
        assert (await desk.answer("off")).ok
        assert (await desk.buy(LARGE, "large")).ok
    async with bench(journal.reopened()) as desk:
        assert not desk.gate.group.modes.intercept


async def test_a_switch_off_is_refused_under_a_lockout_and_without_a_journal() -> None:
    journal = FullDisk()
    async with bench(journal) as desk:
        await desk.adopt()
        await desk.gate.take(LockOut("lock", ACCOUNT))
        assert (await desk.answer("lock")).ok
        assert not await switched(desk, "off", on=False)
        assert desk.answers["off"].code == "LOCKED_OUT"
        journal.full = True
        await desk.buy(1, "one")
        await desk.gate.take(Flatten("all", ACCOUNT))
        await desk.answer("all")
        assert not await switched(desk, "again", on=False)
        assert desk.answers["again"].code == "JOURNAL_UNAVAILABLE"


async def test_health_tells_the_modes_and_whether_limits_hold() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        assert health(desk)["enforcing"]
        assert await switched(desk, "off", on=False)
        said = health(desk)
        assert (said["enforcing"], said["status"]) == (False, "degraded")
        assert said["modes"] == {
            "shadow": False,
            "interceptOrders": False,
            "preserveOriginalWorkflow": False,
            "enableRiskValidation": True,
            "enableSLTPCalculation": True,
        }
        assert await switched(desk, "on", on=True)
        assert health(desk)["enforcing"]


async def test_modes_that_let_orders_through_are_warned_of_at_the_start_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "_WARNING_S", 0.01)
    for modes, warned in ((Modes(preserve=True), True), (Modes(), False), (Modes(preserve=True, shadow=True), False)):
        with capture_logs() as logged:
            async with bench(MemoryJournal(), modes=modes):
                await asyncio.sleep(0.05)
        lines = [line for line in logged if line["event"] == "limits are not enforced"]
        assert (len(lines) > 1) is warned
        assert all(line["modes"] == modes.text for line in lines)


async def test_new_risk_keeps_to_its_lane_on_whatever_ground_it_leaves() -> None:
    for modes in (Modes(preserve=True), Modes(intercept=False)):
        async with bench(MemoryJournal(), modes=modes) as desk:
            await desk.adopt()
            assert (await desk.buy(LARGE, "large")).ok
            async with asyncio.timeout(5):
                while not [effect for effect in desk.sent[Topic.COMMANDS] if isinstance(effect, Place)]:
                    await asyncio.sleep(0)
            assert not [effect for effect in desk.sent[Topic.EXITS] if isinstance(effect, Place)]


@pytest.mark.parametrize(("made", "now"), [("shadow", "live"), ("live", "shadow")])
async def test_a_journal_of_one_mode_refuses_a_start_in_the_other_in_one_line(made: str, now: str) -> None:
    journal = MemoryJournal()
    async with bench(journal, modes=Modes(shadow=made == "shadow")) as desk:
        await desk.adopt()
    rows = [row async for row in journal.read()]
    assert {row.book.rpartition(":")[2] for row in rows} == {made}
    with pytest.raises(StartRefused) as refused:
        async with bench(journal.reopened(), modes=Modes(shadow=now == "shadow")):
            pass
    text = str(refused.value)
    assert text == f"the journal was made in {made} mode: a {now} start needs a state directory of its own"
    assert len([row async for row in journal.read()]) == len(rows), "nothing was written"
