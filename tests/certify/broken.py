"""Adapters that are broken in one way each, around the real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from ordergate.broker.last_hop import LastHop, Live
from ordergate.certify.projectx import projectx
from ordergate.certify.venue import Adapter, Hear, Site, Tell
from ordergate.core.reports import Outcome, Report

Broken = Callable[[Report], list[Report]]


class Port:
    """The real last hop, but for the calls that are given here by their names."""

    def __init__(self, real: LastHop, **instead: Callable[..., Any]) -> None:
        self._real = real
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        instead = self._instead.get(name)
        if instead is None:
            return getattr(self._real, name)

        async def call(*arguments: Any) -> Any:
            return await instead(self._real, *arguments)

        return call


def telling(broken: Broken) -> Adapter:
    """Each report is told as ``broken`` makes it."""

    @contextlib.asynccontextmanager
    async def adapter(site: Site, hear: Hear, tell: Tell) -> AsyncIterator[LastHop]:
        def heard(report: Report) -> None:
            for told in broken(report):
                hear(told)

        async with projectx(site, heard, tell) as hop:
            yield hop

    return adapter


def calling(around: Adapter = projectx, /, **instead: Callable[..., Any]) -> Adapter:
    """Each call of those names is another."""

    @contextlib.asynccontextmanager
    async def adapter(site: Site, hear: Hear, tell: Tell) -> AsyncIterator[LastHop]:
        async with around(site, hear, tell) as hop:
            yield Port(hop, **instead)

    return adapter


@contextlib.asynccontextmanager
async def deaf(site: Site, _hear: Hear, tell: Tell) -> AsyncIterator[LastHop]:
    """Tells nothing at all."""
    async with projectx(site, lambda _: None, tell) as hop:
        yield hop


def sure(call: str) -> Callable[..., Any]:
    """Whatever the broker has said, it is done."""

    async def instead(real: LastHop, *arguments: Any) -> Any:
        return replace(await getattr(real, call)(*arguments), outcome=Outcome.DONE)

    return instead


def idle(call: str, outcome: Any) -> Callable[..., Any]:
    """Nothing is sent, and that is said."""

    async def instead(real: LastHop, *arguments: Any) -> Any:
        assert hasattr(real, call)
        await asyncio.sleep(0)
        return outcome(*arguments)

    return instead


@contextlib.asynccontextmanager
async def believing(site: Site, hear: Hear, tell: Tell) -> AsyncIterator[LastHop]:
    """Takes a line that lives for one that tells all."""
    async with projectx(site, hear, tell) as hop:
        assert isinstance(hop, Live)
        hop._promised = lambda *_: None  # noqa: SLF001
        yield hop
