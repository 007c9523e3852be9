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

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.contracts import micros, underlying
from ordergate.core.instrument import Instrument
from ordergate.core.order import Side, Status
from ordergate.core.orders import Leaves, Orders
from ordergate.core.pnl import Position, closed_usd, mark_ticks, open_usd
from ordergate.core.reports import Quote


def leaves(account: Account, contract_id: str, side: Side, without: str | None = None) -> Leaves:
    """The leaves on one side, leaving out the order ``without``; fills that no order of ours explains are plain."""
    found = _orders(account, without).leaves(contract_id, side)
    unnamed = _filled_unnamed(account, contract_id, side)
    return replace(found, plain=found.plain + unnamed) if unnamed else found


def _orders(account: Account, without: str | None) -> Orders:
    return account.orders if without is None else account.orders.delete(without)


def _filled_unnamed(account: Account, contract_id: str, side: Side) -> int:
    """Fills of orders we do not know yet, less what can be fills of our own orders that the broker has not named."""
    if not account.held:
        return 0
    held = sum(f.quantity for f in account.held.values() if (f.contract_id, f.side) == (contract_id, side))
    ours = [order for order in account.live_orders(contract_id) if order.broker_order_id is None]
    return max(0, held - sum(order.leaves for order in ours if order.terms.side is side))


def worst_position(account: Account, contract_id: str, side: Side, quantity: int, without: str | None = None) -> int:
    """The largest net position (signed) on ``side`` if ``quantity`` more and all leaves of that side fill."""
    net = account.position(contract_id).net
    may_fill = leaves(account, contract_id, side, without)
    excess = max(0, may_fill.legs - max(0, -net * side.sign))
    return net + side.sign * (may_fill.plain + excess + quantity)


def product_position(
    group: Group, account: Account, contract_id: str, side: Side, quantity: int, without: str | None = None
) -> int:
    """As ``worst_position``, of all months of the product: what another month holds on the other side gives no room."""
    symbol = group.instruments[contract_id].symbol
    worst = worst_position(account, contract_id, side, quantity, without)
    for other in _touched(account):
        if other != contract_id and group.instruments[other].symbol == symbol:
            worst += side.sign * max(0, side.sign * worst_position(account, other, side, 0, without))
    return worst


def account_micros(
    group: Group, account: Account, contract_id: str, side: Side, quantity: int, without: str | None = None
) -> int:
    """The worst positions of all contracts together, each on its worse side, in micros; ``quantity`` more on one."""
    total = 0
    for each in {**dict.fromkeys(_touched(account)), contract_id: None}:
        more = {side: quantity if each == contract_id else 0}
        worst = [abs(worst_position(account, each, way, more.get(way, 0), without)) for way in Side]
        total += max(worst) * micros(group.instruments[each].symbol)
    return total


def opposed(group: Group, account: Account, symbol: str, side: Side) -> Account | None:
    """Another account that holds, or could come to hold, the other side of the same underlying; the first of them."""
    name = underlying(symbol)
    for other in group.accounts.values():
        if other.account_id == account.account_id:
            continue
        for each in _touched(other):
            if underlying(group.instruments[each].symbol) != name:
                continue
            if worst_position(other, each, side.opposite, 0) * side.sign < 0:
                return other
    return None


def _touched(account: Account) -> list[str]:
    """Every contract that is held or may be, each once."""
    return list(dict.fromkeys((*account.positions, *account.orders.contracts())))


def closable(account: Account, contract_id: str, side: Side, without: str | None = None) -> int:
    """How many contracts an order on ``side`` can be sure to close.

    It is the smallest position that everything in doubt allows, less the leaves of other closing orders.
    """
    may_fill = leaves(account, contract_id, side, without)
    return max(0, -account.position(contract_id).net * side.sign - may_fill.plain - may_fill.doubtful)


def open_orders(account: Account, without: str | None = None) -> int:
    """Live orders that are not protective legs."""
    return sum(found.live for _, _, found in _orders(account, without).all_leaves())


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
        at_stops -= new_risk_usd(group, account, without)
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


def new_risk_usd(group: Group, account: Account, without: str | None) -> Decimal:
    """What every order would lose with the part of it that closes nothing, the least risky ones closing first."""
    orders = _orders(account, without)
    total = Decimal(0)
    for contract_id, side, found in orders.all_leaves():
        room = max(0, -account.position(contract_id).net * side.sign)
        risky, risk_ticks = _beyond(orders, contract_id, side, room) if room else (found.risky, found.risk_ticks)
        if risky:
            instrument = group.instruments[contract_id]
            total += instrument.money(risk_ticks, 1) + instrument.fee_usd * (2 * risky)
    return total


def _beyond(orders: Orders, contract_id: str, side: Side, room: int) -> tuple[int, int]:
    """Contracts that close nothing, and their ticks to the stop, where ``room`` can still be closed."""
    risky = risk_ticks = 0
    plain = [o for o in orders.values() if o.terms.contract_id == contract_id and o.terms.side is side and not o.is_leg]
    for order in sorted(plain, key=lambda order: order.risk_ticks):
        closing = min(order.leaves, room)
        room -= closing
        if order.risk_ticks:
            risky += order.leaves - closing
            risk_ticks += (order.leaves - closing) * order.risk_ticks
    return risky, risk_ticks


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
    closed = 0
    for level, resting in _stops(account, position):
        quantity = min(resting, uncovered)
        uncovered -= quantity
        closed += level * quantity
    if uncovered:
        if mark is None:
            return None
        closed += (mark - sign * instrument.stress_ticks) * uncovered
    return closed_usd(instrument, position, closed * sign)


def _stops(account: Account, position: Position) -> list[tuple[int, int]]:
    """Level and quantity of the stops that surely close ``position``, the farthest from the market first.

    One that is being changed counts with the worse of both levels and the smaller of both sizes.
    """
    closing = Side.SELL if position.net > 0 else Side.BUY
    found: list[tuple[int, int]] = []
    for order in account.orders.stops():
        terms, level = order.terms, order.terms.stop_ticks
        if level is None or terms.contract_id != position.contract_id or terms.side is not closing:
            continue
        if order.cancel_wanted or order.status is Status.IN_DOUBT:
            continue
        quantity, change = order.terms.quantity, order.change
        if change is not None and change.stop_ticks is not None:
            quantity = min(quantity, change.quantity)
            level = max(level * closing.sign, change.stop_ticks * closing.sign) * closing.sign
        found.append((level, max(0, quantity - order.filled_quantity)))
    return sorted(found, key=lambda stop: -stop[0] * closing.sign)
