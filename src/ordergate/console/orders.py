"""``ordergate orders``: the orders of the day, each with where it stands and why. Pure."""

from __future__ import annotations

from ordergate.console.shown import Leg, Order

COLUMNS = (
    "order", "account", "instrument", "side", "#quantity", "#filled", "type", "#price", "status", "#stop", "#target",
    "reason",
)  # fmt: skip


def cells(row: Order) -> tuple[object, ...]:
    """One line of the table, in the order of ``COLUMNS``."""
    return (
        row.order_id,
        row.account_id,
        row.instrument,
        row.side,
        row.quantity,
        row.filled_quantity,
        row.order_type,
        row.limit_price if row.limit_price is not None else row.stop_price,
        row.status,
        _price(row.stop_loss),
        _price(row.take_profit),
        _reason(row),
    )


def _price(leg: Leg | None) -> object:
    return None if leg is None else leg.price


def _reason(row: Order) -> str:
    """Why it stands so: what the rules say of it, else what the broker or the gate said; and what else is special."""
    broken = "; ".join(f"{breach.code}: {breach.message}" for breach in row.breaches)
    special = ["passed without asking the limits"] if row.passed else []
    special += [row.source] if row.source == "EXTERNAL" else []
    return "; ".join(part for part in (broken or row.reason, *special) if part)
