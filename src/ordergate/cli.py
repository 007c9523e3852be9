"""The command line: hands flags, environment and configuration file to ``config``, and starts what was asked for.

What only some commands need is imported by them, so that ``--help`` answers at once.

Invariants:
1. ``StartRefused`` ends the process with code 2 and one line on stderr for each mistake, without a traceback.
2. SIGINT and SIGTERM end a started process with code 0 after its parts have closed; a second one ends it at once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ordergate import __version__
from ordergate.config import load
from ordergate.errors import StartRefused
from ordergate.flags import Flags, command
from ordergate.settings import DOCUMENTED, LogLevel, Role, Settings

if TYPE_CHECKING:
    from ordergate.app import Ready

# As for a usage error, which typer ends so.
_REFUSED = 2
SWITCH_S = 0.0005
# A limit that would not refuse.
_DEAD = 1

_app = typer.Typer(
    help="A pre-trade risk gate and bracket manager for futures traders.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
_command = functools.partial(command, _app)
# What the commands that ask have to tell is their output: it is not told in the log again.
_QUIET = LogLevel.ERROR
_AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def main() -> None:
    """The ``ordergate`` command."""
    try:
        _app()
    except StartRefused as refused:
        for line in str(refused).splitlines():
            print(f"ordergate: {line}", file=sys.stderr)
        sys.exit(_REFUSED)


def run_until_stopped(work: Coroutine[object, object, None], speed: int = 1) -> None:
    """Run to the end of the work, on a loop whose time is that much faster than the world's.

    SIGINT or SIGTERM cancels it; this returns once it has closed.
    """
    import asyncio
    import signal

    from ordergate.pace import new_event_loop

    # The journal's thread has to have the interpreter back after each step on the disk. With the usual 5 ms a busy loop
    # kept an append of 64 events waiting for up to half a second; with this for 25 ms (seen 2026-11-23).
    sys.setswitchinterval(SWITCH_S)

    if sys.platform == "win32":
        # Loops take no signals there; asyncio cancels the work on Ctrl-C. UNVERIFIED on Windows: press it there.
        with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop(speed)) as runner:
            runner.run(work)
        return

    signals = (signal.SIGINT, signal.SIGTERM)

    async def stoppable() -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        asked = False

        def stop() -> None:
            nonlocal asked
            asked = True
            task.cancel()
            for number in signals:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

        for number in signals:
            loop.add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise

    with asyncio.Runner(loop_factory=new_event_loop(speed)) as runner:
        runner.run(stoppable())


@_command
def demo(flags: Flags) -> None:
    """The whole desk on a simulated TopstepX. Nothing leaves this machine."""
    settings = _settings(flags)
    from ordergate import app

    def ready(at: Ready) -> None:
        print(f"ordergate: the desk is open at {at.web}", flush=True)
        if settings.browser and at.web is not None:
            _open_page(at.web)

    run_until_stopped(app.demo(settings, _approval_key(), ready), settings.speed)


@_command
def run(flags: Flags) -> None:
    """The desk on TopstepX, or one role of it. The settings of [broker] say where it is and who trades."""
    settings = _settings(flags)

    def opened(url: str) -> None:
        print(f"ordergate: the desk is open at {url}", flush=True)
        if settings.browser:
            _open_page(url)

    if settings.role is Role.ALL:
        from ordergate import app

        run_until_stopped(app.run(settings, _approval_key(), opened))
    else:
        from ordergate import roles

        run_until_stopped(roles.run(settings, _approval_key(), opened))


@_command
def integration(flags: Flags) -> None:
    """The documented integration layer: the aggregator role over Redis, with the documented defaults (shadow mode)."""
    settings = msgspec.structs.replace(_settings(flags, DOCUMENTED), role=Role.AGGREGATOR)
    from ordergate import roles

    run_until_stopped(roles.run(settings, _approval_key(), lambda _url: None))


@_command
def exchange(flags: Flags) -> None:
    """The simulated TopstepX alone. It keeps everything in memory unless --state-dir is given."""
    settings = _settings(flags)
    from ordergate import app

    def ready(at: Ready) -> None:
        print(
            f"ordergate: the simulated TopstepX answers at {at.gateway}, user {at.user_name}; "
            "--ready-file PATH writes the API key",
            flush=True,
        )

    run_until_stopped(app.exchange(settings, ready), settings.speed)


@_command
def status(flags: Flags, *, as_json: _AsJson = False) -> None:
    """How a desk that runs is: its parts, modes, accounts, positions, orders and alarms, on one screen."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    sys.exit(commands.status(settings, as_json=as_json))


@_command
def orders(
    flags: Flags,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: _AsJson = False,
) -> None:
    """The orders that work, each with where it stands and why."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    sys.exit(commands.orders(settings, everything=everything, as_json=as_json))


@_command
def flatten(
    flags: Flags,
    *,
    account: Annotated[int | None, typer.Option("--account", metavar="ID", help="This account only.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    direct: Annotated[
        bool, typer.Option("--direct", help="At the broker itself, with nothing of a desk alive.")
    ] = False,
) -> None:
    """Cancel every order and close every position, and wait until it is so."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    work = commands.flatten_direct if direct else commands.flatten
    sys.exit(work(settings, account_id=account, yes=yes))


@_command
def halt(
    flags: Flags,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; shown while it lasts.")] = "",
) -> None:
    """Take no new risk and cancel the orders that wait to open; positions keep their stops and targets."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    sys.exit(commands.halt(settings, reason=reason))


@_command
def release(flags: Flags) -> None:
    """End a halt or a pause. It lifts nothing else: a lockout or a limit stays as it is."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    sys.exit(commands.release(settings))


@_command
def doctor(
    flags: Flags,
    *,
    options: Annotated[
        Path | None, typer.Option("--options", metavar="PATH", help="Options of the Python API as JSON, to check too.")
    ] = None,
    as_json: _AsJson = False,
) -> None:
    """Check what a desk stands on, a line for each thing: how it is, and what to do. Ends with 1 if any is unsafe."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.console import commands

    sys.exit(commands.doctor(settings, options=options, approval_key=_approval_key(), as_json=as_json))


@_command
def self_test(flags: Flags) -> None:
    """Fire each limit with an order that it has to refuse, as every start does. Nothing is started or sent."""
    settings = _settings(flags)
    from ordergate import app
    from ordergate.core import selftest

    trials = selftest.self_test(app.enforced(settings))
    for trial in trials:
        print(f"{trial.code:24}{'DEAD' if trial.dead_for else 'alive' if trial.enabled else 'off'}")
    dead = selftest.complaint(trials)
    if dead:
        print(dead, file=sys.stderr)
        sys.exit(_DEAD)


@_command
def certify(
    flags: Flags,
    *,
    venue: Annotated[
        str, typer.Option("--venue", metavar="NAME", help="Where: sim, or topstepx with a practice account.")
    ] = "sim",
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The practice account; its name, as the broker tells it.")
    ] = "",
    faults: Annotated[bool, typer.Option("--faults", help="The simulated venue fails at random.")] = False,
    only: Annotated[str, typer.Option("--only", metavar="TEXT", help="Cases with this in their sentence.")] = "",
    report: Annotated[
        Path, typer.Option("--report", metavar="PATH", help="Where the report goes; a page is written beside it.")
    ] = Path("certification.json"),
) -> None:
    """Play a day of cases by which a broker's adapter proves itself. Ends with 1 if any failed, 2 if it cannot be."""
    settings = _settings(flags, log_level=_QUIET)
    from ordergate.certify import command

    sys.exit(command.certify(settings, command.asked(venue, account, faults=faults, only=only, report=report)))


@_command
def version(_flags: Flags) -> None:
    """The version."""
    print(f"ordergate {__version__}")


def _settings(flags: Flags, defaults: Settings | None = None, log_level: LogLevel | None = None) -> Settings:
    """The settings of this process, with which its log is set up. Raises ``StartRefused``."""
    path = flags.pop("config", os.environ.get("ORDERGATE_CONFIG"))
    settings = load(flags, os.environ, None if path is None else _text_of(path), defaults)

    from ordergate import telemetry
    from ordergate.clock import SystemClock

    level = log_level or (settings.log_level if settings.enable_logging else LogLevel.ERROR)
    telemetry.configure(level, json_lines=not sys.stderr.isatty(), stream=sys.stderr, clock=SystemClock())
    telemetry.conceal(settings.redis.address.password or "")
    return settings


def _approval_key() -> str | None:
    from ordergate import telemetry

    key = os.environ.get("ORDERGATE_APPROVAL_KEY")
    telemetry.conceal(key or "")
    return key


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")  # some editors on Windows put a byte order mark first
    except OSError as error:
        raise StartRefused(f"the configuration file {path} cannot be read: {error.strerror or error}") from error
    except UnicodeError as error:
        raise StartRefused(f"the configuration file {path} is not UTF-8") from error


def _open_page(url: str) -> None:
    """Open the page in the person's browser, in a process of its own: a browser may keep its caller waiting."""
    import subprocess

    command = [sys.executable, "-m", "webbrowser", url]
    quiet = subprocess.DEVNULL
    subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)  # noqa: S603 - our URL
