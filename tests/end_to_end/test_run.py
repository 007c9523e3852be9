"""``ordergate run`` against a broker that is another process: the simulated exchange, by its address and login."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import call, clean_environment, until
from tests.redis_server import running_redis

PORTS = [f"--{port}-port=0" for port in ("web", "connection-manager", "aggregator")]
READY_S = 30.0


def started(folder: Path, name: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """An ``ordergate`` process; what it says goes to a file of its name."""
    with (folder / f"{name}.log").open("ab") as log:
        command = [sys.executable, "-m", "ordergate", *words, "--no-browser", f"--ready-file={folder / name}.json"]
        return subprocess.Popen(command, stdout=log, stderr=log, env=clean_environment() | environment)


def ready(folder: Path, name: str, process: subprocess.Popen[bytes]) -> Any:
    def look() -> Any:
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        with contextlib.suppress(FileNotFoundError):
            at = json.loads((folder / f"{name}.json").read_text())
            return at if at["pid"] == process.pid else None  # a process that was killed has left its own

    return until(look, READY_S)


def login(venue: Any, api_url: str = "{}/api") -> dict[str, str]:
    return {
        "PROJECTX_API_URL": api_url.format(venue["gateway"]),
        "PROJECTX_USER_HUB_URL": f"{venue['gateway']}/hubs/user",
        "PROJECTX_MARKET_HUB_URL": f"{venue['gateway']}/hubs/market",
        "PROJECTX_USERNAME": venue["userName"],
        "PROJECTX_API_KEY": venue["apiKey"],
    }


@contextlib.contextmanager
def stopped(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """At the end, whatever happens, the processes have ended."""
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait(15)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("venue")
    process = started(folder, "venue", "exchange", "--gateway-port=0")
    with stopped(process):
        yield ready(folder, "venue", process)


class Running:
    """A desk on that broker, asked over HTTP and nothing else."""

    def __init__(self, folder: Path, venue: Any, **environment: str) -> None:
        state, config = f"--state-dir={folder / 'state'}", folder / "desk.toml"
        config.write_text('[limits]\ntrading_hours = "always"\n')  # whenever the tests run
        words = [*PORTS, state, f"--config={config}"]
        self.process = started(folder, "desk", "run", *words, **login(venue), **environment)
        self._folder = folder

    def wait_ready(self) -> Running:
        self.at = ready(self._folder, "desk", self.process)
        return self

    def get(self, path: str) -> Any:
        status, body = call(self.at["web"], "GET", path)
        assert status == 200, (path, status, body)
        return body

    def post(self, path: str, **body: object) -> tuple[int, Any]:
        return call(self.at["web"], "POST", path, body)


def test_a_desk_runs_on_a_broker_that_is_named_and_its_position_outlives_a_kill(tmp_path: Path, venue: Any) -> None:
    desk = Running(tmp_path, venue)
    with stopped(desk.process):
        desk.wait_ready()
        account = desk.at["accountIds"][0]
        assert sorted(desk.at["accountIds"]) == sorted(venue["accountIds"])
        assert (desk.at["userName"], desk.at["apiKey"], desk.at["gateway"]) == (venue["userName"], None, None)
        # A position that somebody opened elsewhere: a real account is never taken for empty.
        token = call(venue["gateway"], "POST", "/api/Auth/loginKey", credentials(venue))[1]["token"]
        contract = desk.get("/api/instruments/active")
        mes = next(row["contractId"] for row in contract if row["symbol"] == "MES")
        order = {"accountId": account, "contractId": mes, "type": 2, "side": 0, "size": 2}
        assert call(venue["gateway"], "POST", "/api/Order/place", order, token)[1]["success"]
        until(lambda: held(desk) == 2)
        desk.process.kill()
        desk.process.wait(10)
    again = Running(tmp_path, venue)
    with stopped(again.process):
        again.wait_ready()
        assert held(again) == 2
        status, answer = again.post("/api/order", accountId=account, instrument="MES", side="BUY", quantity=1)
        assert status == 200, answer
        until(lambda: protected(again) == 1)
        again.post("/api/flatten", accountId="all")
        until(lambda: held(again) == 0)


def credentials(venue: Any) -> dict[str, str]:
    return {"userName": venue["userName"], "apiKey": venue["apiKey"]}


def held(desk: Running) -> int:
    return sum(row["netPosition"] for row in desk.get("/api/positions"))


def protected(desk: Running) -> int:
    """Contracts for which a stop works."""
    return sum(row["quantity"] for position in desk.get("/api/positions") for row in position["stops"])


@pytest.mark.parametrize("missing", ["PROJECTX_API_URL", "PROJECTX_API_KEY"])
def test_what_is_missing_is_named_and_nothing_starts(tmp_path: Path, missing: str) -> None:
    at = {"gateway": "http://127.0.0.1:9", "userName": "somebody", "apiKey": "hunter2"}
    environment = {name: value for name, value in login(at).items() if name != missing}
    process = started(tmp_path, "desk", "run", *PORTS, f"--state-dir={tmp_path / 'state'}", **environment)
    assert process.wait(20) == 2
    told = (tmp_path / "desk.log").read_text()
    assert told == f"ordergate: not set: {missing}; `ordergate demo` opens the same desk without an account\n"
    assert not (tmp_path / "state").exists()


def test_a_login_that_is_refused_is_one_line_without_the_key(tmp_path: Path, venue: Any) -> None:
    environment = login(venue) | {"PROJECTX_API_KEY": "hunter2"}
    process = started(tmp_path, "desk", "run", *PORTS, f"--state-dir={tmp_path / 'state'}", **environment)
    assert process.wait(20) == 2
    told = (tmp_path / "desk.log").read_text()
    assert f"ordergate: {venue['gateway']} refuses the login of 'practice'" in told
    assert "hunter2" not in told


def test_the_page_is_there_while_the_broker_is_not_and_says_so(tmp_path: Path) -> None:
    at = {"gateway": "http://127.0.0.1:9", "userName": "somebody", "apiKey": "hunter2"}
    process = started(tmp_path, "desk", "run", *PORTS, f"--state-dir={tmp_path / 'state'}", **login(at, "{}"))

    def opened() -> str:
        assert process.poll() is None, (tmp_path / "desk.log").read_text()
        lines = (tmp_path / "desk.log").read_text().splitlines()
        return next((line.rpartition(" ")[2] for line in lines if "the desk is open at" in line), "")

    with stopped(process):
        page = until(opened, READY_S)
        health = until(lambda: told_link(page))
        assert health["linkUp"] is False
        assert not (tmp_path / "desk.json").exists()


def told_link(page: str) -> Any:
    status, health = call(page, "GET", "/health")
    return health if status == 200 else None


def test_existing_clients_speak_to_a_desk_in_one_process_over_redis_whose_death_costs_no_protection(
    tmp_path: Path, venue: Any
) -> None:
    with running_redis(tmp_path) as redis:
        at = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port), "ORDERGATE_TRADING_HOURS": "always"}
        desk = Running(tmp_path, venue, **at)
        with stopped(desk.process):
            desk.wait_ready()
            account = desk.at["accountIds"][1]
            program = Path(__file__).with_name("documented_client.py")
            command = [sys.executable, str(program), str(redis.port), str(account), "order:management"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
            assert done.returncode == 0, done.stderr
            order = {"accountId": account, "instrument": "MES", "side": "BUY", "quantity": 1}
            until(lambda: desk.post("/api/order", **order)[0] == 200)
            until(lambda: protected(desk) == 1)
            redis.kill()
            until(lambda: call(desk.at["web"], "GET", "/health")[1]["redis"]["connectedSince"] is None)
            assert desk.post("/api/flatten", accountId="all")[0] == 200
            until(lambda: held(desk) == 0)
            redis.start()
            until(lambda: desk.post("/api/order", **order)[0] == 200, 20)
            desk.post("/api/flatten", accountId="all")
            until(lambda: held(desk) == 0)
