"""A web server, a bus and a gate of a few lines: ``History`` behind the bus, in the place of the engine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec

from ordergate.bus import messages, topics
from ordergate.bus.brackets import BracketAsk, BreakevenAsk, Preset, StopAsk, TargetAsk, TrailAsk
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Channel, Subscription, Topic
from ordergate.bus.translate import submit_order
from ordergate.clock import Clock
from ordergate.core.commands import Answer, Command
from ordergate.core.decide import next_wake_ns
from ordergate.core.inputs import Input, Wake
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Handler, Network, Request, Response
from ordergate.web.server import WebServer
from tests.simulation.virtual_time import VirtualClock
from tests.web.history import A, History
from tests.web.page import exact

# What never ends is over at once on virtual time, and soon on real sockets.
SCENARIO_S = 30
PRESETS = (
    Preset(
        "scalp",
        BracketAsk(
            stop=StopAsk(ticks=8),
            targets=(TargetAsk(points=Decimal("2.0"), quantity=1), TargetAsk(ticks=16)),
            breakeven=BreakevenAsk(trigger=8, offset=1),
            trail=TrailAsk(distance=12),
        ),
        {"MNQ": BracketAsk(stop=StopAsk(points=Decimal(5)), targets=())},
    ),
    Preset("dollars", BracketAsk(stop=StopAsk(dollars=Decimal(20)), targets=())),
)


class Gate:
    """Decides what comes over the bus, as ``History`` does.

    ``deaf``: it takes every command and does nothing; ``silent``: it does not tell its state when asked.
    """

    def __init__(self, bus: MemoryBus, clock: Clock, history: History) -> None:
        self.history = history
        self.deaf = False
        self.silent = False
        self.published: list[bytes] = []
        self.commands: list[Command] = []
        self._bus = bus
        self._clock = clock
        self._orders = bus.consume(Topic.ORDERS, "gate")
        self._channel = bus.subscribe(Channel.ORDER_MANAGEMENT)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_orders(self._orders))
            tasks.create_task(self._read_channel(self._channel))
            tasks.create_task(self._wake())

    async def put(self, given: Input) -> None:
        """Decide ``given`` now, and tell what happened."""
        self.history.at_ns = self._clock.now_ns()
        seen = len(self.history.happened)
        answer = self.history.put(given)
        for number, event in self.history.happened[seen:]:
            await self._bus.send(Topic.EVENTS, topics.encode(topics.Happened(number, event)))
        if answer is not None:
            await self.tell(answer)

    async def tell(self, answer: Answer) -> None:
        await self._bus.send(Topic.EVENTS, topics.encode(answer))

    def quote(self, contract_id: str, bid_ticks: int) -> None:
        self.history.at_ns = self._clock.now_ns()
        self._bus.tell(contract_id, msgspec.json.encode(self.history.quote(contract_id, bid_ticks)))

    async def _read_orders(self, subscription: Subscription) -> None:
        async for message in subscription:
            asked = topics.request(message)
            if not isinstance(asked, topics.StateWanted):
                self.commands.append(asked)
                if not self.deaf:
                    await self.put(asked)
            elif not self.silent:
                await self._bus.send(Topic.EVENTS, topics.encode(topics.State(self.history.group)))

    async def _wake(self) -> None:
        """At each instant that a timer names; the look every 50 ms is what makes this one simple."""
        while True:
            before = self._clock.now_ns()
            await asyncio.sleep(0.05)
            due_ns = next_wake_ns(self.history.group, before)
            if due_ns is not None and due_ns <= self._clock.now_ns():
                await self.put(Wake())

    async def _read_channel(self, subscription: Subscription) -> None:
        async for message in subscription:
            self.published.append(message)
            asked = msgspec.json.decode(message, type=messages.PlaceOrder)
            assert asked.payload.request_id is not None
            if not self.deaf:
                instruments, request_id = self.history.group.instruments, asked.payload.request_id
                await self.put(submit_order(asked.payload, instruments, request_id, PRESETS))


class Desk:
    """``call`` it as a client. ``steps`` are those that were traced."""

    def __init__(self, bus: MemoryBus, network: Network, gate: Gate, web: WebServer) -> None:
        self.bus = bus
        self.gate = gate
        self.history = gate.history
        self.web = web
        self.steps: list[tuple[str, str]] = []
        self.network = network

    async def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """One request; the status and the decoded JSON, its numbers as they are written."""
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        sent = {"content-type": "application/json"} if method == "POST" else {}
        answer = await self.network.request(
            method, self.web.url + path, headers=sent | (headers or {}), body=data, timeout_s=10
        )
        return answer.status, exact(answer.body)

    async def get(self, path: str) -> Any:
        status, body = await self.call("GET", path)
        assert status == 200, (path, status, body)
        return body

    async def post(self, path: str, **body: object) -> tuple[int, Any]:
        return await self.call("POST", path, body)

    async def order(self, **changes: object) -> tuple[int, Any]:
        """``POST /api/order``: one MES bought in account A, as ``changes`` change it; a field of ... is left out."""
        body = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": A} | changes
        return await self.call("POST", "/api/order", {name: value for name, value in body.items() if value is not ...})

    async def shown(self) -> None:
        """Until the web part has seen all that was told, and the quotes of now."""
        await asyncio.sleep(0.3)


async def no_bars(_request: Request) -> Response:
    """A connection manager whose broker is away."""
    return Response(503, b"{}")


@asynccontextmanager
async def desk(
    history: History | None = None,
    *,
    network: Network | None = None,
    clock: Clock | None = None,
    started: bool = True,
    connection_manager: Handler = no_bars,
) -> AsyncIterator[Desk]:
    """A desk in memory on the virtual clock, unless told otherwise; ``started``: once the web part knows the state."""
    bus, network = MemoryBus(), network or MemoryNetwork()
    clock = clock or VirtualClock(asyncio.get_running_loop())
    gate = Gate(bus, clock, history or History().open())
    steps: list[tuple[str, str]] = []
    manager = await network.serve(connection_manager, host="127.0.0.1", port=0)
    rng = random.Random(7)
    web = WebServer(bus, network, clock, rng, lambda step, name: steps.append((step, name)), manager.url, PRESETS)
    for quote in gate.history.quotes.values():
        gate.quote(quote.contract_id, quote.bid_ticks or 0)
    await web.start(0)
    running = asyncio.create_task(gate.run())
    at = Desk(bus, network, gate, web)
    at.steps = steps
    try:
        async with asyncio.timeout(SCENARIO_S):
            while started and (await at.call("GET", "/health"))[0] != 200:
                await asyncio.sleep(0.01)
            yield at
    finally:
        running.cancel()
        await web.close()
        await manager.close()
        await network.close()
        bus.close()
