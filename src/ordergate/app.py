"""The composition root: which adapter stands behind which port, and in which order the parts start and stop.

Nothing is decided here. ``desk`` wires the parts; ``demo`` and ``exchange`` choose real sockets and files for it; a
simulation chooses memory and a virtual clock for the same ``desk``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path

import msgspec
import platformdirs
from msgspec.structs import replace

from ordergate.broker.connection import Settings as BrokerSettings
from ordergate.broker.connection_manager import ConnectionManager
from ordergate.broker.projectx.session import Credentials
from ordergate.bus.memory import MemoryBus
from ordergate.clock import Clock, MarketClock, SteadyClock, SystemClock
from ordergate.core import selftest
from ordergate.core.inputs import Started
from ordergate.core.limits import Limits
from ordergate.core.sessions import chicago, ending_notice
from ordergate.engine import endpoints
from ordergate.engine.gate import Gate
from ordergate.engine.writer import EmergencyNotes
from ordergate.errors import JournalDamaged, JournalError, StartRefused
from ordergate.exchange import replay
from ordergate.exchange.recording import Recording
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import Hours
from ordergate.exchange.sqlite import SqliteStore
from ordergate.exchange.store import MemoryStore, Store
from ordergate.integration import Interception
from ordergate.journal.emergency import EmergencyFile
from ordergate.journal.port import Journal
from ordergate.journal.sqlite import SqliteJournal
from ordergate.limit_settings import waiting_text
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Network, Request, Response
from ordergate.settings import Settings
from ordergate.state_dir import StateDir
from ordergate.telemetry import Step, conceal, log_step, logger
from ordergate.web.server import WebServer

HOST = "127.0.0.1"
VENUE = "sim"
_READY_LOOK_S = 0.02

_log = logger("app")


class Ports(msgspec.Struct, frozen=True):
    """What a desk stands on: the adapters, and every source of time, chance and secrets."""

    network: Network
    clock: Clock
    journal: Journal
    used_approvals: Journal
    store: Store
    recording: Recording | None
    emergency: EmergencyNotes
    rng: random.Random
    approval_key: bytes
    install_id: str
    step: Step


class Ready(msgspec.Struct, frozen=True, rename="camel"):
    """What the ready file says; None for a part that was not started."""

    web: str | None
    connection_manager: str | None
    aggregator: str | None
    gateway: str | None
    user_name: str
    api_key: str
    account_ids: tuple[int, ...]
    pid: int


async def demo(
    settings: Settings, approval_key: str | None, ready: Callable[[Ready], None], step: Step = log_step
) -> None:
    """The whole desk on this machine with the built-in exchange, until cancelled. Raises ``StartRefused``."""
    with _announced(settings.ready_file):
        recording = None if settings.replay is None else replay.read(settings.replay)
        folder = "demo" if recording is None else f"replay-{recording.digest}"
        path = settings.state_dir or platformdirs.user_state_path("ordergate", appauthor=False) / folder
        made_for = _played(f"{VENUE} {settings.exchange.user_name}", recording)
        state = StateDir.open(made_for, os.urandom, path)
        async with contextlib.AsyncExitStack() as opened:
            opened.callback(state.release)
            network = HttpNetwork()
            opened.push_async_callback(network.close)
            journal = await SqliteJournal.open(state.journal)
            opened.push_async_callback(journal.close)
            used_approvals = await SqliteJournal.open(state.connection_manager)
            opened.push_async_callback(used_approvals.close)
            store = SqliteStore(state.exchange, settings.exchange.bars_kept_min)
            ports = Ports(
                network=network,
                clock=await _clock(recording, store, settings.exchange.seed, journal),
                journal=journal,
                used_approvals=used_approvals,
                store=store,
                recording=recording,
                emergency=EmergencyFile(path / "emergency.jsonl"),
                rng=random.Random(os.urandom(8)),
                approval_key=state.approval_key(approval_key),
                install_id=state.install_id(),
                step=step,
            )
            conceal(ports.approval_key.decode())
            async with desk(settings, ports) as at:
                write_ready(settings.ready_file, at)
                ready(at)
                await asyncio.Event().wait()


async def exchange(settings: Settings, ready: Callable[[Ready], None]) -> None:
    """The simulated exchange alone, in memory unless there is a state directory; until cancelled."""
    with _announced(settings.ready_file), contextlib.ExitStack() as held:
        recording = None if settings.replay is None else replay.read(settings.replay)
        store: Store = MemoryStore(settings.exchange.bars_kept_min)
        if settings.state_dir is not None:
            state = StateDir.open(_played("exchange", recording), os.urandom, settings.state_dir)
            held.callback(state.release)
            store = SqliteStore(state.exchange, settings.exchange.bars_kept_min)
        network = HttpNetwork()
        clock = await _clock(recording, store, settings.exchange.seed)
        venue = Exchange(settings.exchange, store, clock, recording)
        try:
            await venue.start(network, HOST, settings.gateway_port)
            at = Ready(None, None, None, venue.url, venue.user_name, venue.api_key, venue.account_ids, os.getpid())
            write_ready(settings.ready_file, at)
            ready(at)
            await venue.wait()
        finally:
            await venue.close()
            await network.close()


@contextlib.asynccontextmanager
async def desk(settings: Settings, ports: Ports) -> AsyncIterator[Ready]:
    """Every part of the demo desk, started in the order of an order's way back, and ready when the block begins.

    Raises ``StartRefused`` before anything of it is started if a limit would not refuse.
    """
    limits = enforced(settings)
    dead = selftest.complaint(selftest.self_test(limits))
    if dead:
        raise StartRefused(dead)
    async with contextlib.AsyncExitStack() as running:
        venue = Exchange(settings.exchange, ports.store, ports.clock, ports.recording)
        running.push_async_callback(venue.close)
        conceal(venue.api_key)
        if limits.session_only and (notice := ending_notice(ports.clock.now_ns())):
            _log.warning("the calendar of trading hours ends", notice=notice)
        await venue.start(ports.network, HOST, settings.gateway_port)
        bus = MemoryBus()
        running.callback(bus.close)
        gate = Gate(
            bus=bus,
            journal=ports.journal,
            clock=ports.clock,
            approval_key=ports.approval_key,
            started=Started(ports.install_id, VENUE, venue.user_name, limits, settings.bracket_mode),
            orders_max=settings.max_queue_size,
            emergency=ports.emergency,
            step=ports.step,
        )
        manager = _connection_manager(settings, ports, bus, venue)
        interception = Interception(
            bus=bus,
            clock=ports.clock,
            take=gate.take,
            refuse=gate.refuse,
            state=lambda: gate.group,
            presets=settings.presets,
            step=ports.step,
            enforcing=lambda: gate.enforcing,
            stop=lambda: signal.raise_signal(signal.SIGTERM),
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
        while not (gate.ready and web.ready):  # noqa: ASYNC110 - of two parts, and once at a start
            await asyncio.sleep(_READY_LOOK_S)
        if gate.group.limits_waiting is not None:
            _log.warning(waiting_text(gate.group))
        yield Ready(
            web=web.url,
            connection_manager=manager_server.url,
            aggregator=aggregator_server.url,
            gateway=venue.url,
            user_name=venue.user_name,
            api_key=venue.api_key,
            account_ids=venue.account_ids,
            pid=os.getpid(),
        )


def enforced(settings: Settings, *, simulated: bool = True) -> Limits:
    """The limits that the gate of these settings enforces. Raises ``StartRefused`` where one of them cannot be kept.

    Only the simulated exchange may never close, and only there is all known that an account has been through.
    """
    limits = settings.limits
    if simulated:
        return replace(limits, session_only=settings.exchange.hours is Hours.EXCHANGE)
    if limits.maximum_loss_usd is not None and limits.maximum_loss_floor_usd is None:
        raise StartRefused("maximum_loss is set: a real account needs maximum_loss_floor too, where the firm shows it")
    return replace(limits, session_only=True)


def _played(venue: str, recording: Recording | None) -> str:
    """What a state directory is made for: one recording only, since its instants are those of the market."""
    return venue if recording is None else f"{venue}, replay {recording.digest}"


async def _clock(recording: Recording | None, store: Store, seed: int, journal: Journal | None = None) -> Clock:
    """The clock: a recorded market's begins with its first record, or goes on where the desk was stopped."""
    if recording is None:
        return SteadyClock(SystemClock())
    reached_ns = max([recording.first_ns, *(market.moved_ns for market in store.load(seed).markets)])
    if journal is not None:
        with contextlib.suppress(JournalDamaged):  # the gate refuses it
            async for row in journal.read():
                reached_ns = max(reached_ns, row.recorded_ns)
    _log.info("replaying", recording=recording.name, market_time=f"{chicago(reached_ns):%Y-%m-%d %H:%M:%S} CT")
    return MarketClock(reached_ns)


def _connection_manager(settings: Settings, ports: Ports, bus: MemoryBus, venue: Exchange) -> ConnectionManager:
    return ConnectionManager(
        bus=bus,
        network=ports.network,
        clock=ports.clock,
        journal=ports.used_approvals,
        approval_key=ports.approval_key,
        settings=BrokerSettings(
            venue=VENUE,
            gateway_url=venue.url,
            user_hub_url=f"{venue.url}/hubs/user",
            market_hub_url=f"{venue.url}/hubs/market",
            credentials=Credentials(venue.user_name, venue.api_key),
            symbols=settings.limits.allowed_symbols,
        ),
        rng=ports.rng,
        trace=ports.step,
    )


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


@contextlib.contextmanager
def _announced(ready_file: Path | None) -> Iterator[None]:
    """No ready file stands before this run is ready, nor after it has ended."""
    if ready_file is None:
        yield
        return
    _unlink(ready_file)
    try:
        yield
    finally:
        _unlink(ready_file)


def _unlink(ready_file: Path) -> None:
    try:
        ready_file.unlink(missing_ok=True)
    except OSError as error:
        raise StartRefused(f"the ready file {ready_file} cannot be removed: {error.strerror or error}") from error


def write_ready(path: Path | None, at: Ready) -> None:
    """Write the ready file whole: a reader sees all of it or none."""
    if path is None:
        return
    unfinished = path.with_name(f"{path.name}.new")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(at), indent=2))
        unfinished.replace(path)
    except OSError as error:
        raise StartRefused(f"the ready file {path} cannot be written: {error.strerror or error}") from error
