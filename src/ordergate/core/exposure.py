"""What an account could come to hold and lose, with everything under way counted on the bad side.

Invariants:
1. Queued, working and in-doubt orders all count; an unproven modify counts with the larger size.
2. Protective legs count nothing up to the position they close; a stop and its target count once, as the larger.
3. ``closable`` never exceeds what is surely held, so an exit of that size cannot reverse the position.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.instrument import Instrument
from ordergate.core.order import Order, Role, Side
from ordergate.core.pnl import Position, mark_ticks, open_usd, usd
from ordergate.core.reports import Quote


class Working(msgspec.Struct, frozen=True):
    """Leaves on one contract, in contracts (>= 0): all orders but legs, by side, and the legs, OCO counted once."""

    buy: int = 0
    sell: int = 0
    leg_buy: int = 0
    leg_sell: int = 0


def working(account: Account, contract_id: str, without: str | None = None) -> Working:
    """The leaves on a contract, leaving out the order ``without``."""
    plain = {Side.BUY: 0, Side.SELL: 0}
    legs: dict[tuple[Side, str, Role], int] = {}
    for order in account.live_orders(contract_id):
        if order.order_id == without:
            continue
        side = order.terms.side
        if order.is_leg:
            key = (side, order.parent_id or "", order.role)
            legs[key] = legs.get(key, 0) + order.leaves
        else:
            plain[side] += order.leaves
    pairs: dict[tuple[Side, str], int] = {}
    for (side, parent, _), leaves in legs.items():
        pairs[side, parent] = max(pairs.get((side, parent), 0), leaves)
    return Working(
        buy=plain[Side.BUY],
        sell=plain[Side.SELL],
        leg_buy=sum(leaves for (side, _), leaves in pairs.items() if side is Side.BUY),
        leg_sell=sum(leaves for (side, _), leaves in pairs.items() if side is Side.SELL),
    )


def worst_position(account: Account, contract_id: str, side: Side, quantity: int, without: str | None = None) -> int:
    """The largest net position (signed) on ``side`` if ``quantity`` more and all leaves of that side fill."""
    net = account.position(contract_id).net
    leaves = working(account, contract_id, without)
    if side is Side.BUY:
        return net + leaves.buy + max(0, leaves.leg_buy - max(0, -net)) + quantity
    return net - leaves.sell - max(0, leaves.leg_sell - max(0, net)) - quantity


def closable(account: Account, contract_id: str, side: Side, without: str | None = None) -> int:
    """How many contracts an order on ``side`` can be sure to close: the position less other closing orders' leaves."""
    net = account.position(contract_id).net
    leaves = working(account, contract_id, without)
    if side is Side.SELL:
        return max(0, net - leaves.sell)
    return max(0, -net - leaves.buy)


def open_orders(account: Account, without: str | None = None) -> int:
    """Live orders that are not protective legs."""
    return sum(1 for order in account.live_orders() if not order.is_leg and order.order_id != without)


class Money(msgspec.Struct, frozen=True):
    """An account's money at some quotes, in dollars; ``None`` where a quote that is needed is missing.

    ``day_pnl`` is signed, net of fees, governed by the worse of our figure and the broker's; ``day_pnl_at_stops`` is
    what it becomes when every position is closed at its stop and every new-risk order fills and is stopped too.
    """

    day_pnl: Decimal | None
    day_pnl_at_stops: Decimal | None


def money(group: Group, account: Account, quotes: dict[str, Quote], without: str | None = None) -> Money:
    """See ``Money``. Leaves out the order ``without``."""
    realized = governing_realized(account)
    now: Decimal | None = realized - account.day.carried_usd
    at_stops: Decimal | None = now
    for position in account.positions.values():
        instrument = group.instruments[position.contract_id]
        fees = instrument.fee_usd * abs(position.net)
        quote = quotes.get(position.contract_id)
        mark = mark_ticks(quote, position.net) if quote is not None else None
        now = None if now is None or mark is None else now + open_usd(instrument, position, mark) - fees
        stopped = stopped_usd(account, instrument, position, mark)
        at_stops = None if at_stops is None or stopped is None else at_stops + stopped - fees
    if at_stops is not None:
        for order in account.live_orders():
            if order.order_id != without and not order.is_leg and order.risk_ticks:
                at_stops -= order_risk_usd(group.instruments[order.terms.contract_id], order.risk_ticks, order.leaves)
    return Money(now, at_stops)


def governing_realized(account: Account) -> Decimal:
    """Today's realised P&L net of fees: the worse of our own sum and the broker's balance (signed)."""
    return min(account.day.realized_usd, account.balance_usd - account.day.balance_usd)


def order_risk_usd(instrument: Instrument, risk_ticks: int, quantity: int) -> Decimal:
    """Dollars lost when ``quantity`` contracts fill and are stopped ``risk_ticks`` away, both sides' fees included."""
    return instrument.money(risk_ticks, quantity) + instrument.fee_usd * (2 * quantity)


def stopped_usd(account: Account, instrument: Instrument, position: Position, mark: int | None) -> Decimal | None:
    """Open P&L of ``position`` closed at its stops; what no stop covers is closed a stress move beyond the mark."""
    sign = 1 if position.net > 0 else -1
    uncovered = abs(position.net)
    ticks = Fraction(0)
    for stop in _stops(account, position):
        quantity = min(stop.leaves, uncovered)
        uncovered -= quantity
        ticks += ((stop.terms.stop_ticks or 0) - position.average) * quantity * sign
    if uncovered:
        if mark is None:
            return None
        ticks += (mark - sign * instrument.stress_ticks - position.average) * uncovered * sign
    return usd(instrument, ticks)


def _stops(account: Account, position: Position) -> list[Order]:
    """Stop orders that would close ``position``, the farthest from the market first (the bad side)."""
    closing = Side.SELL if position.net > 0 else Side.BUY
    found = [
        order
        for order in account.live_orders(position.contract_id)
        if order.terms.stop_ticks is not None and order.terms.side is closing
    ]
    return sorted(found, key=lambda order: closing.sign * -(order.terms.stop_ticks or 0))
