"""The whole demo desk over real sockets: from ``POST /api/order`` to the exchange, and from a fill to its stop leaving.

The desk runs in this process, so that its steps can be timed; the requests come from a second one (``posts``).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec

from bench.decisions import WIDE
from bench.disk import sync
from bench.figures import NS_PER_MS, NS_PER_S, Told, percentiles, progress, tell
from ordergate import app
from ordergate.core import events as e
from ordergate.core.order import Role
from ordergate.exchange.settings import ExchangeSettings
from ordergate.journal.codec import decode
from ordergate.journal.sqlite import SqliteJournal
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from ordergate.settings import Settings

# Three requests an order (entry, stop, target) and those of the start must fit into the broker's 200 a minute, 40 of
# which are kept for exits.
_COUNT, _RATE = 40, 5.0
_RAW_COUNT, _RAW_RATE = 500, 250.0
_WAIT_S = 4.0
_STATE = "the whole desk with the page's server; market orders with the default bracket; exchange latency 0"


class Steps:
    """When each step of each order was reached, on both clocks."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, str], tuple[int, int]] = {}
        self.seen: dict[str, int] = {}

    def note(self, step: str, name: str) -> None:
        self.at[step, name] = time.perf_counter_ns(), time.time_ns()
        self.seen[step] = self.seen.get(step, 0) + 1


async def measure(folder: Path) -> None:
    raw_post = {"what": "POST that is answered at once"} | await _bare_posts()
    progress(f"{_COUNT} orders over the page's API")
    state = folder / "state"
    settings = Settings(
        web_port=0,
        connection_manager_port=0,
        aggregator_port=0,
        gateway_port=0,
        state_dir=state,
        limits=msgspec.structs.replace(WIDE, order_quantity_max=1),
        exchange=ExchangeSettings(latency_ms=0),
    )
    ready: asyncio.Future[app.Ready] = asyncio.get_running_loop().create_future()
    steps = Steps()
    async with asyncio.TaskGroup() as tasks:
        desk = tasks.create_task(app.demo(settings, None, ready.set_result, steps.note))
        at = await ready
        start_ns = await _posted(f"{at.web}/api/order", _COUNT, _RATE, at.account_ids[0])
        async with asyncio.timeout(_WAIT_S):
            while steps.seen.get("order answered", 0) < 3 * _COUNT:
                await asyncio.sleep(0.05)
        desk.cancel()
    accepted, protected = await _matched(state, steps, start_ns)
    tell("POST /api/order to accepted", "ms", percentiles(accepted, NS_PER_MS), raw=raw_post, state=_STATE)
    tell("fill to stop leaving", "ms", percentiles(protected, NS_PER_MS), raw=sync(folder), state=_STATE)


async def _matched(state: Path, steps: Steps, start_ns: int) -> tuple[list[int], list[int]]:
    """The two latencies of each order, by what the journal says belongs together."""
    accepted: list[int] = []
    protected: list[int] = []
    filled_ns: dict[str, int] = {}
    journal = await SqliteJournal.open(state / "journal.db")
    async for row in journal.read():
        event = decode(row.kind, row.version, row.body)
        match event:
            case e.FillApplied():
                filled_ns.setdefault(event.order_id, event.at_ns)
            case e.OrderApproved() if event.order.role is Role.ENTRY:
                scheduled_ns = start_ns + int(event.order.order_id.removeprefix("p-")) * NS_PER_S / _RATE
                accepted.append(round(steps.at["order answered", event.order.tag][0] - scheduled_ns))
            case e.OrderApproved() if event.order.role is Role.STOP and event.order.parent_id is not None:
                protected.append(steps.at["order sent", event.order.tag][1] - filled_ns[event.order.parent_id])
            case _:
                pass
    await journal.close()
    return accepted, protected


async def _bare_posts() -> Told:
    network = HttpNetwork()

    async def answer(_request: Request) -> Response:
        arrived_ns.append(time.perf_counter_ns())
        return Response(200, b"{}")

    arrived_ns: list[int] = []
    server = await network.serve(answer, host="127.0.0.1", port=0)
    start_ns = await _posted(f"{server.url}/api/order", _RAW_COUNT, _RAW_RATE, 1)
    await server.close()
    await network.close()
    return percentiles([at - start_ns - n * NS_PER_S / _RAW_RATE for n, at in enumerate(arrived_ns)], NS_PER_MS)


async def _posted(url: str, count: int, rate: float, account_id: int) -> int:
    """Let a second process post; when its first order was due."""
    posts = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.posts", url, str(count), str(rate), str(account_id), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await posts.communicate()
    assert posts.returncode == 0, f"the posts ended with {posts.returncode}"
    told = json.loads(output)
    assert not told["refused"], told
    return int(told["start_ns"])
