"""If this machine dies now: what an account can still lose, by what rests at the broker and nothing else.

A stop that has yet to be placed, an exit under way and a bracket that is managed from here are all gone then. What
rests stays: stops close what they cover, and an order that works fills without anything to protect it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.coverage import resting_size
from ordergate.core.instrument import Instrument
from ordergate.core.market import Market
from ordergate.core.order import Order, Side
from ordergate.core.pnl import Position, closed_usd, mark_ticks
from ordergate.core.worst import order_risk_usd


class Unattended(msgspec.Struct, frozen=True):
    """One contract of an account that is left alone. Money is signed: a loss is negative.

    ``net`` is signed; ``uncovered`` (>= 0) contracts of it have no resting stop, ``opening`` (>= 0) more may be opened
    by orders that work. ``worst_usd`` is the P&L, from the average price and less fees, when every stop is hit; what
    has no stop loses the product's stress move: from the market, or from where it fills. None where no price tells.
    """

    contract_id: str
    net: int
    uncovered: int
    opening: int
    worst_usd: Decimal | None

    @property
    def bounded(self) -> bool:
        """Whether stops bound it; if not, ``worst_usd`` is only what a bad day makes of it."""
        return self.uncovered == 0 and self.opening == 0


def unattended(group: Group, account: Account, market: Market) -> tuple[Unattended, ...]:
    """Every contract in which something is held or works."""
    names = dict.fromkeys((*account.positions, *account.orders.books))
    found = (_contract(group, account, contract_id, market) for contract_id in names)
    return tuple(one for one in found if one.net or one.opening or one.worst_usd)


def _contract(group: Group, account: Account, contract_id: str, market: Market) -> Unattended:
    instrument, position = group.instruments[contract_id], account.position(contract_id)
    uncovered, held_usd = _held(account, instrument, position, market)
    opening = max(_opening(account, position, side) for side in Side)
    if held_usd is not None:
        held_usd -= order_risk_usd(instrument, instrument.stress_ticks, opening)
        held_usd -= sum((_attached_usd(instrument, order) for order in _attached(account, contract_id)), Decimal(0))
    return Unattended(contract_id, position.net, uncovered, opening, held_usd)


def _held(account: Account, instrument: Instrument, position: Position, market: Market) -> tuple[int, Decimal | None]:
    """Contracts that no resting stop covers, and the P&L of the position closed at its stops, the farthest first."""
    sign, uncovered, ticks = (1 if position.net > 0 else -1), abs(position.net), 0
    stops = [stop for stop in account.orders.book(position.contract_id).stop_orders() if stop.terms.side.sign == -sign]
    for stop in sorted(stops, key=lambda stop: (stop.terms.stop_ticks or 0) * sign):
        closing = min(uncovered, resting_size(stop))
        uncovered -= closing
        ticks += (stop.terms.stop_ticks or 0) * closing * sign
    if uncovered:
        quote = market.quotes.get(position.contract_id)
        mark = None if quote is None else mark_ticks(quote, position.net)
        if mark is None:
            return uncovered, None
        ticks += (mark - sign * instrument.stress_ticks) * uncovered * sign
    return uncovered, closed_usd(instrument, position, ticks) - instrument.fee_usd * abs(position.net)


def _opening(account: Account, position: Position, side: Side) -> int:
    """Contracts that orders on ``side`` open, without a stop, when all of them fill."""
    attached = sum(o.leaves for o in _attached(account, position.contract_id) if o.terms.side is side)
    plain = account.orders.book(position.contract_id).leaves(side).plain - attached
    return max(0, plain - max(0, -position.net * side.sign))


def _attached(account: Account, contract_id: str) -> list[Order]:
    """Live entries whose stop the broker attaches to them."""
    return [order for order in account.orders.book(contract_id).orders.values() if order.terms.is_native and order.live]


def _attached_usd(instrument: Instrument, order: Order) -> Decimal:
    return order_risk_usd(instrument, abs(order.terms.stop_offset_ticks or 0), order.leaves)
