"""The limits, one function each, in the order in which their breaches are told.

A rule takes one ``Proposal`` and returns a ``Breach`` or None. It has no side effect and never passes what it cannot
tell: a missing price, base or contract is a breach. ``decide`` asks the rules only about the part of an order that adds
risk; what can only shrink a position is never asked about. Semantics: docs/decisions, and the comments here.
"""

from __future__ import annotations

from ordergate.core.limits import Breach
from ordergate.core.rules.hours import blackout, trading_hours
from ordergate.core.rules.money import (
    daily_loss,
    daily_profit,
    maximum_loss,
    order_value,
    risk_limit_usd,
    risk_per_trade,
)
from ordergate.core.rules.pace import clock_skew, duplicate, order_rate, repeated_action, too_old
from ordergate.core.rules.price import price_collar, reference_price, stop_distance, target_distance
from ordergate.core.rules.proposal import (
    Proposal,
    Rule,
    counted_risk_ticks,
    entry_ticks,
    propose,
)
from ordergate.core.rules.size import (
    account_position,
    instrument_allowed,
    open_order_count,
    opposite_position,
    order_size_max,
    order_size_min,
    position_size,
)
from ordergate.core.rules.state import superseded, trading_state, visibility

__all__ = [
    "RULES",
    "Proposal",
    "Rule",
    "account_position",
    "blackout",
    "breaches",
    "clock_skew",
    "counted_risk_ticks",
    "daily_loss",
    "daily_profit",
    "duplicate",
    "entry_ticks",
    "instrument_allowed",
    "maximum_loss",
    "open_order_count",
    "opposite_position",
    "order_rate",
    "order_size_max",
    "order_size_min",
    "order_value",
    "position_size",
    "price_collar",
    "propose",
    "reference_price",
    "repeated_action",
    "risk_limit_usd",
    "risk_per_trade",
    "stop_distance",
    "superseded",
    "target_distance",
    "too_old",
    "trading_hours",
    "trading_state",
    "visibility",
]

RULES: tuple[Rule, ...] = (
    trading_state,
    visibility,
    superseded,
    instrument_allowed,
    order_size_min,
    order_size_max,
    position_size,
    account_position,
    open_order_count,
    order_value,
    risk_per_trade,
    daily_loss,
    daily_profit,
    maximum_loss,
    price_collar,
    stop_distance,
    target_distance,
    reference_price,
    duplicate,
    order_rate,
    repeated_action,
    trading_hours,
    blackout,
    opposite_position,
    too_old,
    clock_skew,
)


def breaches(proposal: Proposal, rules: tuple[Rule, ...] = RULES) -> tuple[Breach, ...]:
    """Every limit the proposal breaks, in the order of ``rules``."""
    return tuple([breach for rule in rules if (breach := rule(proposal)) is not None])
