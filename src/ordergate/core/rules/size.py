"""What is traded, and how much of it: contracts and counts."""

from __future__ import annotations

from ordergate.core.exposure import opposed
from ordergate.core.figures import micros_with, product_worst
from ordergate.core.limits import Breach
from ordergate.core.order import Side
from ordergate.core.rules.proposal import Proposal, count_breach


def instrument_allowed(p: Proposal) -> Breach | None:
    """New risk only in the listed products."""
    if p.symbol in p.limits.allowed_symbols:
        return None
    allowed = ", ".join(p.limits.allowed_symbols)
    return Breach("INSTRUMENT_NOT_ALLOWED", allowed, p.symbol, f"{p.symbol} is not among {allowed}")


def contract_active(p: Proposal) -> Breach | None:
    """New risk only in a contract that is still active."""
    if p.instrument.active:
        return None
    name = p.instrument.name
    return Breach("CONTRACT_NOT_ACTIVE", "active", name, f"{name} is not the active contract")


def order_size_min(p: Proposal) -> Breach | None:
    """The smallest order, in contracts."""
    low = p.limits.order_quantity_min
    if p.terms.quantity >= low:
        return None
    noun = "contract" if p.terms.quantity == 1 else "contracts"
    return count_breach("MIN_ORDER_SIZE", low, p.terms.quantity, f"{noun} is below the smallest order of")


def order_size_max(p: Proposal) -> Breach | None:
    """The largest order, in contracts beyond what it closes."""
    high = p.limits.order_quantity_max
    if p.adding <= high:
        return None
    return count_breach("MAX_ORDER_SIZE", high, p.adding, "contracts is above the largest order of")


def position_size(p: Proposal) -> Breach | None:
    """The worst net position of the product, in contracts of all months, after every order on this side fills."""
    high = p.limits.position_quantity_max
    terms = p.terms
    worst = abs(product_worst(p.group, p.account, terms.contract_id, terms.side, p.worst_net))
    if worst <= high:
        return None
    return count_breach("MAX_POSITION_SIZE", high, worst, f"contracts of {p.symbol} could be held, above")


def account_position(p: Proposal) -> Breach | None:
    """The worst positions of all contracts of the account together, in micros: a mini counts as ten."""
    high = p.limits.account_position_micros_max
    if high is None:
        return None
    worst = micros_with(p.group, p.account, p.terms.contract_id, p.terms.side, p.worst_net)
    if worst <= high:
        return None
    return count_breach("MAX_ACCOUNT_POSITION", high, worst, "micros could be held in all, above")


def opposite_position(p: Proposal) -> Breach | None:
    """No other account of the group holds, or could come to hold, the other side of the same underlying."""
    if p.limits.opposite_positions:
        return None
    other = opposed(p.group, p.account, p.symbol, p.terms.side)
    if other is None:
        return None
    wanted, held = ("long", "short") if p.terms.side is Side.BUY else ("short", "long")
    text = f"account {other.account_id} is or may become {held} of what {p.symbol} is a size of"
    return Breach("OPPOSITE_POSITION", wanted, held, text)


def open_order_count(p: Proposal) -> Breach | None:
    """Orders that are not protective legs, this one included."""
    high = p.limits.open_orders_max
    count = p.figures.open_orders + 1
    if count <= high:
        return None
    return count_breach("MAX_OPEN_ORDERS", high, count, "orders would be open, above")
