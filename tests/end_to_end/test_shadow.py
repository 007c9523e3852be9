"""Shadow mode as a user starts it: by flag, over a kill, and never mixed with what is live."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.end_to_end.process import Desk, call, clean_environment, running, until


def legs(desk: Desk) -> list[tuple[str, int]]:
    row = desk.position()
    return [(leg["status"], leg["quantity"]) for leg in (row["stopLoss"], row["takeProfit"]) if leg is not None]


def refused(folder: Path, *flags: str) -> list[str]:
    """What a start in that folder says when it is refused."""
    words = ["-m", "ordergate", "demo", "--no-browser", "--state-dir", str(folder / "state"), *flags]
    done = subprocess.run(
        [sys.executable, *words], env=clean_environment(), capture_output=True, text=True, timeout=30, check=False
    )
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
