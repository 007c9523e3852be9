"""How often, how late, and how much like the one before: orders that no person means to send.

What closes a position is never asked, so a flood of entries takes nothing from an exit.
"""

from __future__ import annotations

from bisect import bisect_right

from ordergate.core.account import Asked
from ordergate.core.limits import Breach
from ordergate.core.market import MS_NS
from ordergate.core.pace import MINUTE_NS, when_ns
from ordergate.core.rules.proposal import Proposal, count_breach


def duplicate(p: Proposal) -> Breach | None:
    """No equal order, with another id, was approved a moment ago: same contract, side, quantity, type and prices."""
    window_ms = p.limits.duplicate_window_ms
    if window_ms is None:
        return None
    for asked in _since(p, window_ms * MS_NS):
        if asked.terms == p.terms and asked.order_id != p.order_id:
            age_ms = (p.at_ns - asked.at_ns) // MS_NS
            text = f"{asked.order_id}, {age_ms} ms ago, was the same order; wait {window_ms} ms if you mean another"
            return Breach("DUPLICATE_ORDER", f"{window_ms} ms", f"{age_ms} ms", text)
    return None


def order_rate(p: Proposal) -> Breach | None:
    """New-risk orders and changes in a minute, this one included: of the account, and in this contract."""
    all_max, own_max = p.limits.orders_per_minute_max, p.limits.instrument_orders_per_minute_max
    if all_max is None and own_max is None:
        return None
    asked = _since(p, MINUTE_NS)
    if all_max is not None and len(asked) >= all_max:
        return count_breach("ORDER_RATE", all_max, len(asked) + 1, "orders in a minute are above")
    if own_max is None or len(asked) < own_max:
        return None
    own = sum(each.terms.contract_id == p.terms.contract_id for each in asked)
    if own < own_max:
        return None
    return count_breach("ORDER_RATE", own_max, own + 1, f"orders of {p.symbol} in a minute are above")


def repeated_action(p: Proposal) -> Breach | None:
    """Stops and targets that we place by ourselves failed so often in a minute that a person has to look first."""
    count = p.account.repeating
    if not count:
        return None
    text = "failures to place a stop or target within a minute: look at the broker, then flatten to go on; limit"
    return count_breach("REPEATED_ACTION", p.limits.repeats_per_minute_max, count, text)


def too_old(p: Proposal) -> Breach | None:
    """How long the order has waited, in milliseconds: since it arrived, and before, by its own time."""
    if p.received_ns is None:
        return None  # nobody waits for it: it is decided where it was made
    age_ms, high = (p.at_ns - p.received_ns + p.delayed_ns) // MS_NS, p.limits.age_ms_max
    if age_ms <= high:
        return None
    delayed_ms = p.delayed_ns // MS_NS
    if delayed_ms == 0:
        return count_breach("TOO_OLD", high, age_ms, "ms have passed since it arrived, above")
    text = f"ms have passed since it was sent, {delayed_ms} before it arrived (or its sender's clock is slow), above"
    return count_breach("TOO_OLD", high, age_ms, text)


def clock_skew(p: Proposal) -> Breach | None:
    """How far the order's own time lies after its arrival, in milliseconds: the sender's clock, or ours, is wrong."""
    if p.sent_ns is None or p.received_ns is None:
        return None  # the documented message may leave its time out
    ahead_ms, high = (p.sent_ns - p.received_ns) // MS_NS, p.limits.clock_ahead_ms_max
    if ahead_ms <= high:
        return None
    return count_breach("CLOCK_SKEW", high, ahead_ms, "ms after its arrival is when it says it was sent, above")


def _since(p: Proposal, window_ns: int) -> tuple[Asked, ...]:
    return p.account.asked[bisect_right(p.account.asked, p.at_ns - window_ns, key=when_ns) :]
