"""EXTERNAL: what somebody else does in the account, on a phone or on the venue's own page."""

from __future__ import annotations

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import FAR
from ordergate.certify.stage import Stage
from ordergate.certify.venue import (
    CancelElsewhere,
    CloseElsewhere,
    JoinElsewhere,
    MoveElsewhere,
    OrderElsewhere,
    TrailElsewhere,
)
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderReport, OrderState

SUBJECT = Subject("outside")


@SUBJECT.case("an order of somebody else is told without a tag of ours, with its fill and the position", OrderElsewhere)
async def bought(stage: Stage) -> None:
    await stage.provoke(OrderElsewhere(stage.account_id, stage.contract.contract_id, Side.BUY, 2))
    await stage.holds(2)
    order = await _theirs(stage, OrderState.FILLED)
    require(order.order_tag is None, f"told under the tag {order.order_tag!r}")


@SUBJECT.case("an order of another program is told under its own tag", OrderElsewhere)
async def tagged(stage: Stage) -> None:
    tag = f"other-{stage.tag()}"
    await stage.provoke(OrderElsewhere(stage.account_id, stage.contract.contract_id, Side.SELL, 1, tag=tag))
    await stage.holds(-1)
    order = await _theirs(stage, OrderState.FILLED)
    require(order.order_tag == tag, f"told under the tag {order.order_tag!r}")


@SUBJECT.case("a position that somebody else closes is told flat", CloseElsewhere)
async def closed(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    await stage.holds(2)
    await stage.provoke(CloseElsewhere(stage.account_id, stage.contract.contract_id))
    await stage.holds(0)


@SUBJECT.case("an order of ours that somebody else cancels is told as cancelled", CancelElsewhere)
async def cancelled(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR))
    await stage.provoke(CancelElsewhere(stage.account_id, order.broker_order_id))
    await stage.shown_as(order.broker_order_id, OrderState.CANCELLED)


@SUBJECT.case("a stop of ours that somebody else moves is told with its new price", MoveElsewhere)
async def moved(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 1))
    stop = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - FAR))
    price = stage.bid - FAR - 40
    await stage.provoke(MoveElsewhere(stage.account_id, stop.contract_id, stop.broker_order_id, price))
    await stage.until(lambda: stage.heard.orders[stop.broker_order_id].stop_ticks == price, f"a stop at {price}")


@SUBJECT.case("a stop of somebody else is told with its price, and can be cancelled through the port", OrderElsewhere)
async def their_stop(stage: Stage) -> None:
    price = stage.bid - FAR
    await stage.provoke(OrderElsewhere(stage.account_id, stage.contract.contract_id, Side.SELL, 1, price))
    order = await _theirs(stage, OrderState.OPEN)
    require(order.stop_ticks == price, f"told with a stop of {order.stop_ticks}")
    await stage.cancelled(order.broker_order_id)


@SUBJECT.case("a stop of somebody else that trails is told as a stop, and can be cancelled", TrailElsewhere)
async def their_trail(stage: Stage) -> None:
    price = stage.bid - FAR
    await stage.provoke(TrailElsewhere(stage.account_id, stage.contract.contract_id, price))
    order = await _theirs(stage, OrderState.OPEN)
    near = order.stop_ticks is not None and abs(order.stop_ticks - price) < FAR
    require(
        order.order_type is OrderType.STOP and near, f"told as {order.order_type} with a stop of {order.stop_ticks}"
    )
    await stage.cancelled(order.broker_order_id)


@SUBJECT.case("an order of somebody else that joins the bid is told as a limit with its price", JoinElsewhere)
async def their_join(stage: Stage) -> None:
    await stage.provoke(JoinElsewhere(stage.account_id, stage.contract.contract_id))
    order = await stage.until(
        lambda: next((each for each in stage.heard.orders.values() if each.order_type is OrderType.LIMIT), None),
        "an order with a limit",
    )
    require(order.limit_ticks is not None and abs(order.limit_ticks - stage.bid) < FAR, f"told at {order.limit_ticks}")


async def _theirs(stage: Stage, state: OrderState) -> OrderReport:
    return await stage.until(
        lambda: next((order for order in stage.heard.orders.values() if order.state is state), None),
        f"an order that is {state.value}",
    )
