"""What people ask of the gate. Commands are imperative; each one is answered with an ``Answer``.

``request_id`` names one asking (a retry is a new asking); ``order_id`` is the idempotency key of an order.
"""

from __future__ import annotations

import enum
import re

import msgspec

from ordergate.core.events import Door
from ordergate.core.limits import Breach, Limits
from ordergate.core.order import Breakeven, Exit, OrderType, Side, Target, Trail
from ordergate.errors import InputRefused

_ORDER_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def checked_order_id(value: str, field: str = "orderId") -> str:
    """``value`` if a caller may use it as an order id. Our own ids hold a slash, so the two can never meet."""
    if _ORDER_ID.fullmatch(value) is None:
        raise InputRefused("BAD_ORDER_ID", f"{field} must be 1 to 64 of A-Z a-z 0-9 . _ : -", field)
    return value


class Leg(enum.Enum):
    """A stop or target that the caller gave no distance for."""

    DEFAULT = "default"
    OFF = "off"


class SubmitOrder(msgspec.Struct, frozen=True, tag="submit"):
    """Place this order. ``fingerprint`` covers all that the caller said, so that a retry is told from another order.

    ``sent_ns`` is when the caller says that he sent it, by his own clock. ``passed``: it comes from an instance whose
    orders pass, so no limit is asked of it; set by the interception alone (design, section 7), and by no caller.
    """

    request_id: str
    account_id: int
    order_id: str
    contract_id: str
    side: Side
    quantity: int
    order_type: OrderType
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    stop: Exit | Leg = Leg.DEFAULT
    targets: tuple[Target, ...] | Leg = Leg.DEFAULT
    breakeven: Breakeven | None = None
    trail: Trail | None = None
    instance_id: str = ""
    fingerprint: str = ""
    sent_ns: int | None = None
    passed: bool = False


class CancelOrder(msgspec.Struct, frozen=True, tag="cancel"):
    """Cancel this order. ``account_id`` None = whichever account has it."""

    request_id: str
    order_id: str
    account_id: int | None = None


class ModifyOrder(msgspec.Struct, frozen=True, tag="modify"):
    """Change a working order; None = unchanged."""

    request_id: str
    order_id: str
    account_id: int | None = None
    quantity: int | None = None
    limit_ticks: int | None = None
    stop_ticks: int | None = None


class UpdateProtection(msgspec.Struct, frozen=True, tag="protect"):
    """Move the stop and the only target of a position to these prices; None = left as it is."""

    request_id: str
    account_id: int
    contract_id: str
    stop_ticks: int | None = None
    target_ticks: int | None = None


class ClosePosition(msgspec.Struct, frozen=True, tag="close"):
    """Close a position, or ``quantity`` (> 0) contracts of it."""

    request_id: str
    account_id: int
    contract_id: str
    quantity: int | None = None


class CancelAll(msgspec.Struct, frozen=True, tag="cancel all"):
    """Cancel every order that is not a protective leg. ``account_id`` None = all accounts."""

    request_id: str
    account_id: int | None = None


class Flatten(msgspec.Struct, frozen=True, tag="flatten"):
    """Cancel everything and close everything. ``account_id`` None = all accounts."""

    request_id: str
    account_id: int | None = None


class ChangeLimits(msgspec.Struct, frozen=True, tag="change limits"):
    """Give the limits named in ``fields`` the values that they have in ``limits``; the others stay as they are."""

    request_id: str
    limits: Limits
    fields: tuple[str, ...]


class LockOut(msgspec.Struct, frozen=True, tag="lock out"):
    """Take no new risk before ``until_ns``; None = before the next trading day. ``account_id`` None = all accounts."""

    request_id: str
    account_id: int | None = None
    until_ns: int | None = None
    reason: str = ""


class SetInterception(msgspec.Struct, frozen=True, tag="set interception"):
    """From now on put new orders before the limits, or (``on`` false) no longer."""

    request_id: str
    on: bool


class SetPaused(msgspec.Struct, frozen=True, tag="set paused"):
    """From now on take no new risk in any account, or (``on`` false) take it again as far as the rules let it."""

    request_id: str
    on: bool
    by: Door
    reason: str = ""


class Acknowledge(msgspec.Struct, frozen=True, tag="acknowledge"):
    """A person has seen the alarms of these numbers."""

    request_id: str
    numbers: tuple[int, ...]


Command = (
    SubmitOrder
    | CancelOrder
    | ModifyOrder
    | UpdateProtection
    | ClosePosition
    | CancelAll
    | Flatten
    | ChangeLimits
    | LockOut
    | SetInterception
    | SetPaused
    | Acknowledge
)


class Nearest(msgspec.Struct, frozen=True):
    """What would pass in place of a denied order or change: the same with this quantity (> 0) and these prices."""

    quantity: int
    limit_ticks: int | None = None
    stop_ticks: int | None = None


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What became of one command, sent once it is durable. ``code`` is empty when ``ok``.

    ``nearest`` is of a denied order or change, and of the moment of this answer: no part of what was decided.
    """

    request_id: str
    ok: bool
    order_id: str | None = None
    contract_id: str | None = None
    code: str = ""
    message: str = ""
    field: str | None = None
    breaches: tuple[Breach, ...] = ()
    nearest: Nearest | None = None
