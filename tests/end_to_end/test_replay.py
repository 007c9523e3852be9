"""A replay over real sockets: closed before 17:00, killed, and gone on with where it was."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ordergate import app
from ordergate.exchange import replay
from ordergate.exchange.listing import known_contract
from ordergate.exchange.market import Walk
from ordergate.exchange.recording import COLUMNS
from ordergate.exchange.replay import Replay
from ordergate.exchange.store import Changes, Counters, MemoryStore
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry
from ordergate.settings import Settings
from tests.end_to_end.process import Desk, until

OPEN = 1_703_545_200  # 2023-12-25 17:00 in Chicago
MES = "CON.F.US.MES.H24"
SPEED = 10
FLAGS = ("--speed", str(SPEED), "--latency-ms", "0")


def recording(path: Path, first_s: int) -> Path:
    """Two hours of quotes, one a second, from so many seconds after the open."""
    rows = [
        f"{(OPEN + second) * 10**9},quote,{4_800 + second % 7 * 0.25},9,{4_800.25 + second % 7 * 0.25},9,,,"
        for second in range(first_s, first_s + 7_200)
    ]
    path.write_text("\n".join([",".join(COLUMNS), *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Any]:
    """Starts desks in one folder; none outlives the test."""
    started: list[Desk] = []

    def start(*flags: str, **more: Any) -> Desk:
        started.append(Desk(tmp_path, *flags, environment={"ALLOWED_INSTRUMENTS": "MES"}, **more))
        return started[-1]

    yield start
    for desk in started:
        if desk.process.exit_code is None:
            desk.kill()


def market_s(desk: Desk, order_id: str) -> float:
    """When an order was decided, in seconds after the open."""
    text = desk.order(order_id)["timestamps"]["decided"]
    return datetime.datetime.fromisoformat(text).timestamp() - OPEN


def test_before_the_open_the_gate_denies_the_exchange_rejects_and_time_goes_on_after_a_kill(
    desks: Any, tmp_path: Path
) -> None:
    file = str(recording(tmp_path / "closed.csv", -3_600))
    desk = desks("--replay", file, *FLAGS).wait_ready()
    status, answer = desk.buy(1, "early")
    assert (status, answer["code"]) == (422, "OUTSIDE_TRADING_HOURS")
    order = {"contractId": MES, "type": 2, "side": 0, "size": 1}
    answer = desk.venue("/api/Order/place", order)
    assert (answer["success"], answer["errorCode"]) == (False, 2)
    assert desk.post("/api/flatten", {"accountId": desk.account})[0] == 200
    first_s = market_s(desk, "early")
    assert -3_600 <= first_s < -3_000
    desk.kill()

    again = desks("--replay", file, *FLAGS).wait_ready()
    assert again.buy(1, "later")[1]["code"] == "OUTSIDE_TRADING_HOURS"
    assert first_s < market_s(again, "later") < first_s + 1_200
    assert {row["tradingDay"] for row in again.get("/api/accounts")} == {"2023-12-26"}, "a holiday has no trade date"


def test_a_position_is_there_after_a_kill_and_the_market_goes_on_from_the_last_instant(
    desks: Any, tmp_path: Path
) -> None:
    file = str(recording(tmp_path / "open.csv", 0))
    desk = desks("--replay", file, *FLAGS).wait_ready()
    assert desk.buy(2, "held")[0] == 200
    until(lambda: (desk.position() or {}).get("protected"))
    bought_s = market_s(desk, "held")
    desk.kill()

    again = desks("--replay", file, *FLAGS).wait_ready()
    row = until(lambda: (again.position() or {}).get("protected") and again.position())
    assert row["netPosition"] == 2
    assert again.post("/api/close-position", {"accountId": again.account, "instrument": "MES"})[0] == 200
    until(again.flat_and_empty)
    assert again.buy(1, "next")[0] == 200
    assert bought_s < market_s(again, "next") < bought_s + 1_200
    assert {row["tradingDay"] for row in again.get("/api/accounts")} == {"2023-12-26"}
    assert again.stop() == 0


def test_a_state_directory_is_of_one_recording(desks: Any, tmp_path: Path) -> None:
    file, other = str(recording(tmp_path / "open.csv", 0)), str(recording(tmp_path / "other.csv", 60))
    desks("--replay", file, *FLAGS).wait_ready().stop()
    for flags in (("--replay", other), ()):
        refused = desks(*flags)
        assert refused.process.wait(20) == 2
        assert "replay" in refused.log().splitlines()[-1]
        assert refused.log().splitlines()[-1].endswith("name another with --state-dir")


async def test_time_goes_on_after_what_the_exchange_and_what_the_journal_recorded_last(tmp_path: Path) -> None:
    played = replay.read(recording(tmp_path / "open.csv", 0), "ES")
    store, journal = MemoryStore(1_500), MemoryJournal()
    clock = await app._clock(played, Settings(), store, journal)  # noqa: SLF001 - what a start makes of its files
    assert 0 <= clock.now_ns() - played.first_ns < 10**9
    market = Replay(played, Walk(1)).opening(known_contract(MES), played.first_ns + 5 * 10**9, "2023-12-26")
    store.save(Changes(Counters(), markets=(market,)))
    clock = await app._clock(played, Settings(), store, journal)  # noqa: SLF001
    assert 5 * 10**9 <= clock.now_ns() - played.first_ns < 6 * 10**9
    await journal.append([Entry("sim:1001:live", played.first_ns + 9 * 10**9, "x", 1, b"{}")], {"sim:1001:live": 0})
    clock = await app._clock(played, Settings(), store, journal)  # noqa: SLF001
    assert 9 * 10**9 <= clock.now_ns() - played.first_ns < 10 * 10**9
