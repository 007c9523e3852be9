"""A practice account of TopstepX as a venue, and why any other account is refused.

It can be asked for little: nobody moves its market, and its gateway does not fail on demand. Our own line to it can be
cut. What is certified is played on it as a person would trade: a few micros, at the market's own pace.

Invariants:
1. Nothing is sent but a login and a question for accounts before the account is known to be a practice one: by its name
   and by the broker's own word that it is simulated.
2. Every case begins with an account that holds nothing, and leaves it so.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterable

from ordergate.broker.connection import Settings
from ordergate.broker.projectx.budget import BAR_LIMITS, RequestBudget, RequestLimits
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.messages import Account
from ordergate.broker.projectx.rest import Passage, Rest
from ordergate.broker.projectx.session import Session
from ordergate.certify.case import Needs
from ordergate.certify.line import Line
from ordergate.certify.venue import Cut, NativeBrackets, Provocation, Shown, Site
from ordergate.clock import Clock
from ordergate.core.order import BracketMode
from ordergate.errors import BrokerRefused, StartRefused, TransportError
from ordergate.net.port import Network

# Practice accounts are PRAC-V2-<user>-<n> (ProjectX API notes, section 4, 2026-11-22), the simulated exchange's are
# PRACTICE-50K-1. Combines and funded accounts have names of their own, and the broker calls a combine simulated too.
_PRACTICE = re.compile(r"PRAC(?:TICE)?-\S+")
_ASKING = Passage(exits=False, wait_s=10.0)
_WHAT_TO_DO = "Name a practice account (PRAC-V2-...) with --account; a certification trades for an hour."


def name_refusal(name: str) -> str | None:
    """Why an account of that name is not traded, or None."""
    if _PRACTICE.fullmatch(name):
        return None
    return f"account {name!r} is not a practice account: its name does not begin with PRAC-. {_WHAT_TO_DO}"


def refusal(row: Account) -> str | None:
    """Why the account that the broker shows is not traded, or None."""
    if row.simulated is not True:
        said = "does not say that it is" if row.simulated is None else "says that it is not"
        return f"account {row.name!r} is not a practice account: the broker {said} simulated. {_WHAT_TO_DO}"
    if not row.can_trade:
        return f"account {row.name!r} is locked: reset it on the broker's page, or name another with --account."
    return name_refusal(row.name)


async def practice_account(network: Network, clock: Clock, settings: Settings, name: str) -> int:
    """The id of the account of that name. Raises ``StartRefused``, before anything is sent where the name says it."""
    wrong = name_refusal(name)
    if wrong is not None:
        raise StartRefused(wrong)
    rest, bars = (
        Rest(network, settings.gateway_url, RequestBudget(limits), settings.request_timeout_s)
        for limits in (RequestLimits(), BAR_LIMITS)
    )
    client = Client(rest, bars, Session(rest, clock, settings.credentials))
    try:
        rows = await client.accounts(_ASKING, only_active=True)
    except (TransportError, BrokerRefused) as error:
        raise StartRefused(f"{settings.gateway_url} does not tell its accounts: {error}") from error
    found = _named(rows, name)
    wrong = refusal(found)
    if wrong is not None:
        raise StartRefused(wrong)
    return found.id


def _named(rows: Iterable[Account], name: str) -> Account:
    practice = []
    for row in rows:
        if row.name == name:
            return row
        if refusal(row) is None:
            practice.append(row.name)
    there = f"it has {', '.join(sorted(practice))}" if practice else "it has no practice account"
    raise StartRefused(f"the login has no active account {name!r}: {there}. {_WHAT_TO_DO}")


class PracticeVenues:
    """See the module: the one account for every case."""

    name = "topstepx"

    def __init__(
        self, network: Network, clock: Clock, settings: Settings, account_id: int, bracket_mode: BracketMode
    ) -> None:
        native: frozenset[type[Provocation]] = frozenset({NativeBrackets})
        self.can: frozenset[type[Provocation]] = frozenset({Cut})
        if bracket_mode is BracketMode.AUTO_OCO:
            self.can |= native
        self._venue = PracticeVenue(Site(Line(network), clock, settings), account_id)

    @contextlib.asynccontextmanager
    async def opened(self, _name: str, _needs: Needs) -> AsyncIterator[PracticeVenue]:
        yield self._venue


class PracticeVenue:
    """See the module."""

    is_disturbed: bool = False
    is_fresh: bool = False

    def __init__(self, site: Site, account_id: int) -> None:
        first, second = site.settings.symbols
        self.symbols: tuple[str, str] = (first, second)
        self.site = site
        self.wrong_site: Site | None = None
        self.account_id = account_id

    async def provoke(self, asked: Provocation) -> None:
        assert isinstance(asked, Cut), f"not among what can be asked for: {asked}"
        assert isinstance(self.site.network, Line)
        self.site.network.cut(asked.seconds)

    async def shown(self, _account_id: int) -> Shown | None:
        """The port is all that there is to read it by."""
        return None
