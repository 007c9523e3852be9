"""What an account is worth, and what it could come to lose, in dollars: the sums over its contracts.

A decision adds up the contracts (``worst``), it does not go through their orders.

Invariants:
1. A price that cannot be believed makes what needs it None, never a guess.
2. What is kept holds only for the very objects that it was worked out from: any change makes new ones.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ordergate.core.account import Account, Group
from ordergate.core.contracts import micros
from ordergate.core.exposure import touched, worst_position
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.market import MS_NS, Market
from ordergate.core.order import Side
from ordergate.core.orders import Book
from ordergate.core.pnl import Position, mark_ticks, open_usd
from ordergate.core.reports import Quote
from ordergate.core.worst import stressed_usd, worst_of


class Figures(msgspec.Struct, frozen=True):
    """What an account is worth at some prices, and what it could come to; money in dollars.

    ``day_pnl`` is signed, net of fees, governed by the worse of our figure and the broker's; ``day_pnl_at_stops`` is
    what it becomes when every position is closed at its stop and every new-risk order fills and is stopped too. Each is
    None where a price that is needed cannot be believed. ``micros`` (>= 0) are the worst positions of all contracts
    together, each on its worse side; ``open_orders`` (>= 0) the live orders that are not protective legs.
    """

    day_pnl: Decimal | None
    day_pnl_at_stops: Decimal | None
    micros: int
    open_orders: int


def figures(group: Group, account: Account, market: Market) -> Figures:
    """See ``Figures``."""
    sums = sums_of(group, account)
    realized, opened = governing_realized(account) - account.day.carried_usd, _opened_usd(group, account, market)
    at_stops: Decimal | None = realized + sums.stopped_usd
    for contract_id in sums.uncovered:
        instrument, position = group.instruments[contract_id], account.positions[contract_id]
        mark = _mark_ticks(group, instrument, position, market)
        if at_stops is None or mark is None:
            at_stops = None
        else:
            at_stops += stressed_usd(account.orders.book(contract_id), instrument, position, mark)
    return Figures(None if opened is None else realized + opened, at_stops, sums.micros, sums.open_orders)


def day_pnl(group: Group, account: Account, market: Market) -> Decimal | None:
    """The ``day_pnl`` of ``Figures``."""
    opened = _opened_usd(group, account, market)
    return None if opened is None else governing_realized(account) - account.day.carried_usd + opened


def product_worst(group: Group, account: Account, contract_id: str, side: Side, worst: int) -> int:
    """As ``worst``, of one contract, for all months of its product: what another holds against it gives no room."""
    for other in sums_of(group, account).months.get(group.instruments[contract_id].symbol, ()):
        if other != contract_id:
            worst += side.sign * max(0, side.sign * worst_position(account, other, side, 0))
    return worst


def micros_with(group: Group, account: Account, contract_id: str, side: Side, worst: int) -> int:
    """The ``micros`` of ``Figures`` if the worst position of one contract on ``side`` were ``worst`` (signed)."""
    instrument = group.instruments[contract_id]
    own = worst_of(account, contract_id, instrument)
    other = own.shortest if side is Side.BUY else own.longest
    return sums_of(group, account).micros - own.micros + max(abs(worst), abs(other)) * micros(instrument.symbol)


def _opened_usd(group: Group, account: Account, market: Market) -> Decimal | None:
    """The P&L of all that is held, closed now, less the fees of that; None where a price cannot be believed."""
    known = market.opened
    if known is not None and known.holds(group, account):
        return known.usd
    usd: Decimal | None = Decimal(0)
    books = account.orders.books
    for contract_id, position in account.positions.items():
        book = books.get(contract_id) or Book()
        valued = book.valued
        if valued is None or not valued.holds(group, position, market):
            valued = book.valued = _value(group, position, market)
        usd = None if usd is None or valued is None else usd + valued.usd
    market.opened = Opened(account.positions, group.limits, group.instruments, usd)
    return usd


class Valued(msgspec.Struct, frozen=True):
    """The P&L of ``position`` closed at ``quote``, less the fees of that, in dollars; it holds until ``until_ns``."""

    position: Position
    quote: Quote
    limits: Limits
    instruments: dict[str, Instrument]
    until_ns: int
    usd: Decimal

    def holds(self, group: Group, position: Position, market: Market) -> bool:
        """Whether it is still of this position, quote and description of the contract."""
        return (
            self.quote is market.quotes.get(position.contract_id)
            and market.at_ns <= self.until_ns
            and self.position is position
            and self.limits is group.limits
            and self.instruments is group.instruments
        )


class Opened(msgspec.Struct, frozen=True):
    """``Valued`` of all positions of an account together, at the prices of one ``Market``; None = one is not known."""

    positions: dict[str, Position]
    limits: Limits
    instruments: dict[str, Instrument]
    usd: Decimal | None

    def holds(self, group: Group, account: Account) -> bool:
        """Whether it is still of these positions, limits and descriptions."""
        return (
            self.positions is account.positions
            and self.limits is group.limits
            and self.instruments is group.instruments
        )


def _value(group: Group, position: Position, market: Market) -> Valued | None:
    instrument = group.instruments[position.contract_id]
    mark = _mark_ticks(group, instrument, position, market)
    if mark is None:
        return None
    quote = market.quotes[position.contract_id]
    until_ns = quote.at_ns + group.limits.of(instrument.symbol).quote_age_ms_max * MS_NS
    usd = open_usd(instrument, position, mark) - instrument.fee_usd * abs(position.net)
    return Valued(position, quote, group.limits, group.instruments, until_ns, usd)


def _mark_ticks(group: Group, instrument: Instrument, position: Position, market: Market) -> int | None:
    """The price at which ``position`` could be closed now, if it can be believed."""
    quote = market.of(instrument, group.limits.of(instrument.symbol))
    return None if quote is None else mark_ticks(quote, position.net)


class Sums(msgspec.Struct, frozen=True):
    """``Worst`` of all contracts of an account together, at some positions.

    ``stopped_usd`` is less the new risk; ``uncovered`` are the contracts whose ``stopped_usd`` is not in it. ``months``
    are the contracts of each product.
    """

    positions: dict[str, Position]
    instruments: dict[str, Instrument]
    stopped_usd: Decimal
    uncovered: tuple[str, ...]
    micros: int
    open_orders: int
    months: dict[str, tuple[str, ...]]


def sums_of(group: Group, account: Account) -> Sums:
    """Kept with the orders; where some have changed since, only their contracts are worked out anew."""
    orders = account.orders
    known = orders.sums
    if account.held:
        return _summed(group, account)
    if known is None or known.positions is not account.positions or known.instruments is not group.instruments:
        known = _resummed(group, account) or _summed(group, account)
        orders.sums = known
    return known


def _summed(group: Group, account: Account) -> Sums:
    total, uncovered, micro_sum, order_count = Decimal(0), [], 0, 0
    months: dict[str, tuple[str, ...]] = {}
    for contract_id in touched(account):
        instrument, book = group.instruments[contract_id], account.orders.book(contract_id)
        worst = worst_of(account, contract_id, instrument)
        total -= worst.new_risk_usd
        if worst.stopped_usd is None:
            uncovered.append(contract_id)
        else:
            total += worst.stopped_usd
        micro_sum += worst.micros
        order_count += book.buys.live + book.sells.live
        months[instrument.symbol] = (*months.get(instrument.symbol, ()), contract_id)
    return Sums(account.positions, group.instruments, total, tuple(uncovered), micro_sum, order_count, months)


def _resummed(group: Group, account: Account) -> Sums | None:
    """From the sums before the last changes of orders; None where that cannot be done contract by contract."""
    before, books = account.orders.sums_before
    if before is None or before.positions is not account.positions or before.instruments is not group.instruments:
        return None
    total, micro_sum, order_count = before.stopped_usd, before.micros, before.open_orders
    for contract_id, was in books.items():
        book, old = account.orders.books.get(contract_id), was.worst
        new = worst_of(account, contract_id, group.instruments[contract_id])
        # The book of then may have been worked out again since, for another position.
        if book is None or old is None or old.position is not new.position or old.instrument is not new.instrument:
            return None
        if old.stopped_usd is None or new.stopped_usd is None:
            return None
        total += new.stopped_usd - new.new_risk_usd - old.stopped_usd + old.new_risk_usd
        micro_sum += new.micros - old.micros
        order_count += book.buys.live + book.sells.live - was.buys.live - was.sells.live
    return replace(before, stopped_usd=total, micros=micro_sum, open_orders=order_count)


def governing_realized(account: Account) -> Decimal:
    """Today's realised P&L net of fees: the worse of our own sum and the broker's balance (signed)."""
    return min(account.day.realized_usd, account.balance_usd - account.day.balance_usd)
