"""Orders of one contract against its market. PURE.

The market is one quote, the trades since the quote before it, and what others are taken to have waiting behind the
touch (``behind``).

Rules, where the API notes say nothing (UNVERIFIED, compare with a practice account):
- a market order, a triggered stop and an incoming limit that crosses take liquidity from the touch outwards;
- a limit that comes to rest waits behind all that was quoted at its price. Trades there serve those before it first,
  then it; and what is quoted there less than waits before it has left. It is first in a price that nobody quotes;
- a resting limit fills at its own price: from what trades there, up to the quoted size when the opposite touch reaches
  it, wholly when the market traded or is quoted through it;
- a stop is triggered by a trade at or through its price, or by the opposite touch reaching it, and then fills at the
  touch, however far the market has gapped. A triggered stop limit is a limit from then on.

Invariants:
1. No order fills beyond its leaves, and no limit worse than its price.
2. With ``partial_fills``, orders of one sweep together take no more than is there at each price, and of what trades at
   a price no more than traded.
3. Legs of one bracket never fill more than one of them could: a fill of one shrinks or ends the other at once.
4. Same orders, same quote: same matches.
5. Price, then time: while a limit has leaves at a price, no younger one rests and fills there, nor any at a worse one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.orders import Order

# How many prices deep one order may take in one sweep; what is left of a market order waits for the next quote.
LEVELS_MAX = 10
# What a price behind the touch holds, in percent of the usual: more further out, and never quite the same.
_SWELL_PERCENT = (100, 120, 140, 150, 160)
_UNEVEN_PERCENT = 41
_LEVEL_STEPS = 16  # how long a price keeps its size


class Quote(msgspec.Struct, frozen=True):
    """The market of one contract, in ticks. A size of 0: nobody is there, and its price is the last there was.

    ``traded`` are price and contracts of each trade that the next sweep is to see; ``last`` is the last trade, however
    old. ``behind`` is how many contracts a price behind the touch usually holds, 0 = as many as the touch; ``number``
    tells one book behind the touch from the next. ``bid_taken`` and ``ask_taken`` count contracts that sweeps have
    taken from this quote.
    """

    bid: int
    ask: int
    last: int
    bid_size: int
    ask_size: int
    traded: tuple[tuple[int, int], ...] = ()
    bid_taken: int = 0
    ask_taken: int = 0
    behind: int = 0
    number: int = 0

    def touch(self, side: OrderSide) -> tuple[int, int]:
        """The best price on ``side`` and its size."""
        return (self.bid, self.bid_size) if side is OrderSide.BID else (self.ask, self.ask_size)

    def size_at(self, side: OrderSide, price: int) -> int:
        """How many contracts are quoted on ``side`` at a price; 0 where nobody is, as before the touch.

        Taken contracts are not subtracted.
        """
        touch, size = self.touch(side)
        level = side.sign * (touch - price)
        if level < 0 or not size:
            return 0
        if not level or not self.behind:
            return size
        epoch = (self.number + 5 * price) // _LEVEL_STEPS  # prices change one after the other
        mixed = (price * 2_654_435_761 + epoch * 40_503) >> 7
        percent = _SWELL_PERCENT[min(level, len(_SWELL_PERCENT) - 1)] + mixed % (2 * _UNEVEN_PERCENT) - _UNEVEN_PERCENT
        return max(1, self.behind * percent // 100)

    def levels(self, side: OrderSide, count: int) -> list[tuple[int, int]]:
        """The first ``count`` prices on ``side`` with their sizes, the touch first; none if nobody is there."""
        touch, size = self.touch(side)
        outwards = range(touch, touch - side.sign * count, -side.sign)
        return [(price, self.size_at(side, price)) for price in outwards] if size else []


class Match(msgspec.Struct, frozen=True):
    """One fill to be made: ``quantity`` (> 0) of an order at a price in ticks."""

    order_id: int
    quantity: int
    price_ticks: int


class Sweep(msgspec.Struct, frozen=True):
    """The outcome: matches in their order, stops newly triggered, and the quote as it stands for the next sweep.

    ``ahead``: how many contracts are before each order whose place in its queue has changed.
    """

    matches: tuple[Match, ...]
    triggered: tuple[int, ...]
    ahead: tuple[tuple[int, int], ...]
    quote: Quote


class _Sweeping:
    """One sweep under way: what is left of the quote, and of what traded at each price."""

    def __init__(self, quote: Quote, *, partial_fills: bool) -> None:
        self.quote = quote
        self.ahead: list[tuple[int, int]] = []
        self._partial_fills = partial_fills
        # The contracts of trades that went to orders of ours, by side and price.
        self._served: dict[tuple[OrderSide, int], int] = {}

    def take(self, order: Order, leaves: int) -> list[Match]:
        """The fills of an order that takes liquidity from the touch outwards, within its limit if it has one."""
        side, sign = order.side.opposite, order.side.sign
        limit = order.limit_ticks if order.is_limit else None
        taken, took = self._taken(side), 0
        matches: list[Match] = []
        for price, size in self.quote.levels(side, LEVELS_MAX):
            if took == leaves or (limit is not None and sign * (limit - price) < 0):
                break
            gone = min(taken, size)
            taken -= gone
            quantity = min(leaves - took, size - gone) if self._partial_fills else leaves
            if quantity:
                matches.append(Match(order.order_id, quantity, price))
                took += quantity
        self._less(side, took)
        return matches

    def rest(self, order: Order, leaves: int) -> list[Match]:
        """The fill of a limit that has been waiting, at its own price; and its place in the queue after it."""
        assert order.limit_ticks is not None, "a limit has a price"
        price, side = order.limit_ticks, order.side.opposite
        touch, size = self.quote.touch(side)
        seen = [at for at, _ in self.quote.traded] + ([touch] if size else [])
        if any(order.side.sign * (price - at) > 0 for at in seen):
            # What the market went through was traded elsewhere: it takes nothing of the size quoted now.
            quantity = leaves
        elif size and touch == price:
            quantity = min(leaves, max(0, size - self._taken(side))) if self._partial_fills else leaves
            self._less(side, quantity)
        else:
            quantity = self._queued(order, price, leaves)
        return [Match(order.order_id, quantity, price)] if quantity else []

    def _queued(self, order: Order, price: int, leaves: int) -> int:
        """How much of what traded at its price comes to an order that waits there."""
        place = (order.side, price)
        served = self._served.get(place, 0)
        volume = sum(size for at, size in self.quote.traded if at == price) - served
        reached = max(0, volume - order.ahead)
        quantity = min(leaves, reached) if self._partial_fills or not reached else leaves
        self._served[place] = served + min(quantity, reached)
        ahead = max(0, order.ahead - volume)
        if order.side.sign * (price - self.quote.touch(order.side)[0]) >= 0:
            ahead = min(ahead, self.quote.size_at(order.side, price))
        if ahead != order.ahead:
            self.ahead.append((order.order_id, ahead))
        return quantity

    def _taken(self, side: OrderSide) -> int:
        return self.quote.bid_taken if side is OrderSide.BID else self.quote.ask_taken

    def _less(self, side: OrderSide, quantity: int) -> None:
        if side is OrderSide.BID:
            self.quote = msgspec.structs.replace(self.quote, bid_taken=self.quote.bid_taken + quantity)
        else:
            self.quote = msgspec.structs.replace(self.quote, ask_taken=self.quote.ask_taken + quantity)


def sweep(orders: Sequence[Order], quote: Quote, *, partial_fills: bool, incoming: bool = False) -> Sweep:
    """Match open ``orders`` of one contract: takers and stops first, then limits, best price first, oldest first.

    ``incoming``: the orders have just been placed or modified, so a limit that crosses takes liquidity.
    """
    leaves = {order.order_id: order.leaves for order in orders}
    matches: list[Match] = []
    triggered: list[int] = []
    sweeping = _Sweeping(quote, partial_fills=partial_fills)
    for placed in sorted(orders, key=_priority):
        order, open_quantity = placed, leaves[placed.order_id]
        if not open_quantity:
            continue
        if order.is_stop:
            if not is_triggered(order, quote):
                continue
            triggered.append(order.order_id)
            order = msgspec.structs.replace(order, triggered=True)
        rests = order.is_limit and order is placed and not incoming
        found = sweeping.rest(order, open_quantity) if rests else sweeping.take(order, open_quantity)
        matches += found
        quantity = sum(match.quantity for match in found)
        if order.sibling_id in leaves and quantity:
            left = leaves[order.sibling_id] - quantity
            leaves[order.sibling_id] = 0 if quantity == open_quantity else max(0, left)
    after = msgspec.structs.replace(sweeping.quote, traded=())
    return Sweep(tuple(matches), tuple(triggered), tuple(sweeping.ahead), after)


def is_triggered(order: Order, quote: Quote) -> bool:
    """Whether the market has reached the price of a stop."""
    assert order.stop_ticks is not None, "a stop has a price"
    touch, size = quote.touch(order.side)
    seen = [price for price, _ in quote.traded] + ([touch] if size else [])
    return any(order.side.sign * (price - order.stop_ticks) >= 0 for price in seen)


def _priority(order: Order) -> tuple[bool, int, int]:
    """Sorts takers and stops first, then limits by price, then by age."""
    if not order.is_limit or order.limit_ticks is None:
        return (False, 0, order.order_id)
    return (True, -order.side.sign * order.limit_ticks, order.order_id)
