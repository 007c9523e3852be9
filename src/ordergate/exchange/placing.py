"""Why an order is rejected: the checks that a place and a modify share. PURE.

Every text is the vendor's as seen (section 4.1), or marked UNVERIFIED. The order of the checks is ours.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.exchange.brackets import bracket_refusal
from ordergate.exchange.enums import OrderSide, OrderType
from ordergate.exchange.listing import Contract
from ordergate.exchange.matching import Quote, is_triggered
from ordergate.exchange.models import Number, PlaceRequest
from ordergate.exchange.orders import Order
from ordergate.exchange.settings import BracketMode

MARKET_CLOSED = "Trading is currently unavailable. The instrument is not in an active trading status."
BRACKETS_OFF = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
TAG_USED = "Order rejected: custom tag already in use."  # seen to contain the last five words; the rest UNVERIFIED
INVALID_SIZE = "Invalid order size specified"
INVALID_TYPE = "Order rejected: invalid order type."  # seen to contain the last three words; the rest UNVERIFIED
OFF_RANGE = "Invalid price. Price is outside allowed range."

# What can be placed so far. Trailing stops and joins are rejected as an invalid type until they are built.
_PLACEABLE = frozenset({OrderType.LIMIT, OrderType.MARKET, OrderType.STOP})


def place_refusal(request: PlaceRequest, side: OrderSide, bracket_mode: BracketMode, *, is_open: bool) -> str | None:
    """Why a place is rejected before its prices are looked at, or None."""
    if not is_open:
        return MARKET_CLOSED
    if request.type not in _PLACEABLE:
        return INVALID_TYPE
    if request.size <= 0:
        return INVALID_SIZE
    if request.stop_loss_bracket is None and request.take_profit_bracket is None:
        return None
    return BRACKETS_OFF if bracket_mode is BracketMode.POSITION else bracket_refusal(request, side)


def priced(order: Order, limit_price: Number | None, stop_price: Number | None, contract: Contract) -> Order | str:
    """The order with the price that its type needs, None = as it is, or why it cannot have it.

    Prices that its type does not need are ignored. UNVERIFIED: the text for a price that was never given.
    """
    if order.type is OrderType.LIMIT:
        ticks = order.limit_ticks if limit_price is None else contract.ticks(Decimal(limit_price))
        if ticks is None:
            return "Invalid limit price. Price is not aligned to tick size."
        return msgspec.structs.replace(order, limit_ticks=ticks)
    if order.type is OrderType.STOP:
        ticks = order.stop_ticks if stop_price is None else contract.ticks(Decimal(stop_price))
        if ticks is None:
            return "Invalid stop price. Price is not aligned to tick size."
        return msgspec.structs.replace(order, stop_ticks=ticks)
    return order


def stop_refusal(order: Order, quote: Quote) -> str | None:
    """Why a stop cannot rest at its price: the market is there already. None for any other order."""
    now = msgspec.structs.replace(quote, low=quote.last, high=quote.last)
    return OFF_RANGE if order.type is OrderType.STOP and is_triggered(order, now) else None
