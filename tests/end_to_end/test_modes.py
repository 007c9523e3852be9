"""The modes as a user sets them: by flag and variable; and shadow mode over a kill, never mixed with what is live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import Desk, call, clean_environment, running, until
from tests.end_to_end.program import ordergate


def legs(desk: Desk) -> list[tuple[str, int]]:
    row = desk.position()
    return [(leg["status"], leg["quantity"]) for leg in (row["stopLoss"], row["takeProfit"]) if leg is not None]


def refused(folder: Path, *flags: str) -> list[str]:
    """What a start in that folder says when it is refused."""
    words = ("demo", "--no-browser", "--state-dir", str(folder / "state"), *flags)
    done = ordergate(*words, environment=clean_environment())
    assert done.returncode == 2, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("ordergate:")]


def test_paper_survives_a_kill_and_is_neither_at_the_exchange_nor_in_a_live_start(folder: Path) -> None:
    with running(folder, "--shadow-mode") as desk:
        assert desk.buy(2, "on-paper")[0] == 200
        until(lambda: desk.position() and desk.position()["protected"])
        until(lambda: legs(desk) == [("WORKING", 2)] * 2)
        health = call(desk.at["aggregator"], "GET", "/health")[1]
        assert (health["status"], health["modes"]["shadow"]) == ("healthy", True)
        assert call(desk.at["connectionManager"], "GET", "/health")[1]["shadow"] is True
        desk.kill()
    (line,) = refused(folder)
    assert "was made for 'sim practice, shadow' and cannot serve 'sim practice'" in line
    with running(folder, "--shadow-mode") as desk:
        row = desk.position()
        assert (row["netPosition"], row["protected"]) == (2, True)
        assert legs(desk) == [("WORKING", 2)] * 2
        assert desk.venue_orders() == []
        assert desk.post("/api/flatten", {"accountId": desk.account})[0] == 200
        until(lambda: desk.position() is None)
        assert desk.venue_orders() == []


def test_what_was_made_live_refuses_a_start_in_shadow_mode_in_one_line(folder: Path) -> None:
    with running(folder) as desk:
        assert desk.at["pid"]
    (line,) = refused(folder, "--shadow-mode")
    assert "was made for 'sim practice' and cannot serve 'sim practice, shadow': name another with --state-dir" in line


@pytest.mark.parametrize(
    ("flags", "environment", "approved_as"),
    [
        (("--preserve-original-workflow",), {}, "overridden"),
        ((), {"INTERCEPT_ORDERS": "false", "PRESERVE_ORIGINAL_WORKFLOW": "true"}, "passed"),
        (("--no-enable-risk-validation",), {"ENABLE_SLTP_CALCULATION": "false"}, "passed"),
    ],
)
def test_a_mode_that_is_set_changes_the_outcome_and_is_warned_of(
    folder: Path, flags: tuple[str, ...], environment: dict[str, str], approved_as: str
) -> None:
    desk = Desk(folder, *flags, environment=environment | {"MAX_POSITION_SIZE": "1"})
    try:
        desk.wait_ready()
        status, answer = desk.buy(2, "over")
        assert status == 200, answer
        row: Any = until(lambda: (found := desk.order("over")) and found["status"] == "FILLED" and found)
        assert [breach["code"] for breach in row["breaches"]] == ["MAX_POSITION_SIZE"] * (approved_as == "overridden")
        without_bracket = environment.get("ENABLE_SLTP_CALCULATION") == "false"
        until(lambda: desk.position()["protected"] is not without_bracket)
        assert call(desk.at["aggregator"], "GET", "/health")[1]["enforcing"] is False
        assert "limits are not enforced" in desk.log()
    finally:
        desk.stop()
