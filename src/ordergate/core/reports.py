"""What the broker says: facts and outcomes, in the core's own units. Produced only by the connection manager.

A report is a claim; ``decide`` turns it into events. Prices are ticks, instants nanoseconds UTC.
"""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side


class Quote(msgspec.Struct, frozen=True):
    """The merged market of one contract; ``at_ns`` is when we last heard of it. None = never said.

    ``venue_ns`` is the latest time that the venue itself has put on it; 0 = never said.
    """

    contract_id: str
    bid_ticks: int | None
    ask_ticks: int | None
    last_ticks: int | None
    at_ns: int
    venue_ns: int = 0


class Outcome(enum.Enum):
    """How a request to the broker ended."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


class OrderState(enum.Enum):
    """The broker's order statuses, told apart only as far as we act on them."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class PlaceOutcome(msgspec.Struct, frozen=True, tag="placed"):
    """The end of one place request. ``text`` is the broker's, or why nothing was sent."""

    account_id: int
    order_tag: str
    outcome: Outcome
    broker_order_id: int | None = None
    code: int = 0
    text: str = ""


class ModifyOutcome(msgspec.Struct, frozen=True, tag="modified"):
    """The end of one modify request; ``number`` is that of the ``Change``."""

    account_id: int
    order_tag: str
    number: int
    outcome: Outcome
    code: int = 0
    text: str = ""


class CancelOutcome(msgspec.Struct, frozen=True, tag="cancelled"):
    """The end of one cancel request. DONE = the broker took it; the order's end is told by an ``OrderReport``.

    ``forbidden``: it was REFUSED because of the account, which may cancel no order at all.
    """

    account_id: int
    broker_order_id: int
    outcome: Outcome
    code: int = 0
    text: str = ""
    forbidden: bool = False


class OrderReport(msgspec.Struct, frozen=True, tag="order"):
    """One order as the broker shows it. ``filled_quantity`` is cumulative; ``parent_id`` is the entry's of a child."""

    account_id: int
    broker_order_id: int
    order_tag: str | None
    contract_id: str
    side: Side
    order_type: OrderType
    quantity: int
    limit_ticks: int | None
    stop_ticks: int | None
    state: OrderState
    filled_quantity: int
    created_ns: int
    parent_id: int | None = None


class FillReport(msgspec.Struct, frozen=True, tag="fill"):
    """One fill. ``pnl_usd`` is the broker's gross P&L of a closing fill, None on an opening one; ``fee_usd`` >= 0."""

    account_id: int
    fill_id: int
    broker_order_id: int
    contract_id: str
    side: Side
    quantity: int
    price_ticks: int
    fee_usd: Decimal
    pnl_usd: Decimal | None
    voided: bool
    at_ns: int


class AccountReport(msgspec.Struct, frozen=True, tag="account"):
    """One account. ``balance_usd`` moves with realised P&L and fees, not with open P&L.

    ``no_cancel`` says why its orders cannot be cancelled through this broker's API; empty while nothing says so.
    """

    account_id: int
    name: str
    balance_usd: Decimal
    can_trade: bool
    no_cancel: str = ""


class PositionReport(msgspec.Struct, frozen=True, tag="position"):
    """One net position. ``net_quantity`` is positive when long; ``cost_ticks`` = average in ticks x net_quantity."""

    account_id: int
    contract_id: str
    net_quantity: int
    cost_ticks: int


class LookupOutcome(msgspec.Struct, frozen=True, tag="looked up"):
    """A search by tag in open orders and order history. ``found`` None = absent from both; UNKNOWN = could not read.

    ``fills``: where it is absent, what has filled in the account since it was sent, or a little longer.
    """

    account_id: int
    order_tag: str
    outcome: Outcome
    found: OrderReport | None = None
    fills: tuple[FillReport, ...] = ()


class BrokerSnapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """All that the broker shows of one account, read over REST.

    ``orders`` holds open and historical orders since ``since_ns``, ``fills`` all fills since then. The positions are
    read first and the fills last, so a fill between the two makes the fills newer, never older.
    """

    account: AccountReport
    since_ns: int
    started_ns: int
    positions: tuple[PositionReport, ...]
    orders: tuple[OrderReport, ...]
    fills: tuple[FillReport, ...]


class InstrumentsReport(msgspec.Struct, frozen=True, tag="instruments"):
    """The contracts that the broker lists."""

    instruments: tuple[Instrument, ...]


class LinkReport(msgspec.Struct, frozen=True, tag="link"):
    """Whether we see the broker: both hubs subscribed and REST answering."""

    up: bool
    reason: str = ""


class CheckReport(msgspec.Struct, frozen=True, tag="check"):
    """One thing that the session stands on, by ``name``: what was found, and whether that is as this desk reckons.

    ``refuses``: it is so far from it that no new risk can be taken.
    """

    name: str
    text: str
    well: bool
    refuses: bool = False


# Why the link is down where nothing has failed: the gate, or the connection manager, has just begun.
GATE_STARTED = "starting"
CONNECTION_MANAGER_STARTED = "the connection manager has started"


class Unreadable(msgspec.Struct, frozen=True, tag="unreadable"):
    """The broker said something that cannot be interpreted (unknown enum value, off-grid price)."""

    account_id: int
    what: str


class ApprovalRefused(msgspec.Struct, frozen=True, tag="approval refused"):
    """The connection manager was told to send something that it may not; nothing was sent.

    As somebody wrote them: ``account_id`` need not be one of ours, and ids may be empty.
    """

    account_id: int
    approval_id: str
    order_tag: str
    reason: str


Report = (
    PlaceOutcome
    | ModifyOutcome
    | CancelOutcome
    | OrderReport
    | FillReport
    | AccountReport
    | PositionReport
    | LookupOutcome
    | BrokerSnapshot
    | InstrumentsReport
    | LinkReport
    | CheckReport
    | Unreadable
    | ApprovalRefused
)
