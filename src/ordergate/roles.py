"""The roles of a desk as processes of their own, which reach each other over Redis: the composition root of each.

Nothing is decided here. ``app`` composes the same parts into one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

import msgspec
from msgspec.structs import replace

from ordergate import desk
from ordergate.app import (
    STATE,
    Ready,
    announced,
    broker_settings,
    enforced,
    held,
    made_for,
    opened_books,
    opened_journal,
    opened_ports,
    opened_redis,
    serve,
    state_path,
    write_ready,
)
from ordergate.broker.challenge import Proof
from ordergate.bus.port import Topic
from ordergate.bus.sealed import Sealed
from ordergate.core.reports import ApprovalRefused
from ordergate.desk import Aggregator, Ports
from ordergate.settings import Role, Settings
from ordergate.state_dir import Holder, StateDir
from ordergate.telemetry import Step, log_step, logger

# What is sent to these waits for them. Whatever else is asked of a gate that is not there is asked in vain: after its
# return nothing old is carried out.
RECEIVERS = {Topic.COMMANDS: "connection-manager", Topic.EXITS: "connection-manager", Topic.REPORTS: "gate"}

_log = logger("roles")


async def run(
    settings: Settings, approval_key: str | None, opened_at: Callable[[str], None], step: Step = log_step
) -> None:
    """One role, until cancelled; ``opened_at`` gets the page's address. Raises ``StartRefused``."""
    with announced(settings.ready_file):
        match settings.role:
            case Role.CONNECTION_MANAGER:
                await _connection_manager(settings, approval_key, step)
            case Role.AGGREGATOR:
                await _aggregator(settings, approval_key, step)
            case Role.MANUAL_TRADING:
                await _manual_trading(settings, approval_key, opened_at, step)
            case Role.ALL:
                raise AssertionError("that is app.run")


async def _connection_manager(settings: Settings, approval_key: str | None, step: Step) -> None:
    broker = broker_settings(settings)
    async with contextlib.AsyncExitStack() as opened:
        purpose = made_for(broker.venue, broker.credentials.user_name, broker.gateway_url)
        state = held(opened, settings, STATE, purpose, (Holder.CONNECTION_MANAGER,))
        used_approvals = await opened_journal(opened, state.used_approvals)
        ports = await _ports(opened, settings, state, approval_key, step)
        url = await opened.enter_async_context(desk.connection_manager(settings, ports, used_approvals, broker))
        _stands(settings, Ready(connection_manager=url, user_name=broker.credentials.user_name, pid=os.getpid()))
        await asyncio.Event().wait()


async def _manual_trading(
    settings: Settings, approval_key: str | None, opened_at: Callable[[str], None], step: Step
) -> None:
    async with contextlib.AsyncExitStack() as opened:
        state = StateDir.open(os.urandom, state_path(settings, STATE), ())
        opened.callback(state.release)
        ports = await _ports(opened, settings, state, approval_key, step)
        web = await opened.enter_async_context(desk.page(settings, ports))
        opened_at(web.url)
        _stands(settings, Ready(web=web.url, pid=os.getpid()))
        await asyncio.Event().wait()


async def _aggregator(settings: Settings, approval_key: str | None, step: Step) -> None:
    async with aggregator(settings, approval_key, step) as running:
        await running.settled()
        accounts = tuple(running.gate.group.accounts)
        at = Ready(aggregator=running.url, user_name=running.login, account_ids=accounts, pid=os.getpid())
        _stands(settings, at)
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def aggregator(
    settings: Settings, approval_key: str | None, step: Step, stop: Callable[[], None] | None = None
) -> AsyncIterator[Aggregator]:
    """The aggregator role while the block runs. ``stop`` is for a SHUTDOWN; None ends this process in order.

    Raises ``StartRefused``.
    """
    limits = enforced(settings, simulated=False)
    async with contextlib.AsyncExitStack() as opened:
        state = StateDir.open(os.urandom, state_path(settings, STATE), (Holder.AGGREGATOR,))
        opened.callback(state.release)
        ports = await _ports(opened, settings, state, approval_key, step)
        if stop is not None:
            ports = replace(ports, stop=stop)
        books = await opened_books(opened, state)

        def bound(found: Proof) -> None:
            serve(settings, state, made_for(found.venue, found.login, found.gateway_url))

        yield await opened.enter_async_context(desk.aggregator(settings, ports, books, limits, bound))


async def _ports(
    opened: contextlib.AsyncExitStack, settings: Settings, state: StateDir, approval_key: str | None, step: Step
) -> Ports:
    """The ports of a role: its bus is Redis, sealed with the key of ``state``."""
    ports = await opened_ports(opened, state, approval_key, step)
    redis = await opened.enter_async_context(opened_redis(settings, ports, RECEIVERS))
    return replace(ports, bus=Sealed(redis, ports.approval_key, _forgery))


def _forgery(place: str) -> bytes:
    """What the gate is told of a message on a topic that was not written by this desk."""
    return msgspec.json.encode(ApprovalRefused(0, "", "", f"somebody without this desk's key has written on {place}"))


def _stands(settings: Settings, at: Ready) -> None:
    write_ready(settings.ready_file, at)
    _log.info("ready", role=settings.role.value)
