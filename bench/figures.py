"""How a figure is taken and told: one JSON line, times in microseconds, as percentiles of single calls."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable

_NS_PER_US = 1_000


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


def tell(name: str, taken_ns: list[int], **more: object) -> None:
    """Print one figure."""
    ordered = sorted(taken_ns)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] / _NS_PER_US, 1)

    figure = {"figure": name, "count": len(ordered), "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999)}
    print(json.dumps(figure | more), flush=True)
