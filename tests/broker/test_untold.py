"""A user hub that pings and says nothing: found out by the orders that it should have spoken of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordergate.broker.untold import LATE_S, Untold
from ordergate.bus.port import Topic
from ordergate.core.effects import Cancel
from ordergate.core.reports import CancelOutcome, LinkReport, PlaceOutcome
from tests.broker.stand_in import ACCOUNT, Desk
from tests.simulation.virtual_time import run


def test_an_order_that_nothing_is_said_of_in_time_is_late_once() -> None:
    untold = Untold()
    untold.expect(7, 0, 1)
    assert untold.late(1 + LATE_S) is None
    assert untold.late(1.1 + LATE_S) == 7
    assert untold.late(100) is None


@pytest.mark.parametrize(("told_s", "late"), [(0.5, None), (1.5, None), (-1, 7)])
def test_a_word_before_the_answer_counts_and_one_before_the_request_does_not(told_s: float, late: int | None) -> None:
    untold = Untold()
    if told_s < 1:
        untold.told(7, told_s)
    untold.expect(7, 0, 1)
    if told_s >= 1:
        untold.told(7, told_s)
    assert untold.late(9) == late


def test_words_are_not_kept_for_ever() -> None:
    untold = Untold()
    for order_id in range(1_000):
        untold.told(order_id, order_id)
        untold.late(order_id)
    assert len(untold._told) <= 61  # noqa: SLF001 - nobody else could tell


def test_what_is_forgotten_with_the_connection_is_not_late() -> None:
    untold = Untold()
    untold.expect(7, 0, 1)
    untold.forget()
    assert untold.late(9) is None


def order(desk: Desk, **more: Any) -> dict[str, Any]:
    return desk.broker.orders[-1] | {"status": 1} | more


@pytest.mark.parametrize("is_told", [False, True])
def test_a_hub_that_does_not_speak_of_a_taken_order_is_connected_anew(*, is_told: bool) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            if is_told:
                await desk.broker.say("user", "GatewayUserOrder", {"action": 1, "data": order(desk)})
            await asyncio.sleep(LATE_S + 5)
            lost = [report for report in desk.reports if isinstance(report, LinkReport) and not report.up]
            assert bool(lost) is not is_told
            if not is_told:
                assert "nothing was told of order 9001" in lost[0].reason
                assert desk.reports[-1] == LinkReport(up=True)

    run(main())


def test_a_hub_that_does_not_speak_of_a_cancelled_order_is_connected_anew_too() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            await desk.broker.say("user", "GatewayUserOrder", {"action": 1, "data": order(desk)})
            await asyncio.sleep(1)
            await desk.send(Cancel(ACCOUNT, 9001), Topic.EXITS)
            await desk.report(CancelOutcome)
            await desk.report(LinkReport, lambda link: not link.up)

    run(main())
