"""What a day brings: pauses, the close, the roll, and the firm that closes everything."""

from __future__ import annotations

from ordergate.certify.case import Subject, require
from ordergate.certify.cases.orders import FAR
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Close, Halt, Liquidate, NativeBrackets, Roll
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import OrderState, Outcome

SUBJECT = Subject("day")
_HALT_S = 20.0


@SUBJECT.case(
    "while a market pauses orders are refused and those that rest stay; afterwards they are taken again", Halt
)
async def halted(stage: Stage) -> None:
    order = await stage.resting(_far(stage))
    await stage.provoke(Halt(stage.contract.contract_id, _HALT_S))
    outcome = await stage.place_until_answered(stage.terms(Side.BUY, 1))
    require(outcome.outcome is Outcome.REFUSED, f"it was {outcome.outcome.value}: {outcome.text}")
    read = await stage.snapshot()
    live = [row.broker_order_id for row in read.orders if row.state is OrderState.OPEN]
    require(live == [order.broker_order_id], f"orders that work: {live}")
    await stage.sleep(_HALT_S)
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)


@SUBJECT.case("after the close an order is refused with the venue's words, and what is held is still shown", Close)
async def closed(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)
    await stage.provoke(Close())
    outcome = await stage.place_until_answered(stage.terms(Side.BUY, 1))
    require(outcome.outcome is Outcome.REFUSED, f"it was {outcome.outcome.value}: {outcome.text}")
    require(outcome.text or stage.venue.is_disturbed, "it was refused without a word")
    await stage.holds(1)


@SUBJECT.case("after the close an exit is refused and not lost: the position can be closed later", Close)
async def exit_closed(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.SELL, 1))
    await stage.provoke(Close())
    outcome = await stage.place_until_answered(stage.terms(Side.BUY, 1), exits=True)
    require(outcome.outcome is Outcome.REFUSED, f"it was {outcome.outcome.value}: {outcome.text}")
    await stage.holds(-1)


@SUBJECT.case("after the roll what is held in the old month is shown, and can be closed there", Roll)
async def rolled(stage: Stage) -> None:
    held = stage.contract.contract_id
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.provoke(Roll())
    await stage.holds(1, held)
    await stage.filled(stage.terms(Side.SELL, 1, contract_id=held))
    await stage.holds(0, held)


@SUBJECT.case("an adapter that starts after the roll tells the next month as active, and both as contracts", Roll)
async def starts_after_roll(stage: Stage) -> None:
    held = stage.contract
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.provoke(Roll())
    await stage.begin_again()
    require(stage.contract.contract_id != held.contract_id, f"{held.contract_id} is still active")
    await stage.holds(1, held.contract_id)
    await stage.filled(stage.terms(Side.SELL, 1, contract_id=held.contract_id))
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.holds(1)


@SUBJECT.case("an adapter that starts in the middle of a position reads it, its orders and the fills of the day")
async def starts_anew(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    stop = await stage.resting(stage.terms(Side.SELL, 2, OrderType.STOP, stop_ticks=stage.bid - FAR))
    await stage.begin_again()
    await stage.holds(2)
    await stage.shown_as(stop.broker_order_id, OrderState.OPEN)
    await stage.cancelled(stop.broker_order_id)


@SUBJECT.case(
    "a liquidation is told: orders cancelled, the position flat, the account locked; then orders are refused", Liquidate
)
async def liquidated(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    order = await stage.resting(_far(stage))
    await stage.provoke(Liquidate(stage.account_id))
    await stage.shown_as(order.broker_order_id, OrderState.CANCELLED)
    await stage.holds(0)
    await stage.until(lambda: not stage.heard.accounts[stage.account_id].can_trade, "the account to be locked")
    outcome = await stage.place_until_answered(stage.terms(Side.BUY, 1))
    require(outcome.outcome is Outcome.REFUSED, f"it was {outcome.outcome.value}: {outcome.text}")


@SUBJECT.case("a liquidation ends a bracket whole: no leg of it is left to open a position", Liquidate, NativeBrackets)
async def liquidated_bracket(stage: Stage) -> None:
    terms = stage.terms(Side.BUY, 1, stop_offset_ticks=-FAR, target_offset_ticks=FAR)
    await stage.filled(terms)
    await stage.until(lambda: len(stage.heard.working()) == 2, "both legs to work")
    await stage.provoke(Liquidate(stage.account_id))
    await stage.holds(0)
    await stage.until(lambda: not stage.heard.working(), "no order to work")


def _far(stage: Stage) -> Terms:
    return stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR)
