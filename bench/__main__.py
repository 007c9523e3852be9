"""``python -m bench [--only NAME ...] [--folder PATH]``: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import bus, decisions, disk, exchange, orders, processes, redis_streams, topstepx
from bench.figures import progress, tell_machine
from ordergate import telemetry
from ordergate.cli import SWITCH_S
from ordergate.clock import SystemClock

MEASURES: dict[str, Callable[[Path], Awaitable[None] | None]] = {
    "decide": decisions.measure,
    "disk": disk.measure,
    "bus": bus.measure,
    "streams": redis_streams.measure,
    "orders": orders.measure,
    "exchange": exchange.measure,
    "topstepx": topstepx.measure,
    "processes": processes.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to be measured (default: here)")
    asked = parser.parse_args()
    # What is refused in an overload is counted, not shown.
    telemetry.configure("critical", json_lines=True, stream=sys.stderr, clock=SystemClock())
    sys.setswitchinterval(SWITCH_S)  # as the program itself
    tell_machine()
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=asked.folder) as name,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        for measure in asked.only:
            progress(measure)
            folder = Path(name) / measure
            folder.mkdir()
            told = MEASURES[measure](folder)
            if inspect.iscoroutine(told):
                runner.run(told)


if __name__ == "__main__":
    main()
