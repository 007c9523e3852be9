"""``ordergate doctor``: everything gathered, judged, and told, a line for each check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from ordergate.clock import Clock
from ordergate.console import gather, screen
from ordergate.console.direct import Direct, Login
from ordergate.console.facts import BrokerFacts, Facts, Sleep
from ordergate.console.finding import Finding, Level
from ordergate.console.places import Answer, Places, ask
from ordergate.console.shown import Shown, shown
from ordergate.console.sleeping import sleeping
from ordergate.core.limits import Limits
from ordergate.journal.port import Journal
from ordergate.net.port import Network
from ordergate.settings import Role, Settings

HEALTHY, IS_UNSAFE = 0, 1

_T = TypeVar("_T")


class Around(NamedTuple):
    """What the command was started with. ``login`` is None where none is set, ``approval_key`` where none is here."""

    settings: Settings
    limits: Limits | str
    at: Places
    state_path: Path
    approval_key: bytes | None
    login: Login | None
    options: Path | None
    journal_path: Path
    journal: Callable[[Path], Awaitable[Journal]]


class Told(msgspec.Struct, frozen=True):
    """One line: what was checked, how it is, and what to do about it (empty where nothing is)."""

    check: str
    level: Level
    text: str
    todo: str


async def facts(around: Around, network: Network, clock: Clock) -> Facts:
    """Ask everything at once; only a login of our own waits to hear whether a desk has one."""
    settings, at = around.settings, around.at
    waiting = screen.Waiting()

    async def asked(name: str, work: Awaitable[_T]) -> _T | str:
        with waiting.on(name):
            return await gather.bounded(work)

    async def answer(name: str, url: str) -> Answer:
        with waiting.on(name):
            return await ask(network, "GET", url)

    async with asyncio.TaskGroup() as group:
        start = group.create_task
        page = start(answer("page", f"{at.page}/health"))
        gate = start(answer("gate", f"{at.gate}/health"))
        snapshot = start(answer("page", f"{at.page}/api/snapshot"))
        manager = start(answer("connection manager", f"{at.connection_manager}/health"))
        proof = start(
            asked("connection manager", gather.proof(network, at.connection_manager, around.approval_key, clock))
        )
        redis = start(asked("Redis", gather.redis(settings.redis, clock)))
        sleeps = start(asked("sleep settings", sleeping()))
        journal = None
        if around.journal_path.exists():
            journal = start(gather.journal(around.journal_path, around.journal))
        broker_clock = None
        if around.login is not None:
            broker_clock = start(asked("broker", gather.broker_clock(network, around.login, clock)))
    known = shown(snapshot.result())
    redis_is_used = _redis_is_used(settings, gate.result())
    wrong, wrong_matters = gather.options(around.options)
    return Facts(
        settings=settings,
        limits=around.limits,
        at=at,
        page=page.result(),
        gate=gate.result(),
        manager=manager.result(),
        shown=known,
        proof=proof.result(),
        # What is not ours to judge: another program's, where a Redis is not used.
        redis=redis.result() if redis_is_used else "not used",
        redis_is_used=redis_is_used,
        broker=await _broker(around, network, clock, known, manager.result(), asked),
        clock=None if broker_clock is None else broker_clock.result(),
        journal=None if journal is None else journal.result(),
        state=gather.state(around.state_path),
        sleep=found if isinstance(found := sleeps.result(), Sleep) else Sleep(sleeps=None, text=found),
        wrong=wrong,
        wrong_matters=wrong_matters,
    )


def told(found: Mapping[str, Finding]) -> list[Told]:
    return [Told(name, each.level, each.text, each.todo) for name, each in found.items()]


def exit_code(lines: list[Told]) -> int:
    return IS_UNSAFE if any(line.level is Level.UNSAFE for line in lines) else HEALTHY


def show(lines: list[Told]) -> None:
    for line in lines:
        todo = f". To do: {line.todo}" if line.todo else ""
        screen.say(f"{line.level:<8} {line.check:<19} {line.text}{todo}", line.level)


def _redis_is_used(settings: Settings, gate: Answer) -> bool:
    """By the word of the gate that runs, else by the settings: a desk in one process needs no Redis."""
    if isinstance(gate.body, dict) and "modes" in gate.body:
        return "redis" in gate.body
    return settings.redis.given or settings.role is not Role.ALL


async def _broker(
    around: Around, network: Network, clock: Clock, known: Shown | str, manager: Answer, asked: Callable[..., Any]
) -> BrokerFacts | str | None:
    if isinstance(known, Shown):
        return gather.broker_by_desk(known)
    if manager.status:
        return "not tried: what answers as the connection manager is logged in, and a second login can end its session"
    if around.login is None:
        return None
    timeout_s = around.settings.broker_timeout_ms / 1_000
    direct = Direct(network, clock, around.login, timeout_s, screen.progress)
    found: BrokerFacts | str = await asked("broker", gather.broker(direct))
    return found
