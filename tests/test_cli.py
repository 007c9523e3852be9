"""The command line, as a real process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ordergate import __version__
from ordergate.app import enforced
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.net.http import HttpNetwork
from ordergate.settings import Settings
from tests.exchange.support import Client, HubClient

COMMANDS = (
    "demo", "run", "integration", "exchange", "certify", "status", "orders", "flatten", "halt", "release", "doctor",
    "self-test", "version",
)  # fmt: skip
FLAGS = (
    "--web-port",
    "--connection-manager-port",
    "--aggregator-port",
    "--gateway-port",
    "--state-dir",
    "--seed",
    "--no-browser",
    "--ready-file",
    "--config",
    "--latency-ms",
    "--hours",
    "--replay",
    "--speed",
    "--shadow-mode",
    "--no-intercept-orders",
    "--preserve-original-workflow",
    "--no-enable-risk-validation",
    "--no-enable-sltp-calculation",
)
HEAVY = ("aiohttp", "apsw", "asyncio", "rich", "structlog", "uvloop")

# What a test waits for at most; a slow machine that runs many tests at once stays far below.
PATIENCE_S = 30

# A process that says when it runs and when it has closed, and is stopped as the desk is.
SLEEPER = """
import asyncio, sys
from ordergate.cli import run_until_stopped

async def work():
    try:
        print("running", flush=True)
        await asyncio.Event().wait()
    finally:
        print("closing", flush=True)
        await asyncio.sleep(float(sys.argv[1]))
        print("closed", flush=True)

run_until_stopped(work())
print("returned")
"""


def environ(**variables: str) -> dict[str, str]:
    """What Python needs of the environment, wide help, and these variables: no setting of the machine's own."""
    needed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT") if name in os.environ}
    return needed | {"COLUMNS": "200"} | variables


def ordergate(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ordergate", *arguments],
        env=environ(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@contextmanager
def process(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, *arguments],
        env=environ(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def ended(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, and what else it wrote."""
    out, err = running.communicate(timeout=PATIENCE_S)
    return running.returncode, out, err


def test_version_is_printed() -> None:
    done = ordergate("version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ordergate {__version__}\n", "")


def test_help_names_every_command() -> None:
    done = ordergate("--help")
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_same_flags(command: str) -> None:
    done = ordergate(command, "--help")
    assert done.returncode == 0
    assert [flag for flag in FLAGS if f"\n  {flag} " not in done.stdout] == []


def test_help_shows_a_default_where_there_is_one() -> None:
    done = ordergate("demo", "--help")
    assert "[default: 3003]" in done.stdout
    assert "[default: always]" in done.stdout
    assert "None" not in done.stdout


def test_help_imports_nothing_that_only_a_command_needs() -> None:
    script = "import sys, ordergate.cli; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script, *HEAVY],
        env=environ(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "words", [("integration",), ("run", "--role", "aggregator"), ("run", "--role", "manual-trading")]
)
def test_a_role_without_its_redis_is_refused_with_what_to_do(words: tuple[str, ...], tmp_path: Path) -> None:
    done = ordergate(*words, "--state-dir", str(tmp_path / "state"), REDIS_PORT="1")
    assert (done.returncode, done.stdout) == (2, "")
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("ordergate: ")]
    assert told.startswith("ordergate: Redis at redis://localhost:1/0 cannot be used: ")
    assert "correct REDIS_URL" in told


def test_a_real_account_with_a_maximum_loss_needs_its_floor_and_the_simulated_one_does_not() -> None:
    done = ordergate("run", ORDERGATE_MAXIMUM_LOSS="2000")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ordergate: maximum_loss is set: a real account needs maximum_loss_floor too, where the firm shows it\n"
    )
    told = ordergate("run", ORDERGATE_MAXIMUM_LOSS="2000", ORDERGATE_MAXIMUM_LOSS_FLOOR="48000")
    assert told.stderr.startswith("ordergate: not set: PROJECTX_API_URL, PROJECTX_USER_HUB_URL, ")
    assert len(told.stderr.splitlines()) == 1
    assert ordergate("self-test", ORDERGATE_MAXIMUM_LOSS="2000").returncode == 0


def test_only_the_simulated_exchange_may_never_close() -> None:
    for hours in Hours:
        settings = Settings(exchange=ExchangeSettings(hours=hours))
        assert enforced(settings).session_only is (hours is Hours.EXCHANGE)
        assert enforced(settings, simulated=False).session_only


def test_each_mistake_is_one_line_on_stderr_and_the_code_is_2(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_text("[limits]\nmax_open_orders = 0\n", encoding="utf-8")
    done = ordergate("demo", "--web-port", "http", "--seed", "-1", "--config", str(file), MAX_DAILY_LOSS="lots")
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(" is ")[0] for line in done.stderr.splitlines()] == [
        "ordergate: limits.max_open_orders",
        "ordergate: MAX_DAILY_LOSS",
        "ordergate: --web-port",
        "ordergate: --seed",
    ]


@pytest.mark.parametrize("flag", ["--state-dir", "--ready-file", "--config"])
def test_an_empty_path_is_refused_and_not_taken_for_none(flag: str) -> None:
    done = ordergate("exchange", "--gateway-port", "0", flag, "")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["demo", "exchange"])
def test_a_recording_that_cannot_be_played_is_one_clear_line(command: str, tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_text("ts_ns,kind,bid,bid_size,ask,ask_size,price,size,aggressor\n1,trade,,,,,1,1,\n", encoding="utf-8")
    done = ordergate(command, "--replay", str(file), "--state-dir", str(tmp_path / "state"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ordergate: the recording {file}, line 2: ts_ns '1' is not a whole number")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "state").exists()


def test_the_exchange_alone_plays_a_recording(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    lines = ["ts_ns,kind,bid,bid_size,ask,ask_size,price,size,aggressor", "1703545200000000000,trade,,,,,4800,1,", ""]
    file.write_text("\n".join(lines), encoding="utf-8")
    flags = ("--gateway-port", "0", "--replay", str(file), "--speed", "50")
    with process("-m", "ordergate", "exchange", *flags) as running:
        assert "the simulated TopstepX answers" in first_line(running)
        assert running.stderr is not None
        lines = [running.stderr.readline(), running.stderr.readline()]
        running.send_signal(signal.SIGTERM)
        assert ended(running)[0] == 0
    assert [json.loads(line)["event"] for line in lines] == [
        "playing",
        "the recording has ended: its contracts stand still",
    ]


async def test_the_exchange_alone_runs_faster_and_keeps_its_clients_as_long_as_ever(tmp_path: Path) -> None:
    ready, network = tmp_path / "ready.json", HttpNetwork()
    with process("-m", "ordergate", "exchange", "--gateway-port=0", "--speed=50", f"--ready-file={ready}") as running:
        assert "the simulated TopstepX answers" in first_line(running)
        at = json.loads(ready.read_text())

        async def market_time() -> datetime:
            answer = await network.request("GET", f"{at['gateway']}/sim/state", timeout_s=5)
            return datetime.fromisoformat(json.loads(answer.body)["now"])

        client = Client(network, at["gateway"])
        client.token = (await client.ok("Auth/loginKey", userName=at["userName"], apiKey=at["apiKey"]))["token"]
        hub = await HubClient.connect(network, f"{at['gateway']}/hubs/user?access_token={client.token}")
        began, first = time.monotonic(), await market_time()
        while (gone := await market_time() - first) < timedelta(seconds=40):
            await asyncio.sleep(0.05)
        assert gone.total_seconds() <= 50 * (time.monotonic() - began) + 2
        assert await hub.invoke("SubscribeAccounts") is None  # it was silent for longer than 30 s of the market's
        await network.close()
        running.send_signal(signal.SIGTERM)
        assert ended(running)[0] == 0


def test_an_unknown_flag_is_refused() -> None:
    done = ordergate("demo", "--max-position-size", "5")
    assert done.returncode == 2
    assert "No such option: --max-position-size" in done.stderr


def test_the_self_test_tells_every_limit_and_starts_nothing() -> None:
    done = ordergate("self-test", ORDERGATE_MIN_ORDER_SIZE="2", ORDERGATE_ACCOUNT_SIZE="50000")
    told = dict(line.split() for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert {code for code, state in told.items() if state == "off"} == {
        "MAX_ACCOUNT_POSITION", "MAX_ORDER_VALUE", "NO_RISK_BASE", "DAILY_PROFIT_LIMIT", "MAXIMUM_LOSS_LIMIT",
        "DUPLICATE_ORDER", "ORDER_RATE", "OUTSIDE_TRADING_HOURS", "BLACKOUT", "OPPOSITE_POSITION",
    }  # fmt: skip
    assert {told["MIN_ORDER_SIZE"], told["DAILY_LOSS_LIMIT"]} == {"alive"}


def test_a_limit_that_would_not_refuse_is_named_and_stops_the_start(tmp_path: Path) -> None:
    # The order of its case is left as it is, so the limit has nothing to refuse: to the self-test it is dead.
    script = (
        "from ordergate import cli; from ordergate.core.selftest import CASES;"
        "CASES['MAX_ORDER_SIZE'] = lambda scene: scene; cli.main()"
    )
    for arguments, code in ((["self-test"], 1), (["demo", "--no-browser", "--state-dir", str(tmp_path)], 2)):
        with process("-c", script, *arguments) as running:
            ended_with, out, err = ended(running)
        assert (ended_with, len(err.splitlines())) == (code, 1)
        assert "self-test: MAX_ORDER_SIZE refuses nothing in MGC, MNQ" in err
        assert ("MAX_ORDER_SIZE          DEAD" in out) == (code == 1)


def test_a_configuration_file_is_read_only_where_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ordergate.toml"
    file.write_text("\ufeff[limits]\nnonsense = 1\n", encoding="utf-8")
    refusal = "ordergate: limits.nonsense in the configuration file is not a setting\n"
    assert ordergate("demo", "--config", str(file)).stderr == refusal
    assert ordergate("demo", ORDERGATE_CONFIG=str(file)).stderr == refusal
    unread = subprocess.run(
        [sys.executable, "-m", "ordergate", "exchange", "--seed", "x"],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert "nonsense" not in unread.stderr


def test_a_configuration_file_that_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    done = ordergate("demo", "--config", str(missing))
    assert done.returncode == 2
    assert done.stderr == f"ordergate: the configuration file {missing} cannot be read: No such file or directory\n"
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert (
        ordergate("demo", "--config", str(binary)).stderr
        == f"ordergate: the configuration file {binary} is not UTF-8\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_code_0_after_it_has_closed(number: signal.Signals) -> None:
    with process("-c", SLEEPER, "0.05") as running:
        assert first_line(running) == "running"
        running.send_signal(number)
        assert ended(running) == (0, "closing\nclosed\nreturned\n", "")


def test_a_second_signal_does_not_wait_for_the_closing() -> None:
    with process("-c", SLEEPER, "600") as running:
        assert first_line(running) == "running"
        running.send_signal(signal.SIGINT)
        assert first_line(running) == "closing"
        running.send_signal(signal.SIGINT)
        code, out, err = ended(running)
        assert (code, out, err) == (-signal.SIGINT, "", "")


def test_a_started_process_gives_its_threads_the_interpreter_back_within_half_a_millisecond() -> None:
    script = (
        "import sys\nfrom ordergate.cli import run_until_stopped\n"
        "async def work(): print(sys.getswitchinterval())\nrun_until_stopped(work())"
    )
    with process("-c", script) as running:
        assert first_line(running) == "0.0005"


def test_work_that_fails_is_a_failure_of_the_process() -> None:
    script = (
        "from ordergate.cli import run_until_stopped\nasync def work(): raise OSError('x')\nrun_until_stopped(work())"
    )
    with process("-c", script) as running:
        assert ended(running)[0] == 1


def test_work_that_is_cancelled_by_nobody_we_know_is_a_failure_of_the_process() -> None:
    script = (
        "import asyncio\nfrom ordergate.cli import run_until_stopped\n"
        "async def work(): raise asyncio.CancelledError\nrun_until_stopped(work())"
    )
    with process("-c", script) as running:
        assert ended(running)[0] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_exchange_alone_serves_until_a_signal_ends_it(number: signal.Signals, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    arguments = ("-m", "ordergate", "exchange", "--gateway-port", "0", "--ready-file", str(ready_file))
    with process(*arguments) as running:
        said = first_line(running)
        ready = json.loads(ready_file.read_bytes())
        assert ready["gateway"] in said
        running.send_signal(number)
        code, _, err = ended(running)
        assert (code, "Traceback" in err) == (0, False)
        assert ready["apiKey"] not in said + err
