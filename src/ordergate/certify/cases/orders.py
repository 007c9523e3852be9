"""Every order type on both sides, its changes and its end; what is refused; what is taken back."""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.certify.case import Subject, require
from ordergate.certify.stage import Stage
from ordergate.certify.venue import Reject
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import OrderReport, OrderState, Outcome, PlaceOutcome

SUBJECT = Subject("orders")
# Beyond anything that the market reaches while a case is played, and inside what a venue takes.
FAR = 200
# What the market reaches soon.
NEAR = 4
SOON_S = 200.0
_LARGE = 3


@SUBJECT.case("a market order to buy fills, and each of its fills is told once")
async def market_buy(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY))
    await stage.holds(1)


@SUBJECT.case("a market order to sell opens a short position")
async def market_sell(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.SELL))
    await stage.holds(-1)


@SUBJECT.case("the fills of an order add up to its quantity, all with its id and its side")
async def adds_up(stage: Stage) -> None:
    order_id = await stage.filled(stage.terms(Side.BUY, _LARGE))
    fills = stage.heard.fills_of(order_id)
    require(sum(fill.quantity for fill in fills) == _LARGE, f"the fills are {fills}")
    require(all(fill.side is Side.BUY for fill in fills), f"of another side: {fills}")
    require(all(fill.pnl_usd is None for fill in fills), f"fills that only open have a P&L: {fills}")


@SUBJECT.case("a limit order that rests is told with its price and quantity")
async def limit_rests(stage: Stage) -> None:
    price = stage.bid - FAR
    order = await stage.resting(stage.terms(Side.BUY, 2, OrderType.LIMIT, limit_ticks=price))
    _looks(order, Side.BUY, OrderType.LIMIT, 2)
    require(order.limit_ticks == price, f"told with a limit of {order.limit_ticks} instead of {price}")


@SUBJECT.case("a limit order that crosses fills at once, no worse than its price")
async def limit_crosses(stage: Stage) -> None:
    price = stage.ask + NEAR
    order_id = await stage.filled(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=price))
    fills = stage.heard.fills_of(order_id)
    require(all(fill.price_ticks <= price for fill in fills), f"worse than {price}: {fills}")


@SUBJECT.case("a limit order to buy that the market comes to fills at its price or better")
async def limit_buy(stage: Stage) -> None:
    price = stage.bid - NEAR
    order_id = await stage.filled(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=price), within_s=SOON_S)
    require(all(fill.price_ticks <= price for fill in stage.heard.fills_of(order_id)), f"worse than {price}")
    await stage.holds(1)


@SUBJECT.case("a limit order to sell that the market comes to fills at its price or better")
async def limit_sell(stage: Stage) -> None:
    price = stage.ask + NEAR
    order_id = await stage.filled(stage.terms(Side.SELL, 1, OrderType.LIMIT, limit_ticks=price), within_s=SOON_S)
    require(all(fill.price_ticks >= price for fill in stage.heard.fills_of(order_id)), f"worse than {price}")
    await stage.holds(-1)


@SUBJECT.case("a stop that rests is told with its price")
async def stop_rests(stage: Stage) -> None:
    price = stage.bid - FAR
    order = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=price))
    _looks(order, Side.SELL, OrderType.STOP, 1)
    require(order.stop_ticks == price, f"told with a stop of {order.stop_ticks} instead of {price}")


@SUBJECT.case("a stop to sell that is triggered fills at the market and is told once")
async def stop_sell(stage: Stage) -> None:
    stop = await stage.resting(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.bid - NEAR))
    await stage.has_filled(stop.broker_order_id, 1, SOON_S)
    await stage.holds(-1)


@SUBJECT.case("a stop to buy that is triggered fills at the market and is told once")
async def stop_buy(stage: Stage) -> None:
    stop = await stage.resting(stage.terms(Side.BUY, 1, OrderType.STOP, stop_ticks=stage.ask + NEAR))
    await stage.has_filled(stop.broker_order_id, 1, SOON_S)
    await stage.holds(1)


@SUBJECT.case("an order is told under the tag that it was sent with")
async def tagged(stage: Stage) -> None:
    tag = stage.tag()
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR), tag)
    # What was proven not sent was sent anew, under a tag of its own.
    require(stage.venue.is_disturbed or order.order_tag == tag, f"told under {order.order_tag!r} instead of {tag!r}")


@SUBJECT.case("a limit order takes a new price and a new quantity")
async def changed(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR))
    order = await stage.changed(order, limit_ticks=stage.bid - FAR - 5)
    order = await stage.changed(order, quantity=3)
    require(order.state is OrderState.OPEN, f"it is {order.state.value}")


@SUBJECT.case("an order that is cancelled ends, and nothing of it fills")
async def cancelled(stage: Stage) -> None:
    order = await stage.resting(stage.terms(Side.SELL, 2, OrderType.LIMIT, limit_ticks=stage.ask + FAR))
    ended = await stage.cancelled(order.broker_order_id)
    require(ended.state is OrderState.CANCELLED, f"it is {ended.state.value}")
    require(not stage.heard.filled(order.broker_order_id), "it has filled")


@SUBJECT.case("two orders in two products are kept apart")
async def two_products(stage: Stage) -> None:
    other = stage.other_contract.contract_id
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.filled(stage.terms(Side.SELL, 1, contract_id=other))
    await stage.holds(1)
    await stage.holds(-1, other)


@SUBJECT.case("an order through flat turns the position around")
async def through_flat(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.filled(stage.terms(Side.SELL, 2))
    await stage.holds(-1)


@SUBJECT.case("the balance moves by the P&L and the fees of the fills, to the cent")
async def balance(stage: Stage) -> None:
    before = stage.heard.accounts[stage.account_id].balance_usd
    await stage.filled(stage.terms(Side.BUY, 1))
    await stage.filled(stage.terms(Side.SELL, 1))
    await stage.holds(0)
    moved = sum((fill.pnl_usd or 0) - fill.fee_usd for fill in stage.heard.fills_that_count())
    await stage.until(
        lambda: stage.heard.accounts[stage.account_id].balance_usd == before + moved, f"a balance of {before + moved}"
    )


@SUBJECT.case("an order that would open more than it closes is not said to reduce")
async def reducing(stage: Stage) -> None:
    await stage.filled(stage.terms(Side.BUY, 2))
    await stage.holds(2)
    for terms, is_reducing in (
        (stage.terms(Side.SELL, 2), True),
        (stage.terms(Side.SELL, 3), False),
        (stage.terms(Side.BUY, 1), False),
    ):
        said = await stage.not_reducing(terms)
        require((said is None) is is_reducing, f"a {terms.side.value} of {terms.quantity} with 2 held: {said!r}")


@SUBJECT.case("a stop that the market is through already is refused, and nothing rests")
async def through_the_market(stage: Stage) -> None:
    outcome = await stage.settled(stage.terms(Side.SELL, 1, OrderType.STOP, stop_ticks=stage.ask + FAR))
    await _is_refused(stage, outcome)


@SUBJECT.case("an order of a contract that does not exist is refused")
async def no_such_contract(stage: Stage) -> None:
    terms = replace(stage.terms(Side.BUY), contract_id=f"{stage.contract.contract_id}9")
    await _is_refused(stage, await stage.place_until_answered(terms))


@SUBJECT.case("an order of an account that does not exist is refused")
async def no_such_account(stage: Stage) -> None:
    terms = replace(stage.terms(Side.BUY), account_id=0)
    await _is_refused(stage, await stage.place_until_answered(terms))


@SUBJECT.case("an order that the venue rejects is refused with the venue's words, though it has an id", Reject)
async def rejected(stage: Stage) -> None:
    tag, text = stage.tag(), "Order rejected: certification."
    await stage.provoke(Reject(tag, text))
    outcome = await stage.settled(stage.terms(Side.BUY), tag)
    await _is_refused(stage, outcome)
    require(stage.venue.is_disturbed or text in outcome.text, f"the words are {outcome.text!r}")


@SUBJECT.case("a tag that is used does not make a second order, and the first is found by it")
async def used_tag(stage: Stage) -> None:
    terms = stage.terms(Side.BUY, 1, OrderType.LIMIT, limit_ticks=stage.bid - FAR)
    first = await stage.resting(terms)
    assert first.order_tag is not None
    again = await stage.place(terms, first.order_tag)
    require(again.outcome is not Outcome.DONE, "the second was done")
    found = await stage.found(first.order_tag)
    require(found is not None and found.broker_order_id == first.broker_order_id, f"found by the tag: {found}")


async def _is_refused(stage: Stage, outcome: PlaceOutcome) -> None:
    require(outcome.outcome is Outcome.REFUSED, f"it was {outcome.outcome.value}: {outcome.text}")
    read = await stage.snapshot()
    live = [order for order in read.orders if order.state is OrderState.OPEN]
    require(not live and not read.positions, f"and yet there is something: {live} {read.positions}")


def _looks(order: OrderReport, side: Side, kind: OrderType, quantity: int) -> None:
    seen = order.side, order.order_type, order.quantity, order.filled_quantity
    require(seen == (side, kind, quantity, 0), f"told as {seen}")
