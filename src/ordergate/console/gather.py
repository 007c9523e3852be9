"""What ``doctor`` asks, all at once and each for a short time: the facts, or why they are not known.

It reads only: nothing is published, placed, made or changed, and a desk that runs is not disturbed. Where its
connection manager is alive nobody logs in a second time, for that was seen to end a session (ProjectX API notes,
section 9, 2026-11-22).
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import random
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from ordergate.broker.challenge import PATH, Proof, proven
from ordergate.broker.projectx.messages import Account
from ordergate.broker.projectx.translate import instrument, no_cancel
from ordergate.bus.link import Link
from ordergate.bus.port import Channel
from ordergate.clock import Clock
from ordergate.console.direct import Direct, Login
from ordergate.console.facts import (
    BrokerFacts,
    ClockFacts,
    Contract,
    JournalFacts,
    RedisClient,
    RedisFacts,
    StateFacts,
)
from ordergate.console.places import Answer, ask
from ordergate.console.shown import Shown
from ordergate.errors import BrokerRefused, BusUnavailable, InputRefused, JournalDamaged, StartRefused, TransportError
from ordergate.integration_options import settings_of
from ordergate.journal.port import Journal
from ordergate.net.port import Network
from ordergate.settings import Redis
from ordergate.state_dir import held

EACH_S = 2.0
_PINGS = 5
_CONFIG = ("bind", "protected-mode", "maxmemory", "maxmemory-policy")

_T = TypeVar("_T")


async def bounded(work: Awaitable[_T]) -> _T | str:
    """The result of ``work``, or that it took too long."""
    try:
        async with asyncio.timeout(EACH_S):
            return await work
    except TimeoutError:
        return f"no answer within {EACH_S:g} s"


async def redis(settings: Redis, clock: Clock) -> RedisFacts | str:
    """What a Redis tells of itself to our user."""
    address = settings.address
    try:
        async with Link(address, clock, random.Random(0), EACH_S) as link:
            await link.do("PING")
            round_trips = [await _timed(lambda: link.do("PING")) for _ in range(_PINGS)]
            asked_ns = clock.now_ns()
            told = _texts(await link.do("TIME"))
            middle_ns = (asked_ns + clock.now_ns()) // 2
            redis_ns = int(told[0]) * 1_000_000_000 + int(told[1]) * 1_000
            patterns = await link.do("PUBSUB", "NUMPAT")
            listeners = _texts(await link.do("PUBSUB", "NUMSUB", Channel.ORDER_MANAGEMENT.value))
            config = await _config(link)
            clients = await _clients(link)
    except BusUnavailable as error:
        return str(error)
    nobody = msgspec.structs.replace(address, username=None, password=None)
    try:
        async with Link(nobody, clock, random.Random(0), EACH_S) as stranger:
            await stranger.do("PING")
            open_to_all = True
    except BusUnavailable:
        open_to_all = False
    return RedisFacts(
        address=str(address),
        open_to_all=open_to_all,
        config=config,
        clients=clients,
        listeners=int(listeners[1]),
        patterns=int(str(patterns)),
        round_trip_ms=max(round_trips),
        ahead_ms=(redis_ns - middle_ns) / 1_000_000,
    )


async def _config(link: Link) -> Mapping[str, str] | str:
    found: dict[str, str] = {}
    try:
        for name in _CONFIG:
            told = _texts(await link.do("CONFIG", "GET", name))
            found |= dict(zip(told[::2], told[1::2], strict=True))
    except BusUnavailable as error:
        return str(error)
    return found


async def _clients(link: Link) -> tuple[RedisClient, ...] | str:
    try:
        printed = await link.do("CLIENT", "LIST")
    except BusUnavailable as error:
        return str(error)
    rows = [dict(part.partition("=")[::2] for part in line.split()) for line in _text(printed).splitlines()]
    return tuple(
        RedisClient(
            name=row.get("name", ""),
            address=row.get("addr", ""),
            library=row.get("lib-name", ""),
            channels=int(row.get("sub", "0")),
            patterns=int(row.get("psub", "0")),
        )
        for row in rows
    )


def _texts(told: object) -> list[str]:
    assert isinstance(told, list | tuple), "redis-py's form of a list"
    return [_text(each) for each in told]


def _text(told: object) -> str:
    return told.decode(errors="replace") if isinstance(told, bytes) else str(told)


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    """How long it takes, in milliseconds."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await call()
    return (loop.time() - began_s) * 1_000


async def proof(network: Network, url: str, key: bytes | None, clock: Clock) -> Proof | str | None:
    """Whether the connection manager at ``url`` has our key, or why it is not proven; None: there is no key to ask."""
    if key is None:
        return None
    nonce, asked_ns = os.urandom(16).hex(), clock.now_ns()
    answer = await ask(network, "GET", f"{url}{PATH}?nonce={nonce}")
    if answer.failure:
        return answer.failure
    return proven(answer.raw, nonce, key, asked_ns, clock.now_ns())


async def broker(direct: Direct) -> BrokerFacts | str:
    """What a login of our own reads."""
    try:
        await direct.log_in()
        rows = await direct.contracts()
        accounts = await direct.active_accounts()
    except (TransportError, BrokerRefused) as error:
        return str(error)
    found = []
    for row in rows:
        try:
            known = instrument(row)
        except InputRefused:
            continue  # of no use to anybody: told as a product without a contract
        found.append(Contract(known.symbol, row.id, row.tick_size, row.tick_value))
    return BrokerFacts("a login works", tuple(found), {row.id: row.balance for row in accounts}, _barred(accounts))


def _barred(accounts: tuple[Account, ...]) -> tuple[str, ...]:
    found = []
    for row in accounts:
        if not row.can_trade:
            found.append(f"the broker does not let {row.name} ({row.id}) trade")
        if why := no_cancel(row):
            found.append(f"the broker lets {row.name} ({row.id}) cancel no order: {why}")
    return tuple(found)


def broker_by_desk(shown: Shown) -> BrokerFacts:
    """What a desk that runs has read there."""
    contracts = [
        Contract(row.symbol, row.contract_id, row.tick_size, row.tick_value)
        for row in shown.instruments
        if row.is_active
    ]
    return BrokerFacts(
        "the desk that runs is logged in", tuple(contracts), {row.account_id: row.balance for row in shown.accounts}
    )


async def broker_clock(network: Network, login: Login, clock: Clock) -> ClockFacts | str:
    """What the Date header of any answer tells, which needs no login."""
    asked_ns = clock.now_ns()
    answer = await ask(network, "GET", f"{login.gateway_url}/api/Status/ping")
    if answer.failure:
        return answer.failure
    return date_told(answer, asked_ns, clock.now_ns())


def date_told(answer: Answer, asked_ns: int, heard_ns: int) -> ClockFacts | str:
    """How far the clock of who answered is ahead: at the time of its Date, or up to a second later."""
    try:
        told_ns = int(email.utils.parsedate_to_datetime(answer.date).timestamp()) * 1_000_000_000
    except ValueError:
        return "its answer has no Date"
    low_ns, high_ns = told_ns - heard_ns, told_ns + 1_000_000_000 - asked_ns
    return ClockFacts(low_ns / 1_000_000, high_ns / 1_000_000, answer.took_ms)


async def journal(path: Path, opened: Callable[[Path], Awaitable[Journal]]) -> JournalFacts | str:
    """How much of the journal is as it was written, as far as there is time."""
    rows, is_whole = 0, False
    try:
        async with asyncio.timeout(EACH_S), contextlib.AsyncExitStack() as opening:
            found = await opened(path)
            opening.push_async_callback(found.close)
            async for _ in found.read():
                rows += 1
            is_whole = True
    except TimeoutError:
        pass  # told as what was read
    except (StartRefused, JournalDamaged) as error:
        return str(error)
    return JournalFacts(path, rows, is_whole, os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def state(path: Path) -> StateFacts:
    """The state directory as it lies there. Nothing of it is made or taken."""
    key = path / "approval.key"
    has_bits = sys.platform != "win32"
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    return StateFacts(
        path=path,
        exists=path.exists(),
        mode=path.stat().st_mode & 0o777 if has_bits and path.exists() else None,
        key_mode=key.stat().st_mode & 0o777 if has_bits and key.exists() else None,
        writable=os.access(path, os.W_OK),
        free_bytes=shutil.disk_usage(there).free,
        held=held(path),
    )


def approval_key(path: Path, from_environment: str | None) -> bytes | None:
    """The key of the desk, where this user can read it; never made."""
    if from_environment is not None:
        return from_environment.strip().encode()
    try:
        return (path / "approval.key").read_text(encoding="utf-8").strip().encode() or None
    except (OSError, UnicodeError):
        return None


def options(path: Path | None) -> tuple[tuple[str, ...] | str | None, bool]:
    """What options of the Python API, as JSON, say of contracts and is not so; and whether they are live."""
    if path is None:
        return None, False
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            return "they are no JSON object", False
        _, wrong = settings_of(given | {"shadowMode": True})  # as on paper, where it is told and not refused
    except (OSError, ValueError, StartRefused) as error:
        return "; ".join(str(error).splitlines()), False
    return wrong, given.get("shadowMode", given.get("shadow_mode", True)) is False
