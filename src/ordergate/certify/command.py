"""``ordergate certify``, from the settings to the exit code: the composition root of a certification."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ordergate import __version__
from ordergate.app import broker_settings
from ordergate.broker.connection import Settings as BrokerSettings
from ordergate.certify.case import Case
from ordergate.certify.cases import CASES
from ordergate.certify.practice import PracticeVenues, name_refusal, practice_account
from ordergate.certify.projectx import projectx
from ordergate.certify.report import Report, as_json, as_page, is_certified, report, verdict
from ordergate.certify.run import Ended, Played, play
from ordergate.certify.sim import SimVenues
from ordergate.certify.venue import Venues
from ordergate.clock import SystemClock
from ordergate.console import screen
from ordergate.errors import StartRefused
from ordergate.net.http import HttpNetwork
from ordergate.pace import new_event_loop
from ordergate.settings import Settings

PASSED, FAILED, NOT_RUN = 0, 1, 2
# A simulated day is played as fast as it can be: ten minutes without a line are six seconds.
SPEED = 100
# Micros, so that a practice account of any size bears them.
_SYMBOLS = ("MES", "MNQ")


class VenueName(enum.Enum):
    """Where a certification can be played."""

    SIM = "sim"
    TOPSTEPX = "topstepx"


class Asked(msgspec.Struct, frozen=True):
    """What was asked for beside the settings. ``only``: cases with that in subject or sentence, without case."""

    venue: VenueName = VenueName.SIM
    account: str = ""
    faults: bool = False
    only: str = ""
    report: Path = Path("certification.json")


def asked(venue: str, account: str, *, faults: bool, only: str, report: Path) -> Asked:
    """What the options ask for. Raises ``StartRefused`` naming what is wrong with them."""
    names = [each.value for each in VenueName]
    if venue not in names:
        raise StartRefused(f"--venue {venue}: there is no such venue; {' or '.join(names)}")
    if report.suffix == ".html":
        raise StartRefused(f"--report {report}: the page is written beside it; name the JSON file")
    name = VenueName(venue)
    if name is VenueName.SIM and account:
        raise StartRefused("--account: the simulated venue makes an account for each case")
    if name is VenueName.TOPSTEPX and not account:
        raise StartRefused("--venue topstepx needs --account NAME, a practice account such as PRAC-V2-12345-1")
    wrong = name_refusal(account) if name is VenueName.TOPSTEPX else None
    if wrong is not None:
        raise StartRefused(wrong)
    if name is VenueName.TOPSTEPX and faults:
        raise StartRefused("--faults: only the simulated venue can be made to fail at random")
    return Asked(name, account, faults, only, report)


def certify(settings: Settings, asked: Asked) -> int:
    """Play the day, say each case as it ends, write the report. Raises ``StartRefused`` if it cannot be played."""
    cases = chosen(asked.only)
    speed = SPEED if asked.venue is VenueName.SIM else 1
    try:
        with asyncio.Runner(loop_factory=new_event_loop(speed)) as runner:
            told = runner.run(certified(settings, asked, cases, _say))
    except KeyboardInterrupt:
        screen.progress("stopped before its end: no report is written")
        return NOT_RUN
    written(told, asked.report)
    screen.say(verdict(told))
    screen.say(f"report: {asked.report} and {asked.report.with_suffix('.html')}")
    return PASSED if is_certified(told) else FAILED


def chosen(only: str) -> tuple[Case, ...]:
    """The cases that are asked for. Raises ``StartRefused`` if there is none."""
    cases = tuple(case for case in CASES if only.casefold() in f"{case.subject}: {case.name}".casefold())
    if not cases:
        raise StartRefused(f"no case has {only!r} in its subject or its sentence")
    return cases


async def certified(settings: Settings, asked: Asked, cases: tuple[Case, ...], say: Callable[[Played], None]) -> Report:
    """The report of the cases, played where it was asked for. Raises ``StartRefused``."""
    began = datetime.now(UTC)
    began_s = time.perf_counter()
    seed = settings.exchange.seed
    async with _venues(settings, asked) as (venues, tags):
        done = await play(cases, venues, projectx, tags, say)
    return report(
        done,
        version=__version__,
        venue=venues.name,
        account=asked.account,
        faults=asked.faults,
        seed=seed,
        started_at=began.isoformat(timespec="seconds"),
        took_s=round(time.perf_counter() - began_s, 1),
    )


def written(told: Report, path: Path) -> None:
    """Write the report and the page beside it. Raises ``StartRefused``."""
    try:
        path.write_bytes(as_json(told))
        path.with_suffix(".html").write_text(as_page(told), encoding="utf-8")
    except OSError as error:
        raise StartRefused(f"the report {path} cannot be written: {error.strerror or error}") from error


Tags = Callable[[int, int], str]


@contextlib.asynccontextmanager
async def _venues(settings: Settings, asked: Asked) -> AsyncIterator[tuple[Venues, Tags]]:
    """The venue, and what makes tags there: an account that has had a certification has had its tags."""
    network = HttpNetwork()
    try:
        if asked.venue is VenueName.SIM:
            chosen = settings.exchange
            yield (
                SimVenues(network, chosen.seed, is_disturbed=asked.faults, variants=chosen.variants),
                partial(_tag, "cert"),
            )
            return
        clock = SystemClock()
        broker = replace(_broker(settings), symbols=_SYMBOLS)
        account_id = await practice_account(network, clock, broker, asked.account)
        venues = PracticeVenues(network, clock, broker, account_id, settings.bracket_mode)
        yield venues, partial(_tag, f"cert-{clock.now_ns() // 1_000_000_000:x}")
    finally:
        await network.close()


def _broker(settings: Settings) -> BrokerSettings:
    """Where the broker is. Raises ``StartRefused``."""
    if settings.modes.shadow:
        raise StartRefused("shadow mode is on, in which nothing is sent: a certification sends orders")
    return broker_settings(settings)


def _tag(run: str, case: int, order: int) -> str:
    return f"{run}-{case}-{order}"


def _say(case: Played) -> None:
    screen.say(f"{case.ended.value}  {case.name}  ({case.took_s:.1f} s)", case.ended.value)
    if case.ended is not Ended.PASSED:
        screen.say(f"      {case.why}")
