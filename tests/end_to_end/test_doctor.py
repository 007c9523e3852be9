"""``ordergate doctor`` as a process, against real processes and a real Redis: each trouble is made, and found."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.process import Desk, until
from tests.end_to_end.split import Split, split_desk
from tests.end_to_end.test_console import command
from tests.redis_server import running_redis

NO_DESK = ("--web-port=1", "--connection-manager-port=1", "--aggregator-port=1")
# The options of the documented sample (documented integration, "Programmatic Configuration").
SAMPLE = {
    "shadowMode": False,
    "aggregatorConfig": {
        "sltpConfig": {
            "instrumentMultipliers": {"MGC": 100, "MNQ": 20, "MES": 50, "MCL": 1000, "M2K": 50, "MYM": 5},
            "tickSizes": {"MES": 0.25},
        }
    },
}


def examined(*words: str, **environment: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """The exit code, level and text by check, and all that was said."""
    done = command("doctor", "--json", *words, **environment)
    lines = json.loads(done.stdout)
    said = {line["check"]: (line["level"], f"{line['text']} {line['todo']}") for line in lines}
    return done.returncode, said, done.stdout + done.stderr


def of(desk: Split, *words: str, **environment: str) -> tuple[int, dict[str, tuple[str, str]], str]:
    """As ``examined``, with the settings of ``desk``."""
    at, ports = desk.at["venue"], desk.ports
    own = {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(desk.redis.port),
        "CONNECTION_MANAGER_URL": f"http://127.0.0.1:{ports['connection-manager']}",
        "MANUAL_TRADING_SERVER_URL": f"http://127.0.0.1:{ports['manual-trading']}",
        "PROJECTX_API_URL": at["gateway"],
        "PROJECTX_USERNAME": at["userName"],
        "PROJECTX_API_KEY": at["apiKey"],
        "ORDERGATE_TRADING_HOURS": "always",
    }
    places = (f"--aggregator-port={ports['aggregator']}", f"--state-dir={desk.folder / 'state'}")
    return examined(*places, *words, **(own | environment))


def desk_row(desk: Any) -> dict[str, Any]:
    status, body = desk.get("manual-trading", "/api/snapshot")
    return body["desk"] if status == 200 else {}


@pytest.mark.slow
def test_of_a_desk_of_three_roles_all_is_well_and_each_trouble_is_found(tmp_path: Path) -> None:
    with split_desk(tmp_path) as desk:
        until(lambda: any(check["name"] == "prices" for check in desk_row(desk).get("checks", ())))
        code, said, told = of(desk)
        assert (code, {name: level for name, (level, _) in said.items() if name != "sleep"}) == (
            0,
            dict.fromkeys(said.keys() - {"sleep"}, "OK"),
        ), said
        assert "ours, " in said["connection manager"][1]
        assert "1 listen" not in said["order:management"][1]  # each role has a connection that hears every channel
        assert desk.at["venue"]["apiKey"] not in told
        assert (tmp_path / "state" / "approval.key").read_text().strip() not in told

        stranger = desk.redis.client()
        pubsub = stranger.pubsub()  # type: ignore[no-untyped-call]
        pubsub.subscribe("order:management")
        pubsub.get_message(timeout=5)
        code, said, _ = of(desk)
        assert (code, said["order:management"][0]) == (1, "UNSAFE")
        assert "1 beside ordergate may hear order:management: no name at 127.0.0.1:" in said["order:management"][1]
        pubsub.close()
        stranger.close()

        key = tmp_path / "state" / "approval.key"
        key.chmod(0o644)
        code, said, _ = of(desk)
        assert (code, said["state directory"][0]) == (1, "UNSAFE")
        assert f"chmod 600 {key}" in said["state directory"][1]
        key.chmod(0o600)

        _, said, _ = of(desk, ORDERGATE_APPROVAL_KEY="0" * 32)
        assert said["connection manager"][0] == "UNSAFE"
        assert "it has another approval key" in said["connection manager"][1]

        desk.kill("aggregator")
        code, said, _ = of(desk)
        assert "gate at http://127.0.0.1:" in said["ports"][1]
        assert ": free" in said["ports"][1]
        assert said["ports"][0] == "WARN"
        until(lambda: desk.get("manual-trading", "/api/snapshot")[0] == 503)
        _, said, _ = of(desk)
        # Nobody logs in a second time beside the connection manager that lives.
        assert said["login"][0] == "UNKNOWN"
        assert said["login"][1].startswith("not tried: ")

        with sqlite3.connect(tmp_path / "state" / "journal.db") as journal:
            journal.execute("UPDATE journal SET recorded_at = recorded_at + 1 WHERE position = 2")
        journal.close()
        code, said, _ = of(desk)
        assert (code, said["journal"][0]) == (1, "UNSAFE")
        assert "row 2 (book " in said["journal"][1]

        desk.redis.kill()
        code, said, _ = of(desk)
        assert (code, said["redis"][0]) == (1, "UNSAFE")
        assert "REDIS_HOST" in said["redis"][1]


def test_without_a_desk_the_login_and_the_brokers_record_are_tried(tmp_path: Path) -> None:
    with split_desk(tmp_path, roles=()) as desk:
        at = desk.at["venue"]
        login = {
            "PROJECTX_API_URL": at["gateway"],
            "PROJECTX_USERNAME": at["userName"],
            "PROJECTX_API_KEY": at["apiKey"],
            "ORDERGATE_STATE_DIR": str(tmp_path / "none"),
        }
        code, said, _ = examined(*NO_DESK, **login)
        assert code == 0
        assert said["login"] == ("OK", "a login works, 2 account(s) ")
        assert said["contracts"][0] == said["instruments"][0] == said["broker's clock"][0] == "OK"
        assert said["instruments"][1].startswith("MGC is CON.F.US.MGC.")
        assert not (tmp_path / "none").exists()

        code, said, told = examined(*NO_DESK, **(login | {"PROJECTX_API_KEY": "a-wrong-key"}))
        assert (code, said["login"][0]) == (0, "WARN")
        assert "refused" in said["login"][1]
        assert "a-wrong-key" not in told

        _, said, _ = examined(*NO_DESK, **(login | {"ALLOWED_INSTRUMENTS": "MES", "ORDERGATE_MAX_RISK": "20"}))
        assert said["smallest order"][0] == "WARN"
        assert "MES: EXCESSIVE_RISK" in said["smallest order"][1]
    _, said, _ = examined(*NO_DESK, **login)
    assert said["login"][0] == "WARN"


@pytest.mark.parametrize(
    ("options", "level"),
    [
        (("--protected-mode", "no", "--bind", "0.0.0.0"), "UNSAFE"),  # noqa: S104 - the fault
        (("--protected-mode", "yes", "--bind", "0.0.0.0"), "WARN"),  # noqa: S104 - the fault
        (("--requirepass", "a-password-of-it", "--protected-mode", "no", "--bind", "0.0.0.0"), "OK"),  # noqa: S104
        ((), "OK"),
    ],
)
@pytest.mark.parametrize("program", ["redis", "valkey"])
def test_a_redis_that_other_machines_can_use_is_unsafe(
    tmp_path: Path, options: tuple[str, ...], level: str, program: str
) -> None:
    with running_redis(tmp_path, *options, name=program) as redis:
        password = ":a-password-of-it@" if "--requirepass" in options else ""
        url = f"redis://{password}127.0.0.1:{redis.port}/0"
        code, said, told = examined(*NO_DESK, REDIS_URL=url)
        assert said["redis access"][0] == level, said["redis access"]
        assert code == (1 if level == "UNSAFE" else 0)
        assert "a-password-of-it" not in told
        assert said["redis"][0] == said["redis's clock"][0] == "OK"
        assert said["order:management"][0] == "WARN"
        assert "nobody listens on order:management" in said["order:management"][1]


def test_a_redis_that_evicts_is_unsafe_and_one_that_may_not_be_asked_is_said_to_be_so(tmp_path: Path) -> None:
    with running_redis(tmp_path, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as redis:
        at = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)}
        code, said, _ = examined(*NO_DESK, **at)
        assert (code, said["redis memory"][0]) == (1, "UNSAFE")
        # The user of docs/processes.md.
        redis.ask("ACL", "SETUSER", "desk", "on", ">secret", "~ordergate:*", "&*", "+@all", "-@dangerous")
        code, said, _ = examined(*NO_DESK, REDIS_URL=f"redis://desk:secret@127.0.0.1:{redis.port}/0")
        assert said["redis memory"][0] == "UNKNOWN"
        assert said["redis access"][0] == "WARN"
        assert said["redis"][0] == "OK"


def test_a_redis_that_the_desk_does_not_use_is_not_judged(desk: Desk, tmp_path: Path) -> None:
    with running_redis(tmp_path, "--protected-mode", "no", "--bind", "0.0.0.0") as redis:  # noqa: S104 - the fault
        places = ("--ready-file", str(desk.ready_file), "--state-dir", str(desk.folder / "state"))
        code, said, told = examined(*places, REDIS_HOST="127.0.0.1", REDIS_PORT=str(redis.port))
    assert code == 0, said
    assert said["redis"] == said["redis access"] == ("OK", "not used: a desk in one process needs none ")
    assert said["login"] == ("OK", "the desk that runs is logged in, 2 account(s) ")
    assert desk.at["apiKey"] not in told


class _Other(BaseHTTPRequestHandler):
    """A connection manager of somebody else: it answers, and cannot prove anything."""

    def do_GET(self) -> None:
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def another_manager() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(5)
    server.server_close()


def test_another_connection_manager_at_that_address_is_unsafe(another_manager: int) -> None:
    ports = ("--web-port=1", "--aggregator-port=1", f"--connection-manager-port={another_manager}")
    code, said, _ = examined(*ports, ORDERGATE_APPROVAL_KEY="k" * 32)
    assert (code, said["connection manager"][0]) == (1, "UNSAFE")
    assert "not ours: it is no connection manager of ordergate" in said["connection manager"][1]


def test_the_documented_sample_holds_values_ten_times_too_large_and_is_unsafe_where_it_is_live(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    file.write_text(json.dumps(SAMPLE))
    code, said, _ = examined(*NO_DESK, "--options", str(file))
    assert (code, said["multipliers"][0]) == (1, "UNSAFE")
    assert (
        "MES is 50, and the value of one point of MES is 5 (50 is the full-size contract's)" in said["multipliers"][1]
    )
    file.write_text(json.dumps(SAMPLE | {"shadowMode": True}))
    code, said, _ = examined(*NO_DESK, "--options", str(file))
    assert (code, said["multipliers"][0]) == (0, "WARN")


@pytest.mark.slow
def test_a_gate_that_sends_what_nobody_checked_is_unsafe_and_shadow_mode_is_only_told(tmp_path: Path) -> None:
    for switch in ("INTERCEPT_ORDERS", "ENABLE_RISK_VALIDATION"):
        code, said, _ = examined(*NO_DESK, **{switch: "false"})
        assert (code, said["modes"][0]) == (1, "UNSAFE")
        assert f"{switch}=true" in said["modes"][1]
    code, said, _ = examined(*NO_DESK, PRESERVE_ORIGINAL_WORKFLOW="true")
    assert (code, said["modes"][0]) == (1, "UNSAFE")
    code, said, _ = examined(*NO_DESK, SHADOW_MODE="true", ORDERGATE_STATE_DIR=str(tmp_path))
    assert (code, said["modes"][0]) == (0, "OK")


def test_the_lines_of_a_terminal_have_the_level_the_check_and_what_to_do() -> None:
    done = command("doctor", *NO_DESK, INTERCEPT_ORDERS="false")
    (line,) = [line for line in done.stdout.splitlines() if line.split()[1] == "modes"]
    assert line.startswith("UNSAFE   modes               the settings: ")
    assert line.endswith(". To do: set INTERCEPT_ORDERS=true")
