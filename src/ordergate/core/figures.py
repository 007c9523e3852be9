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

from ordergate.core.account import Account, Group
from ordergate.core.contracts import micros
from ordergate.core.exposure import worst_position
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
    realized, opened = governing_realized(account) - account.day.carried_usd, _opened_usd(group, account, market)
    at_stops, is_covered = realized, True
    micro_sum = order_count = 0
    positions, books, instruments = account.positions, account.orders.books, group.instruments
    for contract_id in {**positions, **books}:
        instrument, position = instruments[contract_id], positions.get(contract_id)
        book = books.get(contract_id) or Book()
        worst = _worst(account, book, position, instrument)
        stopped = worst.stopped_usd
        if stopped is None and position is not None:
            stopped = _stressed_usd(group, book, position, instrument, market)
        if stopped is None:
            is_covered = False
        else:
            at_stops += stopped - worst.new_risk_usd
        micro_sum += worst.micros
        order_count += book.buys.live + book.sells.live
    day = None if opened is None else realized + opened
    return Figures(day, at_stops if is_covered else None, micro_sum, order_count)


def day_pnl(group: Group, account: Account, market: Market) -> Decimal | None:
    """The ``day_pnl`` of ``Figures``."""
    opened = _opened_usd(group, account, market)
    return None if opened is None else governing_realized(account) - account.day.carried_usd + opened


def micros_with(group: Group, account: Account, before: Figures, contract_id: str, side: Side, quantity: int) -> int:
    """The ``micros`` of ``Figures`` with an order of ``quantity`` more."""
    instrument, book = group.instruments[contract_id], account.orders.book(contract_id)
    own = _worst(account, book, account.positions.get(contract_id), instrument).micros
    worst = abs(worst_position(account, contract_id, side, quantity)) * micros(instrument.symbol)
    other = abs(worst_position(account, contract_id, side.opposite, 0)) * micros(instrument.symbol)
    return before.micros - own + max(worst, other)


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

    ``micros`` (>= 0) is the worst position on either side. ``stopped_usd`` is the P&L of the position closed at its
    stops, less the fees of that (0 without a position); None where a part of it has no stop. ``new_risk_usd`` (>= 0) is
    what every order would lose with the part of it that closes nothing, the least risky ones closing first.
    """

    position: Position | None
    instrument: Instrument
    micros: int
    stopped_usd: Decimal | None
    new_risk_usd: Decimal


def _worst(account: Account, book: Book, position: Position | None, instrument: Instrument) -> Worst:
    """Worked out once for a book and a position: each is a new object when anything in it is new."""
    known: Worst | None = book.worst
    if known is not None and known.position is position and known.instrument is instrument and not account.held:
        return known
    contract_id = instrument.contract_id
    worst = max(abs(worst_position(account, contract_id, side, 0)) for side in Side)
    found = Worst(
        position,
        instrument,
        worst * micros(instrument.symbol),
        Decimal(0) if position is None else _stopped_usd(book, instrument, position),
        new_risk_usd(book, instrument, 0 if position is None else position.net),
    )
    if not account.held:
        book.worst = found
    return found


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


def _stopped_usd(book: Book, instrument: Instrument, position: Position) -> Decimal | None:
    """P&L of ``position`` closed at its stops, less the fees of that; None where they do not cover it."""
    closed, uncovered = _closed_at_stops(book, position)
    if uncovered:
        return None
    return closed_usd(instrument, position, closed) - instrument.fee_usd * abs(position.net)


def _stressed_usd(
    group: Group, book: Book, position: Position, instrument: Instrument, market: Market
) -> Decimal | None:
    """As ``_stopped_usd``; what no stop covers is closed a stress move beyond the price, if that can be believed."""
    quote = market.of(instrument, group.limits.of(instrument.symbol))
    mark = None if quote is None else mark_ticks(quote, position.net)
    if mark is None:
        return None
    closed, uncovered = _closed_at_stops(book, position)
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
