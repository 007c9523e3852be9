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
from ordergate.exchange.models import ModifyRequest, PlaceRequest
from ordergate.exchange.orders import LIMITS, Order
from ordergate.exchange.settings import BracketMode, ExchangeSettings
from ordergate.exchange.variants import Variant

MARKET_CLOSED = "Trading is currently unavailable. The instrument is not in an active trading status."
BRACKETS_OFF = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
TAG_USED = "Order rejected: custom tag already in use."  # seen to contain the last five words; the rest UNVERIFIED
TAG_TOO_LONG = "Order rejected: custom tag too long."  # UNVERIFIED
INVALID_SIZE = "Invalid order size specified"
INVALID_TYPE = "Order rejected: invalid order type."  # seen to contain the last three words; the rest UNVERIFIED
# Seen to contain the last four words; the rest UNVERIFIED. The next is ours: what the firm says is not known.
OUTSIDE_HOURS = "Order rejected: outside of trading hours"
POSITION_TOO_LARGE = "Order rejected: maximum position size exceeded."
OFF_RANGE = "Invalid price. Price is outside allowed range."

TRAIL_UNSET = "Trail Distance not set."
TRAIL_TOO_FAR = "Trail Distance exceeds maximum (1000)"
TRAIL_TICKS_MAX = 1_000

# The docs list what can be placed; the stop limit is in the enum, and not among those (section 5.4).
_DOCUMENTED = frozenset({OrderType.MARKET, *LIMITS, OrderType.STOP, OrderType.TRAILING_STOP})
# Which side joins which touch. UNVERIFIED: that the other side is refused; it would not join but trade.
_JOINS = {OrderType.JOIN_BID: OrderSide.BID, OrderType.JOIN_ASK: OrderSide.ASK}
_SHORT_TAG_MAX = 32
# Ours, for the memory of this process; how long a tag may be is not known (section 13).
_TAG_MAX = 1_000
# How far from the last trade a price may be: the widest daily limit of CME's equity indices. UNVERIFIED: what the
# service calls "outside allowed range" is not known.
_RANGE_PERCENT = 20


def place_refusal(request: PlaceRequest, side: OrderSide, settings: ExchangeSettings, *, is_open: bool) -> str | None:
    """Why a place is rejected before its prices are looked at, or None."""
    if not is_open:
        return MARKET_CLOSED
    if request.type not in _placeable(settings) or _JOINS.get(OrderType(request.type), side) is not side:
        return INVALID_TYPE
    if request.size <= 0:
        return INVALID_SIZE
    if len(request.custom_tag or "") > (_SHORT_TAG_MAX if Variant.SHORT_TAGS in settings.variants else _TAG_MAX):
        return TAG_TOO_LONG
    if request.stop_loss_bracket is None and request.take_profit_bracket is None:
        return None
    return BRACKETS_OFF if settings.bracket_mode is BracketMode.POSITION else bracket_refusal(request, side, settings)


def _placeable(settings: ExchangeSettings) -> frozenset[OrderType]:
    placeable = _DOCUMENTED - _JOINS.keys() if Variant.NO_JOINS in settings.variants else _DOCUMENTED
    return placeable | {OrderType.STOP_LIMIT} if Variant.STOP_LIMITS in settings.variants else placeable


def priced(order: Order, asked: PlaceRequest | ModifyRequest, contract: Contract, quote: Quote) -> Order | str:
    """The order with the prices that its type needs, None = as they are, or why it cannot have them.

    Prices that its type does not need are ignored. UNVERIFIED: the text for a price that was never given.
    """
    if order.type in (OrderType.STOP, OrderType.STOP_LIMIT):
        ticks = order.stop_ticks if asked.stop_price is None else contract.ticks(Decimal(asked.stop_price))
        if ticks is None:
            return "Invalid stop price. Price is not aligned to tick size."
        order = msgspec.structs.replace(order, stop_ticks=ticks)
    if order.type is OrderType.TRAILING_STOP:
        return _trailing(order, asked, contract, quote)
    if order.type in _JOINS and order.limit_ticks is None and asked.limit_price is None:
        return msgspec.structs.replace(order, limit_ticks=quote.touch(order.side)[0])
    if order.type in LIMITS or order.type is OrderType.STOP_LIMIT:
        ticks = order.limit_ticks if asked.limit_price is None else contract.ticks(Decimal(asked.limit_price))
        if ticks is None:
            return "Invalid limit price. Price is not aligned to tick size."
        return msgspec.structs.replace(order, limit_ticks=ticks)
    return order


def _trailing(order: Order, asked: PlaceRequest | ModifyRequest, contract: Contract, quote: Quote) -> Order | str:
    """A trailing stop whose distance is that of the asked price from the last trade (section 5.4)."""
    if asked.trail_price is None:
        return order if order.trail_ticks is not None else TRAIL_UNSET
    level = contract.ticks(Decimal(asked.trail_price))
    if level is None:
        return "Invalid trail price. Price is not aligned to tick size."
    distance = abs(quote.last - level)
    if not distance:
        return TRAIL_UNSET
    if distance > TRAIL_TICKS_MAX and isinstance(asked, PlaceRequest):  # a modify has no such check
        return TRAIL_TOO_FAR
    stop_ticks = quote.last + order.side.sign * distance
    return msgspec.structs.replace(order, trail_ticks=distance, stop_ticks=stop_ticks)


def price_refusal(order: Order, quote: Quote, settings: ExchangeSettings) -> str | None:
    """Why an order cannot rest at its price: it is too far, or a stop's where the market is already."""
    far = abs(quote.last) * _RANGE_PERCENT // 100
    given = (order.limit_ticks, order.stop_ticks if order.trail_ticks is None else None)
    is_far = any(abs(ticks - quote.last) > far for ticks in given if ticks is not None)
    if is_far and Variant.ANY_PRICE not in settings.variants:
        return OFF_RANGE
    now = msgspec.structs.replace(quote, traded=((quote.last, 1),))
    return OFF_RANGE if order.is_stop and is_triggered(order, now) else None
