"""How a figure is told: one JSON line, percentiles of single measurements beside the goal and the raw limit."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

Told = dict[str, Any]


def percentiles(taken: Sequence[float], per_unit: float) -> Told:
    """Count, p50, p99 and p99.9 of ``taken``, each divided by ``per_unit``; None where that one never ended."""
    ordered = sorted(taken)

    def at(share: float) -> float | None:
        value = ordered[min(len(ordered) - 1, int(len(ordered) * share))]
        return None if math.isinf(value) else round(value / per_unit, 3)

    return {"count": len(ordered), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999)}


def tell(figure: str, unit: str, values: Told, goal: Told | None = None, raw: Told | None = None, **more: Any) -> None:
    """Print one figure. ``goal`` holds the most that a value may be; a rate says so by ``at_least``."""
    line: Told = {"figure": figure, "unit": unit} | values
    if goal is not None:
        line |= {"goal": goal, "met": _met(values, goal)}
    if raw is not None:
        line["raw"] = raw
    print(json.dumps(line | more), flush=True)


def tell_machine() -> None:
    """Print what the figures were taken on. A load near the number of CPUs: the tails are not ours."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(
        json.dumps({"machine": platform.platform(), "cpus": os.cpu_count(), "load": load, "python": python}), flush=True
    )


def progress(text: str) -> None:
    """Say on stderr what is being measured."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def timed(call: Callable[[], object], count: int) -> list[int]:
    """Nanoseconds of each of ``count`` calls, after a tenth as many to warm up."""
    for _ in range(count // 10):
        call()
    taken = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        call()
        taken.append(time.perf_counter_ns() - begin)
    return taken


async def timed_await(call: Callable[[], Awaitable[object]], count: int) -> list[int]:
    """As ``timed``, for something that is awaited."""
    for _ in range(count // 10):
        await call()
    taken = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        await call()
        taken.append(time.perf_counter_ns() - begin)
    return taken


def _met(values: Told, goal: Told) -> bool:
    if "at_least" in goal:
        return bool(values["value"] >= goal["at_least"])
    return all(values[name] is not None and values[name] <= bound for name, bound in goal.items())
