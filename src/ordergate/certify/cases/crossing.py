"""Cancels and changes that cross a fill: whatever is answered, one end is told, and the venue's fills."""

from __future__ import annotations

import asyncio

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import FAR, NEAR, SOON_S
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Part
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderState, Outcome

SUBJECT = Subject("crossing")
_MANY = 5


@SUBJECT.case("a cancel that crosses the fill of a market order leaves the order filled")
async def cancel_and_fill(stage: Stage) -> None:
    order_id = await stage.accepted(stage.terms(Side.BUY, 1))
    outcome = await stage.cancel(order_id)
    require(outcome.outcome is not Outcome.DONE, "an order that has filled was cancelled")
    await stage.has_filled(order_id, 1)
    await stage.holds(1)


@SUBJECT.case("a cancel in the moment in which a limit order is reached ends it once, filled or cancelled")
async def cancel_in_the_moment(stage: Stage) -> None:
    price = stage.bid - 1
    order_id = await stage.accepted(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=price))
    await stage.until(lambda: stage.ask <= price + 1, "the market to come near", SOON_S)
    await stage.cancel_whatever_comes(order_id)
    ended = await stage.until(lambda: stage.ended(order_id), f"order {order_id} to end")
    await stage.holds(1 if ended.state is OrderState.FILLED else 0)


@SUBJECT.case("a change that crosses the fill is not done, and the order stays filled")
async def change_and_fill(stage: Stage) -> None:
    order_id = await stage.filled(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.ask + NEAR))
    order = stage.heard.orders[order_id]
    outcome = await stage.modify(order, quantity=3)
    require(outcome.outcome is not Outcome.DONE, "an order that has filled was changed")
    await stage.holds(1)


@SUBJECT.case("a change below what has filled is not done, or the order keeps what has filled", Part)
async def change_below(stage: Stage) -> None:
    tag = stage.tag()
    await stage.provoke(Part(tag))
    order_id = await stage.accepted(stage.terms(Side.BUY, 4, OrderType.LIMIT, limit_ticks=stage.ask), tag)
    await stage.until(lambda: stage.heard.filled(order_id) and order_id in stage.heard.orders, "a part to fill")
    await stage.modify(stage.heard.orders[order_id], quantity=1)
    filled = stage.heard.filled(order_id)
    require(filled >= 2, f"only {filled} have filled")
    await stage.cancel_whatever_comes(order_id)
    await stage.until(lambda: stage.ended(order_id), f"order {order_id} to end")


@SUBJECT.case("a change that makes a limit order cross fills it at its new price or better")
async def change_across(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR))
    price = stage.ask + NEAR
    await stage.modify_until_answered(order, limit_ticks=price)
    fills = await stage.has_filled(order.broker_order_id, 1)
    require(all(fill.price_ticks <= price for fill in fills), f"worse than {price}: {fills}")
    await stage.holds(1)


@SUBJECT.case("an order that is cancelled twice ends once, and the second cancel is not done")
async def cancel_twice(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR))
    await stage.cancelled(order.broker_order_id)
    again = await stage.cancel(order.broker_order_id)
    require(again.outcome is not Outcome.DONE, "what had ended was cancelled again")
    ended = [
        each
        for each in stage.heard.reports
        if getattr(each, "state", None) is OrderState.CANCELLED
        and getattr(each, "broker_order_id", 0) == order.broker_order_id
    ]
    require(stage.venue.is_disturbed or len(ended) == 1, f"its end was told {len(ended)} times")


@SUBJECT.case("an order that never was cannot be cancelled")
async def cancel_nothing(stage: Stage) -> None:
    outcome = await stage.cancel(1)
    require(outcome.outcome is not Outcome.DONE, "an order that never was has been cancelled")


@SUBJECT.case("a buy and a sell at the same time both fill, and nothing is held")
async def both_ways(stage: Stage) -> None:
    await asyncio.gather(*(stage.filled(stage.terms(side, 2)) for side in (Side.BUY, Side.SELL)))
    await stage.holds(0)


@SUBJECT.case("orders that are sent together are each answered for themselves")
async def together(stage: Stage) -> None:
    prices = [stage.bid - FAR - number for number in range(_MANY)]
    terms = [stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=price) for price in prices]
    orders = await asyncio.gather(*map(stage.resting, terms))
    require([order.limit_ticks for order in orders] == prices, f"they are {orders}")
    await asyncio.gather(*(stage.cancelled(order.broker_order_id) for order in orders))
