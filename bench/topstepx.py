"""What the TopstepX client takes, against a broker that does nothing: ``broker_side``, a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from bench.broker_side import ACCOUNT, MES
from bench.far_side import started
from bench.figures import NS_PER_MS, percentiles, progress, tell, timed_await
from ordergate.broker.projectx import messages
from ordergate.broker.projectx.budget import RequestBudget, RequestLimits
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.feeds import MarketFeed, UserFeed
from ordergate.broker.projectx.hubs import Heard, Hub
from ordergate.broker.projectx.rest import Passage, Rest
from ordergate.broker.projectx.session import Credentials, Session
from ordergate.clock import SystemClock
from ordergate.core.reports import Outcome, Quote, Report
from ordergate.net.http import HttpNetwork

_PLACES, _EVENTS = 3_000, 40_000
_READY_S, _FLOOD_S = 30.0, 60.0
_PASSAGE = Passage(exits=True, wait_s=0)
_HEADERS = {"content-type": "application/json", "authorization": "Bearer h.e30.s"}


async def measure(folder: Path) -> None:
    progress("the TopstepX client")
    ready = folder / "ready"
    words = [sys.executable, "-m", "bench.broker_side", str(ready), str(_EVENTS)]
    with started(words, folder / "broker.log", dict(os.environ)) as process:
        async with asyncio.timeout(_READY_S):
            while not ready.exists() or not ready.read_text():
                assert process.poll() is None, (folder / "broker.log").read_text()
                await asyncio.sleep(0.01)
        network = HttpNetwork()
        try:
            await _measured(network, ready.read_text())
        finally:
            await network.close()


async def _measured(network: HttpNetwork, url: str) -> None:
    limits = RequestLimits(requests_max=10_000_000, reserve=0)
    rest = Rest(network, url, RequestBudget(limits), 10.0)
    session = Session(rest, SystemClock(), Credentials("bench", "key"))
    client = Client(rest, rest, session)
    await _places(network, url, client)

    async def announced(_instruments: object) -> None:
        pass

    catalogue = Catalogue(client, announced)
    await catalogue.load(_PASSAGE)
    counts = {"user": 0, "market": 0}

    async def published(_report: Report) -> None:
        counts["user"] += 1

    def told(_quote: Quote) -> None:
        counts["market"] += 1

    user = UserFeed(catalogue, published)
    market = MarketFeed(catalogue, SystemClock(), published, told)
    await _flooded("user", url, network, session, user.heard, ("SubscribeOrders", ACCOUNT), lambda: counts["user"])
    await _flooded(
        "market", url, network, session, market.heard, ("SubscribeContractQuotes", MES), lambda: counts["market"]
    )


async def _places(network: HttpNetwork, url: str, client: Client) -> None:
    body = messages.PlaceBody(
        account_id=ACCOUNT,
        contract_id=MES,
        type=messages.OrderType.LIMIT,
        side=messages.OrderSide.BID,
        size=1,
        custom_tag="og-1",
        limit_price=Decimal("7570.25"),
    )
    text = messages.encoded(body)

    async def bare() -> None:
        answer = await network.request("POST", f"{url}/api/Order/place", headers=_HEADERS, body=text, timeout_s=10)
        assert answer.status == 200

    async def place() -> None:
        outcome = await client.place(body, _PASSAGE)
        assert outcome.outcome is Outcome.DONE, outcome

    raw = percentiles(await timed_await(bare, _PLACES), NS_PER_MS)
    taken = percentiles(await timed_await(place, _PLACES), NS_PER_MS)
    tell("place, round trip over loopback", "ms", taken, raw={"what": "the same POST without the client"} | raw)


async def _flooded(
    name: str,
    url: str,
    network: HttpNetwork,
    session: Session,
    heard: Heard,
    wanted: tuple[str, int | str],
    counted: Callable[[], int],
) -> None:
    """How many events a second a hub takes in, read into reports or merged quotes, and what each costs."""

    async def changed(_fault: str | None) -> None:
        pass

    hub = Hub(
        name=name,
        url=f"{url}/hubs/{name}",
        network=network,
        session=session,
        rng=random.Random(1),
        heard=heard,
        changed=changed,
        expects=lambda: False,
        connect_timeout_s=10.0,
    )
    await hub.want(*wanted)
    listening = asyncio.create_task(hub.run())
    async with asyncio.timeout(_FLOOD_S):
        while not counted():
            await asyncio.sleep(0)
        begun, began_ns, spent_ns = counted(), time.perf_counter_ns(), time.process_time_ns()
        while counted() < _EVENTS:
            await asyncio.sleep(0.001)
    count = counted() - begun
    seconds = (time.perf_counter_ns() - began_ns) / 1e9
    cpu_us = (time.process_time_ns() - spent_ns) / 1_000 / count
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    what = "events a second through the user hub" if name == "user" else "quotes a second through the market hub"
    tell(what, "1/s", {"count": count, "value": round(count / seconds)}, cpu_us_each=round(cpu_us, 1))
