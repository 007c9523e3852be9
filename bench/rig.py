"""The gate between a socket that orders come in by and a broker port that notes when they arrive.

Everything of the embedded desk but the page runs, in one process, on the loop that the product runs on: interception,
gate with the journal on disk, connection manager with its record on disk, the simulated exchange for all but orders.
The socket stands where Redis will: it publishes each line on ``order:management``, and sends back what is told there.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from bench.decisions import WIDE
from ordergate.broker.connection import Settings
from ordergate.broker.connection_manager import ConnectionManager
from ordergate.broker.projectx.budget import RequestLimits
from ordergate.broker.projectx.messages import OrderSide, PlaceBody
from ordergate.broker.projectx.session import Credentials
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Channel, Topic
from ordergate.clock import SystemClock
from ordergate.core import events as e
from ordergate.core.inputs import Started
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderReport, OrderState
from ordergate.engine.gate import Gate
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.interception import Interception
from ordergate.journal.codec import decode
from ordergate.journal.emergency import EmergencyFile
from ordergate.journal.sqlite import SqliteJournal
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Response
from ordergate.telemetry import log_step

SYMBOL = "MES"
# A limit far below the market.
PRICE = Decimal(1_000)
_TICK = Decimal("0.25")
_VENUE = "sim"
_KEY = b"k" * 32
# Orders that may wait: the documented 100 would refuse a burst, which is right, and is not what is measured.
_ORDERS_MAX = 50_000
# The broker port is no ProjectX: its 200 requests a minute do not apply.
_UNLIMITED = RequestLimits(requests_max=10**9, reserve=0)

# Of what is told there only this goes back: the rest would measure the socket.
_ANSWER = b'{"type":"ORDER_RESPONSE"'

_place = msgspec.json.Decoder(PlaceBody)
_encoder = msgspec.json.Encoder()


class BrokerPort(MemoryNetwork):
    """The network below the connection manager. A place ends here: noted, accepted, and cancelled right afterwards.

    So the orders that work stay few, and the path of each is the same.
    """

    def __init__(self, bus: MemoryBus) -> None:
        super().__init__()
        self.arrived: dict[str, int] = {}
        self._bus = bus
        self._placed: asyncio.Queue[tuple[int, PlaceBody]] = asyncio.Queue()

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", timeout_s: float
    ) -> Response:
        if not url.endswith("/api/Order/place"):
            return await super().request(method, url, headers=headers, body=body, timeout_s=timeout_s)
        at_ns = time.perf_counter_ns()
        placed = _place.decode(body)
        self.arrived[placed.custom_tag] = at_ns
        order_id = len(self.arrived)
        self._placed.put_nowait((order_id, placed))
        return Response(200, b'{"success":true,"errorCode":0,"errorMessage":null,"orderId":%d}' % order_id)

    async def cancel_placed(self) -> None:
        """Report every placed order as cancelled, until cancelled itself."""
        while True:
            order_id, placed = await self._placed.get()
            report = OrderReport(
                account_id=placed.account_id,
                broker_order_id=order_id,
                order_tag=placed.custom_tag,
                contract_id=placed.contract_id,
                side=Side.BUY if placed.side is OrderSide.BID else Side.SELL,
                order_type=OrderType.LIMIT,
                quantity=placed.size,
                limit_ticks=int(PRICE / _TICK),
                stop_ticks=None,
                state=OrderState.CANCELLED,
                filled_quantity=0,
                created_ns=time.time_ns(),
            )
            await self._bus.send(Topic.REPORTS, _encoder.encode(report))


class Rig:
    """A ready gate. ``port`` is where orders come in."""

    def __init__(self, gate: Gate, journal: SqliteJournal, broker: BrokerPort, port: int) -> None:
        self.gate = gate
        self.broker = broker
        self.port = port
        self.account_id = next(iter(gate.group.accounts))
        self._journal = journal

    async def arrivals(self) -> dict[str, int]:
        """When each order reached the broker port, by the caller's order id, on ``perf_counter_ns``."""
        arrived = {}
        async for row in self._journal.read():
            if row.kind == "order-approved":
                event = decode(row.kind, row.version, row.body)
                assert isinstance(event, e.OrderApproved)
                if event.order.tag in self.broker.arrived:
                    arrived[event.order.order_id] = self.broker.arrived[event.order.tag]
        return arrived


@contextlib.asynccontextmanager
async def rig(folder: Path) -> AsyncIterator[Rig]:
    """A gate with journals in ``folder``, ready when the block begins."""
    folder.mkdir()
    clock, bus = SystemClock(), MemoryBus()
    async with contextlib.AsyncExitStack() as stack:
        network = BrokerPort(bus)
        venue = Exchange(ExchangeSettings(symbols=(SYMBOL,), account_count=1), MemoryStore(1), clock)
        stack.push_async_callback(venue.close)
        await venue.start(network, "127.0.0.1", 1)
        journal = await SqliteJournal.open(folder / "journal.db")
        stack.push_async_callback(journal.close)
        used_approvals = await SqliteJournal.open(folder / "connection-manager.db")
        stack.push_async_callback(used_approvals.close)
        stack.callback(bus.close)
        limits = msgspec.structs.replace(WIDE, allowed_symbols=(SYMBOL,))
        gate = Gate(
            bus=bus,
            journal=journal,
            clock=clock,
            approval_key=_KEY,
            started=Started("bench000", _VENUE, venue.user_name, limits),
            orders_max=_ORDERS_MAX,
            delay_s=0,
            emergency=EmergencyFile(folder / "emergency.jsonl"),
            step=log_step,
        )
        manager = ConnectionManager(
            bus=bus,
            network=network,
            clock=clock,
            journal=used_approvals,
            approval_key=_KEY,
            settings=_broker_settings(venue),
            rng=random.Random(1),
            trace=log_step,
        )
        interception = Interception(
            bus=bus,
            clock=clock,
            told=gate.follow(),
            take=gate.take,
            refuse=gate.refuse,
            state=lambda: gate.group,
            presets=(),
            step=log_step,
            enforcing=lambda: gate.enforcing,
            stop=lambda: None,
            took=gate.metrics.took,
        )
        await gate.open()
        await stack.enter_async_context(
            _together(gate.run(), interception.run(), manager.run(), network.cancel_placed())
        )
        server = await asyncio.start_server(partial(_socket, bus), "127.0.0.1", 0)
        stack.callback(server.close)
        while not (gate.compared and gate.quoted):
            await asyncio.sleep(0.01)
        yield Rig(gate, journal, network, server.sockets[0].getsockname()[1])


def _broker_settings(venue: Exchange) -> Settings:
    return Settings(
        venue=_VENUE,
        gateway_url=venue.url,
        user_hub_url=f"{venue.url}/hubs/user",
        market_hub_url=f"{venue.url}/hubs/market",
        credentials=Credentials(venue.user_name, venue.api_key),
        symbols=(SYMBOL,),
        limits=_UNLIMITED,
    )


@contextlib.asynccontextmanager
async def _together(*parts: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run the parts beside the block; they end with it, and one that fails ends it."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part) for part in parts]
        yield
        for task in running:
            task.cancel()


async def _socket(bus: MemoryBus, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    told = bus.subscribe(Channel.ORDER_MANAGEMENT)

    async def tell() -> None:
        async for message in told:
            if message.startswith(_ANSWER):
                writer.write(message + b"\n")

    telling = asyncio.create_task(tell())
    try:
        while line := await reader.readline():
            await bus.publish(Channel.ORDER_MANAGEMENT, line)
    finally:
        told.close()
        await telling
        writer.close()
