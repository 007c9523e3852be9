"""Fills that come in parts, too many, or are taken back."""

from __future__ import annotations

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import SOON_S
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Bust, Overfill, Part
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderState

SUBJECT = Subject("fills")
_WHOLE = 4


@SUBJECT.case("an order that fills in parts is told with each part, and at the end as filled", Part)
async def in_parts(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Part(tag))
    order_id = await stage.accepted(stage.terms(Side.BUY, _WHOLE), tag)
    fills = await stage.has_filled(order_id, _WHOLE)
    require(len(fills) > 1 or stage.venue.is_disturbed, f"it filled at once: {fills}")
    await stage.holds(_WHOLE)


@SUBJECT.case("the rest of an order that has filled in part can be cancelled, and what has filled stays", Part)
async def rest_cancelled(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Part(tag))
    # At the far side of the market: the part fills at once, and the rest works on.
    order_id = await stage.accepted(stage.terms(Side.BUY, _WHOLE, OrderType.LIMIT, limit_ticks=stage.ask), tag)
    await stage.until(lambda: stage.heard.filled(order_id), "a part to fill")
    await stage.cancel_whatever_comes(order_id)
    ended = await stage.until(lambda: stage.ended(order_id), f"order {order_id} to end")
    await stage.until(
        lambda: stage.heard.filled(order_id) == stage.heard.orders[order_id].filled_quantity, "the fills of the order"
    )
    require(ended.filled_quantity in range(1, _WHOLE + 1), f"it has filled {ended.filled_quantity}")
    await stage.holds(ended.filled_quantity)


@SUBJECT.case("a limit order that the market comes to in parts fills whole in the end", Part)
async def limit_in_parts(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Part(tag))
    order_id = await stage.accepted(stage.terms(Side.SELL, _WHOLE, OrderType.LIMIT, limit_ticks=stage.bid), tag)
    await stage.has_filled(order_id, _WHOLE, SOON_S)
    await stage.holds(-_WHOLE)


@SUBJECT.case("an order that fills more than it has is told as it is, and counts in the position", Overfill)
async def overfilled(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Overfill(tag))
    order_id = await stage.accepted(stage.terms(Side.BUY, 2), tag)
    await stage.until(lambda: stage.heard.filled(order_id) == 3, "three contracts of an order of two")
    await stage.holds(3)


@SUBJECT.case("a fill that is taken back is told, and the position is as before it", Bust)
async def busted(stage: Stage) -> None:
    order_id = await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)
    (fill,) = stage.heard.fills_of(order_id)
    await stage.provoke(Bust(fill.fill_id))
    await stage.until(lambda: stage.heard.fills[fill.fill_id].voided, f"fill {fill.fill_id} to be taken back")
    await stage.holds(0)
    require(stage.heard.orders[order_id].state is OrderState.FILLED, "the order is no longer filled")
