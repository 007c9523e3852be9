"""What an account is worth, and what it could come to lose, in dollars.

What depends on one contract alone is worked out once for each state of its ``Book`` and position, and kept there: a
decision adds up the contracts, it does not go through the orders.

Invariants:
1. A stop covers a position only where it surely rests; what none covers is stressed.
2. An order is new risk where it is larger than what it closes.
3. A price that cannot be believed makes what needs it None, never a guess.
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
from ordergate.core.order import Side, Status
from ordergate.core.orders import Book
from ordergate.core.pnl import Position, closed_usd, mark_ticks, open_usd
from ordergate.core.reports import Quote


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
        stressed = _stressed_usd(group, account, account.positions[contract_id], market)
        at_stops = None if at_stops is None or stressed is None else at_stops + stressed
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
    own = _worst(account, contract_id, instrument)
    other = own.shortest if side is Side.BUY else own.longest
    return sums_of(group, account).micros - own.micros + max(abs(worst), abs(other)) * micros(instrument.symbol)


def _opened_usd(group: Group, account: Account, market: Market) -> Decimal | None:
    """The P&L of all that is held, closed now, less the fees of that; None where a price cannot be believed."""
    known = market.valued
    if known is not None and known[0] is account.positions and known[1] is group.limits:
        total: Decimal | None = known[2]
        return total
    total, books, at_ns = Decimal(0), account.orders.books, market.at_ns
    for contract_id, position in account.positions.items():
        book = books.get(contract_id) or Book()
        valued: Valued | None = book.valued
        if (
            valued is None
            or valued.quote is not market.quotes.get(contract_id)
            or valued.until_ns < at_ns
            or valued.position is not position
            or valued.limits is not group.limits
        ):
            valued = _value(group, position, market)
            if valued is None:
                total = None
                break
            book.valued = valued
        total += valued.usd
    market.valued = (account.positions, group.limits, total)
    return total


class Valued(msgspec.Struct, frozen=True):
    """The P&L of ``position`` closed at ``quote``, less the fees of that, in dollars; it holds until ``until_ns``."""

    position: Position
    quote: Quote
    limits: Limits
    until_ns: int
    usd: Decimal


def _value(group: Group, position: Position, market: Market) -> Valued | None:
    instrument = group.instruments[position.contract_id]
    limits = group.limits.of(instrument.symbol)
    quote = market.of(instrument, limits)
    mark = None if quote is None else mark_ticks(quote, position.net)
    if quote is None or mark is None:
        return None
    usd = open_usd(instrument, position, mark) - instrument.fee_usd * abs(position.net)
    return Valued(position, quote, group.limits, quote.at_ns + limits.quote_age_ms_max * MS_NS, usd)


class Worst(msgspec.Struct, frozen=True):
    """What one contract of an account, at one position, can come to, whatever the market does.

    ``longest`` and ``shortest`` are the worst positions (signed), ``micros`` (>= 0) the worse of both. ``stopped_usd``
    is the P&L of the position closed at its stops, less the fees of that (0 without a position); None where a part of
    it has no stop. ``new_risk_usd`` (>= 0) is what every order would lose with the part of it that closes nothing, the
    least risky ones closing first.
    """

    position: Position | None
    instrument: Instrument
    longest: int
    shortest: int
    micros: int
    stopped_usd: Decimal | None
    new_risk_usd: Decimal


def _worst(account: Account, contract_id: str, instrument: Instrument) -> Worst:
    """Worked out once for a book and a position: each is a new object when anything in it is new."""
    book, position = account.orders.book(contract_id), account.positions.get(contract_id)
    known: Worst | None = book.worst
    if known is not None and known.position is position and known.instrument is instrument and not account.held:
        return known
    longest, shortest = (worst_position(account, contract_id, side, 0) for side in Side)
    found = Worst(
        position,
        instrument,
        longest,
        shortest,
        max(abs(longest), abs(shortest)) * micros(instrument.symbol),
        Decimal(0) if position is None else _stopped_usd(book, instrument, position),
        new_risk_usd(book, instrument, 0 if position is None else position.net),
    )
    if not account.held:
        book.worst = found
    return found


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
    known: Sums | None = orders.sums
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
        worst = _worst(account, contract_id, instrument)
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
    before: Sums | None
    before, books = account.orders.sums_before
    if before is None or before.positions is not account.positions or before.instruments is not group.instruments:
        return None
    total, micro_sum, order_count = before.stopped_usd, before.micros, before.open_orders
    for contract_id, was in books.items():
        book, old = account.orders.books.get(contract_id), was.worst
        new = _worst(account, contract_id, group.instruments[contract_id])
        if book is None or old is None or old.stopped_usd is None or new.stopped_usd is None:
            return None
        total += new.stopped_usd - new.new_risk_usd - old.stopped_usd + old.new_risk_usd
        micro_sum += new.micros - old.micros
        order_count += book.buys.live + book.sells.live - was.buys.live - was.sells.live
    return replace(before, stopped_usd=total, micros=micro_sum, open_orders=order_count)


def new_risk_usd(book: Book, instrument: Instrument, net: int) -> Decimal:
    """What every order would lose with the part of it that closes nothing (>= 0)."""
    total = Decimal(0)
    for side in Side:
        found, room = book.leaves(side), max(0, -net * side.sign)
        risky, risk_ticks = _beyond(book, side, room) if room and found.plain else (found.risky, found.risk_ticks)
        if risky:
            total += instrument.money(risk_ticks, 1) + instrument.fee_usd * (2 * risky)
    return total


def _beyond(book: Book, side: Side, room: int) -> tuple[int, int]:
    """Contracts that close nothing, and their ticks to the stop, where ``room`` can still be closed."""
    risky = risk_ticks = 0
    plain = [order for order in book.orders.values() if order.terms.side is side and not order.is_leg]
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


class Stopped(msgspec.Struct, frozen=True):
    """What ``_stopped_usd`` found for a position."""

    position: Position
    instrument: Instrument
    usd: Decimal | None


def _stopped_usd(book: Book, instrument: Instrument, position: Position) -> Decimal | None:
    """P&L of ``position`` closed at its stops, less the fees of that; None where they do not cover it."""
    known: Stopped | None = book.stopped
    if known is not None and known.position is position and known.instrument is instrument:
        return known.usd
    closed, uncovered = _closed_at_stops(book, position)
    usd = None
    if not uncovered:
        usd = closed_usd(instrument, position, closed) - instrument.fee_usd * abs(position.net)
    book.stopped = Stopped(position, instrument, usd)
    return usd


def _stressed_usd(group: Group, account: Account, position: Position, market: Market) -> Decimal | None:
    """As ``_stopped_usd``; what no stop covers is closed a stress move beyond the price, if that can be believed."""
    instrument = group.instruments[position.contract_id]
    quote = market.of(instrument, group.limits.of(instrument.symbol))
    mark = None if quote is None else mark_ticks(quote, position.net)
    if mark is None:
        return None
    closed, uncovered = _closed_at_stops(account.orders.book(position.contract_id), position)
    sign = 1 if position.net > 0 else -1
    closed += (mark - sign * instrument.stress_ticks) * uncovered * sign
    return closed_usd(instrument, position, closed) - instrument.fee_usd * abs(position.net)


def _closed_at_stops(book: Book, position: Position) -> tuple[int, int]:
    """Ticks x contracts (with the position's sign) for which stops close ``position``; contracts that none covers."""
    uncovered, closed = abs(position.net), 0
    for level, resting in _stops(book, position):
        quantity = min(resting, uncovered)
        uncovered -= quantity
        closed += level * quantity
    return closed if position.net > 0 else -closed, uncovered


def _stops(book: Book, position: Position) -> list[tuple[int, int]]:
    """Level and quantity of the stops that surely close ``position``, the farthest from the market first.

    One that is being changed counts with the worse of both levels and the smaller of both sizes.
    """
    closing = Side.SELL if position.net > 0 else Side.BUY
    found: list[tuple[int, int]] = []
    for order in book.stop_orders():
        terms, level = order.terms, order.terms.stop_ticks
        if level is None or terms.side is not closing or order.cancel_wanted or order.status is Status.IN_DOUBT:
            continue
        quantity, change = terms.quantity, order.change
        if change is not None and change.stop_ticks is not None:
            quantity = min(quantity, change.quantity)
            level = max(level * closing.sign, change.stop_ticks * closing.sign) * closing.sign
        found.append((level, max(0, quantity - order.filled_quantity)))
    return sorted(found, key=lambda stop: -stop[0] * closing.sign)
