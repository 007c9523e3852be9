"""In any state: what the preview says is what a submission gets, and what is named as nearest does pass."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from msgspec.structs import replace

from ordergate.bus.topics import State, encode
from ordergate.core.commands import Leg, ModifyOrder, Nearest, SubmitOrder
from ordergate.core.decide import Decided, decide
from ordergate.core.events import ModifyApproved
from ordergate.core.inputs import Stamped
from ordergate.core.limits import Limits
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status
from ordergate.core.preview import preview
from tests.core.desk import ACCOUNT, ASK, BID, MES
from tests.properties.world import Choices, World, often, runs

LIMITS = Limits(order_quantity_max=7, position_quantity_max=9, open_orders_max=4)


@often
@given(runs(300))
def test_preview_then_submission_agree_and_the_nearest_order_passes_unchanged(choices: Choices) -> None:
    loss = Decimal((100, 300, 900)[choices.below(3)])
    limits = replace(LIMITS, order_quantity_min=1 + choices.below(2), daily_loss_usd_max=loss)
    world = World(choices, limits, legs=True, strangers=True)
    while world.choices:
        world.step()
        if choices.chance(3):
            agree(world, order(choices))


def agree(world: World, command: SubmitOrder) -> None:
    desk = world.desk
    before = encode(State(desk.group))
    superseded = world.choices.chance(20)
    stamp = Stamped(command, desk.market, desk.now_ns, superseded)

    def submitted(like: SubmitOrder) -> Decided:
        return decide(desk.group, replace(stamp, input=like))

    told = preview(desk.group, desk.account, command, stamp)
    answer = submitted(command).answer
    assert answer is not None
    assert (answer.ok, answer.breaches, answer.nearest) == (not told.breaches, told.breaches, told.nearest)
    passing = [number for number in range(1, command.quantity) if ok(submitted(replace(command, quantity=number)))]
    if answer.ok:
        assert told.nearest is None
    elif told.nearest is None:
        assert passing == []
    else:
        named = msgspec.structs.asdict(told.nearest)
        assert ok(submitted(replace(command, **named)))
        if passing:
            assert replace(command, **named) == replace(command, quantity=max(passing))
        else:
            assert not ok(submitted(a_tick_back(command, replace(command, **named))))
    assert encode(State(desk.group)) == before


@often
@given(runs(300))
def test_a_denied_change_names_the_nearest_one_and_that_passes_unchanged(choices: Choices) -> None:
    loss = Decimal((100, 300, 900)[choices.below(3)])
    limits = replace(LIMITS, order_quantity_min=1 + choices.below(2), daily_loss_usd_max=loss)
    world = World(choices, limits, legs=True, strangers=True)
    while world.choices:
        world.step()
        account = world.desk.account
        working = [o for o in account.live_orders() if o.role is Role.ENTRY and o.status is Status.WORKING]
        if working:
            change(world, working[choices.below(len(working))])


def change(world: World, order: Order) -> None:
    """Ask for a change of a working entry, one in two at another price, and for all smaller ones."""
    choices, desk, terms = world.choices, world.desk, order.terms
    price = terms.limit_ticks
    if price is not None and choices.below(2):
        price = (BID - 30 + choices.below(60), BID - 700 + choices.below(256))[choices.below(2)]
    size = order.filled_quantity + 1 + choices.below(20)
    least = terms.quantity if price == terms.limit_ticks else order.filled_quantity

    def asked(quantity: int, limit_ticks: int | None) -> Decided:
        command = ModifyOrder("m", order.order_id, ACCOUNT, quantity=quantity, limit_ticks=limit_ticks)
        return decide(desk.group, Stamped(command, desk.market, desk.now_ns))

    answer = asked(size, price).answer
    assert answer is not None
    if not answer.breaches:
        assert answer.nearest is None
        return
    passing = [quantity for quantity in range(least + 1, size) if ok(asked(quantity, price))]
    named = answer.nearest
    if named is None:
        assert passing == []
        return
    again = asked(named.quantity, named.limit_ticks)
    assert ok(again)
    assert any(isinstance(event, ModifyApproved) for event in again.events), "it is a change"
    assert not passing or named == Nearest(max(passing), price)


def a_tick_back(asked: SubmitOrder, named: SubmitOrder) -> SubmitOrder:
    """``named`` one tick nearer to the price that was asked for."""
    if asked.limit_ticks is not None and named.limit_ticks is not None:
        return replace(named, limit_ticks=named.limit_ticks + (1 if asked.limit_ticks > named.limit_ticks else -1))
    assert asked.stop_ticks is not None
    assert named.stop_ticks is not None
    return replace(named, stop_ticks=named.stop_ticks + (1 if asked.stop_ticks > named.stop_ticks else -1))


def ok(decided: Decided) -> bool:
    assert decided.answer is not None
    return decided.answer.ok


def order(choices: Choices) -> SubmitOrder:
    """Any order; some with a stop at a price, which stands on the wrong side as often as not."""
    side = list(Side)[choices.below(2)]
    order_type = list(OrderType)[choices.below(3)]
    price = None if order_type is OrderType.MARKET else (BID, ASK)[choices.below(2)] - 30 + choices.below(60)
    stop: Exit | Leg = (Leg.DEFAULT, Leg.OFF, Exit(3), Exit(8), Exit(8, BID - 20 + choices.below(40)))[choices.below(5)]
    return SubmitOrder(
        request_id="p",
        account_id=ACCOUNT,
        order_id="p",
        contract_id=MES.contract_id,
        side=side,
        quantity=1 + choices.below(20),
        order_type=order_type,
        limit_ticks=price if order_type is OrderType.LIMIT else None,
        stop_ticks=price if order_type is OrderType.STOP else None,
        stop=stop,
    )
