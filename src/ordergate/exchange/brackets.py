"""The native brackets of an entry: two children that wake up when it fills (section 6). PURE.

Invariants:
1. Children are suspended while the entry has not filled, and end with it if it never does.
2. A child's price is the price of the entry's *first* fill plus its signed ticks, unless it was given another.
   UNVERIFIED for an entry that fills in parts: the notes say only "the fill price, not averaged".
3. A child's quantity is what the entry has filled, less what its sibling has (one-cancels-other).
4. A child that has filled completely ends its sibling, and the rest of an entry that is still open. UNVERIFIED: the
   notes do not say what becomes of such an entry; otherwise the rest would fill without protection.
"""

from __future__ import annotations

import msgspec

from ordergate.exchange.enums import OrderSide, OrderStatus, OrderType
from ordergate.exchange.models import PlaceRequest
from ordergate.exchange.orders import Order, cancelled, resized
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.variants import Variant

_STOPS = (OrderType.STOP, OrderType.TRAILING_STOP)
_TICKS_MIN = 4


def bracket_refusal(request: PlaceRequest, side: OrderSide, settings: ExchangeSettings) -> str | None:
    """Why the brackets of an order on ``side`` are refused in Auto OCO mode, or None."""
    stop, target = request.stop_loss_bracket, request.take_profit_bracket
    unsigned = Variant.UNSIGNED_TICKS in settings.variants
    least = _TICKS_MIN if Variant.BRACKET_MINIMUM in settings.variants else 1
    if stop is not None:
        if stop.type not in _STOPS:
            return "Invalid stop loss bracket type."  # UNVERIFIED wording
        if (-abs(stop.ticks) if unsigned else side.sign * stop.ticks) > -least:
            way = "less than zero when longing" if side is OrderSide.BID else "greater than zero when shorting"
            return f"Invalid stop loss ticks ({stop.ticks}). Ticks should be {way}."
    if target is not None:
        if target.type != OrderType.LIMIT:
            return "Invalid take profit bracket type."  # UNVERIFIED wording
        if (abs(target.ticks) if unsigned else side.sign * target.ticks) < least:
            way = "greater than zero when going long" if side is OrderSide.BID else "less than zero when going short"
            return f"Invalid take profit ticks ({target.ticks}). Ticks should be {way}"  # without a full stop, as seen
    return None


def children(entry: Order, request: PlaceRequest) -> list[Order]:
    """The suspended children of ``entry``, stop first, with the ids after its own. Their ticks have their signs."""
    wanted: list[tuple[int, OrderType, str]] = []
    if request.stop_loss_bracket is not None:
        trails = request.stop_loss_bracket.type == OrderType.TRAILING_STOP
        stop_type = OrderType.TRAILING_STOP if trails else OrderType.STOP
        wanted.append((-entry.side.sign * abs(request.stop_loss_bracket.ticks), stop_type, "SL"))
    if request.take_profit_bracket is not None:
        wanted.append((entry.side.sign * abs(request.take_profit_bracket.ticks), OrderType.LIMIT, "TP"))
    first_id = entry.order_id + 1
    siblings = {0: first_id + 1, 1: first_id} if len(wanted) > 1 else {}
    return [
        Order(
            order_id=first_id + place,
            account_id=entry.account_id,
            contract_id=entry.contract_id,
            status=OrderStatus.SUSPENDED,
            type=order_type,
            side=entry.side.opposite,
            quantity=entry.quantity,
            created_ns=entry.created_ns,
            updated_ns=entry.updated_ns,
            tag=child_tag(entry.tag, suffix),
            parent_id=entry.order_id,
            sibling_id=siblings.get(place),
            bracket_ticks=ticks,
        )
        for place, (ticks, order_type, suffix) in enumerate(wanted)
    ]


def child_tag(tag: str | None, suffix: str) -> str | None:
    """``suffix`` is SL or TP. UNVERIFIED: an entry without a tag gives children without one."""
    return None if tag is None else f"{tag}-{suffix}"


def after_entry_fill(child: Order, quantity: int, price_ticks: int, at_ns: int) -> Order:
    """A child of an entry that has just filled ``quantity``: it wakes up, or grows; a final one stays as it is."""
    if child.status is OrderStatus.SUSPENDED:
        assert child.bracket_ticks is not None, "a suspended order is a bracket child"
        level = price_ticks + child.bracket_ticks
        given = child.limit_ticks if child.is_limit else child.stop_ticks
        level = level if given is None else given  # modified while it slept
        return msgspec.structs.replace(
            child,
            status=OrderStatus.OPEN,
            quantity=quantity,
            limit_ticks=level if child.is_limit else None,
            stop_ticks=level if child.is_stop else None,
            trail_ticks=abs(child.bracket_ticks) if child.type is OrderType.TRAILING_STOP else None,
            updated_ns=at_ns,
        )
    return child if child.is_final else resized(child, child.quantity + quantity, at_ns)


def after_sibling_fill(child: Order, sibling: Order, quantity: int, at_ns: int) -> Order:
    """A child whose sibling has just filled ``quantity``: it shrinks, or ends; a final one stays as it is."""
    if child.is_final:
        return child
    left = child.quantity - quantity
    if sibling.is_final or left <= child.filled_quantity:
        return cancelled(child, at_ns)
    return resized(child, left, at_ns)
