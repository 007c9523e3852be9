"""A desk as a process of its own, spoken to over HTTP and nothing else."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.end_to_end.program import Program

READY_S = 30.0
# A look costs its desk some milliseconds, and desks run side by side: the longer it takes, the rarer one is taken.
FIRST_LOOK_S, LOOK_S_MAX = 0.02, 0.2
# The exchange allows 200 requests a minute to each token; a test takes a token of its own and stays well below.
VENUE_PACE_S = 0.05


def call(origin: str, method: str, path: str, body: object = None, token: str | None = None) -> tuple[int, Any]:
    """One request on a connection of its own; the status and the decoded JSON."""
    address = urlsplit(origin).netloc
    connection = http.client.HTTPConnection(address, timeout=15)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    with contextlib.closing(connection):
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")


def until(what: Callable[[], Any], within_s: float = 10.0) -> Any:
    """The first truthy result of ``what``; fails with its last one."""
    end, look_s = time.monotonic() + within_s, FIRST_LOOK_S
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, f"not within {within_s} s; last seen: {found!r}"
        time.sleep(look_s)
        look_s = min(look_s * 1.2, LOOK_S_MAX)


class Desk:
    """``crash``: the step at which the process is to kill itself, and at which call of it."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        crash: tuple[str, int] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.ready_file = folder / "ready.json"
        common = ["--state-dir", str(folder / "state"), "--ready-file", str(self.ready_file), "--no-browser"]
        for port in ("web", "connection-manager", "aggregator", "gateway"):
            common += [f"--{port}-port", "0"]
        common += ["--variants", "limits_by_token"]  # what a test asks for itself does not count against the desk
        module, *first = ["ordergate"] if crash is None else ["tests.end_to_end.crash_at", crash[0], str(crash[1])]
        words = [*first, "demo", *common, *flags]
        self.process = Program(module, words, clean_environment() | (environment or {}), folder / "log.txt")
        self.at: dict[str, Any] = {}
        self.token: str | None = None

    def wait_ready(self) -> Desk:
        """Until the ready file is there."""

        def look() -> bool:
            assert self.process.exit_code is None, f"the desk ended with {self.process.exit_code}:\n{self.log()}"
            try:
                self.at = json.loads(self.ready_file.read_text())
            except FileNotFoundError:
                return False  # not yet, or taken away just now: a start removes what the last one left
            return bool(self.at["pid"] == self.process.pid)

        try:
            until(look, READY_S)
        except AssertionError as error:
            raise AssertionError(f"not ready:\n{self.log()}") from error
        return self

    @property
    def account(self) -> int:
        return int(self.at["accountIds"][0])

    def get(self, path: str) -> Any:
        status, body = call(self.at["web"], "GET", path)
        assert status == 200, (path, status, body)
        return body

    def post(self, path: str, body: object) -> tuple[int, Any]:
        return call(self.at["web"], "POST", path, body)

    def buy(self, quantity: int = 2, order_id: str | None = None, **more: object) -> tuple[int, Any]:
        body = {"instrument": "MES", "side": "BUY", "quantity": quantity, "accountId": self.account, **more}
        return self.post("/api/order", body if order_id is None else body | {"orderId": order_id})

    def order(self, order_id: str) -> Any:
        return next((row for row in self.get("/api/orders") if row["orderId"] == order_id), None)

    def position(self) -> Any:
        return next((row for row in self.get("/api/positions") if row["accountId"] == self.account), None)

    def venue(self, path: str, body: dict[str, Any]) -> Any:
        """A call at the exchange itself, as another client with the same login makes it."""
        origin = self.at["gateway"]
        credentials = {"userName": self.at["userName"], "apiKey": self.at["apiKey"]}
        if self.token is None:
            self.token = call(origin, "POST", "/api/Auth/loginKey", credentials)[1]["token"]
        status, answer = call(origin, "POST", path, {"accountId": self.account} | body, self.token)
        time.sleep(VENUE_PACE_S)
        assert status == 200, (path, status, answer)
        return answer

    def resting(self) -> list[Any]:
        """The orders that rest at the exchange."""
        return list(self.venue("/api/Order/searchOpen", {})["orders"])

    def venue_orders(self) -> list[Any]:
        """Every order the exchange ever had of the account."""
        return list(self.venue("/api/Order/search", {"startTimestamp": "2020-01-01T00:00:00Z"})["orders"])

    def venue_position(self) -> int:
        """The signed position at the exchange."""
        rows = self.venue("/api/Position/searchOpen", {})["positions"]
        return sum(row["size"] if row["type"] == 1 else -row["size"] for row in rows)

    def flat_and_empty(self) -> bool:
        return self.position() is None and not self.resting() and self.venue_position() == 0

    def kill(self) -> None:
        self.process.send(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        self.process.send(signal.SIGTERM)
        return self.process.wait(15)

    def log(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-6_000:]


class Events:
    """The page's event stream, read in a thread until closed."""

    def __init__(self, origin: str) -> None:
        self.seen: list[tuple[int, str, Any]] = []
        self._connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=15)
        self._connection.request("GET", "/api/events")
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        number, name = 0, ""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self._answer.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    number = int(value)
                elif field == "event":
                    name = value
                elif field == "data":
                    self.seen.append((number, name, json.loads(value)))

    def named(self, name: str) -> list[Any]:
        return [data for _, kind, data in list(self.seen) if kind == name]

    def close(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self._thread.join(5)
        self._answer.close()
        self._connection.close()


def clean_environment() -> dict[str, str]:
    """The environment without settings of ours."""
    ours = (
        "ORDERGATE_",
        "MAX_",
        "ENABLE_",
        "DEFAULT_RISK",
        "ALLOWED_",
        "LOG_LEVEL",
        "SHADOW_",
        "INTERCEPT_",
        "PRESERVE_",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Desk]:
    """A ready desk, stopped at the end however the test ends."""
    desk = Desk(folder, *flags)
    try:
        yield desk.wait_ready()
    finally:
        if desk.process.exit_code is None:
            desk.stop()
