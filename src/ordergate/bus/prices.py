"""Prices and positions as the edges show and name them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from ordergate.core.instrument import Instrument

# Digits of an average price that lies between two ticks: the finest listed tick, 0.0000005, and three digits more.
_AVERAGE_DIGITS = 10


def price(instrument: Instrument, ticks: int | None) -> Decimal | None:
    """The price of ``ticks``, where there are any."""
    return None if ticks is None else instrument.price(ticks)


def average_price(instrument: Instrument, ticks: Fraction) -> Decimal:
    """An average price: exact where it lies on a tick, else rounded once, half to even."""
    if ticks.denominator == 1:
        return instrument.price(ticks.numerator)
    numerator, denominator = instrument.tick_size.as_integer_ratio()
    return Decimal(round(ticks * Fraction(numerator, denominator) * 10**_AVERAGE_DIGITS)).scaleb(-_AVERAGE_DIGITS)


def position_id(account_id: int, contract_id: str) -> str:
    """How a position is named."""
    return f"{account_id}:{contract_id}"
