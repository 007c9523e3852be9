"""Every order type, from its answer to its fills."""

from __future__ import annotations

from ordergate.certify.case import Subject
from ordergate.certify.stage import Stage
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderState

SUBJECT = Subject("orders")


@SUBJECT.case("a market order to buy fills, and each of its fills is told once")
async def buy(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    await stage.holds(2)


@SUBJECT.case("a stop to sell that is triggered fills at the market and is told once")
async def stop_sell(stage: Stage) -> None:
    stop = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - 3))
    await stage.has_filled(stop.broker_order_id, 1, within_s=60)
    await stage.holds(-1)


@SUBJECT.case("a limit order that rests is told with its price, and ends when it is cancelled")
async def limit_rests(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - 200))
    ended = await stage.cancelled(order.broker_order_id)
    assert ended.state is OrderState.CANCELLED
