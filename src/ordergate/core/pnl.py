"""Positions by average cost, and their money.

The average is an exact ratio of ticks. Money of a ratio is rounded once, to a ten-thousandth of a dollar and half to
even, which is exact for every listed tick value (the finest is 7.8125 USD).
UNVERIFIED: how the broker rounds the P&L of a close against a fractional average; compare a practice account's rows.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec

from ordergate.core.instrument import Instrument
from ordergate.core.order import Side
from ordergate.core.reports import Quote


class Position(msgspec.Struct, frozen=True):
    """A net position: ``net`` > 0 is long; its average price is ``average_num`` / ``average_den`` ticks."""

    contract_id: str
    net: int = 0
    average_num: int = 0
    average_den: int = 1
    opened_ns: int = 0

    @property
    def average(self) -> Fraction:
        """The average entry price in ticks; 0 when flat."""
        return Fraction(self.average_num, self.average_den)


def usd(instrument: Instrument, ticks: Fraction) -> Decimal:
    """Dollars of ``ticks`` (ticks x contracts, signed)."""
    return _usd(instrument, ticks.numerator, ticks.denominator)


def _usd(instrument: Instrument, numerator: int, denominator: int) -> Decimal:
    # Whole numbers throughout: this is worked out for every position at every price; a Fraction costs ten times more.
    value, per = instrument.tick_value_usd.as_integer_ratio()
    whole, rest = divmod(numerator * value * 10_000, denominator * per)
    twice = 2 * rest - denominator * per
    return Decimal(whole + (twice > 0 or (twice == 0 and whole % 2 == 1))).scaleb(-4)


def after_fill(
    position: Position, side: Side, quantity: int, price_ticks: int, at_ns: int
) -> tuple[Position, Fraction]:
    """The position after one fill, and the realised ticks x contracts of what it closed (signed, gross)."""
    closing = min(quantity, abs(position.net)) if position.net * side.sign < 0 else 0
    opening = quantity - closing
    realized = (price_ticks - position.average) * closing * -side.sign
    net = position.net + side.sign * quantity
    if net == 0:
        return Position(position.contract_id), realized
    if closing == 0 and position.net != 0:
        average = (position.average * abs(position.net) + price_ticks * opening) / abs(net)
        opened_ns = position.opened_ns
    elif opening:
        average, opened_ns = Fraction(price_ticks), at_ns
    else:
        average, opened_ns = position.average, position.opened_ns
    return Position(position.contract_id, net, average.numerator, average.denominator, opened_ns), realized


def mark_ticks(quote: Quote, net: int) -> int | None:
    """The price at which ``net`` contracts could be closed now: longs at the bid, shorts at the ask."""
    return quote.bid_ticks if net > 0 else quote.ask_ticks


def open_usd(instrument: Instrument, position: Position, mark: int) -> Decimal:
    """Open P&L of ``position`` at ``mark`` ticks, gross."""
    return closed_usd(instrument, position, mark * position.net)


def closed_usd(instrument: Instrument, position: Position, ticks: int) -> Decimal:
    """P&L of ``position`` closed for ``ticks`` (sum of ticks x contracts, with the position's sign), gross."""
    moved = ticks * position.average_den - position.average_num * position.net
    return _usd(instrument, moved, position.average_den)
