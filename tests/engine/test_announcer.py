"""Alarms away from the page: what the gate logs, counts, and tells of itself."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from ordergate.bus.topics import Alive
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.alarm import Level
from ordergate.core.fold import evolve
from ordergate.core.reports import ApprovalRefused, LinkReport
from ordergate.engine.announcer import Announcer
from ordergate.journal.memory import MemoryJournal
from tests.engine.gate_on_memory import ACCOUNT, Bench, FullDisk, bench


def troubles(desk: Bench) -> list[str]:
    return [told.trouble for told in desk.told if isinstance(told, Alive)]


def raised(desk: Bench) -> dict[str, str]:
    """How often each was raised, as the figures tell it."""
    lines = desk.gate.metrics.text().decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith("ordergate_alarms_raised_total{")]
    return {name.removeprefix("ordergate_alarms_raised_total"): value for name, value in found}


async def until_told(desk: Bench, count: int) -> None:
    async with asyncio.timeout(5):
        while sum(map(float, raised(desk).values())) < count:
            await asyncio.sleep(0.01)


async def test_each_alarm_is_one_line_of_its_level_and_is_counted() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        with capture_logs() as logs:
            await desk.report(ApprovalRefused(ACCOUNT, "id", "tag", "forged"))
            await desk.report(LinkReport(up=False, reason="gone"))
            await desk.report(ApprovalRefused(ACCOUNT, "id", "tag", "forged"))
            await until_told(desk, 3)
        lines = [(line["log_level"], line["code"], line["count"]) for line in logs if line["event"] == "alarm"]
        assert lines == [
            ("critical", "APPROVAL_REFUSED", 1),
            ("warning", "LINK_DOWN", 1),
            ("critical", "APPROVAL_REFUSED", 2),
        ]
        assert raised(desk) == {
            '{code="APPROVAL_REFUSED",level="critical"}': "2.0",
            '{code="LINK_DOWN",level="warning"}': "1.0",
        }


async def test_a_gate_that_cannot_write_says_so_with_every_heartbeat_and_once_in_the_log() -> None:
    journal = FullDisk()
    async with bench(journal) as desk:
        await desk.adopt()
        async with asyncio.timeout(5):
            while troubles(desk)[-1:] != [""]:
                await asyncio.sleep(0.05)
        journal.full = True
        with capture_logs() as logs:
            assert (await desk.buy(1, "late")).code == "JOURNAL_UNAVAILABLE"
            async with asyncio.timeout(5):
                while len([trouble for trouble in troubles(desk) if trouble]) < 2:
                    await asyncio.sleep(0.05)
        assert "the journal cannot be written" in troubles(desk)[-1]
        assert [line["code"] for line in logs if line["event"] == "alarm"] == ["JOURNAL_UNAVAILABLE"]


def test_two_alarms_of_one_decision_are_each_announced_once() -> None:
    group = Group()
    for account_id in (1, 2):
        group = evolve(group, e.ApprovalRefused(account_id, "id", "tag", "forged", 7))
    counted: list[tuple[str, Level]] = []
    announcer = Announcer(lambda: 7, None, lambda code, level: counted.append((code, level)))
    with capture_logs() as logs:
        for number in (1, 2):
            announcer.heard(group, number)
    assert [line["account_id"] for line in logs] == [1, 2]
    assert counted == [("APPROVAL_REFUSED", Level.CRITICAL)] * 2
