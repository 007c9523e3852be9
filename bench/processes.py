"""What a process costs: start-up, memory at rest, ``--help``; each beside a Python that does nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import NS_PER_MS, Told, percentiles, progress, tell

_STARTS, _HELPS = 5, 20
_READY_S_MAX = 30.0
_LOOK_S = 0.002
# After the start has been tidied up and the page's first views are made.
_AT_REST_S = 2.0
_WORKING_ORDERS = 10_000


def measure(folder: Path) -> None:
    bare_ms = _timed("-c", "pass")
    progress("start-up and memory")
    started, rss = [], []
    for number in range(_STARTS):
        taken_ns, kib = _demo(folder / f"start-{number}")
        started.append(taken_ns)
        rss.append(kib / 1024)
    tell("start to ready, first start", "ms", percentiles(started, NS_PER_MS), goal={"p50": 2_000}, raw=bare_ms)
    raw_mib = {"what": "bare Python", "p50": round(int(_printed("-c", _OWN_RSS)) / 1024, 1)}
    tell("memory of the desk with the page, RSS", "MiB", percentiles(rss, 1), goal={"p50": 80}, raw=raw_mib)
    tell("--help", "ms", _timed("-m", "ordergate", "--help"), goal={"p50": 150}, raw=bare_ms)
    grown = json.loads(_printed("-m", "bench.growth", str(_WORKING_ORDERS)))
    tell(
        "memory per working order, RSS",
        "bytes",
        {"count": _WORKING_ORDERS, "value": grown["gate"], "follower": grown["follower"]},
        goal={"value": 1_024},
    )


_OWN_RSS = "import os,subprocess; print(subprocess.check_output(['ps','-o','rss=','-p',str(os.getpid())]).decode())"


def rss_kib(pid: int) -> int:
    """Resident memory of a process."""
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)]))


def cpu_s(pid: int) -> float | None:
    """Processor time of a process; None where the machine does not tell it finely enough."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    # proc(5): utime and stime are the 14th and 15th field; the second, in parentheses, may have spaces.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _demo(folder: Path) -> tuple[int, int]:
    """From the start of the process to its ready file, in ns; and its memory at rest, in KiB."""
    folder.mkdir()
    ready_file = folder / "ready.json"
    ports = [
        word for port in ("web", "connection-manager", "aggregator", "gateway") for word in (f"--{port}-port", "0")
    ]
    files = ["--state-dir", str(folder / "state"), "--ready-file", str(ready_file), "--no-browser"]
    begin = time.perf_counter_ns()
    quiet = subprocess.DEVNULL
    desk = subprocess.Popen([sys.executable, "-m", "ordergate", "demo", *ports, *files], stdout=quiet, stderr=quiet)
    try:
        while not ready_file.exists():
            assert desk.poll() is None, f"the desk ended with {desk.returncode}"
            assert time.perf_counter_ns() - begin < _READY_S_MAX * 1_000_000_000, "the desk is not ready"
            time.sleep(_LOOK_S)
        taken_ns = time.perf_counter_ns() - begin
        time.sleep(_AT_REST_S)
        return taken_ns, rss_kib(desk.pid)
    finally:
        desk.terminate()
        desk.wait()


def _timed(*arguments: str) -> Told:
    taken = []
    for _ in range(_HELPS):
        begin = time.perf_counter_ns()
        _printed(*arguments)
        taken.append(time.perf_counter_ns() - begin)
    return {"what": " ".join(("python", *arguments))} | percentiles(taken, NS_PER_MS)


def _printed(*arguments: str) -> bytes:
    return subprocess.check_output([sys.executable, *arguments])
