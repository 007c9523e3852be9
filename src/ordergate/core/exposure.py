"""What an account could come to hold and lose, with everything under way counted on the bad side.

Invariants:
1. Queued, working and in-doubt orders all count; an unproven modify counts with the larger size. What the broker shows
   as filled counts from then on, though its fills have not reached us yet.
2. Protective legs count nothing up to the position they close; a stop and its target count once, as the larger.
3. ``closable`` never exceeds what is surely held, so an order of that size cannot reverse the position, unless legs
   that rest at the broker fill on its way.
4. A stop covers a position only where it surely rests; an order is new risk where it is larger than what it closes.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.instrument import Instrument
from ordergate.core.order import Order, Role, Side, Status
from ordergate.core.pnl import Position, mark_ticks, open_usd, usd
from ordergate.core.reports import Quote


class Leaves(msgspec.Struct, frozen=True):
    """Contracts on one side of one contract that may still fill (>= 0).

    ``plain``: all orders but legs; ``legs``: one-cancels-other counted once; ``doubtful``: the part of the legs that
    may have filled already.
    """

    plain: int
    legs: int
    doubtful: int


def leaves(account: Account, contract_id: str, side: Side, without: str | None = None) -> Leaves:
    """The leaves on one side, leaving out the order ``without``."""
    orders = [
        order
        for order in account.orders.values()
        if order.terms.contract_id == contract_id and order.terms.side is side and order.order_id != without
    ]
    legs = [order for order in orders if order.is_leg]
    plain = sum(order.leaves for order in orders if not order.is_leg)
    return Leaves(
        plain=plain + _filled_unnamed(account, contract_id, side),
        legs=_once(legs, lambda leg: leg.leaves),
        doubtful=_once(legs, lambda leg: leg.leaves if leg.status is Status.IN_DOUBT else leg.unseen),
    )


def _once(legs: list[Order], quantity: Callable[[Order], int]) -> int:
    """The sum over the brackets, of each the larger of its stops and its targets."""
    sums: dict[str, dict[Role, int]] = {}
    for leg in legs:
        roles = sums.setdefault(leg.parent_id or "", {})
        roles[leg.role] = roles.get(leg.role, 0) + quantity(leg)
    return sum(max(roles.values()) for roles in sums.values())


def _filled_unnamed(account: Account, contract_id: str, side: Side) -> int:
    """Fills of orders we do not know yet, less what can be fills of our own orders that the broker has not named."""
    held = sum(f.quantity for f in account.held.values() if (f.contract_id, f.side) == (contract_id, side))
    if not held:
        return 0
    ours = [order for order in account.live_orders(contract_id) if order.broker_order_id is None]
    return max(0, held - sum(order.leaves for order in ours if order.terms.side is side))


def worst_position(account: Account, contract_id: str, side: Side, quantity: int, without: str | None = None) -> int:
    """The largest net position (signed) on ``side`` if ``quantity`` more and all leaves of that side fill."""
    net = account.position(contract_id).net
    may_fill = leaves(account, contract_id, side, without)
    excess = max(0, may_fill.legs - max(0, -net * side.sign))
    return net + side.sign * (may_fill.plain + excess + quantity)


def closable(account: Account, contract_id: str, side: Side, without: str | None = None) -> int:
    """How many contracts an order on ``side`` can be sure to close.

    It is the smallest position that everything in doubt allows, less the leaves of other closing orders.
    """
    may_fill = leaves(account, contract_id, side, without)
    return max(0, -account.position(contract_id).net * side.sign - may_fill.plain - may_fill.doubtful)


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
    at_stops: Decimal | None = governing_realized(account) - account.day.carried_usd
    for position in account.positions.values():
        instrument = group.instruments[position.contract_id]
        quote = quotes.get(position.contract_id)
        mark = mark_ticks(quote, position.net) if quote is not None else None
        stopped = stopped_usd(account, instrument, position, mark)
        fees = instrument.fee_usd * abs(position.net)
        at_stops = None if at_stops is None or stopped is None else at_stops + stopped - fees
    if at_stops is not None:
        at_stops -= _new_risk_usd(group, account, without)
    return Money(day_pnl(group, account, quotes), at_stops)


def day_pnl(group: Group, account: Account, quotes: dict[str, Quote]) -> Decimal | None:
    """The ``day_pnl`` of ``Money``."""
    pnl = governing_realized(account) - account.day.carried_usd
    for position in account.positions.values():
        instrument = group.instruments[position.contract_id]
        quote = quotes.get(position.contract_id)
        mark = mark_ticks(quote, position.net) if quote is not None else None
        if mark is None:
            return None
        pnl += open_usd(instrument, position, mark) - instrument.fee_usd * abs(position.net)
    return pnl


def _new_risk_usd(group: Group, account: Account, without: str | None) -> Decimal:
    """What every order would lose with the part of it that closes nothing, the least risky ones closing first."""
    room: dict[tuple[str, Side], int] = {}
    for position in account.positions.values():
        room[position.contract_id, Side.SELL if position.net > 0 else Side.BUY] = abs(position.net)
    total = Decimal(0)
    orders = [o for o in account.orders.values() if o.leaves and not o.is_leg and o.order_id != without]
    for order in sorted(orders, key=lambda order: order.risk_ticks):
        key = (order.terms.contract_id, order.terms.side)
        closing = min(order.leaves, room.get(key, 0))
        room[key] = room.get(key, 0) - closing
        if order.risk_ticks:
            instrument = group.instruments[order.terms.contract_id]
            total += order_risk_usd(instrument, order.risk_ticks, order.leaves - closing)
    return total


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
    for level, resting in _stops(account, position):
        quantity = min(resting, uncovered)
        uncovered -= quantity
        ticks += (level - position.average) * quantity * sign
    if uncovered:
        if mark is None:
            return None
        ticks += (mark - sign * instrument.stress_ticks - position.average) * uncovered * sign
    return usd(instrument, ticks)


def _stops(account: Account, position: Position) -> list[tuple[int, int]]:
    """Level and quantity of the stops that surely close ``position``, the farthest from the market first.

    One that is being changed counts with the worse of both levels and the smaller of both sizes.
    """
    closing = Side.SELL if position.net > 0 else Side.BUY
    found: list[tuple[int, int]] = []
    for order in account.live_orders(position.contract_id):
        level = order.terms.stop_ticks
        if level is None or order.terms.side is not closing or order.cancel_wanted or order.status is Status.IN_DOUBT:
            continue
        quantity, change = order.terms.quantity, order.change
        if change is not None and change.stop_ticks is not None:
            quantity = min(quantity, change.quantity)
            level = max(level * closing.sign, change.stop_ticks * closing.sign) * closing.sign
        found.append((level, max(0, quantity - order.filled_quantity)))
    return sorted(found, key=lambda stop: -stop[0] * closing.sign)
