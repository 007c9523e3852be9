"""``ordergate`` as a process of its own, that begins with its imports done.

A desk is ready 0.6 s after a cold start. Of that 0.5 s are imports, and one run of the tests starts some hundreds. So
each process is forked from one that only has imported; all else, from its first word to its end, is its own.
Cold starts are in test_run, test_start and test_cli.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

MODULES = ["ordergate.app", "ordergate.cli", "ordergate.console", "ordergate.integration", "ordergate.roles"]
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload(MODULES)


class Program:
    """``module`` run with ``words`` and no other ``environment``; what it says is added to ``log``.

    What it says on stderr is added to ``errors`` where that is given. It is killed with the tests' own process at the
    latest.
    """

    def __init__(
        self, module: str, words: list[str], environment: dict[str, str], log: Path, errors: Path | None = None
    ) -> None:
        told = (log, errors or log)
        self._process = _context.Process(target=_run, args=(module, words, environment, told), daemon=True)
        self._process.start()
        pid = self._process.pid
        assert pid is not None
        self.pid: int = pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; of one that was killed the signal, negative."""
        return self._process.exitcode

    def wait(self, within_s: float) -> int:
        """Its exit code, once it has ended."""
        self._process.join(within_s)
        code = self.exit_code
        assert code is not None, f"process {self.pid} has not ended within {within_s} s"
        return code

    def send(self, number: signal.Signals) -> None:
        """Nothing, if it has ended."""
        if self.exit_code is None:
            os.kill(self.pid, number)


def ordergate(*words: str, environment: dict[str, str], within_s: float = 100) -> subprocess.CompletedProcess[str]:
    """``ordergate`` run to its end, with nothing on its stdin."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        code = Program("ordergate", [*words], environment, out, err).wait(within_s)
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def _run(module: str, words: list[str], environment: dict[str, str], told: tuple[Path, Path]) -> None:
    for stream, path in zip((sys.stdout, sys.stderr), told, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__")
