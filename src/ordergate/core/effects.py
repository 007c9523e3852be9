"""What the shell is asked to do: verbs, each called for by one durable event and never by anything else.

Effects are carried to the connection manager on the ``commands`` topic; ``Place`` and ``Modify`` travel inside an
``Approved`` envelope (broker/approvals), the others need no permission because none of them can add risk.

``order_id`` is our order's, by which the logs of all roles are read; nothing is done by it.
"""

from __future__ import annotations

import enum

import msgspec
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group, RunningExit
from ordergate.core.order import Order, Role, Terms
from ordergate.core.sessions import day_open_ns


class Grant(msgspec.Struct, frozen=True):
    """The ground an approval stands on, as the event recorded it. ``number`` is unique in its book."""

    kind: e.ApprovalKind
    number: int
    epoch: int
    limits_version: int
    issued_ns: int


class Place(msgspec.Struct, frozen=True, tag="place"):
    """Send this order. ``order_tag`` is the broker's customTag."""

    terms: Terms
    order_tag: str
    grant: Grant
    order_id: str = ""


class Modify(msgspec.Struct, frozen=True, tag="modify"):
    """Make the order ``broker_order_id`` look like ``terms`` (its whole new look, not the difference)."""

    terms: Terms
    order_tag: str
    broker_order_id: int
    grant: Grant
    order_id: str = ""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    account_id: int
    broker_order_id: int
    order_id: str = ""


class LookUp(msgspec.Struct, frozen=True, tag="look up"):
    """Search the tag in open orders and order history since ``since_ns``.

    ``urgent``: an exit hangs on it, so it may use the requests that are kept for exits.
    """

    account_id: int
    order_tag: str
    since_ns: int
    urgent: bool = False


class Urgency(enum.IntEnum):
    """What a reading comes before.

    SOON: before those that can wait, for the stop of an entry that may have filled, or the end of an exit, hangs on it.
    EXIT: like an exit itself, for one cannot go on without it.
    """

    CAN_WAIT = 0
    SOON = 1
    EXIT = 2


class ReadSnapshot(msgspec.Struct, frozen=True, tag="read snapshot"):
    """Read positions, orders and fills since ``since_ns`` over REST."""

    account_id: int
    since_ns: int
    urgency: Urgency = Urgency.CAN_WAIT


class RaiseEpoch(msgspec.Struct, frozen=True, tag="raise epoch"):
    """From now on approvals of an older epoch are refused."""

    account_id: int
    epoch: int


Effect = Place | Modify | Cancel | LookUp | ReadSnapshot | RaiseEpoch


def effects(group: Group, event: e.Event) -> tuple[Effect, ...]:
    """What ``event`` calls for, seen from the state after it. The shell does it once the event is durable."""
    match event:
        case e.OrderApproved():
            grant = Grant(event.kind, event.number, event.epoch, event.limits_version, event.issued_ns)
            return (Place(event.order.terms, event.order.tag, grant, event.order.order_id),)
        case e.ModifyApproved():
            return (_modify(group.accounts[event.account_id].order(event.order_id), event),)
        case e.CancelSent():
            return (Cancel(event.account_id, event.broker_order_id, event.order_id),)
        case e.LookupSent():
            order = group.accounts[event.account_id].order(event.order_id)
            assert order is not None, "a look-up names an order that is in the book"
            since_ns = min(day_open_ns(event.at_ns), order.received_ns)
            urgent = order.is_urgent or order.role is Role.CLOSE
            return (LookUp(event.account_id, event.order_tag, since_ns, urgent),)
        case e.SnapshotRequested():
            account = group.accounts.get(event.account_id)
            urgency = Urgency.CAN_WAIT if account is None else _urgency(account)
            return (ReadSnapshot(event.account_id, event.since_ns, urgency),)
        case e.EpochRaised():
            return (RaiseEpoch(event.account_id, event.epoch),)
        case _:
            return ()


def _urgency(account: Account) -> Urgency:
    if any(_is_stuck(account, running) for running in account.exits.values()):
        return Urgency.EXIT
    unseen = any(not order.is_exit for order in account.live_orders())
    return Urgency.SOON if account.exits or unseen else Urgency.CAN_WAIT


def _is_stuck(account: Account, running: RunningExit) -> bool:
    """Whether it is read what became of an exit that we have not heard the end of."""
    if running.phase is not e.Phase.READING:
        return False
    if running.quantity is not None:
        return running.quantity > 0
    return account.position(running.contract_id).net != 0 or any(account.live_orders(running.contract_id))


def _modify(order: Order | None, event: e.ModifyApproved) -> Modify:
    assert order is not None
    assert order.broker_order_id is not None, "a modify was approved for an order that the broker has not accepted"
    change = event.change
    terms = replace(order.terms, quantity=change.quantity, limit_ticks=change.limit_ticks, stop_ticks=change.stop_ticks)
    grant = Grant(event.kind, change.number, event.epoch, event.limits_version, event.issued_ns)
    return Modify(terms, order.tag, order.broker_order_id, grant, order.order_id)
