"""What a recording is made of: quotes and trades, one after the other. Data only."""

from __future__ import annotations

import msgspec

from ordergate.exchange.enums import OrderSide


class QuoteRecord(msgspec.Struct, frozen=True):
    """The best prices in ticks and their sizes from ``at_ns`` on. Size 0: nobody is there; the price is the last."""

    at_ns: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


class TradeRecord(msgspec.Struct, frozen=True):
    """One trade; ``side`` is the aggressor's."""

    at_ns: int
    side: OrderSide
    price: int
    quantity: int


Record = QuoteRecord | TradeRecord
