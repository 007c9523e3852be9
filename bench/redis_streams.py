"""From an order on a Redis stream to the approved order on another, with the aggregator as a process of its own."""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.bus import Run, highest
from bench.decisions import ACCOUNT
from bench.disk import sync
from bench.far_side import Running, aggregator, redis_program, redis_server, sealed_bus
from bench.figures import NS_PER_MS, NS_PER_S, Told, percentiles, progress, tell, timed_await
from bench.processes import cpu_s, rss_kib
from ordergate.bus.link import Link
from ordergate.bus.port import Topic
from ordergate.bus.topics import encode
from ordergate.clock import SystemClock
from ordergate.core import events as e
from ordergate.core.commands import Flatten
from ordergate.journal.codec import decode
from ordergate.journal.sqlite import SqliteJournal

_GOALS = {100: {"p99": 10.0}, 1_000: {"p50": 3.0, "p99": 12.0}}
_STEADY_S = {100: 5.0, 1_000: 10.0}
_RATE_GOAL = 5_000
# What is left of the approvals when the last order has left must come within this time.
_PATIENCE_S = 2.0
_RAW_COUNT = 2_000
_AT_REST_S = 2.0
_BASE_GOAL_MIB, _ORDER_GOAL_BYTES = 60, 1_024
_WARM, _WORKING = 1_000, 9_000
_FILL_RATE = 500
_BURST, _BURST_S_MAX = 10_000, 20.0
_FLATTEN_GOAL = {"p50": 50.0}
_LOOK_S = 0.001
_QUIET_RATE, _QUIET_S, _QUIET_GOAL_PERCENT = 10, 20.0, 5.0
_STATE = "aggregator over Redis; brackets off; each order is accepted and cancelled at once; wide limits; no page"


async def measure(folder: Path) -> None:
    """Latency at two steady rates, the highest rate, and what the process takes."""
    if redis_program() is None:
        progress("no redis-server on the PATH: nothing over Redis is measured")
        return
    raw = await _raw(folder)
    for rate, goal in _GOALS.items():
        run = await once(folder / f"streams-{rate}", rate, _STEADY_S[rate])
        values = percentiles(run.latencies_ns, NS_PER_MS) | {"lost": run.lost}
        tell(f"Redis Streams in to approved order out, {rate}/s", "ms", values, goal=goal, raw=raw, state=_STATE)
    run = await highest(folder, once)
    values = {"value": round(run.rate), "seconds": run.seconds} | percentiles(run.latencies_ns, NS_PER_MS)
    goal = {"at_least": _RATE_GOAL}
    tell("highest sustained rate over Redis Streams", "orders/s, ms", values, goal=goal, raw=raw, state=_STATE)
    await _burst(folder / "burst")
    await _taken(folder / "quiet")


async def _burst(folder: Path) -> None:
    """Many orders at once on a gate with the documented queue, and somebody else's flatten in the middle."""
    progress(f"a burst of {_BURST} orders, and a flatten in it")
    async with aggregator(folder, queue_max="100") as at, sealed_bus(at.redis) as elsewhere:
        listening = asyncio.create_task(at.far.listen())
        await asyncio.sleep(_AT_REST_S)
        for number in range(_BURST):
            at.far.send(at.far.order(number))
        await _until(lambda: len(at.far.answers) >= _BURST // 2)
        asked_ns = time.perf_counter_ns()
        await elsewhere.send(Topic.ORDERS, encode(Flatten("BENCH/flatten", ACCOUNT.account_id)))
        await _until(lambda: len(at.far.answers) > _BURST)
        listening.cancel()
        codes = Counter(answer.code or "ok" for answer in at.far.answers)
        told_ms = round((at.far.epochs_ns[0] - asked_ns) / NS_PER_MS, 1) if at.far.epochs_ns else None
        values = {"count": _BURST, "answered": len(at.far.answers) - 1, "answers": codes, "p50": told_ms}
        tell("a flatten amid a burst over Redis Streams", "ms", values, goal=_FLATTEN_GOAL)


async def _until(what: Callable[[], bool]) -> None:
    """Until it is so, or it takes too long."""
    until_s = time.monotonic() + _BURST_S_MAX
    while not what() and time.monotonic() < until_s:
        await asyncio.sleep(_LOOK_S)


async def once(folder: Path, rate: float, seconds: float) -> Run:
    """One load on a Redis and an aggregator of its own."""
    progress(f"Redis Streams, {rate:.0f} orders a second for {seconds:.0f} s")
    async with aggregator(folder) as at:
        count = int(rate * seconds)
        start_ns = await _sent(at, rate, count)
        at.stop()
        arrived = await _by_order(at)
    latencies_ns = [
        arrived.get(f"b-{number}", math.inf) - start_ns - number * NS_PER_S / rate for number in range(count)
    ]
    return Run(rate, seconds, count, len(arrived), latencies_ns)


async def _sent(at: Running, rate: float, count: int, first: int = 0) -> int:
    """Send ``count`` orders, each at its time, which was fixed before the first; when the first was due."""
    orders = [at.far.order(number) for number in range(first, first + count)]
    start_ns = time.perf_counter_ns()
    sent = 0
    while sent < count:
        due = min(count, int((time.perf_counter_ns() - start_ns) * rate / NS_PER_S) + 1)
        for order in orders[sent:due]:
            at.far.send(order)
        sent = due
        await asyncio.sleep(max(0.0, (start_ns + sent * NS_PER_S / rate - time.perf_counter_ns()) / NS_PER_S))
    until_ns = time.perf_counter_ns() + int(_PATIENCE_S * NS_PER_S)
    while len(at.far.arrived) < first + count and time.perf_counter_ns() < until_ns:
        await asyncio.sleep(0.01)
    return start_ns


async def _by_order(at: Running) -> dict[str, int]:
    """When each approved order was read, by the order's id: only what the journal has was approved."""
    arrived = {}
    journal = await SqliteJournal.open(at.journal)
    async for row in journal.read():
        event = decode(row.kind, row.version, row.body)
        if isinstance(event, e.OrderApproved) and event.order.tag in at.far.arrived:
            arrived[event.order.order_id] = at.far.arrived[event.order.tag]
    await journal.close()
    return arrived


async def _taken(folder: Path) -> None:
    """Memory at rest and of each working order, and the share of a core at a quiet trader's rate."""
    progress("memory and CPU of the aggregator role")
    async with aggregator(folder) as at:
        await asyncio.sleep(_AT_REST_S)
        rest_mib = round(rss_kib(at.pid) / 1_024, 1)
        tell("memory of the aggregator role, RSS", "MiB", {"value": rest_mib}, goal={"value": _BASE_GOAL_MIB})
        before_s = cpu_s(at.pid)
        await _sent(at, _QUIET_RATE, count := int(_QUIET_RATE * _QUIET_S))
        after_s = cpu_s(at.pid)
        if before_s is None or after_s is None:
            progress(f"CPU share: not measured, {sys.platform} has no /proc")
        else:
            share = {"value": round(100 * (after_s - before_s) / _QUIET_S, 2)}
            tell("aggregator role at 10 orders/s", "% of a core", share, goal={"value": _QUIET_GOAL_PERCENT})
        at.far.cancelling = False
        await _sent(at, _FILL_RATE, _WARM, count)
        before_kib = await _settled_kib(at)
        await _sent(at, _FILL_RATE, _WORKING - _WARM, count + _WARM)
        grown = (await _settled_kib(at) - before_kib) * 1_024 // (_WORKING - _WARM)
        lost = count + _WORKING - len(at.far.arrived)
    values = {"count": _WORKING - _WARM, "value": grown, "lost": lost}
    tell("memory per working order of the aggregator role, RSS", "bytes", values, goal={"value": _ORDER_GOAL_BYTES})


async def _settled_kib(at: Running) -> int:
    await asyncio.sleep(_AT_REST_S)
    return rss_kib(at.pid)


async def _raw(folder: Path) -> Told:
    """What one hop costs with nothing of ours: the library's round trips, and the disk."""
    told = {"sync": sync(folder)}
    clock, stream, group = SystemClock(), "raw", "readers"
    with redis_server(folder) as address:
        async with Link(address, clock, random.Random(1), answer_s=5.0) as link:
            message = b"x" * 400

            async def xadd() -> None:
                await link.do("XADD", stream, "*", "m", message)

            async def xreadgroup() -> None:
                await link.do("XREADGROUP", "GROUP", group, group, "COUNT", "1", "STREAMS", stream, ">")

            async def ping() -> None:
                await link.do("PING")

            await link.do("XGROUP", "CREATE", stream, group, "$", "MKSTREAM")
            for call in (ping, xadd, xreadgroup):
                told[call.__name__] = percentiles(await timed_await(call, _RAW_COUNT), NS_PER_MS)
    return {"what": "round trips to Redis with the same library; a write and bare fsync"} | {
        name: {share: values[share] for share in ("p50", "p99")} for name, values in told.items()
    }
