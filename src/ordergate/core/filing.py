"""Where an order is kept, and when it is looked at again: the small steps that every fold of an event is made of.

An order that can still act stands in ``Account.orders``, any other in ``Account.done``; ``put`` alone decides which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from ordergate.core.account import Account
from ordergate.core.order import Order, Trigger, next_status
from ordergate.core.timing import RESIZE_GAP_NS, REVIEW_NS

K = TypeVar("K")
V = TypeVar("V")

# The timer of the reading from time to time.
REVIEW = "review"
_OF_AN_ORDER = ("order", "cancel", "change", "fills", "target", "trail", "rest", "native")


def step(order: Order, trigger: Trigger, at_ns: int = 0) -> Order:
    """The order one row of the lifecycle table further."""
    status = next_status(order.status, trigger)
    assert status is not None, f"{trigger.value} on an order that is {order.status.value} was journaled"
    # A fill brings the exchange's time, which may be before what we have learned since.
    return replace(order, status=status, updated_ns=max(at_ns, order.updated_ns))


def complete_if_filled(order: Order, at_ns: int) -> Order:
    """A live order whose size was settled at what has filled already is filled, and nothing of it is under way."""
    if not order.live or order.filled_quantity < order.largest_quantity:
        return order
    return replace(step(order, Trigger.COMPLETE, at_ns), change=None)


def put(account: Account, order: Order) -> Account:
    """Store an order among those that can still act, or among the finished ones; with those its timers end."""
    if order.live or order.open_quantity > 0 or order.unseen:
        return replace(account, orders=account.orders.put(order), done=account.done.delete(order.order_id))
    over = {f"{kind}:{order.order_id}" for kind in _OF_AN_ORDER}
    return replace(
        account,
        orders=account.orders.delete(order.order_id),
        done=account.done.set(order.order_id, order),
        stop_failures=without(account.stop_failures, order.order_id),
        timers={key: due_ns for key, due_ns in account.timers.items() if key not in over},
        bracket_timers=without(account.bracket_timers, order.order_id),
    )


def linked(account: Account, order: Order) -> Account:
    """The broker's id now names the order."""
    if order.broker_order_id is None:
        return account
    return replace(account, broker_ids=account.broker_ids.set(order.broker_order_id, order.order_id))


def timer(account: Account, key: str, due_ns: int | None) -> Account:
    """Set a timer, or end it with None."""
    if due_ns is None:
        return replace(account, timers=without(account.timers, key)) if key in account.timers else account
    return replace(account, timers=account.timers | {key: due_ns})


def trail_timer(order_id: str) -> str:
    """The name of the timer before which the stop of an entry does not trail again."""
    return f"trail:{order_id}"


def cover_timer(contract_id: str) -> str:
    """The name of the timer after which a gap in the cover of a position is too long."""
    return f"cover:{contract_id}"


def native_timer(order_id: str) -> str:
    """The name of the timer before which the children of an entry may yet show."""
    return f"native:{order_id}"


def reviewed(account: Account, at_ns: int) -> Account:
    """From now on something may happen in it that is not told: it is read again, unless a reading is due already."""
    return account if REVIEW in account.timers else timer(account, REVIEW, at_ns + REVIEW_NS)


def rest_timer(order_id: str) -> str:
    """The name of the timer after which an accepted stop that has not been seen is read."""
    return f"rest:{order_id}"


def ended(account: Account, order: Order) -> Account:
    """Nothing of the order is under way at the broker any more."""
    for kind in ("order", "cancel", "change"):
        account = timer(account, f"{kind}:{order.order_id}", None)
    return account


def leg_timer(account: Account, leg: Order, at_ns: int, wait_ns: int = RESIZE_GAP_NS) -> Account:
    """A leg was placed, changed or lost: its entry's bracket is looked at again after ``wait_ns``."""
    if leg.is_leg and leg.parent_id in account.orders:
        return replace(account, bracket_timers={**account.bracket_timers, leg.parent_id: at_ns + wait_ns})
    return account


def known(account: Account, order_id: str) -> Order:
    """The order that a journaled event names."""
    order = account.order(order_id)
    assert order is not None, f"an event names order {order_id}, which is not in the book"
    return order


def without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    """A copy without ``key``, which may be absent."""
    return {k: v for k, v in mapping.items() if k != key}
