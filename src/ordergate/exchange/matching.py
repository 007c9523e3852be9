"""Orders of one contract against its market. PURE.

The market is one quote; behind its touch the book is taken to hold the quoted size at every further tick. A book with
real depth, queue position and halts can replace ``Quote`` and ``_walk`` without touching the rest.

Rules, where the API notes say nothing (UNVERIFIED, compare with a practice account):
- a market order, a triggered stop and an incoming limit that crosses take liquidity from the touch outwards;
- a resting limit fills at its own price: up to the quoted size when the opposite touch reaches it, wholly when the
  market traded or is quoted through it;
- a stop is triggered by a trade at or through its price, or by the opposite touch reaching it, and then fills at the
  touch, however far the market has gapped.

Invariants:
1. No order fills beyond its leaves, and no limit worse than its price.
2. With ``partial_fills``, orders of one sweep together take no more than the quoted size at each price.
3. Legs of one bracket never fill more than one of them could: a fill of one shrinks or ends the other at once.
4. Same orders, same quote: same matches.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ordergate.exchange.enums import OrderSide, OrderType
from ordergate.exchange.orders import Order

# How many prices deep one order may take in one sweep; what is left of a market order waits for the next quote.
LEVELS_MAX = 10


class Quote(msgspec.Struct, frozen=True):
    """The market of one contract, in ticks. A size of 0: nobody is there, and its price is the last there was.

    ``low`` and ``high`` are the range of the trades that the next sweep is to see, None if there are none; ``last`` is
    the last trade, however old. ``bid_taken`` and ``ask_taken`` count contracts that sweeps have taken from this quote.
    """

    bid: int
    ask: int
    last: int
    bid_size: int
    ask_size: int
    low: int | None = None
    high: int | None = None
    bid_taken: int = 0
    ask_taken: int = 0


class Match(msgspec.Struct, frozen=True):
    """One fill to be made: ``quantity`` (> 0) of an order at a price in ticks."""

    order_id: int
    quantity: int
    price_ticks: int


class Sweep(msgspec.Struct, frozen=True):
    """The outcome: matches in their order, stops newly triggered, and the quote as it stands for the next sweep."""

    matches: tuple[Match, ...]
    triggered: tuple[int, ...]
    quote: Quote


def sweep(orders: Sequence[Order], quote: Quote, *, partial_fills: bool, incoming: bool = False) -> Sweep:
    """Match open ``orders`` of one contract: takers and stops first, then limits, best price first, oldest first.

    ``incoming``: the orders have just been placed or modified, so a limit that crosses takes liquidity.
    """
    leaves = {order.order_id: order.leaves for order in orders}
    matches: list[Match] = []
    triggered: list[int] = []
    for order in sorted(orders, key=_priority):
        open_quantity = leaves[order.order_id]
        taker = order.type is OrderType.MARKET or order.triggered
        if order.is_stop and not taker and is_triggered(order, quote):
            triggered.append(order.order_id)
            taker = True
        takes = taker or (incoming and order.is_limit)
        if takes:
            found = _walk(order, open_quantity, quote, partial_fills=partial_fills)
        elif order.is_limit:
            found = _rest(order, open_quantity, quote, partial_fills=partial_fills)
        else:
            found = []
        matches += found
        quantity = sum(match.quantity for match in found)
        # What the market went through was traded elsewhere: it takes nothing of the size quoted now.
        if takes or order.limit_ticks == _opposite(quote, order.side)[0]:
            quote = _less(quote, order.side, quantity)
        if order.sibling_id in leaves and quantity:
            leaves[order.sibling_id] = 0 if quantity == open_quantity else max(0, leaves[order.sibling_id] - quantity)
    quote = msgspec.structs.replace(quote, low=None, high=None)
    return Sweep(matches=tuple(matches), triggered=tuple(triggered), quote=quote)


def is_triggered(order: Order, quote: Quote) -> bool:
    """Whether the market has reached the price of a stop."""
    assert order.stop_ticks is not None, "a stop has a price"
    if order.side is OrderSide.BID:
        return any(price >= order.stop_ticks for price in _seen(quote.bid, quote.bid_size, quote.high))
    return any(price <= order.stop_ticks for price in _seen(quote.ask, quote.ask_size, quote.low))


def _seen(touch: int, size: int, traded: int | None) -> list[int]:
    """The prices of a touch, where somebody is there, and of the furthest trade, where there was one."""
    return ([touch] if size else []) + ([] if traded is None else [traded])


def _priority(order: Order) -> tuple[bool, int, int]:
    """Sorts takers and stops first, then limits by price, then by age."""
    if not order.is_limit or order.limit_ticks is None:
        return (False, 0, order.order_id)
    return (True, -order.side.sign * order.limit_ticks, order.order_id)


def _walk(order: Order, leaves: int, quote: Quote, *, partial_fills: bool) -> list[Match]:
    """The fills of an order that takes liquidity from the touch outwards, within its limit if it has one."""
    sign = order.side.sign
    touch, size, taken = _opposite(quote, order.side)
    limit = order.limit_ticks if order.is_limit else None
    if not size:
        return []
    if not partial_fills:
        crosses = limit is None or sign * (limit - touch) >= 0
        return [Match(order.order_id, leaves, touch)] if crosses and leaves else []
    matches: list[Match] = []
    for level in range(taken // size, LEVELS_MAX):
        price = touch + sign * level
        if not leaves or (limit is not None and sign * (limit - price) < 0):
            break
        quantity = min(leaves, size - taken % size)
        matches.append(Match(order.order_id, quantity, price))
        leaves -= quantity
        taken += quantity
    return matches


def _rest(order: Order, leaves: int, quote: Quote, *, partial_fills: bool) -> list[Match]:
    """The fill of a limit that has been waiting, at its own price."""
    assert order.limit_ticks is not None, "a limit has a price"
    touch, size, taken = _opposite(quote, order.side)
    traded = quote.low if order.side is OrderSide.BID else quote.high
    through = any(order.side.sign * (order.limit_ticks - price) > 0 for price in _seen(touch, size, traded))
    touched = size > 0 and touch == order.limit_ticks
    if through or (touched and not partial_fills):
        quantity = leaves
    else:
        quantity = min(leaves, max(0, size - taken)) if touched else 0
    return [Match(order.order_id, quantity, order.limit_ticks)] if quantity else []


def _opposite(quote: Quote, side: OrderSide) -> tuple[int, int, int]:
    """Price, size (0: nobody is there) and contracts taken of the touch that an order of ``side`` trades with."""
    if side is OrderSide.BID:
        return quote.ask, quote.ask_size, quote.ask_taken
    return quote.bid, quote.bid_size, quote.bid_taken


def _less(quote: Quote, side: OrderSide, quantity: int) -> Quote:
    if side is OrderSide.BID:
        return msgspec.structs.replace(quote, ask_taken=quote.ask_taken + quantity)
    return msgspec.structs.replace(quote, bid_taken=quote.bid_taken + quantity)
