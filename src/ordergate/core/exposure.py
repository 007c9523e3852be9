"""What an account could come to hold, with everything under way counted on the bad side.

Invariants:
1. Queued, working and in-doubt orders all count; an unproven modify counts with the larger size. What the broker shows
   as filled counts from then on, though its fills have not reached us yet.
2. Protective legs count nothing up to the position they close; a stop and its target count once, as the larger.
3. ``closable`` never exceeds what is surely held, so an order of that size cannot reverse the position, unless legs
   that rest at the broker fill on its way.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.contracts import underlying
from ordergate.core.order import Side
from ordergate.core.orders import Leaves


def leaves(account: Account, contract_id: str, side: Side) -> Leaves:
    """The leaves on one side; fills that no order of ours explains are plain."""
    found = account.orders.book(contract_id).leaves(side)
    unnamed = _filled_unnamed(account, contract_id, side)
    return replace(found, plain=found.plain + unnamed) if unnamed else found


def _filled_unnamed(account: Account, contract_id: str, side: Side) -> int:
    """Fills of orders we do not know yet, less what can be fills of our own orders that the broker has not named."""
    if not account.held:
        return 0
    held = sum(f.quantity for f in account.held.values() if (f.contract_id, f.side) == (contract_id, side))
    ours = [order for order in account.live_orders(contract_id) if order.broker_order_id is None]
    return max(0, held - sum(order.leaves for order in ours if order.terms.side is side))


def worst_position(account: Account, contract_id: str, side: Side, quantity: int) -> int:
    """The largest net position (signed) on ``side`` if ``quantity`` more and all leaves of that side fill."""
    position, sign = account.positions.get(contract_id), side.sign
    net = 0 if position is None else position.net
    may_fill = leaves(account, contract_id, side)
    excess = max(0, may_fill.legs - max(0, -net * sign)) if may_fill.legs else 0
    return net + sign * (may_fill.plain + excess + quantity)


def opposed(group: Group, account: Account, symbol: str, side: Side) -> Account | None:
    """Another account that holds, or could come to hold, the other side of the same underlying; the first of them."""
    name = underlying(symbol)
    for other in group.accounts.values():
        if other is account or other.account_id == account.account_id:
            continue
        for each in touched(other):
            if underlying(group.instruments[each].symbol) != name:
                continue
            if worst_position(other, each, side.opposite, 0) * side.sign < 0:
                return other
    return None


def touched(account: Account) -> dict[str, object]:
    """Every contract that is held or may be, each once."""
    return {**account.positions, **account.orders.books}


def closable(account: Account, contract_id: str, side: Side) -> int:
    """How many contracts an order on ``side`` can be sure to close.

    It is the smallest position that everything in doubt allows, less the leaves of other closing orders.
    """
    position = account.positions.get(contract_id)
    if position is None or position.net * side.sign > 0:
        return 0
    may_fill = leaves(account, contract_id, side)
    return max(0, -position.net * side.sign - may_fill.plain - may_fill.doubtful)
