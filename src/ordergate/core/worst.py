"""What one contract of an account can come to: its worst positions, its stops, what its orders would lose. Dollars.

It is worked out once for each state of the contract's ``Book`` at a position, and kept with the book.

Invariants:
1. A stop covers a position only where it surely rests; what none covers is stressed.
2. An order is new risk where it is larger than what it closes.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.core.account import Account
from ordergate.core.contracts import micros
from ordergate.core.exposure import worst_position
from ordergate.core.instrument import Instrument
from ordergate.core.order import Side, Status
from ordergate.core.orders import Book
from ordergate.core.pnl import Position, closed_usd


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


def worst_of(account: Account, contract_id: str, instrument: Instrument) -> Worst:
    """Worked out once for a book and a position: each is a new object when anything in it is new."""
    book, position = account.orders.book(contract_id), account.positions.get(contract_id)
    known = book.worst
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


def order_risk_usd(instrument: Instrument, risk_ticks: int, quantity: int) -> Decimal:
    """Dollars lost when ``quantity`` contracts fill and are stopped ``risk_ticks`` away, both sides' fees included."""
    return instrument.money(risk_ticks, quantity) + instrument.fee_usd * (2 * quantity)


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


class Stopped(msgspec.Struct, frozen=True):
    """What ``_stopped_usd`` found for a position."""

    position: Position
    instrument: Instrument
    usd: Decimal | None


def _stopped_usd(book: Book, instrument: Instrument, position: Position) -> Decimal | None:
    """P&L of ``position`` closed at its stops, less the fees of that; None where they do not cover it."""
    known = book.stopped
    if known is not None and known.position is position and known.instrument is instrument:
        return known.usd
    closed, uncovered = _closed_at_stops(book, position)
    usd = None
    if not uncovered:
        usd = closed_usd(instrument, position, closed) - instrument.fee_usd * abs(position.net)
    book.stopped = Stopped(position, instrument, usd)
    return usd


def stressed_usd(book: Book, instrument: Instrument, position: Position, mark: int) -> Decimal:
    """P&L of ``position`` closed at its stops and, where none covers it, a stress move beyond ``mark``, less fees."""
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
