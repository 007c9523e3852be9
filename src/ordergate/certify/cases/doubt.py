"""Outcomes that are not known: said as such, resolved by what the venue shows, and nothing is done twice.

Whatever is asked of the port here is asked once and raw: what the gate makes of it is proven with the gate.
"""

from __future__ import annotations

import asyncio

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import FAR
from ordergate.certify.listening import UNREAD
from ordergate.certify.stage import ABSENT_AGAIN_S, ABSENT_READS, Stage
from ordergate.certify.venue import Asked, Cut, Hang, LoseAnswer, LoseRequest
from ordergate.core.effects import LookUp, ReadSnapshot
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderReport, OrderState, Outcome

SUBJECT = Subject("doubt")
# The adapter gives up on an answer after 10 s.
_ANSWERED_S = 15.0


@SUBJECT.case("an order whose answer is lost is in doubt, found by its tag, and there once", LoseAnswer)
async def answer_lost(stage: Stage) -> None:
    await _in_doubt_and_there(stage, LoseAnswer(Asked.PLACE))


@SUBJECT.case("an order that is never answered is in doubt within 15 s, and found by its tag", Hang)
async def never_answered(stage: Stage) -> None:
    began_s = asyncio.get_running_loop().time()
    await _in_doubt_and_there(stage, Hang(Asked.PLACE))
    took_s = asyncio.get_running_loop().time() - began_s
    require(took_s < _ANSWERED_S, f"it took {took_s:.0f} s")


@SUBJECT.case("an order that failed before it was acted on is in doubt, and absent from three reads", LoseRequest)
async def never_there(stage: Stage) -> None:
    await stage.provoke(LoseRequest(Asked.PLACE))
    tag = stage.tag()
    outcome = await stage.place(_resting(stage), tag)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    for _ in range(ABSENT_READS):
        require(await stage.found(tag) is None, "an order that never arrived was found")
        await stage.sleep(ABSENT_AGAIN_S)


@SUBJECT.case("an order in doubt that is sent again under its tag is still there once", LoseAnswer)
async def sent_again(stage: Stage) -> None:
    tag = await _in_doubt_and_there(stage, LoseAnswer(Asked.PLACE))
    again = await stage.place(_resting(stage), tag)
    require(again.outcome is not Outcome.DONE, "the second was done")
    read = await stage.snapshot()
    live = [row for row in read.orders if row.state is OrderState.OPEN]
    require(len(live) == 1, f"orders that work: {live}")


@SUBJECT.case("a market order in doubt that has filled is found as filled, and its fill is told", LoseAnswer)
async def filled_in_doubt(stage: Stage) -> None:
    await stage.provoke(LoseAnswer(Asked.PLACE))
    tag = stage.tag()
    outcome = await stage.place(stage.terms(Side.BUY, 1), tag)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    found = await stage.found(tag)
    assert found is not None, "it was acted on"
    await stage.has_filled(found.broker_order_id, 1)
    await stage.holds(1)


@SUBJECT.case("a cancel whose answer is lost is in doubt, and the end of its order is told", LoseAnswer)
async def cancel_lost(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseAnswer(Asked.CANCEL))
    outcome = await stage.cancel(order.broker_order_id)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.shown_as(order.broker_order_id, OrderState.CANCELLED)


@SUBJECT.case(
    "a cancel that failed before it was acted on is in doubt, its order works on, and can be cancelled", LoseRequest
)
async def cancel_never_there(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseRequest(Asked.CANCEL))
    outcome = await stage.cancel(order.broker_order_id)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    require((await _read(stage, order)).state is OrderState.OPEN, "it has ended")
    await stage.cancelled(order.broker_order_id)


@SUBJECT.case("a change whose answer is lost is in doubt, and the new look is told", LoseAnswer)
async def change_lost(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseAnswer(Asked.MODIFY))
    outcome = await stage.modify(order, quantity=2)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.until(lambda: stage.heard.orders[order.broker_order_id].quantity == 2, "an order of 2")


@SUBJECT.case("a change that failed before it was acted on is in doubt, and the old look is read", LoseRequest)
async def change_never_there(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseRequest(Asked.MODIFY))
    outcome = await stage.modify(order, quantity=2)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    require((await _read(stage, order)).quantity == 1, "it has changed")


@SUBJECT.case("a look-up that cannot be read says so, and not that the order is absent", LoseRequest)
async def unread_look_up(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseRequest(Asked.READ))
    try:
        found = await stage.hop.order_of(LookUp(stage.account_id, order.order_tag or "", stage.since_ns))
    except UNREAD:
        return
    require(found is not None, "an order that rests was said to be absent")


@SUBJECT.case("a snapshot of which a part cannot be read is not told at all", LoseRequest)
async def unread_snapshot(stage: Stage) -> None:
    order = await stage.resting(_resting(stage))
    await stage.provoke(LoseRequest(Asked.READ))
    try:
        read = await stage.hop.snapshot(ReadSnapshot(stage.account_id, stage.since_ns), lambda: None)
    except UNREAD:
        return
    require(order.broker_order_id in {row.broker_order_id for row in read.orders}, "an order is missing from it")


@SUBJECT.case("an order that the line was cut under is done, not sent or in doubt, and resolved by its tag", Cut)
async def cut_under_way(stage: Stage) -> None:
    sending = asyncio.ensure_future(stage.place(_resting(stage), tag := stage.tag()))
    await stage.sleep(0.01)
    await stage.cut_off(2)
    outcome = await sending
    await stage.linked()
    found = await stage.found(tag)
    match outcome.outcome:
        case Outcome.DONE:
            require(found is not None, "it was done, and is absent")
        case Outcome.NOT_SENT | Outcome.REFUSED:
            require(found is None, f"it was {outcome.outcome.value}, and is there")
        case Outcome.UNKNOWN:
            pass


async def _in_doubt_and_there(stage: Stage, why: LoseAnswer | Hang) -> str:
    """An order whose outcome is not known and that rests; its tag."""
    await stage.provoke(why)
    tag, terms = stage.tag(), _resting(stage)
    outcome = await stage.place(terms, tag)
    require(outcome.outcome is Outcome.UNKNOWN, f"it was {outcome.outcome.value}: {outcome.text}")
    found = await stage.found(tag)
    require(found is not None, "an order that was acted on is absent")
    assert found is not None
    look = found.contract_id, found.side, found.quantity, found.order_type, found.limit_ticks
    asked = terms.contract_id, terms.side, terms.quantity, terms.order_type, terms.limit_ticks
    require(look == asked, f"found as {look}")
    read = await stage.snapshot()
    require(sum(row.order_tag == tag for row in read.orders) == 1, "it is there more than once")
    await stage.shown_as(found.broker_order_id, OrderState.OPEN)
    return tag


async def _read(stage: Stage, order: OrderReport) -> OrderReport:
    read = await stage.snapshot()
    return next(row for row in read.orders if row.broker_order_id == order.broker_order_id)


def _resting(stage: Stage) -> Terms:
    return stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR)
