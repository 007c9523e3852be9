"""kill -9 between every two steps of the path: after a restart there is one order at most, protected, same answers.

The cases run side by side, because most of their time is waiting for evidence about an order in doubt (10 s by design).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ordergate.telemetry import STEPS
from tests.end_to_end.process import Desk, until

ENTRY_ONLY = ("asked", "published", "intercepted", "answered")
# For the entry; and, as slow tests, for the stop and for the target. The writer's turns come more often.
QUICK = [*((step, 1) for step in (*STEPS, "exchange stored")), ("order sent", 2)]
LATER = [(step, count) for step in (*STEPS, "exchange stored") if step not in ENTRY_ONLY for count in (2, 3)]
SLOW = [case for case in (*LATER, ("decided", 4), ("recorded", 4)) if case not in QUICK]
CASES = QUICK + SLOW
LIVE = {"PENDING", "WORKING", "PARTIALLY_FILLED", "IN_DOUBT"}
MARKET, BUY, SELL = 2, 0, 1


def killed_and_restarted(folder: Path, step: str, count: int) -> dict[str, Any]:
    """What is there after the crash, the restart, and the same order asked for again."""
    folder.mkdir()
    crashing = Desk(folder, crash=(step, count))
    try:
        crashing.wait_ready()
        with contextlib.suppress(OSError, ValueError):
            crashing.buy(
                2, "crash-1", stopLoss={"enabled": True, "points": 50}, takeProfit={"enabled": True, "points": 50}
            )
        died = crashing.process.wait(20)
    finally:
        if crashing.process.exit_code is None:
            crashing.kill()
    again = Desk(folder)
    try:
        again.wait_ready()
        bracket = {"stopLoss": {"enabled": True, "points": 50}, "takeProfit": {"enabled": True, "points": 50}}
        answer = again.buy(2, "crash-1", **bracket)
        until(lambda: settled(again), 30)
        second = again.buy(2, "crash-1", **bracket)
        return {
            "died": died,
            "answers": (answer, second),
            "order": again.order("crash-1"),
            "orders": again.venue_orders(),
            "resting": again.resting(),
            "position": again.venue_position(),
        }
    finally:
        again.stop()


def settled(desk: Desk) -> bool:
    order = desk.order("crash-1")
    if order is None or order["status"] in LIVE:
        return False
    if order["filledQuantity"] == 0:
        return True
    legs = (order["stopLoss"], order["takeProfit"])
    return all(leg is not None and leg["status"] == "WORKING" for leg in legs)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, int], Future[dict[str, Any]]]]:
    """Of the cases that this process was asked for."""
    folder = tmp_path_factory.mktemp("crashes")
    here = [item for item in request.session.items if item.path == request.node.path]
    asked = [tuple(item.callspec.params.values()) for item in here if isinstance(item, pytest.Function)]
    with ThreadPoolExecutor(8) as pool:
        yield {
            (step, count): pool.submit(killed_and_restarted, folder / f"{step.replace(' ', '-')}-{count}", step, count)
            for step, count in CASES
            if (step, count) in asked
        }


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("step", "count"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)])
def test_killed_at_a_step_the_order_is_there_once_and_protected(
    outcomes: dict[tuple[str, int], Future[dict[str, Any]]], step: str, count: int
) -> None:
    after = outcomes[step, count].result()
    assert after["died"] == -9
    (status, answer), second = after["answers"]
    assert (status, answer["success"]) == (200, True), answer
    assert second == (status, answer)
    entries = [row for row in after["orders"] if row["type"] == MARKET and row["side"] == BUY]
    assert len(entries) <= 1
    if after["order"]["status"] == "EXPIRED":
        # Proven not sent: new risk is never sent again by itself, and the trader is told.
        assert (entries, after["position"], after["resting"]) == ([], 0, [])
        assert after["order"]["reason"]
        return
    assert after["order"]["status"] == "FILLED"
    assert len(entries) == 1
    assert after["position"] == 2
    assert sorted((row["type"], row["side"], row["size"]) for row in after["resting"]) == [(1, SELL, 2), (4, SELL, 2)]
