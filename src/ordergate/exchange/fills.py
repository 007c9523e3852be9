"""What one match changes, or its bust: order, fill, position, balance, then the brackets.

PURE but for the turn that it writes to.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.exchange.accounts import Fill, Position, credited, position_after, position_without
from ordergate.exchange.brackets import after_entry_fill, after_sibling_fill
from ordergate.exchange.enums import OrderStatus
from ordergate.exchange.listing import Contract
from ordergate.exchange.matching import Match
from ordergate.exchange.orders import Order, cancelled, filled
from ordergate.exchange.turn import Turn

CHILDREN_MAX = 2


def settle(turn: Turn, match: Match, contract: Contract, now_ns: int) -> None:
    """Apply one match. Told in this order: order, fill, position, account, then what becomes of the bracket."""
    before = turn.order(match.order_id)
    assert before is not None, "a match is of an order that is not final"
    order = filled(before, match.quantity, match.price_ticks, now_ns)
    _book(turn, order, match, contract, now_ns)
    _couple(turn, order, match, now_ns)


def overfill(turn: Turn, match: Match, contract: Contract, now_ns: int) -> None:
    """Fill an order that has filled once more, which no exchange should; its bracket does not follow."""
    before = turn.order(match.order_id)
    assert before is not None, "it was not final when the turn began"
    order = msgspec.structs.replace(
        before,
        filled_quantity=before.filled_quantity + match.quantity,
        filled_ticks=before.filled_ticks + match.quantity * match.price_ticks,
    )
    _book(turn, order, match, contract, now_ns)


def bust(turn: Turn, fill: Fill, contract: Contract, now_ns: int) -> None:
    """Take a fill back. UNVERIFIED: what the service tells of it, and that the order stays as it is."""
    held = _held(turn, fill.account_id, fill.contract_id, now_ns)
    position, change_usd = position_without(held, fill, contract.product.tick_value_usd)
    turn.add_fill(msgspec.structs.replace(fill, voided=True))
    turn.put_position(position)
    turn.put_account(credited(turn.account(fill.account_id), change_usd, -fill.fee_usd))


def _book(turn: Turn, order: Order, match: Match, contract: Contract, now_ns: int) -> None:
    """The fill that has made the order what it is, and what it does to position and account."""
    held = _held(turn, order.account_id, order.contract_id, now_ns)
    tick_value_usd, fee_usd = contract.product.tick_value_usd, contract.product.fee_usd * match.quantity
    position, pnl_usd = position_after(held, order.side, match.quantity, match.price_ticks, tick_value_usd)
    turn.put_order(order)
    turn.add_fill(
        Fill(
            fill_id=turn.fill_id(),
            order_id=order.order_id,
            account_id=order.account_id,
            contract_id=order.contract_id,
            side=order.side,
            quantity=match.quantity,
            price_ticks=match.price_ticks,
            fee_usd=fee_usd,
            pnl_usd=pnl_usd,
            at_ns=now_ns,
        )
    )
    turn.put_position(position)
    turn.put_account(credited(turn.account(order.account_id), pnl_usd, fee_usd))


def _held(turn: Turn, account_id: int, contract_id: str, now_ns: int) -> Position:
    """The position, a new one if none is open. UNVERIFIED: that one which a single fill turns round stays the same."""
    held = turn.position(account_id, contract_id)
    if held is not None and held.net_quantity:
        return held
    return Position(
        position_id=turn.position_id(),
        account_id=account_id,
        contract_id=contract_id,
        opened_ns=now_ns,
        net_quantity=0,
        cost_usd=Decimal(0),
        average_ticks=Decimal(0),
    )


def cancel(turn: Turn, order: Order, now_ns: int) -> None:
    """Cancel an order that is not final, and with an entry the children that it has not woken (section 6, INF)."""
    turn.put_order(cancelled(order, now_ns))
    for child in children(turn, order):
        if child.status is OrderStatus.SUSPENDED:
            turn.put_order(cancelled(child, now_ns))


def _couple(turn: Turn, order: Order, match: Match, now_ns: int) -> None:
    """Let the bracket follow a fill: an entry wakes or grows its children, a child ends or shrinks its sibling."""
    for child in reversed(children(turn, order)):  # seen: the target wakes first (section 6)
        _put_if_changed(turn, child, after_entry_fill(child, match.quantity, match.price_ticks, now_ns))
    sibling = None if order.sibling_id is None else turn.order(order.sibling_id)
    if sibling is not None:
        _put_if_changed(turn, sibling, after_sibling_fill(sibling, order, match.quantity, now_ns))
    entry = None if order.parent_id is None else turn.order(order.parent_id)
    if entry is not None and order.is_final and not entry.is_final:
        turn.put_order(cancelled(entry, now_ns))


def children(turn: Turn, entry: Order) -> list[Order]:
    """Children that are not final, stop first: their ids follow the entry's (section 6)."""
    near = (turn.order(entry.order_id + step) for step in range(1, CHILDREN_MAX + 1))
    return [order for order in near if order is not None and order.parent_id == entry.order_id and not order.is_final]


def _put_if_changed(turn: Turn, before: Order, after: Order) -> None:
    if after is not before:
        turn.put_order(after)
