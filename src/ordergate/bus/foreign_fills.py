"""A fill as others tell it, in the three spellings of the wire notes (section 2.4, read 2026-11-22).

- flat: ``orderId, instrument, side, quantity, fillPrice``;
- wrapped: ``payload`` with ``filledPrice, filledQuantity``, and the broker's own id for ``orderId``;
- wrapped again for the same fill: ``payload`` with ``contractId, fillVolume, filledPrice``.

It is what somebody says, and moves nothing: see ``dialect.hints``.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

TYPES = ("ORDER_FILLED", "FILL")


class ForeignFill(msgspec.Struct, frozen=True):
    """One told fill. ``order_id`` is the caller's id or the broker's."""

    order_id: str | int
    quantity: int
    price: Decimal


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    payload: msgspec.Raw = msgspec.Raw(b"")


class _Spelt(msgspec.Struct, frozen=True, rename="camel"):
    order_id: str | int
    quantity: int | None = None
    filled_quantity: int | None = None
    fill_volume: int | None = None
    fill_price: Decimal | None = None
    filled_price: Decimal | None = None
    average_fill_price: Decimal | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_spelt = msgspec.json.Decoder(_Spelt)


def foreign_fill(message: bytes) -> ForeignFill | None:
    """The fill that ``message`` tells; None when it tells something else. Raises one of ``messages.UNREADABLE``."""
    envelope = _envelope.decode(message)
    if envelope.type not in TYPES:
        return None
    spelt = _spelt.decode(bytes(envelope.payload) or message)
    quantity = next((q for q in (spelt.quantity, spelt.filled_quantity, spelt.fill_volume) if q is not None), None)
    prices = (spelt.fill_price, spelt.filled_price, spelt.average_fill_price)
    price = next((price for price in prices if price is not None), None)
    if quantity is None or price is None or quantity <= 0 or not price.is_finite():
        raise msgspec.ValidationError("a fill needs a quantity above 0 and a price")
    return ForeignFill(spelt.order_id, quantity, price)
