"""A user hub that pings and says nothing: found out by the orders that it should have spoken of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordergate.broker.untold import LATE_S, MISSES_MAX, Untold
from ordergate.bus.port import Topic
from ordergate.core.effects import Cancel
from ordergate.core.reports import CancelOutcome, LinkReport, OrderReport, PlaceOutcome
from tests.broker.stand_in import ACCOUNT, Desk
from tests.simulation.virtual_time import run


def test_an_order_that_nothing_is_said_of_in_time_is_late_once() -> None:
    untold = Untold()
    untold.expect(ACCOUNT, 7, 0, 1)
    assert untold.late(1 + LATE_S) == []
    assert untold.late(1.1 + LATE_S) == [(ACCOUNT, 7)]
    assert untold.late(100) == []


@pytest.mark.parametrize(("told_s", "late"), [(0.5, []), (1.5, []), (-1, [(ACCOUNT, 7)])])
def test_a_word_before_the_answer_counts_and_one_before_the_request_does_not(told_s: float, late: list[Any]) -> None:
    untold = Untold()
    if told_s < 1:
        untold.told(ACCOUNT, 7, told_s)
    untold.expect(ACCOUNT, 7, 0, 1)
    if told_s >= 1:
        untold.told(ACCOUNT, 7, told_s)
    assert untold.late(9) == late


def test_words_are_not_kept_for_ever() -> None:
    untold = Untold()
    for order_id in range(1_000):
        untold.told(ACCOUNT, order_id, order_id)
        untold.late(order_id)
    assert len(untold._told) <= 61  # noqa: SLF001 - nobody else could tell


def test_what_is_forgotten_with_the_connection_is_not_late() -> None:
    untold = Untold()
    untold.expect(ACCOUNT, 7, 0, 1)
    untold.forget()
    assert untold.late(9) == []


def test_a_hub_that_leaves_out_several_in_a_minute_is_silent_and_one_that_loses_one_is_not() -> None:
    untold = Untold()
    for number in range(MISSES_MAX):
        assert not untold.is_silent
        untold.expect(ACCOUNT, number, number * 10, number * 10)
        untold.late(number * 10 + 5)
    assert untold.is_silent
    untold.late(200)
    assert not untold.is_silent


def test_what_a_lost_connection_left_out_does_not_count_against_the_next() -> None:
    untold = Untold()
    for number in range(MISSES_MAX - 1):
        untold.expect(ACCOUNT, number, 0, 1)
    untold.late(9)
    untold.forget()
    untold.expect(ACCOUNT, MISSES_MAX, 9, 10)
    untold.late(20)
    assert not untold.is_silent


def order(desk: Desk, **more: Any) -> dict[str, Any]:
    return desk.broker.orders[-1] | {"status": 1} | more


@pytest.mark.parametrize("is_told", [False, True])
def test_an_order_that_the_hub_does_not_speak_of_is_read_and_told(*, is_told: bool) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            if is_told:
                await desk.broker.say("user", "GatewayUserOrder", {"action": 1, "data": order(desk)})
                await desk.report(OrderReport)
            await asyncio.sleep(LATE_S + 3)
            found = [report.broker_order_id for report in desk.reports if isinstance(report, OrderReport)]
            assert found == ([] if is_told else [9001])
            assert not [report for report in desk.reports if isinstance(report, LinkReport) and not report.up]

    run(main())


def test_a_hub_that_leaves_out_what_was_taken_and_cancelled_is_connected_anew() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            for _ in range(2):
                await desk.send(desk.approved())
                await desk.report(PlaceOutcome)
            await desk.send(Cancel(ACCOUNT, 9001), Topic.EXITS)
            await desk.report(CancelOutcome)
            await asyncio.sleep(LATE_S + 3)
            await desk.send(Cancel(ACCOUNT, 9002), Topic.EXITS)
            lost = await desk.report(LinkReport, lambda link: not link.up)
            assert "3 times nothing was told" in lost.reason
            await desk.report(LinkReport, lambda link: link.up)

    run(main())


def test_an_order_of_a_connection_that_was_lost_is_left_to_the_snapshot_after_it() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            await desk.broker.drop("user")
            await desk.report(LinkReport, lambda link: link.up)
            await asyncio.sleep(LATE_S + 3)
            assert not desk.broker.count("Order/searchOpen")

    run(main())
