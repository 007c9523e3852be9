"""What is traded, and how much of it: contracts and counts."""

from __future__ import annotations

from ordergate.core.exposure import open_orders, worst_position
from ordergate.core.limits import Breach
from ordergate.core.rules.proposal import Proposal, count_breach


def instrument_allowed(p: Proposal) -> Breach | None:
    """New risk only in the listed products, and only in a contract that is still active."""
    if p.symbol not in p.group.limits.allowed_symbols:
        allowed = ", ".join(p.group.limits.allowed_symbols)
        return Breach("INSTRUMENT_NOT_ALLOWED", allowed, p.symbol, f"{p.symbol} is not among {allowed}")
    if not p.instrument.active:
        return Breach(
            "CONTRACT_NOT_ACTIVE", "active", p.instrument.name, f"{p.instrument.name} is not the active contract"
        )
    return None


def order_size_min(p: Proposal) -> Breach | None:
    """The smallest order, in contracts."""
    low = p.group.limits.order_quantity_min
    if p.terms.quantity >= low:
        return None
    return count_breach("MIN_ORDER_SIZE", low, p.terms.quantity, "contracts is below the smallest order of")


def order_size_max(p: Proposal) -> Breach | None:
    """The largest order, in contracts beyond what it closes."""
    high = p.group.limits.order_quantity_max
    if p.adding <= high:
        return None
    return count_breach("MAX_ORDER_SIZE", high, p.adding, "contracts is above the largest order of")


def position_size(p: Proposal) -> Breach | None:
    """The worst net position of the contract, in contracts, after every order on this side fills."""
    high = p.group.limits.position_quantity_max
    worst = abs(worst_position(p.account, p.terms.contract_id, p.terms.side, p.terms.quantity, p.order_id))
    if worst <= high:
        return None
    return count_breach("MAX_POSITION_SIZE", high, worst, f"contracts of {p.symbol} could be held, above")


def open_order_count(p: Proposal) -> Breach | None:
    """Orders that are not protective legs, this one included."""
    high = p.group.limits.open_orders_max
    count = open_orders(p.account, p.order_id) + 1
    if count <= high:
        return None
    return count_breach("MAX_OPEN_ORDERS", high, count, "orders would be open, above")
