"""The aggregator's HTTP: the figures are those of the events that the gate has carried."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ordergate.core.commands import SetPaused, SubmitOrder
from ordergate.core.events import Door
from ordergate.core.order import OrderType, Side
from ordergate.engine import endpoints
from ordergate.journal.memory import MemoryJournal
from ordergate.net.port import Request
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, FullDisk, SetClock, bench, show_stop


def protection(desk: Bench) -> Any:
    answer = endpoints.answer(Request("GET", "/metrics.json"), desk.gate)
    assert answer.status == 200
    return msgspec.json.decode(answer.body)["protection"]


def health(desk: Bench) -> Any:
    return msgspec.json.decode(endpoints.answer(Request("GET", "/health"), desk.gate).body)


async def test_the_time_from_a_fill_to_its_stop_is_told() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        none: dict[str, object] = {
            "count": 0,
            "p50Ms": None,
            "p99Ms": None,
            "worstMs": None,
            "unprotectedNow": [],
            "gaps": 0,
        }
        assert protection(desk) == none
        await desk.filled(2, "one")
        await show_stop(desk)
        async with asyncio.timeout(5):
            while not protection(desk)["count"]:
                await asyncio.sleep(0)
        told = protection(desk)
        assert told["count"] == 1
        assert 0 < told["p50Ms"] == told["p99Ms"] == told["worstMs"]


async def test_nothing_else_is_there() -> None:
    async with bench(MemoryJournal()) as desk:
        for method, path in (("POST", "/metrics.json"), ("GET", "/metrics/x")):
            assert endpoints.answer(Request(method, path), desk.gate).status == 404


async def test_a_paused_gate_is_degraded_and_says_who_paused_it_and_a_restart_keeps_it() -> None:
    journal = MemoryJournal()
    async with bench(journal) as desk:
        await desk.adopt()
        assert (health(desk)["status"], health(desk)["paused"]) == ("healthy", "")
        await desk.gate.take(SetPaused("pause", on=True, by=Door.BUS))
        assert (await desk.answer("pause")).ok
        assert (health(desk)["status"], health(desk)["enforcing"]) == ("degraded", True)
    async with bench(journal) as desk:
        assert health(desk)["paused"].startswith("paused over the bus at ")


async def test_orders_that_passed_for_their_instance_are_counted_and_leave_the_gate_enforcing() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        for number, passed in enumerate((True, False, True)):
            name = f"order-{number}"
            command = SubmitOrder(name, ACCOUNT, name, MES.contract_id, Side.BUY, 1, OrderType.MARKET, passed=passed)
            await desk.gate.take(command)
            assert (await desk.answer(name)).ok
        said = health(desk)
        assert (said["accounts"][str(ACCOUNT)]["passedOrders"], said["enforcing"], said["status"]) == (
            2,
            True,
            "healthy",
        )


async def test_a_pause_without_a_journal_is_refused_by_its_code() -> None:
    journal = FullDisk()
    async with bench(journal) as desk:
        await desk.adopt()
        journal.full = True
        await desk.gate.take(SetPaused("pause", on=True, by=Door.PAGE))
        assert (await desk.answer("pause")).code == "JOURNAL_UNAVAILABLE"
        assert desk.gate.group.paused_by is None


async def test_health_says_when_it_was_asked_and_for_how_long_the_gate_has_been_there() -> None:
    clock = SetClock()
    async with bench(MemoryJournal(), clock=clock) as desk:
        first = health(desk)
        clock.ahead_ns = 60_000_000_000
        second = health(desk)
        assert 0 <= first["uptime"] < 60_000 <= second["uptime"]
        lasted = datetime.fromisoformat(second["timestamp"]) - datetime.fromisoformat(first["timestamp"])
        assert timedelta(seconds=60) <= lasted < timedelta(seconds=90)
