"""The commands that ask a desk, as processes of their own, against desks of real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import Desk, call, clean_environment, until
from tests.end_to_end.program import ordergate
from tests.end_to_end.split import ROLES, Split, split_desk

MARKET, LIMIT, STOP = 2, 1, 4
BUY, SELL = 0, 1


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return ordergate(*words, environment=clean_environment() | environment)


def test_status_of_a_healthy_desk_shows_each_part_and_what_the_accounts_hold(desk: Desk) -> None:
    desk.buy(2, "held")
    until(lambda: (desk.position() or {}).get("protected"))
    done = command("status", "--ready-file", str(desk.ready_file))
    assert done.returncode == 0, done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if line]
    assert [line[:2] for line in lines[1:3]] == [["page", "healthy"], ["gate", "healthy"]]
    assert lines[3][:3] == ["connection", "manager", "healthy"]
    assert any(line[:4] == [str(desk.account), "LONG", "2", "MES"] and "protected" in line for line in lines)
    assert lines[-1] == ["healthy"]
    told = json.loads(command("status", "--json", "--ready-file", str(desk.ready_file)).stdout)
    assert told["status"] == "healthy"
    assert told["positions"][0]["quantity"] == 2
    assert [part["state"] for part in told["parts"]] == ["healthy"] * 3


def test_orders_are_told_with_their_status_and_reason(desk: Desk) -> None:
    desk.buy(2, "filled")
    desk.buy(11, "too-large")
    until(lambda: (desk.order("filled") or {}).get("status") == "FILLED")
    at = ("--ready-file", str(desk.ready_file))
    assert command("orders", *at).stdout == "no order works; --all shows those that are over\n"
    table = command("orders", "--all", *at).stdout
    (denied,) = [line for line in table.splitlines() if line.startswith("too-large")]
    assert "DENIED" in denied
    assert "MAX_ORDER_SIZE: " in denied
    rows = json.loads(command("orders", "--all", "--json", *at).stdout)
    assert {row["orderId"]: row["status"] for row in rows} == {"filled": "FILLED", "too-large": "DENIED"}


def test_halt_takes_no_new_risk_and_keeps_the_stop_and_release_ends_it(desk: Desk) -> None:
    at = ("--ready-file", str(desk.ready_file))
    desk.buy(1, "held")
    until(lambda: (desk.position() or {}).get("protected"))
    price = desk.get("/api/prices/MES")["bid"]
    desk.buy(1, "waiting", orderType="LIMIT", limitPrice=price - 50)
    until(lambda: (desk.order("waiting") or {}).get("status") == "WORKING")
    halted = command("halt", "--reason", "news at ten", *at)
    assert halted.returncode == 0, halted.stdout
    assert re.search(r"halted at the page since \S+: news at ten\n", halted.stdout), halted.stdout
    assert desk.order("waiting")["status"] == "CANCELLED"
    assert desk.position()["protected"]
    assert desk.buy(1, "later")[1]["code"] == "PAUSED"
    degraded = command("status", *at)
    assert degraded.returncode == 1
    assert re.search(r"new risk is paused at the page since \S+: news at ten; ", degraded.stdout)
    released = command("release", *at)
    assert released.returncode == 0
    assert "released: the pause at the page since " in released.stdout
    assert desk.buy(1, "again")[1]["success"] is True


def test_flatten_asks_the_gate_waits_and_says_flat(desk: Desk) -> None:
    at = ("--ready-file", str(desk.ready_file))
    desk.buy(2, "held")
    until(lambda: (desk.position() or {}).get("protected"))
    unasked = command("flatten", *at)
    assert unasked.returncode == 1
    assert "--yes is not given" in unasked.stderr
    assert desk.venue_position() == 2
    done = command("flatten", "--yes", *at)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("flat: no position is held, no order works\n")
    assert desk.venue_position() == 0
    assert desk.resting() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
@pytest.mark.parametrize(("typed", "code", "left"), [(b"n\n", 1, 2), (b"\n", 1, 2), (b"y\n", 0, 0)])
def test_at_a_terminal_flatten_asks_first(desk: Desk, typed: bytes, code: int, left: int) -> None:
    desk.buy(2, "held")
    until(lambda: (desk.position() or {}).get("protected"))
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "ordergate", "flatten", "--ready-file", str(desk.ready_file)]
    running = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(ours, typed)
    out, err = running.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert "Cancel and close all of this? [y/N] " in err
    assert (running.returncode, desk.venue_position()) == (code, left), out + err


def test_flatten_direct_beside_a_gate_that_lives_says_so_and_nothing_comes_back(desk: Desk) -> None:
    desk.buy(2, "held")
    until(lambda: (desk.position() or {}).get("protected"))
    done = command("flatten", "--direct", "--yes", "--account", str(desk.account), "--ready-file", str(desk.ready_file))
    assert done.returncode == 0, done.stdout
    assert f"a gate answers at {desk.at['aggregator']}: it will see all of this as EXTERNAL" in done.stdout
    assert desk.at["apiKey"] not in done.stdout + done.stderr
    until(desk.flat_and_empty)
    # The gate has placed no stop again, and takes new orders.
    assert [row["type"] for row in desk.venue_orders()].count(STOP) == 1
    assert desk.buy(1, "again")[1]["success"] is True


@pytest.mark.slow
def test_flatten_direct_says_whose_account_it_needs_and_takes_no_two_logins(desk: Desk) -> None:
    nobody = command("flatten", "--direct", "--yes")
    assert nobody.returncode == 2
    assert nobody.stderr.startswith("ordergate: whose account? Set PROJECTX_API_URL")
    real = {"PROJECTX_API_URL": "http://127.0.0.1:1", "PROJECTX_USERNAME": "u", "PROJECTX_API_KEY": "k"}
    both = command("flatten", "--direct", "--yes", "--ready-file", str(desk.ready_file), **real)
    assert both.returncode == 2
    assert "name two logins" in both.stderr
    away = command("flatten", "--direct", "--yes", **real)
    assert away.returncode == 2
    assert "the broker at http://127.0.0.1:1 cannot be asked" in away.stderr


def test_of_a_desk_that_is_not_there_each_command_says_so() -> None:
    ports = [f"--{part}-port=1" for part in ("web", "connection-manager", "aggregator")]
    status = command("status", *ports)
    assert status.returncode == 2
    assert "what the accounts hold is not known: the page does not answer (nothing listens there)" in status.stdout
    assert json.loads(command("status", "--json", *ports).stdout)["positions"] is None
    for words in (("orders",), ("halt",), ("release",), ("flatten", "--yes")):
        done = command(*words, *ports)
        assert done.returncode == 2, words
        assert "nothing listens there" in done.stdout + done.stderr


class Venue:
    """The exchange as another client with the login sees it."""

    def __init__(self, desk: Split) -> None:
        at = desk.at["venue"]
        self.origin, self.account = at["gateway"], int(at["accountIds"][0])
        login = {"userName": at["userName"], "apiKey": at["apiKey"]}
        self._token = call(self.origin, "POST", "/api/Auth/loginKey", login)[1]["token"]

    def ask(self, path: str, **body: Any) -> Any:
        return call(self.origin, "POST", f"/api/{path}", {"accountId": self.account} | body, self._token)[1]

    def place(self, **body: Any) -> int:
        answer = self.ask("Order/place", contractId=self.contract, **body)
        assert answer["success"], answer
        return int(answer["orderId"])

    @property
    def contract(self) -> str:
        """The month of MES that is traded now."""
        rows = self.ask("Contract/available", live=False)["contracts"]
        return next(str(row["id"]) for row in rows if ".MES." in row["id"])

    def net(self) -> int:
        rows = self.ask("Position/searchOpen")["positions"]
        return sum(row["size"] if row["type"] == 1 else -row["size"] for row in rows)

    def resting(self) -> list[Any]:
        return list(self.ask("Order/searchOpen")["orders"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no process can be paused there")
def test_flatten_waits_for_what_takes_longer_and_says_what_it_waits_for(tmp_path: Path) -> None:
    with split_desk(tmp_path) as desk:
        bought = {"instrument": "MES", "side": "BUY", "quantity": 2, "accountId": desk.account()}
        until(lambda: desk.post("/api/order", **bought)[1].get("success"))
        until(lambda: [row for row in desk.rows("/api/positions") if row["protected"]])
        manager = int(desk.at["connection-manager"]["pid"])
        os.kill(manager, signal.SIGSTOP)
        try:
            words = [
                sys.executable,
                "-m",
                "ordergate",
                "flatten",
                "--yes",
                f"--web-port={desk.ports['manual-trading']}",
            ]
            running = subprocess.Popen(words, env=clean_environment(), stdout=subprocess.PIPE, text=True)
            assert running.stdout is not None
            lines = [running.stdout.readline().strip() for _ in range(3)]
        finally:
            os.kill(manager, signal.SIGCONT)
        out, _ = running.communicate(timeout=55)
        assert lines[1] == "taken; waiting until it is flat"
        assert lines[2].startswith("held: LONG 2 MES")
        assert (running.returncode, out.splitlines()[-1]) == (0, "flat: no position is held, no order works"), out
        assert Venue(desk).net() == 0


def test_flatten_direct_makes_flat_with_the_gate_redis_and_the_journal_dead(tmp_path: Path) -> None:
    with split_desk(tmp_path) as desk:
        account = desk.account()
        bought = {"instrument": "MES", "side": "BUY", "quantity": 2, "accountId": account}
        until(lambda: desk.post("/api/order", **bought)[1].get("success"))
        until(lambda: [row for row in desk.rows("/api/positions") if row["protected"]])
        venue = Venue(desk)
        bid = desk.get("manual-trading", "/api/prices/MES")[1]["bid"]
        venue.place(type=LIMIT, side=BUY, size=1, limitPrice=bid - 50)
        assert (venue.net(), len(venue.resting())) == (2, 3)
        for role in reversed(ROLES):
            desk.kill(role)
        desk.redis.kill()
        shutil.rmtree(tmp_path / "state")
        direct = ("flatten", "--direct", "--yes")
        at = desk.at["venue"]
        login = {
            "PROJECTX_API_URL": at["gateway"],
            "PROJECTX_USERNAME": at["userName"],
            "PROJECTX_API_KEY": at["apiKey"],
        }
        refused = command(*direct, **login, SHADOW_MODE="true")
        assert refused.returncode == 2
        assert "nothing is written to the broker" in refused.stderr
        assert (venue.net(), len(venue.resting())) == (2, 3)
        done = command(*direct, **login)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (venue.net(), venue.resting()) == (0, [])
        assert login["PROJECTX_API_KEY"] not in done.stdout + done.stderr
        # What could open went first, the close next, the stop that covered the position last.
        steps = [line.split(": ")[1] for line in done.stdout.splitlines() if ": c" in line]
        assert [step.split(" ")[0] for step in steps] == ["cancelling", "cancelling", "closing", "cancelling"]
        assert " STOP at " in steps[-1]
        assert not (tmp_path / "state").exists()
