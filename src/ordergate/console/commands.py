"""What the commands do that ask a desk, from the settings to the exit code: the composition root of the console."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

from ordergate import telemetry
from ordergate.broker.projectx.session import Credentials
from ordergate.clock import SystemClock
from ordergate.console import doctor as examination
from ordergate.console import gather, screen
from ordergate.console import orders as table
from ordergate.console.checks import findings
from ordergate.console.direct import Direct, Login
from ordergate.console.places import Places, Written, ask, places, read_ready_file
from ordergate.console.shown import shown
from ordergate.console.status import EXIT_CODES, show
from ordergate.console.status import status as judged
from ordergate.console.stopping import DONE, NOT_DONE, UNREACHABLE, Gate, what_is_left
from ordergate.core.limits import Limits
from ordergate.errors import BrokerRefused, StartRefused, TransportError
from ordergate.keychain import api_key
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Network
from ordergate.settings import Settings

# As for a usage error, which typer ends so.
_REFUSED = 2
# As a shell tells of a process that Ctrl-C has ended.
_STOPPED = 130


def status(settings: Settings, *, as_json: bool) -> int:
    """Print how the desk is."""

    async def work() -> int:
        async with _network() as network:
            at = _places(settings)
            found, known = judged(
                *await asyncio.gather(
                    ask(network, "GET", f"{at.page}/health"),
                    ask(network, "GET", f"{at.gate}/health"),
                    ask(network, "GET", f"{at.connection_manager}/health"),
                    ask(network, "GET", f"{at.page}/api/snapshot"),
                )
            )
        if as_json:
            screen.say_json(found)
        else:
            show(found, known)
        return EXIT_CODES[found.status]

    return _ended(work())


def orders(settings: Settings, *, everything: bool, as_json: bool) -> int:
    """Print the orders that work, or all of the day."""

    async def work() -> int:
        async with _network() as network:
            known = shown(await ask(network, "GET", f"{_places(settings).page}/api/snapshot"))
        if isinstance(known, str):
            screen.progress(f"the orders are not known: {known}")
            return UNREACHABLE
        wanted = [
            (order, raw)
            for order, raw in zip(known.orders, known.raw["orders"], strict=True)
            if everything or order.is_open
        ]
        if as_json:
            screen.say_json([raw for _, raw in wanted])
        elif wanted:
            screen.table(table.COLUMNS, [table.cells(order) for order, _ in wanted])
        else:
            screen.say("no orders" if everything else "no order works; --all shows those that are over")
        return DONE

    return _ended(work())


def flatten(settings: Settings, *, account_id: int | None, yes: bool) -> int:
    """Ask the gate to cancel and close everything, once a person has agreed."""

    async def work() -> int:
        async with _network() as network:
            gate = Gate(network, _places(settings), screen.say)
            known = await gate.snapshot()
            if isinstance(known, str):
                screen.progress(f"the gate cannot be asked: {known}")
                screen.progress("`ordergate flatten --direct` closes at the broker itself, past the gate")
                return UNREACHABLE
            screen.say(what_is_left(known, account_id) or "no position is held and no order works, as far as is known")
            return await gate.flatten(account_id) if _agreed("Cancel and close all of this?", yes=yes) else NOT_DONE

    return _ended(work())


def flatten_direct(settings: Settings, *, account_id: int | None, yes: bool) -> int:
    """Cancel and close everything at the broker itself, once a person has agreed. Raises ``StartRefused``."""
    written = read_ready_file(settings.ready_file)
    login = login_to_write(settings, written)

    async def work() -> int:
        async with _network() as network:
            timeout_s = settings.broker_timeout_ms / 1_000
            broker = Direct(network, SystemClock(), login, timeout_s, screen.say)
            try:
                books = await broker.books(account_id)
            except (TransportError, BrokerRefused) as error:
                screen.progress(f"the broker at {login.gateway_url} cannot be asked: {error}")
                return UNREACHABLE
            screen.say(f"{login.credentials.user_name} at {login.gateway_url}")
            for account, book in books.items():
                screen.say(f"account {account}: {book.text}")
            at = places(settings, written)
            if (await ask(network, "GET", f"{at.gate}/health")).status:
                screen.say(
                    f"a gate answers at {at.gate}: it will see all of this as EXTERNAL; `ordergate flatten` asks it"
                )
            if not _agreed("Cancel and close all of this at the broker?", yes=yes):
                return NOT_DONE
            flat = await asyncio.gather(*(broker.flatten(account) for account in books))
            return DONE if all(flat) else NOT_DONE

    return _ended(work())


def halt(settings: Settings, *, reason: str) -> int:
    """Ask the gate for no new risk, and for an end of what waits to open."""

    async def work() -> int:
        async with _network() as network:
            return await Gate(network, _places(settings), screen.say).halt(reason)

    return _ended(work())


def release(settings: Settings) -> int:
    """Ask the gate to end the pause."""

    async def work() -> int:
        async with _network() as network:
            return await Gate(network, _places(settings), screen.say).release()

    return _ended(work())


def doctor(settings: Settings, *, options: Path | None, approval_key: str | None, as_json: bool) -> int:
    """Check everything that can be checked from here."""
    from ordergate import app  # noqa: PLC0415 - half a second, which nothing else here has to wait for
    from ordergate.journal.sqlite import SqliteJournal  # noqa: PLC0415 - as above

    written = read_ready_file(settings.ready_file)
    state_path = app.state_path(settings, app.STATE if written.gateway is None else "demo")
    try:
        limits: Limits | str = app.enforced(settings, simulated=written.gateway is not None)
    except StartRefused as refused:
        limits = str(refused)
    around = examination.Around(
        settings=settings,
        limits=limits,
        at=places(settings, written),
        state_path=state_path,
        approval_key=gather.approval_key(state_path, approval_key),
        login=_login(settings, written),
        options=options,
        journal_path=state_path / "journal.db",
        journal=SqliteJournal.open_to_read,
    )

    async def work() -> int:
        async with _network() as network:
            facts = await examination.facts(around, network, SystemClock())
        lines = examination.told(findings(facts))
        if as_json:
            screen.say_json(lines)
        else:
            examination.show(lines)
        return examination.exit_code(lines)

    return _ended(work())


def _places(settings: Settings) -> Places:
    return places(settings, read_ready_file(settings.ready_file))


def _agreed(question: str, *, yes: bool) -> bool:
    """Whether it was agreed to, in the command or at the terminal."""
    agreed = yes or screen.confirmed(question)
    if agreed is None:
        screen.progress("nothing is done: there is no terminal to ask at, and --yes is not given")
    elif not agreed:
        screen.progress("nothing is done")
    return bool(agreed)


def login_to_write(settings: Settings, written: Written) -> Login:
    """The login at which something is to be closed. Raises ``StartRefused``."""
    if settings.modes.shadow:
        text = "SHADOW_MODE is true: nothing is written to the broker, by nobody; set it to false to close there"
        raise StartRefused(text)
    login = _login(settings, written)
    if login is None:
        needed = "PROJECTX_API_URL, PROJECTX_USERNAME and PROJECTX_API_KEY"
        raise StartRefused(f"whose account? Set {needed}, or name the --ready-file of a simulated TopstepX")
    return login


def _login(settings: Settings, written: Written) -> Login | None:
    """The login of [broker], or that of the simulated broker of the ready file. Raises ``StartRefused`` if both."""
    given, found = settings.broker, []
    key = api_key(given)
    if given.api_url and given.user_name and key:
        found.append(Login(given.api_url.removesuffix("/api"), Credentials(given.user_name, key)))
    if written.gateway and written.user_name and written.api_key:
        found.append(Login(written.gateway, Credentials(written.user_name, written.api_key)))
    if len(found) > 1:
        raise StartRefused("[broker] and the ready file name two logins: leave out one of them")
    for login in found:
        telemetry.conceal(login.credentials.api_key)
        return login
    return None


@contextlib.asynccontextmanager
async def _network() -> AsyncIterator[Network]:
    network = HttpNetwork()
    try:
        yield network
    finally:
        await network.close()


def _ended(work: Coroutine[object, object, int]) -> int:
    """The exit code of ``work``."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        screen.progress("stopped; what was asked for already goes on")
        return _STOPPED
