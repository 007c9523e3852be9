"""The limits, one function each, in the order in which their breaches are told.

A rule takes one ``Proposal`` and returns a ``Breach`` or None. It has no side effect and never passes what it cannot
tell: a missing price, base or contract is a breach. ``decide`` asks the rules only about the part of an order that adds
risk; what can only shrink a position is never asked about. Semantics: docs/decisions, and the comments here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ordergate.core.limits import Breach
from ordergate.core.modes import Modes
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
    contract_active,
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
    "Kind",
    "Proposal",
    "Rule",
    "account_position",
    "blackout",
    "broken",
    "clock_skew",
    "contract_active",
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


class Kind(enum.Enum):
    """Whether a rule is a limit, which a mode may skip or override, or says whether an order can be taken at all."""

    LIMIT = "limit"
    VALIDITY = "validity"


# Each rule with its kind, in the order in which breaches are told.
RULES: Mapping[Rule, Kind] = {
    trading_state: Kind.VALIDITY,
    visibility: Kind.VALIDITY,
    superseded: Kind.VALIDITY,
    instrument_allowed: Kind.LIMIT,
    contract_active: Kind.VALIDITY,
    order_size_min: Kind.LIMIT,
    order_size_max: Kind.LIMIT,
    position_size: Kind.LIMIT,
    account_position: Kind.LIMIT,
    open_order_count: Kind.LIMIT,
    order_value: Kind.LIMIT,
    risk_per_trade: Kind.LIMIT,
    daily_loss: Kind.LIMIT,
    daily_profit: Kind.LIMIT,
    maximum_loss: Kind.LIMIT,
    price_collar: Kind.LIMIT,
    stop_distance: Kind.LIMIT,
    target_distance: Kind.LIMIT,
    reference_price: Kind.LIMIT,
    duplicate: Kind.LIMIT,
    order_rate: Kind.LIMIT,
    repeated_action: Kind.LIMIT,
    trading_hours: Kind.LIMIT,
    blackout: Kind.LIMIT,
    opposite_position: Kind.LIMIT,
    too_old: Kind.VALIDITY,
    clock_skew: Kind.VALIDITY,
}


def broken(proposal: Proposal, rules: Iterable[Rule] = RULES) -> list[tuple[Rule, Breach]]:
    """Every rule that the proposal breaks, in the order of ``rules``."""
    return [(rule, breach) for rule in rules if (breach := rule(proposal)) is not None]


class Weighed(NamedTuple):
    """What keeps new risk from leaving, and what would but for the modes. One of the two is empty."""

    denying: tuple[Breach, ...] = ()
    overridden: tuple[Breach, ...] = ()


def weighed(modes: Modes, found: list[tuple[Rule, Breach]]) -> Weighed:
    """What the modes make of what is broken.

    Where something that is no limit is broken, the limits that are broken too are told with it.
    """
    if found and not modes.asks_limits:
        found = [(rule, breach) for rule, breach in found if RULES[rule] is Kind.VALIDITY]
    if not found:
        return _NOTHING
    told = tuple([breach for _, breach in found])
    if modes.preserve and all(RULES[rule] is Kind.LIMIT for rule, _ in found):
        return Weighed((), told)
    return Weighed(told)


_NOTHING = Weighed()
