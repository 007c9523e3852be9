"""What a fill does to a position and a balance. PURE.

Invariants, exact to the last digit for any flow of fills:
1. A position's quantity is the signed sum of its fills' quantities.
2. Balance = starting balance + sum of the fills' P&L - sum of their fees.
3. Sum of P&L - cost of the open position = money received for sells - money paid for buys.
4. Only a fill that closes has a P&L, and it is gross of fees (section 5.6).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from ordergate.exchange.enums import OrderSide

# Partial closing of a position whose average price does not end: the share is rounded here, the rest stays in the
# position, so nothing is lost. Six digits are far below a cent even after ten thousand fills.
_SHARE_USD = Decimal("0.000001")


# The first login's name, unless it is given another.
PRACTICE = "practice"


class Account(msgspec.Struct, frozen=True):
    """One trading account. ``balance_usd`` moves with realised P&L and fees only (section 5.1).

    The rest is the firm's (``topstep``): the trading day (ISO date, "" before the first) and its balance at its start,
    the highest balance at a start, and until which day it is locked ("" = it is not). ``user_name`` is whose it is.
    """

    account_id: int
    name: str
    balance_usd: Decimal
    can_trade: bool = True
    day: str = ""
    day_opened_usd: Decimal | None = None
    high_usd: Decimal | None = None
    locked: str = ""
    user_name: str = PRACTICE


class Position(msgspec.Struct, frozen=True):
    """The net position of one account in one contract.

    ``net_quantity`` is positive when long. ``cost_usd`` is what the open quantity cost, average price x point value x
    ``net_quantity``, with its sign. ``average_ticks`` is kept when the position goes flat.
    """

    position_id: int
    account_id: int
    contract_id: str
    opened_ns: int
    net_quantity: int
    cost_usd: Decimal
    average_ticks: Decimal


class Fill(msgspec.Struct, frozen=True):
    """One fill, a half-turn. ``pnl_usd`` is None when it only opened; ``fee_usd`` is for all its contracts.

    ``voided``: it was taken back, and counts for nothing.
    """

    fill_id: int
    order_id: int
    account_id: int
    contract_id: str
    side: OrderSide
    quantity: int
    price_ticks: int
    fee_usd: Decimal
    pnl_usd: Decimal | None
    at_ns: int
    voided: bool = False


def position_after(
    position: Position, side: OrderSide, quantity: int, price_ticks: int, tick_value_usd: Decimal
) -> tuple[Position, Decimal | None]:
    """The position after a fill, by average cost, and the P&L of what it closed (None: it only opened).

    A fill through flat closes all of it and opens the rest at its own price.
    """
    signed = side.sign * quantity
    held = position.net_quantity
    closing = 0 if held * signed >= 0 else min(abs(held), quantity)
    kept_cost, pnl = position.cost_usd, None
    if closing:
        kept = abs(held) - closing
        kept_cost = (position.cost_usd * kept / abs(held)).quantize(_SHARE_USD, ROUND_HALF_EVEN) if kept else Decimal(0)
        received = tick_value_usd * price_ticks * (closing if held > 0 else -closing)
        pnl = received - (position.cost_usd - kept_cost)
    opening = side.sign * (quantity - closing)
    net_quantity = held + signed
    cost = kept_cost + tick_value_usd * price_ticks * opening
    after = msgspec.structs.replace(
        position,
        net_quantity=net_quantity,
        cost_usd=cost,
        average_ticks=cost / (tick_value_usd * net_quantity) if net_quantity and opening else position.average_ticks,
    )
    return after, pnl


def position_without(position: Position, fill: Fill, tick_value_usd: Decimal) -> tuple[Position, Decimal]:
    """The position after one of its fills was taken back, and by how much that changes the realised P&L.

    Invariant 3 holds without the fill. Where nothing is held any more, what is left of the cost is realised.
    """
    signed, pnl = fill.side.sign * fill.quantity, fill.pnl_usd or Decimal(0)
    net_quantity = position.net_quantity - signed
    cost = position.cost_usd - tick_value_usd * fill.price_ticks * signed - pnl
    change = -pnl if net_quantity else -pnl - cost
    after = msgspec.structs.replace(
        position,
        net_quantity=net_quantity,
        cost_usd=cost if net_quantity else Decimal(0),
        average_ticks=cost / (tick_value_usd * net_quantity) if net_quantity else position.average_ticks,
    )
    return after, change


def credited(account: Account, pnl_usd: Decimal | None, fee_usd: Decimal) -> Account:
    """The account after a fill."""
    return msgspec.structs.replace(account, balance_usd=account.balance_usd + (pnl_usd or Decimal(0)) - fee_usd)
