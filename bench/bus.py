"""From an order on the bus to the approved order at the broker port, under a fixed rate of orders."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bench.disk import sync
from bench.figures import NS_PER_MS, NS_PER_S, percentiles, progress, tell
from bench.rig import PRICE, SYMBOL, Rig, rig

_GOALS = {100: None, 1_000: {"p50": 2.0, "p99": 6.0}}
_STEADY_S = {100: 5.0, 1_000: 10.0}
_RATE_GOAL = 10_000
_PROBE_S, _CONFIRM_S = 2.0, 10.0
# Where the search begins, and how fine it ends.
_PROBE_FIRST, _PROBE_STEP_MIN = 500, 1.15
_LOWERED = 0.85
_STATE = "brackets off; each order is accepted and cancelled at once, so few work at a time; wide limits; no page"


class Run(msgspec.Struct, frozen=True):
    """What became of one load. ``latencies_ns``: from the scheduled time to the broker port, in order of schedule.

    Of an order that never arrived it is infinite.
    """

    rate: float
    seconds: float
    sent: int
    answered: int
    latencies_ns: list[float]

    @property
    def lost(self) -> int:
        return max(self.sent - self.answered, sum(map(math.isinf, self.latencies_ns)))

    @property
    def sustained(self) -> bool:
        """Every order arrived and was answered, and the last fifth of them waited no longer than the second fifth."""
        if self.lost:
            return False
        fifth = len(self.latencies_ns) // 5
        early = statistics.median(self.latencies_ns[fifth : 2 * fifth])
        late = statistics.median(self.latencies_ns[-fifth:])
        return late <= 2 * early + 5 * NS_PER_MS


async def loaded(at: Rig, rate: float, seconds: float) -> Run:
    """Let a second process send ``rate`` orders a second."""
    count = int(rate * seconds)
    arguments = (at.port, rate, count, SYMBOL, PRICE, at.account_id)
    load = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await load.communicate()
    assert load.returncode == 0, f"the load ended with {load.returncode}"
    told = json.loads(output)
    arrived = await at.arrivals()
    latencies_ns = [
        arrived.get(f"b-{number}", math.inf) - told["start_ns"] - number * NS_PER_S / rate for number in range(count)
    ]
    return Run(rate, seconds, count, told["answered"], latencies_ns)


async def once(folder: Path, rate: float, seconds: float) -> Run:
    """One load on a gate of its own."""
    progress(f"bus, {rate:.0f} orders a second for {seconds:.0f} s")
    async with rig(folder) as at:
        return await loaded(at, rate, seconds)


async def measure(folder: Path) -> None:
    """The latency at two steady rates, then the highest rate that is sustained."""
    raw = sync(folder)
    for rate, goal in _GOALS.items():
        run = await once(folder / f"bus-{rate}", rate, _STEADY_S[rate])
        values = percentiles(run.latencies_ns, NS_PER_MS) | {"lost": run.lost}
        tell(f"bus in to broker port, {rate}/s", "ms", values, goal=goal, raw=raw, state=_STATE)
    run = await highest(folder, once)
    values = {"value": round(run.rate), "seconds": run.seconds} | percentiles(run.latencies_ns, NS_PER_MS)
    tell("highest sustained rate", "orders/s, ms", values, goal={"at_least": _RATE_GOAL}, raw=raw, state=_STATE)


async def highest(folder: Path, once: Callable[[Path, float, float], Awaitable[Run]]) -> Run:
    """Double until a probe fails, halve the gap, then confirm for 10 s; a rate that fails there is lowered.

    ``once`` is one load: folder, orders a second, seconds.
    """
    good, bad = 0.0, 0.0
    rate: float = _PROBE_FIRST
    while not bad or bad / max(good, 1) > _PROBE_STEP_MIN:
        run = await once(folder / f"probe-{rate:.0f}", rate, _PROBE_S)
        good, bad = (rate, bad) if run.sustained else (good, rate)
        rate = 2 * rate if not bad else (good + bad) / 2
    rate = good
    while True:
        run = await once(folder / f"confirm-{rate:.0f}", rate, _CONFIRM_S)
        if run.sustained:
            return run
        rate *= _LOWERED
