"""The composition root: which adapter stands behind which port, and in which order the parts start and stop.

Nothing is decided here. A simulation chooses memory and a virtual clock for the same ``demo_desk``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs
from msgspec.structs import replace

from ordergate.broker.connection import Settings as BrokerSettings
from ordergate.broker.projectx.session import Credentials
from ordergate.bus.bridged import Bridged
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.clock import Clock, MarketClock, SteadyClock, SystemClock
from ordergate.core.limits import Limits
from ordergate.core.sessions import wall
from ordergate.desk import HOST, Books, Ports, check_alive, desk_parts
from ordergate.errors import JournalDamaged, StartRefused
from ordergate.exchange import replay
from ordergate.exchange.recording import Recording
from ordergate.exchange.server import Exchange, User
from ordergate.exchange.settings import ExchangeSettings, Hours
from ordergate.exchange.sqlite import SqliteStore
from ordergate.exchange.store import MemoryStore, Store
from ordergate.journal.emergency import EmergencyFile
from ordergate.journal.port import Journal
from ordergate.journal.sqlite import SqliteJournal
from ordergate.keychain import api_key
from ordergate.net.http import HttpNetwork
from ordergate.setting_table import SETTINGS
from ordergate.settings import Settings
from ordergate.state_dir import Holder, StateDir
from ordergate.telemetry import Step, conceal, log_step, logger

if TYPE_CHECKING:
    from ordergate.bus.redis import RedisBus

VENUE, LIVE_VENUE = "sim", "projectx"
# The state directory of a real account, for whoever names none.
STATE = "topstepx"
_DESK = (Holder.AGGREGATOR, Holder.CONNECTION_MANAGER)

_log = logger("app")


class Ready(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the ready file says; None for a part that was not started."""

    web: str | None = None
    connection_manager: str | None = None
    aggregator: str | None = None
    gateway: str | None = None
    user_name: str | None = None
    api_key: str | None = None
    account_ids: tuple[int, ...] = ()
    users: tuple[User, ...] = ()
    pid: int


async def demo(
    settings: Settings, approval_key: str | None, ready: Callable[[Ready], None], step: Step = log_step
) -> None:
    """The whole desk on this machine with the built-in exchange, until cancelled. Raises ``StartRefused``."""
    with announced(settings.ready_file):
        recording = None if settings.replay is None else replay.read(settings.replay, settings.replay_symbol)
        folder = "demo" if _is_in_real_time(settings) else "demo-fast"
        folder = folder if recording is None else f"replay-{recording.digest}"
        purpose = _played(f"{VENUE} {settings.exchange.user_name}", recording, settings)
        async with contextlib.AsyncExitStack() as opened:
            state = held(opened, settings, folder, purpose, tuple(Holder))
            books, used_approvals = (
                await opened_books(opened, state),
                await opened_journal(opened, state.used_approvals),
            )
            store = SqliteStore(state.exchange, settings.exchange.bars_kept_min)
            ports = await opened_ports(opened, state, approval_key, step)
            clock = await _clock(recording, settings, store, books.journal)
            ports = replace(ports, clock=clock)
            async with demo_desk(settings, ports, books, used_approvals, store, recording) as at:
                write_ready(settings.ready_file, at)
                ready(at)
                await asyncio.Event().wait()


async def run(
    settings: Settings, approval_key: str | None, opened_at: Callable[[str], None], step: Step = log_step
) -> None:
    """The whole desk on TopstepX, until cancelled; ``opened_at`` gets the page's address. Raises ``StartRefused``.

    The page is there at once, and says what it waits for; the ready file is written when orders can be taken.
    """
    limits, broker = enforced(settings, simulated=False), broker_settings(settings)
    with announced(settings.ready_file):
        async with contextlib.AsyncExitStack() as opened:
            state = held(
                opened, settings, STATE, made_for(broker.venue, broker.credentials.user_name, broker.gateway_url), _DESK
            )
            books, used_approvals = (
                await opened_books(opened, state),
                await opened_journal(opened, state.used_approvals),
            )
            ports = await opened_ports(opened, state, approval_key, step)
            if settings.redis.given:
                # Other processes have no topics here, so there are no receivers.
                redis = await opened.enter_async_context(opened_redis(settings, ports, receivers={}))
                ports = replace(ports, bus=Bridged(ports.bus, redis))
            parts = await opened.enter_async_context(desk_parts(settings, ports, books, used_approvals, limits, broker))
            opened_at(parts.web.url)
            await parts.settled(quoted=False)
            accounts = tuple(parts.gate.group.accounts)
            at = Ready(
                web=parts.web.url,
                connection_manager=parts.connection_manager_url,
                aggregator=parts.aggregator_url,
                user_name=broker.credentials.user_name,
                account_ids=accounts,
                pid=os.getpid(),
            )
            write_ready(settings.ready_file, at)
            _log.info("ready", accounts=list(accounts))
            await asyncio.Event().wait()


def made_for(venue: str, login: str, gateway_url: str) -> str:
    """What a state directory of this broker and login is made for."""
    return f"{venue} {login} {gateway_url}"


def held(
    opened: contextlib.AsyncExitStack, settings: Settings, folder: str, purpose: str, holders: tuple[Holder, ...]
) -> StateDir:
    """The state directory until ``opened`` ends, never one for the other of live and on paper."""
    state = StateDir.open(os.urandom, state_path(settings, folder), holders)
    opened.callback(state.release)
    serve(settings, state, purpose)
    return state


def state_path(settings: Settings, folder: str) -> Path:
    """The folder that is named, or the platform's."""
    folder = f"{folder}-shadow" if settings.modes.shadow else folder
    return settings.state_dir or platformdirs.user_state_path("ordergate", appauthor=False) / folder


def serve(settings: Settings, state: StateDir, purpose: str) -> None:
    """Raises ``StartRefused`` if ``state`` was made for something else."""
    state.serve(f"{purpose}, shadow" if settings.modes.shadow else purpose)


async def opened_journal(opened: contextlib.AsyncExitStack, path: Path) -> SqliteJournal:
    """The journal at ``path`` until ``opened`` ends."""
    journal = await SqliteJournal.open(path)
    opened.push_async_callback(journal.close)
    return journal


async def opened_books(opened: contextlib.AsyncExitStack, state: StateDir) -> Books:
    """What a gate keeps in ``state``, until ``opened`` ends."""
    journal = await opened_journal(opened, state.journal)
    return Books(journal, EmergencyFile(state.path / "emergency.jsonl"), state.install_id())


async def opened_ports(
    opened: contextlib.AsyncExitStack, state: StateDir, approval_key: str | None, step: Step
) -> Ports:
    """Real sockets, the wall clock and the key of ``state``, and a bus inside this process; until ``opened`` ends."""
    network = HttpNetwork()
    opened.push_async_callback(network.close)
    key = state.approval_key(approval_key)
    conceal(key.decode())
    return Ports(
        bus=MemoryBus(),
        network=network,
        clock=SteadyClock(SystemClock()),
        rng=random.Random(os.urandom(8)),
        approval_key=key,
        step=step,
        stop=lambda: signal.raise_signal(signal.SIGTERM),
    )


def opened_redis(
    settings: Settings, ports: Ports, receivers: Mapping[Topic, str]
) -> contextlib.AbstractAsyncContextManager[RedisBus]:
    """The Redis of ``settings``. Raises ``StartRefused``."""
    from ordergate.bus.redis import redis_bus  # noqa: PLC0415 - a third of all that a start without Redis imports

    answer_s = settings.redis_timeout_ms / 1_000
    return redis_bus(settings.redis.address, clock=ports.clock, rng=ports.rng, receivers=receivers, answer_s=answer_s)


async def exchange(settings: Settings, ready: Callable[[Ready], None]) -> None:
    """The simulated exchange alone, in memory unless there is a state directory; until cancelled."""
    with announced(settings.ready_file), contextlib.ExitStack() as kept:
        recording = None if settings.replay is None else replay.read(settings.replay, settings.replay_symbol)
        store: Store = MemoryStore(settings.exchange.bars_kept_min)
        if settings.state_dir is not None:
            state = StateDir.open(os.urandom, settings.state_dir, [Holder.EXCHANGE])
            kept.callback(state.release)
            state.serve(_played("exchange", recording, settings))
            store = SqliteStore(state.exchange, settings.exchange.bars_kept_min)
        network = HttpNetwork()
        clock = await _clock(recording, settings, store)
        venue = Exchange(_in_the_world_s_time(settings), store, clock, recording)
        try:
            await venue.start(network, HOST, settings.gateway_port)
            at = Ready(
                gateway=venue.url,
                user_name=venue.user_name,
                api_key=venue.api_key,
                account_ids=venue.account_ids,
                users=venue.users,
                pid=os.getpid(),
            )
            write_ready(settings.ready_file, at)
            ready(at)
            await venue.wait()
        finally:
            await venue.close()
            await network.close()


@contextlib.asynccontextmanager
async def demo_desk(
    settings: Settings,
    ports: Ports,
    books: Books,
    used_approvals: Journal,
    store: Store,
    recording: Recording | None = None,
) -> AsyncIterator[Ready]:
    """Every part of the demo desk, started in the order of an order's way back, and ready when the block begins.

    Raises ``StartRefused`` before anything of it is started if a limit would not refuse.
    """
    limits = enforced(settings)
    check_alive(limits)
    async with contextlib.AsyncExitStack() as running:
        venue = Exchange(settings.exchange, store, ports.clock, recording)
        running.push_async_callback(venue.close)
        await venue.start(ports.network, HOST, settings.gateway_port)
        broker = BrokerSettings(
            venue=VENUE,
            gateway_url=venue.url,
            user_hub_url=f"{venue.url}/hubs/user",
            market_hub_url=f"{venue.url}/hubs/market",
            credentials=Credentials(venue.user_name, venue.api_key),
            symbols=limits.allowed_symbols,
            shadow=settings.modes.shadow,
        )
        parts = await running.enter_async_context(desk_parts(settings, ports, books, used_approvals, limits, broker))
        await parts.settled(quoted=True)
        yield Ready(
            web=parts.web.url,
            connection_manager=parts.connection_manager_url,
            aggregator=parts.aggregator_url,
            gateway=venue.url,
            user_name=venue.user_name,
            api_key=venue.api_key,
            account_ids=venue.account_ids,
            pid=os.getpid(),
        )


def broker_settings(settings: Settings) -> BrokerSettings:
    """Where the broker is, and the login. Raises ``StartRefused`` naming all that is missing."""
    given = settings.broker
    key = api_key(given)
    if not (given.api_url and given.user_hub_url and given.market_hub_url and given.user_name and key):
        asked = [each for each in SETTINGS if each.section == "broker"]
        missing = [each.variables[0] for each in asked if getattr(given, each.field.removeprefix("broker.")) is None]
        raise StartRefused(f"not set: {', '.join(missing)}; `ordergate demo` opens the same desk without an account")
    return BrokerSettings(
        venue=LIVE_VENUE,
        gateway_url=given.api_url.removesuffix("/api"),
        user_hub_url=given.user_hub_url,
        market_hub_url=given.market_hub_url,
        credentials=Credentials(given.user_name, key),
        symbols=settings.limits.allowed_symbols,
        request_timeout_s=settings.broker_timeout_ms / 1_000,
        shadow=settings.modes.shadow,
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
    return replace(limits, session_only=settings.trading_hours is Hours.EXCHANGE)


def _is_in_real_time(settings: Settings) -> bool:
    return settings.speed == 1 and settings.market_from_ns is None


def _played(venue: str, recording: Recording | None, settings: Settings) -> str:
    """What a state directory is made for: one recording only, since its instants are those of the market.

    So is one whose time is not the world's.
    """
    if recording is not None:
        return f"{venue}, replay {recording.digest}"
    return venue if _is_in_real_time(settings) else f"{venue}, in faster time"


def _in_the_world_s_time(settings: Settings) -> ExchangeSettings:
    """The exchange's settings with what it grants its clients, who live in the world's time, as long there as ever."""
    chosen = settings.exchange
    names = ("ping_interval_s", "client_timeout_s", "handshake_timeout_s")
    return msgspec.structs.replace(chosen, **{name: getattr(chosen, name) * settings.speed for name in names})


async def _clock(
    recording: Recording | None, settings: Settings, store: Store, journal: Journal | None = None
) -> Clock:
    """The clock. One whose time is not the world's goes on where it was stopped. Raises ``StartRefused``."""
    if recording is None and _is_in_real_time(settings):
        return SteadyClock(SystemClock())
    if recording is not None and settings.market_from_ns is not None:
        raise StartRefused("market_from and replay are both set: a recording's time begins with its first record")
    given_ns = settings.market_from_ns if recording is None else recording.first_ns
    first_ns = SystemClock().now_ns() if given_ns is None else given_ns
    reached_ns = max([first_ns, *(market.moved_ns for market in store.load(settings.exchange.seed).markets)])
    if journal is not None:
        with contextlib.suppress(JournalDamaged):  # the gate refuses it
            async for row in journal.read():
                reached_ns = max(reached_ns, row.recorded_ns)
    name = None if recording is None else recording.name
    _log.info("playing", recording=name, speed=settings.speed, market_time=wall(reached_ns))
    return MarketClock(reached_ns)


@contextlib.contextmanager
def announced(ready_file: Path | None) -> Iterator[None]:
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
