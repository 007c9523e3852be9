"""The parts of a desk, wired to each other: page, interception, gate, connection manager. Nothing is decided here.

What they stand on, real or for a simulation, is handed in as ``Ports``; where the broker is, as its settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import NamedTuple

import msgspec

from ordergate.broker.connection import Settings as BrokerSettings
from ordergate.broker.connection_manager import ConnectionManager
from ordergate.bus.port import Bus
from ordergate.clock import Clock
from ordergate.core import selftest
from ordergate.core.inputs import Started
from ordergate.core.limits import Limits
from ordergate.core.sessions import ending_notice
from ordergate.engine import endpoints
from ordergate.engine.gate import Gate
from ordergate.engine.writer import EmergencyNotes
from ordergate.errors import JournalError, StartRefused
from ordergate.integration import Interception
from ordergate.journal.port import Journal
from ordergate.limit_settings import waiting_text
from ordergate.net.port import Network, Request, Response
from ordergate.settings import Settings
from ordergate.telemetry import Step, conceal, logger
from ordergate.web.server import WebServer

HOST = "127.0.0.1"
_READY_LOOK_S = 0.02

_log = logger("desk")


class Ports(msgspec.Struct, frozen=True):
    """What a desk stands on: the adapters, and every source of time, chance and secrets; ``stop`` ends it in order."""

    bus: Bus
    network: Network
    clock: Clock
    journal: Journal
    used_approvals: Journal
    emergency: EmergencyNotes
    rng: random.Random
    approval_key: bytes
    install_id: str
    step: Step
    stop: Callable[[], None]


class Parts(NamedTuple):
    """A desk that runs."""

    gate: Gate
    web: WebServer
    connection_manager_url: str
    aggregator_url: str

    async def settled(self, *, quoted: bool) -> None:
        """Until the books agree with the broker's and the page shows it; ``quoted``: and every product has a price.

        The real broker may not quote before a market opens; an order is denied for that as long as it does not.
        """
        # Of two parts, and once at a start.
        while not (self.gate.compared and (not quoted or (self.gate.quoted and self.web.ready))):  # noqa: ASYNC110
            await asyncio.sleep(_READY_LOOK_S)


@contextlib.asynccontextmanager
async def desk_parts(settings: Settings, ports: Ports, limits: Limits, broker: BrokerSettings) -> AsyncIterator[Parts]:
    """Gate, interception, connection manager and page in this process; they run when the block begins.

    Raises ``StartRefused`` before anything of it is started if a limit would not refuse.
    """
    check_alive(limits)
    conceal(broker.credentials.api_key)
    if limits.session_only and (notice := ending_notice(ports.clock.now_ns())):
        _log.warning("the calendar of trading hours ends", notice=notice)
    async with contextlib.AsyncExitStack() as running:
        bus = ports.bus
        running.callback(bus.close)
        gate = Gate(
            bus=bus,
            journal=ports.journal,
            clock=ports.clock,
            approval_key=ports.approval_key,
            started=Started(
                install_id=ports.install_id,
                venue=broker.venue,
                login=broker.credentials.user_name,
                limits=limits,
                bracket_mode=settings.bracket_mode,
                modes=settings.modes,
            ),
            orders_max=settings.max_queue_size,
            emergency=ports.emergency,
            step=ports.step,
        )
        manager = ConnectionManager(
            bus=bus,
            network=ports.network,
            clock=ports.clock,
            journal=ports.used_approvals,
            approval_key=ports.approval_key,
            settings=broker,
            rng=ports.rng,
            trace=ports.step,
        )
        interception = Interception(
            bus=bus,
            clock=ports.clock,
            take=gate.take,
            refuse=gate.refuse,
            state=lambda: gate.group,
            presets=settings.presets,
            step=ports.step,
            enforcing=lambda: gate.enforcing,
            stop=ports.stop,
        )
        try:
            await gate.open()
        except JournalError as error:
            what_to_do = "nothing is sent; restore the state directory from a backup, or move it away to start empty"
            raise StartRefused(f"the journal cannot be trusted: {error}; {what_to_do}") from error

        async def aggregator(request: Request) -> Response:
            return endpoints.answer(request, gate)

        aggregator_server = await ports.network.serve(aggregator, host=HOST, port=settings.aggregator_port)
        running.push_async_callback(aggregator_server.close)
        manager_server = await manager.serve(HOST, settings.connection_manager_port)
        running.push_async_callback(manager_server.close)
        web = WebServer(bus, ports.network, ports.clock, ports.rng, ports.step, manager_server.url, settings.presets)
        await running.enter_async_context(_together(gate.run(), interception.run(), manager.run()))
        await web.start(settings.web_port)
        running.push_async_callback(web.close)
        if gate.group.limits_waiting is not None:
            _log.warning(waiting_text(gate.group))
        yield Parts(gate, web, manager_server.url, aggregator_server.url)


def check_alive(limits: Limits) -> None:
    """Raises ``StartRefused`` if a limit would not refuse."""
    dead = selftest.complaint(selftest.self_test(limits))
    if dead:
        raise StartRefused(dead)


@contextlib.asynccontextmanager
async def _together(*parts: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run the parts beside the block: they end with it, and one that fails ends it."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
            yield
            for task in tasks:
                task.cancel()
    except* StartRefused as refused:
        # A part may find only when it runs that it cannot: said as one line, like every other refusal to start.
        raise StartRefused("\n".join(str(error) for error in _leaves(refused))) from None


def _leaves(group: BaseExceptionGroup[StartRefused]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
