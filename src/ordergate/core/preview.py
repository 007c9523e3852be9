"""What the gate would decide about an order, and what it would leave room for. Pure: nothing is written or used up.

Invariants:
1. The decision is that of ``judge``, as a submission at the same state, quotes and time gets it.
2. Each room is the limit less the figure that its rule compares; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.commands import Nearest, SubmitOrder
from ordergate.core.events import ApprovalKind
from ordergate.core.figures import micros_with, product_worst
from ordergate.core.floor import equity_usd, floor_usd, risk_base_usd
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import Judgement, ground, judge, terms_of
from ordergate.core.limits import Breach
from ordergate.core.nearest import nearest
from ordergate.core.rules import Proposal, propose, risk_limit_usd


class Measure(msgspec.Struct, frozen=True):
    """A limit and what the order would make of it, both in its unit: contracts, orders or dollars."""

    limit: Decimal
    actual: Decimal


def _order_size(p: Proposal) -> Measure:
    return Measure(Decimal(p.limits.order_quantity_max), Decimal(p.adding))


def _position_size(p: Proposal) -> Measure:
    terms = p.terms
    worst = product_worst(p.group, p.account, terms.contract_id, terms.side, p.worst_net)
    return Measure(Decimal(p.limits.position_quantity_max), Decimal(abs(worst)))


def _open_orders(p: Proposal) -> Measure:
    return Measure(Decimal(p.limits.open_orders_max), Decimal(p.figures.open_orders + 1))


def _account_position(p: Proposal) -> Measure | None:
    terms, limit = p.terms, p.limits.account_position_micros_max
    if limit is None:
        return None
    worst = micros_with(p.group, p.account, terms.contract_id, terms.side, p.worst_net)
    return Measure(Decimal(limit), Decimal(worst))


def _order_value(p: Proposal) -> Measure | None:
    limit = p.limits.order_value_usd_max
    if limit is None or p.entry_ticks is None:
        return None
    return Measure(limit, abs(p.instrument.money(p.entry_ticks, p.adding)))


def _risk(p: Proposal) -> Measure | None:
    base = risk_base_usd(p.group, p.account)
    if base <= 0 or p.risk_ticks is None:
        return None
    return Measure(risk_limit_usd(p.limits, base), p.instrument.money(p.risk_ticks, p.adding))


def _maximum_loss(p: Proposal) -> Measure | None:
    """What may be lost from the highest floor to the present one, and what of it the order would use."""
    limit, floor = p.limits.maximum_loss_usd, floor_usd(p.group, p.account)
    if limit is None or floor is None or p.figures.day_pnl_at_stops is None or p.risk_usd is None:
        return None
    left = equity_usd(p.account, p.figures.day_pnl_at_stops) - p.risk_usd
    return Measure(limit, limit - (left - floor))


def _daily_loss(p: Proposal) -> Measure | None:
    if p.figures.day_pnl_at_stops is None or p.risk_usd is None:
        return None
    return Measure(p.limits.daily_loss_usd_max, p.risk_usd - p.figures.day_pnl_at_stops)


# Every limit that more risk uses up, by its code; None = cannot be told now. What more risk never reaches (the smallest
# order, the nearest stop) is no room.
MEASURES: dict[str, Callable[[Proposal], Measure | None]] = {
    "MAX_ORDER_SIZE": _order_size,
    "MAX_POSITION_SIZE": _position_size,
    "MAX_ACCOUNT_POSITION": _account_position,
    "MAX_OPEN_ORDERS": _open_orders,
    "MAX_ORDER_VALUE": _order_value,
    "EXCESSIVE_RISK": _risk,
    "DAILY_LOSS_LIMIT": _daily_loss,
    "MAXIMUM_LOSS_LIMIT": _maximum_loss,
}


# Those of them that are off where the field of ``Limits`` is None.
_SWITCHED = {
    "MAX_ACCOUNT_POSITION": "account_position_micros_max",
    "MAX_ORDER_VALUE": "order_value_usd_max",
    "MAXIMUM_LOSS_LIMIT": "maximum_loss_usd",
}


class Preview(msgspec.Struct, frozen=True):
    """What would become of an order; without ``breaches`` it would leave, on the ground ``ground``.

    ``overridden`` are the limits that it would leave in spite of.
    ``worst_position`` is the net position (signed) if it and every open order on its side fill. ``loss_at_stop_usd``
    (>= 0) is what its part that adds risk loses at the stop, fees of both sides included and no slippage, or at the
    stress move where it has no stop. ``room`` is what it leaves to each limit that is on (negative: broken),
    ``binds_next`` the code of the one with the smallest share left. None = not known, for want of a price.
    """

    breaches: tuple[Breach, ...]
    overridden: tuple[Breach, ...]
    ground: ApprovalKind
    worst_position: int
    loss_at_stop_usd: Decimal | None
    room: dict[str, Decimal | None]
    binds_next: str
    nearest: Nearest | None


def preview(group: Group, account: Account, command: SubmitOrder, stamp: Stamped) -> Preview:
    """See the module. Looks at no order id: what was decided under it before is not told here."""
    judged = judge(group, account, command, stamp)
    proposal = judged.proposal or _closing(group, account, command, judged, stamp)
    off = [code for code, field in _SWITCHED.items() if getattr(proposal.limits, field) is None]
    measures = {code: measure(proposal) for code, measure in MEASURES.items() if code not in off}
    known = {code: found for code, found in measures.items() if found is not None}
    return Preview(
        breaches=judged.breaches,
        overridden=judged.overridden,
        ground=ground(group.modes.of(passed=command.passed), judged),
        worst_position=proposal.worst_net,
        loss_at_stop_usd=proposal.risk_usd,
        room={code: None if found is None else found.limit - found.actual for code, found in measures.items()},
        binds_next=min(known, key=lambda code: _share_left(known[code])),
        nearest=nearest(group, account, command, stamp) if judged.breaches else None,
    )


def _closing(group: Group, account: Account, command: SubmitOrder, judged: Judgement, stamp: Stamped) -> Proposal:
    """An order that only closes, as the rules would see it if they were asked about it."""
    terms = terms_of(group, command)
    return propose(group, account, terms, 0, judged.protection, market=stamp.market)


def _share_left(measure: Measure) -> Fraction:
    """The part of the limit that is left (1 = all of it); of a limit of nothing, nothing."""
    return 1 - Fraction(measure.actual) / Fraction(measure.limit) if measure.limit > 0 else Fraction(0)
