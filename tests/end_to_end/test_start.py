"""Starting and stopping: what cannot be is one clear line and exit code 2; what can be comes back as it was."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.process import Desk, clean_environment, running, until


def refused(*words: str, environment: dict[str, str] | None = None) -> list[str]:
    """The lines of a start that is refused with exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "ordergate", *words],
        capture_output=True,
        text=True,
        timeout=30,
        env=clean_environment() | (environment or {}),
        check=False,
    )
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("ordergate: ")]


PORTS = ("--web-port", "0", "--connection-manager-port", "0", "--aggregator-port", "0", "--gateway-port", "0")


@pytest.mark.parametrize("flag", ["--web-port", "--connection-manager-port", "--aggregator-port", "--gateway-port"])
def test_a_port_in_use_is_one_line_that_names_it(folder: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        lines = refused("demo", *PORTS, flag, port, "--state-dir", str(folder), "--no-browser")
    assert len(lines) == 1
    assert port in lines[0]


def test_a_state_directory_that_another_process_holds_is_one_line_that_names_it(folder: Path) -> None:
    with running(folder) as desk:
        lines = refused("demo", *PORTS, "--state-dir", str(folder / "state"), "--no-browser")
        assert len(lines) == 1
        assert str(desk.process.pid) in lines[0]


def test_a_state_directory_that_cannot_be_written_is_one_line(folder: Path) -> None:
    folder.chmod(0o500)
    # Root may write into any folder of a disk, but nobody may make one here.
    parent = Path("/proc") if os.geteuid() == 0 else folder
    lines = refused("demo", *PORTS, "--state-dir", str(parent / "state"), "--no-browser")
    assert len(lines) == 1
    assert str(parent / "state") in lines[0]


def test_a_state_directory_that_is_a_file_is_one_line(folder: Path) -> None:
    (folder / "state").write_text("not a folder")
    assert len(refused("demo", *PORTS, "--state-dir", str(folder / "state"), "--no-browser")) == 1


def test_a_state_directory_made_for_another_venue_is_one_line(folder: Path) -> None:
    with running(folder):
        pass
    (folder / "state" / "venue").write_text("topstepx somebody\n")
    lines = refused("demo", *PORTS, "--state-dir", str(folder / "state"), "--no-browser")
    assert len(lines) == 1
    assert "topstepx somebody" in lines[0]


def test_a_damaged_journal_is_one_line_that_names_the_row(folder: Path) -> None:
    with running(folder) as desk:
        desk.buy(1, "one")
    with sqlite3.connect(folder / "state" / "journal.db") as database:
        richer = "CAST(replace(CAST(body AS TEXT), '50000', '60000') AS BLOB)"
        database.execute(f"UPDATE journal SET body = {richer} WHERE type = 'account-adopted' AND book LIKE '%1001%'")  # noqa: S608 - a constant
    lines = refused("demo", *PORTS, "--state-dir", str(folder / "state"), "--no-browser")
    assert len(lines) == 1
    assert "1001" in lines[0]


def test_a_bad_setting_is_named_with_its_value() -> None:
    lines = refused("demo", environment={"MAX_POSITION_SIZE": "ten", "MAX_DAILY_LOSS": "-1"})
    assert len(lines) == 2
    assert any("MAX_POSITION_SIZE" in line and "ten" in line for line in lines)


def test_an_order_has_what_its_preset_meant_and_is_the_same_order_after_a_start_with_another(folder: Path) -> None:
    config = folder / "ordergate.toml"
    config.write_text("[presets.scalp]\nstop = {points = 60}\ntargets = []\n")
    with running(folder, "--config", str(config)) as desk:
        (row,) = desk.get("/api/presets")["presets"]
        assert row == {"name": "scalp", "instruments": None, "bracket": {"stop": {"points": 60}, "targets": []}}
        first = desk.buy(1, "one", preset="scalp")
        assert first[0] == 200
        (leg,) = until(desk.resting)
        assert leg["stopPrice"] == desk.order("one")["averageFillPrice"] - 60
    config.write_text("[presets.scalp]\nstop = {points = 5}\n")
    with running(folder, "--config", str(config)) as desk:
        assert desk.buy(1, "one", preset="scalp") == first
        assert [row["stopPrice"] for row in desk.resting()] == [leg["stopPrice"]]
        assert desk.buy(1, "two", preset="swing")[1]["code"] == "UNKNOWN_PRESET"


def test_a_preset_that_fits_no_order_is_one_line_with_its_place(folder: Path) -> None:
    config = folder / "ordergate.toml"
    config.write_text("[[presets.scalp.targets]]\nticks = 8\n[[presets.scalp.targets]]\nticks = 16\n")
    (line,) = refused("demo", "--config", str(config))
    assert "presets.scalp.targets[0] needs a quantity" in line


def test_a_limit_of_the_environment_changes_the_decision(folder: Path) -> None:
    desk = Desk(folder, environment={"MAX_POSITION_SIZE": "3"})
    try:
        desk.wait_ready()
        status, answer = desk.buy(4)
        assert status == 422
        assert [row["code"] for row in answer["breaches"]] == ["MAX_POSITION_SIZE"]
    finally:
        desk.stop()


def test_neither_a_restart_nor_other_settings_loosen_anything_before_the_next_trading_day(folder: Path) -> None:
    """I9, F60: the lockout stands, the looser setting waits and the start says both values."""
    with running(folder) as desk:
        desk.buy(1, "before")
        until(desk.position)  # a lockout cancels what has not filled
        status, locked = desk.post("/api/lockout", {"accountId": desk.account, "until": "next-day"})
        assert status == 200
    desk = Desk(folder, environment={"MAX_POSITION_SIZE": "20", "MAX_OPEN_ORDERS": "3"})
    try:
        desk.wait_ready()
        limits = desk.get("/api/limits")
        assert (limits["inForce"]["maxPositionSize"], limits["inForce"]["maxOpenOrders"]) == (10, 3)
        assert limits["waiting"] == {"maxPositionSize": 20}
        said = [line for line in desk.log().splitlines() if "max_position_size 10, then 20" in line]
        assert len(said) == 1
        assert limits["waitingFrom"] in said[0]
        status, answer = desk.buy(1)
        assert (status, answer["code"]) == (422, "LOCKED_OUT")
        row = next(row for row in desk.get("/api/accounts") if row["accountId"] == desk.account)
        assert (row["tradingState"], row["lockedUntil"]) == ("locked", locked["lockedUntil"])
        assert desk.post("/api/close-position", {"accountId": desk.account, "instrument": "MES"})[0] == 200
    finally:
        desk.stop()


def test_a_stale_ready_file_is_gone_before_the_desk_is_ready_and_after_it_has_ended(folder: Path) -> None:
    (folder / "ready.json").write_text('{"pid": 1}')
    with running(folder) as desk:
        assert desk.at["pid"] == desk.process.pid
        assert set(desk.at) == {
            "web", "connectionManager", "aggregator", "gateway", "userName", "apiKey", "accountIds", "users", "pid",
        }  # fmt: skip
        assert desk.stop() == 0
    assert not (folder / "ready.json").exists()


def test_after_a_restart_everything_is_where_it_was_and_nothing_moved_meanwhile(folder: Path) -> None:
    with running(folder) as desk:
        desk.buy(2, "before")
        until(lambda: len(desk.resting()) == 2)
        desk.buy(11, "denied")
        orders = desk.get("/api/orders")
        resting = desk.resting()
        desk.kill()
    time.sleep(0.5)
    with running(folder) as desk:
        desk.token = None
        assert desk.resting() == resting
        assert [row["orderId"] for row in desk.get("/api/orders")] == [row["orderId"] for row in orders]
        assert desk.position()["netPosition"] == 2
        assert desk.buy(2, "before")[0] == 200
        assert desk.buy(11, "denied")[0] == 422
        assert desk.venue_position() == 2


def test_the_exchange_alone_answers_and_forgets_unless_it_has_a_state_directory(folder: Path) -> None:
    ready = folder / "ready.json"
    words = ["exchange", "--gateway-port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ordergate", *words], stdout=subprocess.DEVNULL, env=clean_environment()
    )
    try:
        until(ready.exists, 30)
        at = json.loads(ready.read_text())
        assert (at["web"], at["connectionManager"], at["aggregator"]) == (None, None, None)
        assert at["gateway"].startswith("http://127.0.0.1:")
        assert len(at["accountIds"]) == 2
        assert [user["accountIds"] for user in at["users"]] == [at["accountIds"]]
    finally:
        process.terminate()
        assert process.wait(15) == 0
