"""The two ports of a certification: the venue that is asked to do things, and the adapter that has to bear them.

A venue says what it can be asked to do. A case that needs more than that is skipped with its reason, never passed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from ordergate.broker.connection import Settings
from ordergate.broker.last_hop import LastHop
from ordergate.clock import Clock
from ordergate.core.order import Side
from ordergate.core.reports import Quote, Report
from ordergate.net.port import Network


class Asked(enum.Enum):
    """Which of the adapter's requests something happens to."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"
    READ = "read"


class Provocation(msgspec.Struct, frozen=True):
    """Something that a venue may be asked to do. The first line of each one's docstring is how a reader is told."""

    @classmethod
    def words(cls) -> str:
        """What it is, in words."""
        assert cls.__doc__ is not None, "each says what it is"
        return cls.__doc__.partition("\n")[0].removesuffix(".")


class Cut(Provocation, frozen=True):
    """The line is cut for some seconds."""

    seconds: float


class Mute(Provocation, frozen=True):
    """The line stays open and nothing comes over it."""


class Withhold(Provocation, frozen=True):
    """The line stays open and says that it lives, but nothing of orders, fills, positions and accounts."""


class LogOut(Provocation, frozen=True):
    """The session is logged out."""


class Expire(Provocation, frozen=True):
    """The token expires before its time."""


class WrongLogin(Provocation, frozen=True):
    """A login with a wrong key is tried."""


class LoseAnswer(Provocation, frozen=True):
    """The next request of a kind is acted on and its answer is lost."""

    of: Asked


class LoseRequest(Provocation, frozen=True):
    """The next request of a kind fails before it is acted on."""

    of: Asked


class Hang(Provocation, frozen=True):
    """The next request of a kind is acted on and not answered for a minute."""

    of: Asked


class Limit(Provocation, frozen=True):
    """Every request is turned away because there were too many."""


class Unlimit(Provocation, frozen=True):
    """Requests are taken again."""


class Part(Provocation, frozen=True):
    """An order fills only in part at first."""

    order_tag: str


class Reject(Provocation, frozen=True):
    """An order is rejected with a text."""

    order_tag: str
    text: str


class RejectLeg(Provocation, frozen=True):
    """The stop of a native bracket is rejected when its entry fills."""

    order_tag: str


class Overfill(Provocation, frozen=True):
    """An order fills one contract more than it has."""

    order_tag: str


class Bust(Provocation, frozen=True):
    """A fill is taken back."""

    fill_id: int


class Halt(Provocation, frozen=True):
    """The market of a contract pauses for some seconds."""

    contract_id: str
    seconds: float


class Liquidate(Provocation, frozen=True):
    """The firm closes all that an account has and locks it."""

    account_id: int


class Roll(Provocation, frozen=True):
    """The active contract becomes the next month's."""


class Close(Provocation, frozen=True):
    """The session closes for the day."""


class OrderElsewhere(Provocation, frozen=True):
    """Somebody else orders in the account.

    At market, or a stop where ``stop_ticks`` is given; ``tag`` is theirs.
    """

    account_id: int
    contract_id: str
    side: Side
    quantity: int
    stop_ticks: int | None = None
    tag: str | None = None


class TrailElsewhere(Provocation, frozen=True):
    """Somebody else places a stop to sell one that trails the market, now at ``stop_ticks``."""

    account_id: int
    contract_id: str
    stop_ticks: int


class JoinElsewhere(Provocation, frozen=True):
    """Somebody else places an order to buy one that joins the bid, wherever that is when it comes."""

    account_id: int
    contract_id: str


class CancelElsewhere(Provocation, frozen=True):
    """Somebody else cancels an order of ours."""

    account_id: int
    broker_order_id: int


class MoveElsewhere(Provocation, frozen=True):
    """Somebody else moves a stop of ours."""

    account_id: int
    contract_id: str
    broker_order_id: int
    stop_ticks: int


class CloseElsewhere(Provocation, frozen=True):
    """Somebody else closes the position."""

    account_id: int
    contract_id: str


class TwoLogins(Provocation, frozen=True):
    """A second login of the same user leaves the first as it is."""


class NativeBrackets(Provocation, frozen=True):
    """The account takes brackets on its orders."""


class Shown(msgspec.Struct, frozen=True):
    """What a venue's own books hold, read past the adapter.

    Net by the contract's name; ids of the orders that work and of the fills that count.
    """

    positions: dict[str, int]
    working: frozenset[int]
    fills: frozenset[int]


class Site(msgspec.Struct, frozen=True):
    """Where an adapter finds its venue. ``network`` is the line to it."""

    network: Network
    clock: Clock
    settings: Settings


Hear = Callable[[Report], None]
Tell = Callable[[Quote], None]
# Opens an adapter until the block ends. Raises ``StartRefused`` where the login is refused.
Adapter = Callable[[Site, Hear, Tell], AbstractAsyncContextManager[LastHop]]


class Venue(Protocol):
    """A venue that is open for one case.

    ``account_id`` 0: the first that is told. ``symbols`` are two products that trade. ``is_disturbed``: it fails at
    random, so that what is not heard has to be read. ``is_fresh``: nobody will use it after the case.
    ``wrong_site``: as ``site``, with a key that is wrong; None where that must not be tried.
    """

    site: Site
    wrong_site: Site | None
    symbols: tuple[str, str]
    account_id: int
    is_disturbed: bool
    is_fresh: bool

    async def provoke(self, asked: Provocation) -> None:
        """Do it; only what ``can`` holds is asked."""
        ...

    async def shown(self, account_id: int) -> Shown | None:
        """Its own books; None where they cannot be read past the adapter."""
        ...


class Venues(Protocol):
    """Where the cases are played."""

    name: str
    can: frozenset[type[Provocation]]

    def opened(self, name: str, needs: tuple[type[Provocation], ...]) -> AbstractAsyncContextManager[Venue]:
        """The venue for the case of that name, which needs those."""
        ...
