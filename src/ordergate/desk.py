"""The parts of a desk, wired to each other: page, interception, gate, connection manager. Nothing is decided here.

``desk_parts`` is all of them in one process; each of ``aggregator``, ``connection_manager`` and ``page`` is one role, a
process of its own, and reaches the others over the bus. What they stand on, real or for a simulation, is handed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from ordergate.broker.challenge import Proof
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
from ordergate.engine.page_health import PageHealth
from ordergate.engine.watch import Watch
from ordergate.engine.webhook import Webhook
from ordergate.engine.writer import EmergencyNotes
from ordergate.errors import JournalError, StartRefused
from ordergate.interception import Interception
from ordergate.journal.port import Journal
from ordergate.limit_settings import waiting_text
from ordergate.net.port import Network, Request, Response
from ordergate.settings import Settings
from ordergate.telemetry import Step, conceal, logger
from ordergate.together import together
from ordergate.web.server import WebServer

HOST = "127.0.0.1"
_READY_LOOK_S = 0.02

_log = logger("desk")


class Ports(msgspec.Struct, frozen=True):
    """What every role stands on, every source of time, chance and secrets among it; ``stop`` ends it in order."""

    bus: Bus
    network: Network
    clock: Clock
    rng: random.Random
    approval_key: bytes
    step: Step
    stop: Callable[[], None]


class Books(msgspec.Struct, frozen=True):
    """What the gate keeps on disk."""

    journal: Journal
    emergency: EmergencyNotes
    install_id: str


class Parts(NamedTuple):
    """A desk that runs in one process."""

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
async def desk_parts(
    settings: Settings, ports: Ports, books: Books, used_approvals: Journal, limits: Limits, broker: BrokerSettings
) -> AsyncIterator[Parts]:
    """Gate, interception, connection manager and page in this process; they run when the block begins.

    Raises ``StartRefused`` before anything of it is started if a limit would not refuse.
    """
    check_alive(limits)
    async with contextlib.AsyncExitStack() as running:
        running.callback(ports.bus.close)
        served = broker.venue, broker.credentials.user_name
        gate = _gate(settings, ports, books, limits, served)
        manager = _connection_manager(ports, used_approvals, broker)
        interception = _interception(settings, ports, gate)
        await _open(gate)
        aggregator_url = await _serve(running, settings, ports, gate, None)
        manager_url = await _serve_manager(running, settings, manager)
        web = WebServer(ports.bus, ports.network, ports.clock, ports.rng, ports.step, manager_url, settings.presets)
        start = await running.enter_async_context(together())
        start(gate.run(), "gate")
        start(interception.run(), "interception")
        start(manager.run(), "connection manager")
        await web.start(settings.web_port)
        running.push_async_callback(web.close)
        yield Parts(gate, web, manager_url, aggregator_url)


class Aggregator(NamedTuple):
    """The gate as a process of its own."""

    gate: Gate
    bus: Bus
    login: str
    url: str

    async def settled(self) -> None:
        """Until the books agree with the broker's."""
        while not self.gate.compared:  # noqa: ASYNC110 - once at a start
            await asyncio.sleep(_READY_LOOK_S)


@contextlib.asynccontextmanager
async def aggregator(
    settings: Settings, ports: Ports, books: Books, limits: Limits, serve: Callable[[Proof], None]
) -> AsyncIterator[Aggregator]:
    """Gate and interception. ``serve`` is told whom the connection manager serves before they begin.

    Raises ``StartRefused`` if a limit would not refuse, or no connection manager proves to be ours.
    """
    check_alive(limits)
    watch = Watch(
        bus=ports.bus,
        network=ports.network,
        clock=ports.clock,
        rng=ports.rng,
        approval_key=ports.approval_key,
        url=settings.connection_manager_url,
        timeout_s=settings.connection_manager_timeout_ms / 1_000,
        shadow=settings.modes.shadow,
    )
    found = await watch.found()
    serve(found)
    async with contextlib.AsyncExitStack() as running:
        running.callback(ports.bus.close)
        gate = _gate(settings, ports, books, limits, (found.venue, found.login))
        interception = _interception(settings, ports, gate)
        await _open(gate)
        health = PageHealth(ports.network, settings.manual_trading_server_url)
        url = await _serve(running, settings, ports, gate, health)
        start = await running.enter_async_context(together())
        start(gate.run(), "gate")
        start(interception.run(), "interception")
        start(watch.run(), "watch")
        start(health.run(), "page's health")
        yield Aggregator(gate, ports.bus, found.login, url)


@contextlib.asynccontextmanager
async def connection_manager(
    settings: Settings, ports: Ports, used_approvals: Journal, broker: BrokerSettings
) -> AsyncIterator[str]:
    """The connection manager alone; gives its origin. Raises ``StartRefused``."""
    async with contextlib.AsyncExitStack() as running:
        running.callback(ports.bus.close)
        manager = _connection_manager(ports, used_approvals, broker)
        url = await _serve_manager(running, settings, manager)
        start = await running.enter_async_context(together())
        start(manager.run(), "connection manager")
        yield url


@contextlib.asynccontextmanager
async def page(settings: Settings, ports: Ports) -> AsyncIterator[WebServer]:
    """The page and its server alone."""
    async with contextlib.AsyncExitStack() as running:
        running.callback(ports.bus.close)
        url = settings.connection_manager_url
        web = WebServer(ports.bus, ports.network, ports.clock, ports.rng, ports.step, url, settings.presets)
        await web.start(settings.web_port)
        running.push_async_callback(web.close)
        yield web


def check_alive(limits: Limits) -> None:
    """Raises ``StartRefused`` if a limit would not refuse."""
    dead = selftest.complaint(selftest.self_test(limits))
    if dead:
        raise StartRefused(dead)


def _gate(settings: Settings, ports: Ports, books: Books, limits: Limits, served: tuple[str, str]) -> Gate:
    if limits.session_only and (notice := ending_notice(ports.clock.now_ns())):
        _log.warning("the calendar of trading hours ends", notice=notice)
    venue, login = served
    webhook = None
    if settings.webhook.url is not None:
        conceal(settings.webhook.url)
        conceal(settings.webhook.secret or "")
        webhook = Webhook(
            settings.webhook,
            network=ports.network,
            clock=ports.clock,
            rng=ports.rng,
            venue=venue,
            group=lambda: gate.group,
        )
    gate = Gate(
        bus=ports.bus,
        journal=books.journal,
        clock=ports.clock,
        approval_key=ports.approval_key,
        started=Started(
            install_id=books.install_id,
            venue=venue,
            login=login,
            limits=limits,
            bracket_mode=settings.bracket_mode,
            modes=settings.modes,
        ),
        orders_max=settings.max_queue_size,
        delay_s=settings.processing_delay_ms / 1_000,
        emergency=books.emergency,
        step=ports.step,
        webhook=webhook,
    )
    return gate


def _interception(settings: Settings, ports: Ports, gate: Gate) -> Interception:
    return Interception(
        bus=ports.bus,
        clock=ports.clock,
        told=gate.follow(),
        take=gate.take,
        refuse=gate.refuse,
        state=lambda: gate.group,
        presets=settings.presets,
        step=ports.step,
        enforcing=lambda: gate.enforcing,
        stop=ports.stop,
        took=gate.metrics.took,
    )


def _connection_manager(ports: Ports, used_approvals: Journal, broker: BrokerSettings) -> ConnectionManager:
    conceal(broker.credentials.api_key)
    return ConnectionManager(
        bus=ports.bus,
        network=ports.network,
        clock=ports.clock,
        journal=used_approvals,
        approval_key=ports.approval_key,
        settings=broker,
        rng=ports.rng,
        trace=ports.step,
    )


async def _open(gate: Gate) -> None:
    """Raises ``StartRefused``."""
    try:
        await gate.open()
    except JournalError as error:
        what_to_do = "nothing is sent; restore the state directory from a backup, or move it away to start empty"
        raise StartRefused(f"the journal cannot be trusted: {error}; {what_to_do}") from error
    if gate.group.limits_waiting is not None:
        _log.warning(waiting_text(gate.group))


async def _serve(
    running: contextlib.AsyncExitStack, settings: Settings, ports: Ports, gate: Gate, health: PageHealth | None
) -> str:
    """The origin at which the gate's health is served while ``running``."""

    async def answer(request: Request) -> Response:
        return endpoints.answer(request, gate, health)

    server = await ports.network.serve(answer, host=HOST, port=settings.aggregator_port)
    running.push_async_callback(server.close)
    return server.url


async def _serve_manager(running: contextlib.AsyncExitStack, settings: Settings, manager: ConnectionManager) -> str:
    """The origin at which the connection manager answers while ``running``."""
    server = await manager.serve(HOST, settings.connection_manager_port)
    running.push_async_callback(server.close)
    return server.url
