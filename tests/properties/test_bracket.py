"""Brackets over a bad line: what is promised is covered, and exits close no more than is held.

The exact promise about exits (stops, targets, closes) is this:
1. No leg is ever asked for beyond what its entry still holds, by all that has been heard.
2. On a line that has delivered everything before the next fill, no exit takes the position through flat.
3. A closing order is never asked for beyond what is left at the broker once everything else that closes has filled.
   (On a slow line legs can go through flat: a stop and its target that both fill, or a leg and another closing order,
   before either is heard of. What went through flat is closed again.)
4. When everything has been heard, every contract held under a promise is covered by stops at the broker, exactly.
"""

from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.effects import Place
from ordergate.core.fold import evolve
from ordergate.core.order import BracketMode, Order, OrderType, Role, Side
from ordergate.core.reports import OrderReport
from tests.core.desk import ACCOUNT, WIDE
from tests.properties.world import Choices, World, often, runs

LIMITS = replace(WIDE, position_quantity_max=6)


def some(choices: Choices) -> BracketMode:
    """Brackets that the broker makes, or ours."""
    return BracketMode.AUTO_OCO if choices.chance(2) else BracketMode.UNKNOWN


@often
@given(runs(700))
def test_what_is_promised_is_covered_exactly_once_everything_has_been_heard(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True)
    world.play()
    world.check_agreement()
    world.check_coverage()


@often
@given(runs(700))
def test_what_the_broker_protects_is_covered_exactly_too_by_one_engine(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, mode=BracketMode.AUTO_OCO)
    world.play()
    world.check_agreement()
    world.check_coverage()
    world.check_replay()
    stops = [row.quantity - row.filled_quantity for row in world.broker.open_orders if row.stop_ticks is not None]
    assert sum(stops) == sum(entry.open_quantity for entry in world.entries() if entry.protection.stop is not None)
    taken = [event for event in world.history if isinstance(event, e.ChildSeen)]
    assert len(taken) == len({event.order.broker_order_id for event in taken})


@often
@given(runs(500))
def test_stops_that_somebody_moves_and_deletes_are_put_back(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, strangers=True, mode=some(choices))
    world.play()
    world.check_agreement()
    world.check_coverage()


@often
@given(runs(500))
def test_no_leg_is_asked_for_beyond_what_its_entry_holds(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, mode=some(choices))
    while world.choices:
        world.step()
    group = Group()
    for event in world.history:
        group = evolve(group, event)
        if isinstance(event, e.OrderApproved | e.ModifyApproved):
            order_id = event.order.order_id if isinstance(event, e.OrderApproved) else event.order_id
            account = group.accounts[ACCOUNT]
            leg = account.order(order_id)
            assert leg is not None
            if isinstance(event, e.OrderApproved) or (leg.is_leg and leg.largest_quantity != leg.terms.quantity):
                check_size(account, leg)


def check_size(account: Account, leg: Order) -> None:
    """The legs of one role that are to stay are no larger than what their entry holds."""
    if not leg.is_leg:
        return
    entry = account.order(leg.parent_id)
    assert entry is not None
    staying = [x for x in account.legs(entry.order_id) if x.role is leg.role and not x.cancel_wanted]
    assert sum(x.leaves for x in staying) <= entry.open_quantity, (entry, staying)


@often
@given(runs(250))
def test_on_a_prompt_line_no_exit_takes_the_position_through_flat(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, faults=False, mode=some(choices))
    fill = world.broker.fill

    def watched(row: OrderReport, quantity: int) -> None:
        before = world.broker.net
        order = world.desk.account.order(world.desk.account.tags.get(row.order_tag or ""))
        fill(row, quantity)
        if order is not None and order.role in (Role.STOP, Role.TARGET, Role.CLOSE):
            assert before * world.broker.net >= 0, (order, before)
            assert abs(world.broker.net) < abs(before), (order, before)

    world.broker.fill = watched  # type: ignore[method-assign]
    while world.choices:
        world.step()
        world.catch_up()


@often
@given(runs(700))
def test_a_closing_order_is_never_asked_for_beyond_what_is_surely_left(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, late=False, oco=True)
    seen = 0

    def enough_is_left() -> None:
        nonlocal seen
        for event in world.history[seen:]:
            if isinstance(event, e.OrderApproved) and event.order.role is Role.CLOSE:
                terms = event.order.terms
                left = -world.broker.net * terms.side.sign - may_close(world, terms.side, event.order.tag)
                assert left >= terms.quantity, event
        seen = len(world.history)

    world.after = enough_is_left
    world.play()
    world.check_agreement()
    world.check_coverage()


def may_close(world: World, side: Side, without: str) -> int:
    """All that is open at the broker on ``side``, or on its way there; of a bracket the larger leg."""
    amounts = [
        (row.order_tag or "", row.order_type, row.quantity - row.filled_quantity)
        for row in world.broker.open_orders
        if row.side is side
    ]
    amounts += [
        (effect.order_tag, effect.terms.order_type, effect.terms.quantity)
        for effect in (request.effect for request in world.requests if not world.is_expired(request))
        if isinstance(effect, Place) and effect.terms.side is side and not world.is_overtaken(effect.order_tag)
    ]
    brackets: dict[str, dict[OrderType, int]] = {}
    for tag, order_type, amount in amounts:
        if tag != without:
            kinds = brackets.setdefault(world.broker.entries.get(tag, tag), {})
            kinds[order_type] = kinds.get(order_type, 0) + amount
    return sum(max(kinds.values()) for kinds in brackets.values())
