"""The rows of orders' legs, and the word for where an order stands. Pure functions of the state."""

from __future__ import annotations

from collections.abc import Iterable

from ordergate.core.account import Group
from ordergate.core.instrument import Instrument
from ordergate.core.order import Order, Side, Status
from ordergate.web.rows import LegRow

STATUS = {
    Status.APPROVED: "PENDING",
    Status.WORKING: "WORKING",
    Status.IN_DOUBT: "IN_DOUBT",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELLED",
    Status.DENIED: "DENIED",
    Status.REJECTED: "REJECTED",
    Status.EXPIRED: "EXPIRED",
    Status.NOT_SENT: "EXPIRED",  # its approval expired without anything having left
}


def order_status(order: Order) -> str:
    """The word of the HTTP API for where an order stands."""
    if order.status is Status.WORKING and order.filled_quantity:
        return "PARTIALLY_FILLED"
    return STATUS[order.status]


def legs_of(group: Group) -> dict[tuple[int, str], list[Order]]:
    """The legs of every entry, by account and entry."""
    found: dict[tuple[int, str], list[Order]] = {}
    for account in group.accounts.values():
        for order in (*account.orders.values(), *account.done.values()):
            if order.is_leg and order.parent_id is not None:
                found.setdefault((account.account_id, order.parent_id), []).append(order)
    return found


def nearest_first(targets: Iterable[Order], side: Side) -> list[Order]:
    """``targets`` of what was entered on ``side``, in the order in which they would fill."""
    return sorted(targets, key=lambda leg: (leg.terms.limit_ticks or 0) * side.sign)


def leg_number(leg: Order) -> int:
    """Legs are numbered in the order of their making (``Draft.approve_leg``)."""
    return int(leg.order_id.rpartition("/")[2])


def shown_leg(instrument: Instrument, legs: list[Order]) -> LegRow | None:
    """The first of ``legs`` that works, else the last that did."""
    shown = next((leg for leg in legs if leg.live), legs[-1] if legs else None)
    return None if shown is None else _leg_row(instrument, shown)


def leg_rows(instrument: Instrument, legs: list[Order]) -> tuple[LegRow, ...]:
    return tuple(_leg_row(instrument, leg) for leg in legs)


def _leg_row(instrument: Instrument, leg: Order) -> LegRow:
    ticks = leg.terms.stop_ticks if leg.terms.stop_ticks is not None else leg.terms.limit_ticks
    assert ticks is not None, "a stop or target has a price"
    return LegRow(leg.order_id, instrument.price(ticks), leg.terms.quantity, order_status(leg))


def stop_moves(entry: Order) -> list[str]:
    """How the stop of an entry may yet move by itself, in words."""
    breakeven, trail, words = entry.protection.breakeven, entry.protection.trail, []
    if breakeven is not None:
        words.append(f"to breakeven +{breakeven.offset_ticks} at {breakeven.trigger_ticks} ticks of profit")
    if trail is not None:
        words.append(f"trails {trail.distance_ticks} ticks behind")
    return words
