"""A desk whose market has outlived the calendar says so at the start, and takes no new risk."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from ordergate.exchange.recording import COLUMNS, Recording
from ordergate.exchange.settings import Hours
from tests.core.desk import SECOND_NS, instant
from tests.simulation.desk import simulated
from tests.simulation.virtual_time import run

SYMBOLS = ("ES", "MES")


def recording(path: Path, first: str) -> Recording:
    """A minute of quotes from a wall time in Chicago on."""
    at_ns = instant(first)
    rows = [f"{at_ns + second * SECOND_NS},quote,4800,9,4800.25,9,,," for second in range(60)]
    path.write_text("\n".join([",".join(COLUMNS), *rows, ""]), encoding="utf-8")
    return Recording.read(path, lambda price: int(price / Decimal("0.25")))


async def buy(played: Recording) -> tuple[int, Any]:
    async with simulated(1, recording=played, symbols=SYMBOLS, hours=Hours.EXCHANGE) as desk:
        order = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": desk.at.account_ids[0]}
        return await desk.post("/api/order", order)


@pytest.mark.parametrize(
    ("first", "warned", "code"),
    [("2029-01-03 09:00", 1, "OUTSIDE_TRADING_HOURS"), ("2028-12-27 09:00", 1, None), ("2027-12-27 09:00", 0, None)],
)
def test_the_end_of_the_calendar_is_said_at_the_start(
    tmp_path: Path, first: str, warned: int, code: str | None
) -> None:
    played = recording(tmp_path / "day.csv", first)
    with structlog.testing.capture_logs() as lines:
        _, answer = run(buy(played))
    told = [line for line in lines if line["event"] == "the calendar of trading hours ends"]
    assert len(told) == warned
    assert all(line["log_level"] == "warning" and "2028-12-31" in line["notice"] for line in told)
    assert answer.get("code") == code
