"""An order as the exchange keeps it, and the few steps of its life. PURE.

Invariants:
1. 0 <= filled_quantity <= quantity for every order that was not rejected.
2. FILLED, CANCELLED, EXPIRED and REJECTED are final: no function here leaves them.
3. An order is SUSPENDED exactly while it is a bracket child whose entry has not filled.
4. A trailing stop moves only towards the market.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType

LIMITS = frozenset({OrderType.LIMIT, OrderType.JOIN_BID, OrderType.JOIN_ASK})
STOPS = frozenset({OrderType.STOP, OrderType.TRAILING_STOP, OrderType.STOP_LIMIT})
_FINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """One order of any status; prices in ticks, instants in nanoseconds UTC.

    ``filled_ticks`` is the sum of price x quantity over its fills. ``parent_id`` is a bracket child's entry,
    ``sibling_id`` the other child. ``bracket_ticks`` is a child's signed distance from the entry's fill price.
    ``triggered``: a stop whose price was reached, from then on a market order, or a limit. ``trail_ticks`` is the
    distance (> 0) at which ``stop_ticks`` of a trailing stop follows the trades. ``ahead``: how many contracts wait
    before a limit at its price.
    """

    order_id: int
    account_id: int
    contract_id: str
    status: OrderStatus
    type: OrderType
    side: OrderSide
    quantity: int
    created_ns: int
    updated_ns: int
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    filled_quantity: int = 0
    filled_ticks: int = 0
    tag: str | None = None
    parent_id: int | None = None
    sibling_id: int | None = None
    bracket_ticks: int | None = None
    triggered: bool = False
    trail_ticks: int | None = None
    ahead: int = 0

    @property
    def is_limit(self) -> bool:
        """Whether it waits at a price for somebody to come to it."""
        return self.type in LIMITS or (self.type is OrderType.STOP_LIMIT and self.triggered)

    @property
    def is_stop(self) -> bool:
        """Whether it waits for the market to reach a price."""
        return self.type in STOPS and not self.triggered

    @property
    def leaves(self) -> int:
        """What is still to be filled."""
        return self.quantity - self.filled_quantity

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in _FINAL

    @property
    def is_open(self) -> bool:
        """Whether it can be matched."""
        return self.status is OrderStatus.OPEN

    @property
    def average_ticks(self) -> Decimal | None:
        """The volume-weighted fill price in ticks, or None before the first fill."""
        return Decimal(self.filled_ticks) / self.filled_quantity if self.filled_quantity else None


def filled(order: Order, quantity: int, price_ticks: int, at_ns: int) -> Order:
    """The order after a fill of ``quantity`` (1 to its leaves)."""
    assert order.is_open, "only an open order is filled"
    assert 0 < quantity <= order.leaves, "an order is not filled beyond its leaves"
    return msgspec.structs.replace(
        order,
        status=OrderStatus.FILLED if quantity == order.leaves else OrderStatus.OPEN,
        filled_quantity=order.filled_quantity + quantity,
        filled_ticks=order.filled_ticks + quantity * price_ticks,
        updated_ns=at_ns,
    )


def cancelled(order: Order, at_ns: int) -> Order:
    """The order after its cancellation; not for a final one."""
    assert not order.is_final, "a final order stays what it is"
    return msgspec.structs.replace(order, status=OrderStatus.CANCELLED, updated_ns=at_ns)


def resized(order: Order, quantity: int, at_ns: int) -> Order:
    """The order with another quantity, above what it has filled; not for a final one."""
    assert not order.is_final, "a final order stays what it is"
    assert quantity > order.filled_quantity, "an order is not resized to or below its fills"
    return msgspec.structs.replace(order, quantity=quantity, updated_ns=at_ns)


def trailed(order: Order, low: int, high: int) -> Order:
    """A trailing stop after trades in that range; itself if they do not take it along."""
    assert order.trail_ticks is not None, "a trailing stop has its distance"
    assert order.stop_ticks is not None, "a trailing stop that works has its price"
    if order.side is OrderSide.BID:
        level = min(order.stop_ticks, low + order.trail_ticks)
    else:
        level = max(order.stop_ticks, high - order.trail_ticks)
    return order if level == order.stop_ticks else msgspec.structs.replace(order, stop_ticks=level)
