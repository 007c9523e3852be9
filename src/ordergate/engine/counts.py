"""The documented counts of the integration layer and the aggregator, folded from events. Pure.

Wire notes, sections 4 and 5, 2026-11-22. They begin with the process; what the day has seen before is in the books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.limits import Breach
from ordergate.core.order import Order, Role


class Counts(msgspec.Struct, frozen=True):
    """Of orders, without the stops and targets that the gate places.

    ``orders_intercepted`` came to a decision; ``orders_processed`` were not denied and ``orders_passed`` went on to the
    connection manager; ``orders_rejected`` were denied. ``risk_violations`` counts each broken limit, overridden ones
    too, ``violations_by_type`` by code. ``sltp_calculated`` counts fills whose stop or target was worked out;
    ``stored_fill_events`` all fills. ``orders_failed``: the broker rejected it, or it was proven not to have been sent.
    """

    orders_intercepted: int = 0
    orders_processed: int = 0
    orders_passed: int = 0
    orders_rejected: int = 0
    risk_violations: int = 0
    sltp_calculated: int = 0
    stored_fill_events: int = 0
    orders_failed: int = 0
    violations_by_type: Mapping[str, int] = MappingProxyType({})


def counted(counts: Counts, event: e.Event, order: Order | None) -> Counts:
    """``counts`` after ``event``; ``order`` is the one that it names, after it."""
    match event:
        case e.OrderApproved() if event.order.role is Role.ENTRY:
            return replace(
                counts,
                orders_intercepted=counts.orders_intercepted + 1,
                orders_processed=counts.orders_processed + 1,
                orders_passed=counts.orders_passed + 1,
            )
        case e.OrderDenied():
            return replace(
                counts,
                orders_intercepted=counts.orders_intercepted + 1,
                orders_rejected=counts.orders_rejected + 1,
                **_violated(counts, event.order.breaches),
            )
        case e.OrderWithdrawn():
            return replace(counts, orders_intercepted=counts.orders_intercepted + 1)
        case e.OrderOverridden():
            return replace(counts, **_violated(counts, event.breaches))
        case e.OrderRejected() | e.OrderNotSent() if order is not None and order.role is Role.ENTRY:
            return replace(counts, orders_failed=counts.orders_failed + 1)
        case e.FillApplied():
            is_bracketed = (
                order is not None and order.role is Role.ENTRY and (order.protection.stop or order.protection.targets)
            )
            return replace(
                counts,
                stored_fill_events=counts.stored_fill_events + 1,
                sltp_calculated=counts.sltp_calculated + (1 if is_bracketed else 0),
            )
        case _:
            return counts


def _violated(counts: Counts, breaches: tuple[Breach, ...]) -> dict[str, Any]:
    by_type = Counter(counts.violations_by_type) + Counter(breach.code for breach in breaches)
    return {"risk_violations": counts.risk_violations + len(breaches), "violations_by_type": by_type}
