"""The documented counts of the integration layer, folded from what the gate tells. Pure.

Wire notes, section 4, 2026-11-22. They begin with the process; what the day has seen before is in the books.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.order import Order, Role


class Counts(msgspec.Struct, frozen=True, rename="camel"):
    """Of orders, without the stops and targets that the gate places.

    ``orders_intercepted`` came to a decision; ``orders_processed`` were not denied and ``orders_passed`` went on to the
    connection manager; ``orders_rejected`` were denied. ``risk_violations`` counts each broken limit, overridden ones
    too. ``sltp_calculated`` counts fills whose stop or target was worked out; ``stored_fill_events`` all fills.
    """

    orders_intercepted: int = 0
    orders_processed: int = 0
    orders_passed: int = 0
    orders_rejected: int = 0
    risk_violations: int = 0
    sltp_calculated: int = 0
    stored_fill_events: int = 0


def counted(counts: Counts, event: e.Event, order: Order | None) -> Counts:
    """``counts`` after ``event``; ``order`` is the one that a fill belongs to, after it."""
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
                risk_violations=counts.risk_violations + len(event.order.breaches),
            )
        case e.OrderWithdrawn():
            return replace(counts, orders_intercepted=counts.orders_intercepted + 1)
        case e.OrderOverridden():
            return replace(counts, risk_violations=counts.risk_violations + len(event.breaches))
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
