"""Plays the cases: each at a venue opened for it, within its time, and tells how it ended.

Invariants:
1. A case is passed only when it was played to its end and its stage agreed with the venue afterwards.
2. A case that needs what the venue cannot do is skipped with what that is, and counts as neither.
3. A case that does not end is ended, and has failed.
"""

from __future__ import annotations

import asyncio
import enum
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from ordergate.certify.case import Case, CaseFailed
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Adapter, Venues


class Ended(enum.Enum):
    """How a case has ended."""

    PASSED = "pass"
    FAILED = "FAIL"
    SKIPPED = "skip"


class Played(msgspec.Struct, frozen=True, rename="camel"):
    """One case as it was played. ``took_s`` are seconds of the world; ``why`` is empty for one that passed."""

    subject: str
    name: str
    ended: Ended
    took_s: float
    why: str = ""


async def played(case: Case, venues: Venues, adapter: Adapter, tags: Callable[[int], str]) -> Played:
    """Play one case."""
    cannot = [need.words() for need in case.needs if need not in venues.can]
    if cannot:
        why = "; ".join(f"needs what this venue cannot be asked for: {words}" for words in cannot)
        return Played(case.subject, case.name, Ended.SKIPPED, 0.0, why)
    began_s = time.perf_counter()
    why = await _failure(case, venues, adapter, tags)
    took_s = round(time.perf_counter() - began_s, 2)
    return Played(case.subject, case.name, Ended.FAILED if why else Ended.PASSED, took_s, why)


async def play(
    cases: Iterable[Case],
    venues: Venues,
    adapter: Adapter,
    tags: Callable[[int, int], str],
    say: Callable[[Played], None],
) -> list[Played]:
    """Play all, one after the other. ``tags`` makes a tag of the numbers of the case and of the order."""
    done: list[Played] = []
    for number, case in enumerate(cases, start=1):
        done.append(await played(case, venues, adapter, lambda order, number=number: tags(number, order)))  # type: ignore[misc]
        say(done[-1])
    return done


async def _failure(case: Case, venues: Venues, adapter: Adapter, tags: Callable[[int], str]) -> str:
    """Why the case has failed, or empty. Whatever an adapter raises, it is that case's failure."""
    stages: list[Stage] = []
    playing = asyncio.ensure_future(_play(case, venues, adapter, tags, stages))
    try:
        await asyncio.wait([playing])
    except asyncio.CancelledError:
        playing.cancel()
        await asyncio.wait([playing])
        raise
    error = None if playing.cancelled() else playing.exception()
    match error:
        case None:
            return ""
        case CaseFailed():
            return str(error)
        case TimeoutError():
            heard = "".join(f"; heard: {stage.heard.last_said()}" for stage in stages)
            return f"not at its end within {case.within_s:.0f} s{heard}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"


async def _play(case: Case, venues: Venues, adapter: Adapter, tags: Callable[[int], str], stages: list[Stage]) -> None:
    async with asyncio.timeout(case.within_s), venues.opened(case.name, case.needs) as venue:
        stages.append(stage := Stage(venue, adapter, tags))
        async with stage.open():
            try:
                await stage.ready()
                await case.play(stage)
                await stage.agreed()
            finally:
                await stage.left()
