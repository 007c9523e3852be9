"""Lines that are cut, that fall silent, sessions that end, and requests that are too many."""

from __future__ import annotations

import asyncio

from ordergate.certify.case import Play, Subject, require
from ordergate.certify.cases.orders import FAR, NEAR, SOON_S, near_stop
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Cut, Expire, Limit, LogOut, Mute, OrderElsewhere, Unlimit, Withhold
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderState, Outcome

SUBJECT = Subject("outages")
# A line is silent for 30 s before it is taken for dead.
_SILENT_S = 40.0
_BACK_S = 60.0
# Long enough for the market to come to an order that is near, where nobody sees it.
_UNSEEN_S = 45.0
# What is taken away must not wait for what is added: far below the minute for which a limited adapter pauses.
_EXIT_S = 10.0
_PAUSE_S = 61.0


def _cut_for(seconds: float) -> Play:
    async def play(stage: Stage) -> None:
        """What somebody else does meanwhile is known afterwards, and what was held is held."""
        await stage.filled(stage.terms(Side.BUY, 1))
        stop = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - FAR))
        await stage.holds(1)
        await stage.cut_off(seconds)
        await stage.provoke(OrderElsewhere(stage.account_id, stage.contract.contract_id, Side.BUY, 1))
        await stage.linked(seconds + _BACK_S)
        await stage.holds(2)
        await stage.shown_as(stop.broker_order_id, OrderState.OPEN)
        await stage.cancelled(stop.broker_order_id)
        await stage.filled(stage.terms(Side.SELL, 2))
        await stage.holds(0)

    return play


for _seconds, _words in ((1, "1 s"), (30, "30 s"), (600, "10 min")):
    SUBJECT.case(
        f"after {_words} without a line the link is up again, and what happened meanwhile is known",
        Cut,
        OrderElsewhere,
        within_s=_seconds + 240.0,
    )(_cut_for(_seconds))


@SUBJECT.case("a limit order that fills without a line is told as filled when it is back, with its fill", Cut)
async def fills_unseen(stage: Stage) -> None:
    price = stage.bid - NEAR
    order_id = await stage.accepted(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=price))
    await stage.cut_off(_UNSEEN_S)
    await stage.linked(_UNSEEN_S + _BACK_S)
    fills = await stage.has_filled(order_id, 1, SOON_S)
    require(all(fill.price_ticks <= price for fill in fills), f"worse than {price}: {fills}")
    await stage.holds(1)


@SUBJECT.case("a protective stop that fills without a line is told as filled when it is back, and nothing is held", Cut)
async def stopped_unseen(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 1))
    stop_id = await near_stop(stage, Side.SELL)
    await stage.cut_off(_UNSEEN_S)
    await stage.linked(_UNSEEN_S + _BACK_S)
    await stage.has_filled(stop_id, 1, SOON_S)
    await stage.holds(0)


@SUBJECT.case("an order on a line that is cut is not sent, which is said at once", Cut)
async def not_sent(stage: Stage) -> None:
    terms = _resting(stage)
    await stage.cut_off(20)
    began_s = asyncio.get_running_loop().time()
    outcome = await stage.place(terms)
    took_s = asyncio.get_running_loop().time() - began_s
    require(outcome.outcome is Outcome.NOT_SENT, f"it was {outcome.outcome.value}: {outcome.text}")
    require(took_s < 2, f"it took {took_s:.0f} s")
    await stage.linked()
    require(await stage.found(outcome.order_tag) is None, "it is there")


@SUBJECT.case("a cancel on a line that is cut is not sent, and the order works on", Cut)
async def cancel_not_sent(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.cut_off(5)
    outcome = await stage.cancel(order.broker_order_id)
    require(outcome.outcome is Outcome.NOT_SENT, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.linked()
    await stage.shown_as(order.broker_order_id, OrderState.OPEN)
    await stage.cancelled(order.broker_order_id)


@SUBJECT.case(
    "a line that stays open and says nothing is noticed within 40 s, and what it hid is known", Mute, OrderElsewhere
)
async def muted(stage: Stage) -> None:
    await stage.provoke(Mute())
    await stage.provoke(OrderElsewhere(stage.account_id, stage.contract.contract_id, Side.SELL, 1))
    await stage.unlinked(_SILENT_S)
    await stage.linked()
    await stage.holds(-1)


@SUBJECT.case(
    "what a line withholds that lives, of an order, its cancel and a position, is known all the same", Withhold
)
async def withheld(stage: Stage) -> None:
    await stage.provoke(Withhold())
    order = await stage.resting(_resting(stage))
    await stage.cancelled(order.broker_order_id)
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)


@SUBJECT.case("a session that is logged out is logged in again, and the link is told down and up", LogOut)
async def logged_out(stage: Stage) -> None:
    await stage.provoke(LogOut())
    await stage.unlinked()
    await stage.linked()
    await stage.filled(stage.terms(Side.BUY, 1))


@SUBJECT.case("a token that expires costs no order and makes no second", Expire)
async def expired(stage: Stage) -> None:
    await stage.provoke(Expire())
    order = await stage.resting(_resting(stage))
    read = await stage.snapshot()
    require(
        [row.broker_order_id for row in read.orders if row.state is OrderState.OPEN] == [order.broker_order_id], "two"
    )


@SUBJECT.case("a link that was lost under an expired token comes back with a new one", Expire, Cut)
async def expired_and_cut(stage: Stage) -> None:
    await stage.provoke(Expire())
    await stage.cut_off(3)
    await stage.linked()
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)


@SUBJECT.case(
    "limited in the middle of a flatten, what was turned away is not sent, and leaves as soon as it may", Limit
)
async def limited_flatten(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    target = await stage.resting(stage.terms(Side.SELL, 2, OrderType.LIMIT, limit_ticks=stage.ask + FAR))
    await stage.provoke(Limit())
    cancel = await stage.cancel(target.broker_order_id)
    close = await stage.exit(stage.terms(Side.SELL, 2))
    for outcome in (cancel, close):
        require(outcome.outcome is Outcome.NOT_SENT, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.provoke(Unlimit())
    began_s = asyncio.get_running_loop().time()
    await stage.cancelled(target.broker_order_id)
    close = await stage.exit(stage.terms(Side.SELL, 2))
    took_s = asyncio.get_running_loop().time() - began_s
    require(close.outcome is Outcome.DONE, f"the close was {close.outcome.value}: {close.text}")
    require(took_s < _EXIT_S, f"the exits waited for {took_s:.0f} s")
    await stage.holds(0)


@SUBJECT.case("limited, an order that adds risk is not sent, and is taken when the limit is over", Limit)
async def limited_entry(stage: Stage) -> None:
    await stage.provoke(Limit())
    outcome = await stage.place(_resting(stage))
    require(outcome.outcome is Outcome.NOT_SENT, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.provoke(Unlimit())
    await stage.sleep(_PAUSE_S)
    require(await stage.found(outcome.order_tag) is None, "it is there")
    await stage.resting(_resting(stage))


def _resting(stage: Stage) -> Terms:
    return stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR)
