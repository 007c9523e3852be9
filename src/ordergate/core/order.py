"""An order, and the one table of what may happen to it.

Invariants:
1. Every transition is a row of ``TRANSITIONS``; ``docs/order-lifecycle.svg`` is drawn from it.
2. A broker fact that has a row is always applied; one that has none is ``UnexpectedBrokerFact``, never an exception.
3. Our own step without a row is a programmer's error and raises ``IllegalTransition``.
4. An order whose outcome is unknown is live: it counts against the limits until evidence ends it.

What is kept by the thousand is ``gc=False``: immutable and without cycles, so the collector need not look at it.
"""

from __future__ import annotations

import enum

import msgspec

from ordergate.core.limits import Breach
from ordergate.errors import IllegalTransition


class Side(enum.Enum):
    """The side of an order; its ``sign`` is +1 for a buy, -1 for a sell."""

    BUY = "BUY"
    SELL = "SELL"

    def __init__(self, word: str) -> None:
        self.sign = 1 if word == "BUY" else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(enum.Enum):
    """How an order is priced."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"


class Role(enum.Enum):
    """What an order is for. Stops, targets and the close of one entry name that entry: ``parent_id``."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    CLOSE = "close"
    EXTERNAL = "external"


class Status(enum.Enum):
    """Where an order stands."""

    APPROVED = "approved"
    WORKING = "working"
    IN_DOUBT = "in doubt"
    FILLED = "filled"
    CANCELLED = "cancelled"
    DENIED = "denied"
    REJECTED = "rejected"
    EXPIRED = "expired"
    NOT_SENT = "not sent"


# Tuples, not sets: an enum is dear to hash, and these are asked for at every turn.
LIVE = (Status.WORKING, Status.APPROVED, Status.IN_DOUBT)
LEGS = (Role.STOP, Role.TARGET)


class Trigger(enum.Enum):
    """What can happen to an order. The first is our own step, the others are facts about the broker."""

    WANT_CANCEL = "cancel wanted"
    ACCEPT = "accepted"
    REJECT = "rejected"
    FILL = "filled in part"
    COMPLETE = "filled"
    CANCEL = "cancelled"
    REFUSE_CANCEL = "cancel refused"
    EXPIRE = "expired"
    LOSE = "outcome unknown"
    PROVE_ABSENT = "proven not sent"
    BUST = "fill busted"


_S, _T = Status, Trigger
TRANSITIONS: dict[tuple[Status, Trigger], Status] = {
    # Before the broker's answer. A fill can overtake the answer.
    (_S.APPROVED, _T.WANT_CANCEL): _S.APPROVED,
    (_S.APPROVED, _T.ACCEPT): _S.WORKING,
    (_S.APPROVED, _T.REJECT): _S.REJECTED,
    (_S.APPROVED, _T.FILL): _S.WORKING,
    (_S.APPROVED, _T.COMPLETE): _S.FILLED,
    (_S.APPROVED, _T.CANCEL): _S.CANCELLED,
    (_S.APPROVED, _T.EXPIRE): _S.EXPIRED,
    (_S.APPROVED, _T.LOSE): _S.IN_DOUBT,
    (_S.APPROVED, _T.PROVE_ABSENT): _S.NOT_SENT,
    # At the broker. A late "outcome unknown" does not take back what a hub event has proven.
    (_S.WORKING, _T.WANT_CANCEL): _S.WORKING,
    (_S.WORKING, _T.ACCEPT): _S.WORKING,
    (_S.WORKING, _T.REJECT): _S.REJECTED,
    (_S.WORKING, _T.FILL): _S.WORKING,
    (_S.WORKING, _T.COMPLETE): _S.FILLED,
    (_S.WORKING, _T.CANCEL): _S.CANCELLED,
    (_S.WORKING, _T.REFUSE_CANCEL): _S.WORKING,
    (_S.WORKING, _T.EXPIRE): _S.EXPIRED,
    (_S.WORKING, _T.LOSE): _S.WORKING,
    (_S.WORKING, _T.BUST): _S.WORKING,
    # In doubt: only evidence ends it.
    (_S.IN_DOUBT, _T.WANT_CANCEL): _S.IN_DOUBT,
    (_S.IN_DOUBT, _T.ACCEPT): _S.WORKING,
    (_S.IN_DOUBT, _T.REJECT): _S.REJECTED,
    (_S.IN_DOUBT, _T.FILL): _S.WORKING,
    (_S.IN_DOUBT, _T.COMPLETE): _S.FILLED,
    (_S.IN_DOUBT, _T.CANCEL): _S.CANCELLED,
    (_S.IN_DOUBT, _T.REFUSE_CANCEL): _S.IN_DOUBT,
    (_S.IN_DOUBT, _T.EXPIRE): _S.EXPIRED,
    (_S.IN_DOUBT, _T.LOSE): _S.IN_DOUBT,
    (_S.IN_DOUBT, _T.PROVE_ABSENT): _S.NOT_SENT,
    # Filled: late answers, an overfill, a bust; the end of a rest that a smaller size took away.
    (_S.FILLED, _T.ACCEPT): _S.FILLED,
    (_S.FILLED, _T.CANCEL): _S.FILLED,
    (_S.FILLED, _T.EXPIRE): _S.FILLED,
    (_S.FILLED, _T.FILL): _S.FILLED,
    (_S.FILLED, _T.COMPLETE): _S.FILLED,
    (_S.FILLED, _T.REFUSE_CANCEL): _S.FILLED,
    (_S.FILLED, _T.LOSE): _S.FILLED,
    (_S.FILLED, _T.BUST): _S.FILLED,
    # Cancelled: the fill that crossed the cancel arrives late (glossary: fill after cancel).
    (_S.CANCELLED, _T.ACCEPT): _S.CANCELLED,
    (_S.CANCELLED, _T.FILL): _S.CANCELLED,
    (_S.CANCELLED, _T.COMPLETE): _S.FILLED,
    (_S.CANCELLED, _T.CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _T.EXPIRE): _S.CANCELLED,
    (_S.CANCELLED, _T.REFUSE_CANCEL): _S.CANCELLED,
    (_S.CANCELLED, _T.LOSE): _S.CANCELLED,
    (_S.CANCELLED, _T.BUST): _S.CANCELLED,
    (_S.EXPIRED, _T.ACCEPT): _S.EXPIRED,
    (_S.EXPIRED, _T.FILL): _S.EXPIRED,
    (_S.EXPIRED, _T.COMPLETE): _S.FILLED,
    (_S.EXPIRED, _T.CANCEL): _S.EXPIRED,
    (_S.EXPIRED, _T.EXPIRE): _S.EXPIRED,
    (_S.EXPIRED, _T.REFUSE_CANCEL): _S.EXPIRED,
    (_S.EXPIRED, _T.LOSE): _S.EXPIRED,
    (_S.EXPIRED, _T.BUST): _S.EXPIRED,
    # The rejection is told by the REST answer and by the user hub, in either order.
    (_S.REJECTED, _T.ACCEPT): _S.REJECTED,
    (_S.REJECTED, _T.REJECT): _S.REJECTED,
    (_S.REJECTED, _T.LOSE): _S.REJECTED,
    (_S.REJECTED, _T.FILL): _S.REJECTED,
    (_S.REJECTED, _T.COMPLETE): _S.FILLED,
    (_S.REJECTED, _T.BUST): _S.REJECTED,
    (_S.REJECTED, _T.REFUSE_CANCEL): _S.REJECTED,
    # Proven absent, and then it appears after all: adopted.
    (_S.NOT_SENT, _T.ACCEPT): _S.WORKING,
    (_S.NOT_SENT, _T.REJECT): _S.REJECTED,
    (_S.NOT_SENT, _T.FILL): _S.WORKING,
    (_S.NOT_SENT, _T.COMPLETE): _S.FILLED,
    (_S.NOT_SENT, _T.CANCEL): _S.CANCELLED,
    (_S.NOT_SENT, _T.EXPIRE): _S.EXPIRED,
    (_S.NOT_SENT, _T.PROVE_ABSENT): _S.NOT_SENT,
    (_S.NOT_SENT, _T.LOSE): _S.NOT_SENT,
}


def next_status(status: Status, trigger: Trigger) -> Status | None:
    """The status after ``trigger``, or None for a pair that is not in the table.

    Raises ``IllegalTransition`` when our own step has no row.
    """
    found = TRANSITIONS.get((status, trigger))
    if found is None and trigger is Trigger.WANT_CANCEL:
        raise IllegalTransition(f"{trigger.value} on an order that is {status.value}")
    return found


class BracketMode(enum.Enum):
    """The platform's setting for an account: whether it takes brackets on an order, or makes its own for a position."""

    AUTO_OCO = "auto_oco"
    POSITION = "position"
    UNKNOWN = "unknown"


class Terms(msgspec.Struct, frozen=True, gc=False):
    """Exactly what leaves for the broker; an approval's hash covers every field.

    ``quantity`` > 0; ``limit_ticks`` only on LIMIT, ``stop_ticks`` only on STOP. The offsets are those of native
    brackets: signed ticks from the fill price, None where the broker attaches nothing.
    """

    account_id: int
    contract_id: str
    side: Side
    quantity: int
    order_type: OrderType
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    stop_offset_ticks: int | None = None
    target_offset_ticks: int | None = None

    @property
    def is_native(self) -> bool:
        """Whether the broker attaches a bracket to it."""
        return self.stop_offset_ticks is not None


class Exit(msgspec.Struct, frozen=True, gc=False):
    """One promised exit: a distance from the fill (>= 0) or, where given, a price that replaces it."""

    ticks: int
    price_ticks: int | None = None


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where profit is taken, and how many contracts (>= 0) have yet to leave there; None = all that are left."""

    at: Exit
    quantity: int | None = None


class Breakeven(msgspec.Struct, frozen=True, gc=False):
    """At ``trigger_ticks`` (> 0) of profit the stop goes to ``offset_ticks`` (>= 0, less) beyond the average, once."""

    trigger_ticks: int
    offset_ticks: int = 0


class Trail(msgspec.Struct, frozen=True, gc=False):
    """The stop follows the market at ``distance_ticks`` (> 0), in moves of ``step_ticks`` (> 0) or more."""

    distance_ticks: int
    step_ticks: int = 1


class Protection(msgspec.Struct, frozen=True, gc=False):
    """The bracket an entry asks for. No stop, no targets = switched off, by the trader's choice.

    ``targets`` are served in their order: what is held goes to the first as far as it asks for, then to the next. What
    none asks for is a runner, which only the stop ends. The place of a target among them never changes.
    """

    stop: Exit | None = None
    targets: tuple[Target, ...] = ()
    breakeven: Breakeven | None = None
    trail: Trail | None = None

    @property
    def moves(self) -> bool:
        """Whether the stop may yet move by itself."""
        return self.breakeven is not None or self.trail is not None


class Change(msgspec.Struct, frozen=True, gc=False):
    """The terms a modify asks for, under way to the broker; ``number`` tells one from the next."""

    number: int
    quantity: int
    limit_ticks: int | None
    stop_ticks: int | None


class Order(msgspec.Struct, frozen=True, gc=False):
    """An order and all that is known of it.

    ``opened_quantity`` is the part of the fills that opened or added to a position, at ``opened_ticks`` (sum of ticks x
    quantity); ``exited_quantity`` is how much of that has been closed again. ``risk_ticks`` is the distance from entry
    to stop, per contract, that the decision counted. ``reported_filled`` is what the broker's order row says; fills
    themselves are counted only with a fill id. ``change_unknown``: how ``change`` ended is being looked up.
    ``slot`` (>= 0) is the place, among the targets of its entry, of the one that a target leg is for.
    ``rests``: the broker has shown it open; told of stops only. ``foreign``: another engine's leg for a fill of ours.
    ``changed``: a change of ours was made, so that rows from before it may still be on their way. ``fingerprint`` tells
    the same request from another with its id. ``passed``: of an instance whose orders pass; no limit is asked of it,
    nor of a change of it.
    """

    order_id: str
    terms: Terms
    role: Role
    status: Status
    tag: str = ""
    parent_id: str | None = None
    slot: int = 0
    instance_id: str = ""
    fingerprint: str = ""
    passed: bool = False
    broker_order_id: int | None = None
    filled_quantity: int = 0
    fill_ticks: int = 0
    opened_quantity: int = 0
    opened_ticks: int = 0
    exited_quantity: int = 0
    reported_filled: int = 0
    risk_ticks: int = 0
    protection: Protection = Protection()
    change: Change | None = None
    change_unknown: bool = False
    changed: bool = False
    changes_refused: int = 0
    rests: bool = False
    foreign: bool = False
    cancel_wanted: bool = False
    cancel_sent: int = 0
    doubt_reads: int = 0
    doubt_read_ns: int = 0
    breaches: tuple[Breach, ...] = ()
    reason: str = ""
    received_ns: int = 0
    decided_ns: int = 0
    updated_ns: int = 0

    @property
    def live(self) -> bool:
        """Whether it may still fill."""
        return self.status in LIVE

    @property
    def leaves(self) -> int:
        """Contracts that may still fill, or have filled unseen (>= 0)."""
        return max(0, self.largest_quantity - self.filled_quantity) if self.live else self.unseen

    @property
    def largest_quantity(self) -> int:
        """The size; an unproven modify counts with the larger one."""
        return self.terms.quantity if self.change is None else max(self.terms.quantity, self.change.quantity)

    @property
    def unseen(self) -> int:
        """Contracts that the broker's row shows as filled, and whose fills have not reached us (>= 0)."""
        return max(0, self.reported_filled - self.filled_quantity)

    @property
    def open_quantity(self) -> int:
        """Contracts that it has opened, and that are still held (>= 0): an entry's, or what an exit closed too much."""
        return self.opened_quantity - self.exited_quantity

    @property
    def is_leg(self) -> bool:
        return self.role in LEGS

    @property
    def is_exit(self) -> bool:
        """Whether it exists only to close."""
        return self.is_leg or self.role is Role.CLOSE

    @property
    def is_urgent(self) -> bool:
        """Whether it is read back soon when in doubt: a stop, and a leg that has to go before an exit can close."""
        return self.role is Role.STOP or (self.is_leg and self.cancel_wanted)
