"""A desk of three processes over a Redis, on the simulated exchange: five processes, each of which can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.end_to_end.process import call, clean_environment, until
from tests.end_to_end.program import Program
from tests.ports import kept_ports
from tests.redis_server import RedisServer, running_redis

ROLES = ("connection-manager", "aggregator", "manual-trading")
READY_S = 30.0


class Split:
    """``ports`` are chosen once, so that a role that starts again is found where it was."""

    def __init__(self, folder: Path, redis: RedisServer, redis_db: int = 0, **environment: str) -> None:
        self.folder = folder
        self.redis = redis
        self._redis_at = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port), "REDIS_DB": str(redis_db)}
        self.ports = dict(zip(ROLES, kept_ports(len(ROLES)), strict=True))
        self.at: dict[str, Any] = {}
        self._running: dict[str, Program] = {}
        self._environment = environment

    def start_venue(self) -> None:
        # What a test asks for itself does not count against the desk.
        self._start("venue", "exchange", "--gateway-port=0", "--variants=limits_by_token")
        venue = self._ready("venue")
        self._environment |= {
            "PROJECTX_API_URL": venue["gateway"],
            "PROJECTX_USER_HUB_URL": f"{venue['gateway']}/hubs/user",
            "PROJECTX_MARKET_HUB_URL": f"{venue['gateway']}/hubs/market",
            "PROJECTX_USERNAME": venue["userName"],
            "PROJECTX_API_KEY": venue["apiKey"],
        }

    def start(self, role: str, *words: str, **environment: str) -> None:
        """Start ``role``, by ``words`` where they are given, and wait until it is ready."""
        self.begin(role, *words, **environment)
        self._ready(role)

    def begin(self, role: str, *words: str, **environment: str) -> None:
        """Start ``role`` as ``start`` does, and do not wait."""
        manager, page = self.ports["connection-manager"], self.ports["manual-trading"]
        redis_at = {} if "REDIS_URL" in environment else self._redis_at
        self._start(
            role,
            *(words or ("run", "--role", role)),
            "--no-browser",
            f"--state-dir={self.folder / 'state'}",
            f"--connection-manager-port={manager}",
            f"--aggregator-port={self.ports['aggregator']}",
            f"--web-port={page}",
            **(
                redis_at
                | {
                    "CONNECTION_MANAGER_URL": f"http://127.0.0.1:{manager}",
                    "MANUAL_TRADING_SERVER_URL": f"http://127.0.0.1:{page}",
                    "ORDERGATE_TRADING_HOURS": "always",
                }
                | self._environment
                | environment
            ),
        )

    def kill(self, role: str) -> None:
        self._running[role].send(signal.SIGKILL)
        self._running[role].wait(10)

    def end(self, role: str) -> None:
        """Stop it in order; it must end well."""
        self._running[role].send(signal.SIGTERM)
        assert self._running[role].wait(15) == 0, self.log(role)

    def ended(self, role: str, within_s: float = 20) -> tuple[int, str]:
        """The exit code of a role that ends by itself, and all that it said."""
        return self._running[role].wait(within_s), self.log(role)

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()

    def stop(self) -> None:
        for process in reversed(self._running.values()):
            process.send(signal.SIGTERM)
        for process in self._running.values():
            process.wait(15)

    def get(self, role: str, path: str) -> tuple[int, Any]:
        return call(f"http://127.0.0.1:{self.ports[role]}", "GET", path)

    def post(self, path: str, **body: object) -> tuple[int, Any]:
        return call(f"http://127.0.0.1:{self.ports['manual-trading']}", "POST", path, body)

    def rows(self, path: str) -> list[Any]:
        """What the page shows, once it shows anything."""

        def look() -> Any:
            status, rows = self.get("manual-trading", path)
            return (rows,) if status == 200 else None

        return list(until(look, READY_S)[0])

    @property
    def gate(self) -> Any:
        return self.get("aggregator", "/health")[1]

    def account(self, number: int = 0) -> int:
        return int(self._ready("venue")["accountIds"][number])

    def placed(self) -> list[Any]:
        """Every order that the exchange ever had of any account, legs too."""
        venue = self._ready("venue")
        login = {"userName": venue["userName"], "apiKey": venue["apiKey"]}
        token = call(venue["gateway"], "POST", "/api/Auth/loginKey", login)[1]["token"]
        found = []
        for account in venue["accountIds"]:
            body = {"accountId": account, "startTimestamp": "2020-01-01T00:00:00Z"}
            found += call(venue["gateway"], "POST", "/api/Order/search", body, token)[1]["orders"]
        return found

    def _start(self, name: str, *words: str, **environment: str) -> None:
        (self.folder / f"{name}.json").unlink(missing_ok=True)
        words = (*words, f"--ready-file={self.folder / name}.json")
        log = self.folder / f"{name}.log"
        self._running[name] = Program("ordergate", [*words], clean_environment() | environment, log)

    def _ready(self, name: str) -> Any:
        process = self._running[name]

        def look() -> Any:
            assert process.exit_code is None, self.log(name)
            with contextlib.suppress(FileNotFoundError):
                at = json.loads((self.folder / f"{name}.json").read_text())
                return at if at["pid"] == process.pid else None

        self.at[name] = until(look, READY_S)
        return self.at[name]


@contextlib.contextmanager
def split_desk(
    folder: Path, *, roles: tuple[str, ...] = ROLES, redis_db: int = 0, **environment: str
) -> Iterator[Split]:
    """The exchange, Redis, and ``roles`` in this order; all stopped at the end."""
    with running_redis(folder) as redis:
        desk = Split(folder, redis, redis_db, **environment)
        try:
            desk.start_venue()
            for role in roles:
                desk.start(role)
            yield desk
        finally:
            desk.stop()


def client(desk: Split, account: int, dialect: str) -> subprocess.CompletedProcess[str]:
    """A session of the documented client, in a process of its own."""
    program = Path(__file__).with_name("documented_client.py")
    command = [sys.executable, str(program), str(desk.redis.port), str(account), dialect]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, capture_output=True, text=True, timeout=55, env=environment, check=False)
