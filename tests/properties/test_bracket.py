"""Brackets over a bad line: what is promised is covered, and exits close no more than is held.

The exact promise about exits (stops, targets, closes) is this:
1. No leg is ever asked for beyond what its entry still holds, by all that has been heard.
2. On a line that has delivered everything before the next fill, no exit takes the position through flat.
3. On a slower line only legs can: a stop and its target that both fill, or a leg and another closing order, before
   either is heard of. A closing order never does; what went through flat is closed again.
4. When everything has been heard, every contract held under a promise is covered by stops at the broker, exactly.
"""

from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.fold import evolve
from ordergate.core.order import Order, Role
from ordergate.core.reports import OrderReport
from tests.core.desk import ACCOUNT, WIDE
from tests.properties.world import Choices, World, often, runs

LIMITS = replace(WIDE, position_quantity_max=6)


@often
@given(runs(700))
def test_what_is_promised_is_covered_exactly_once_everything_has_been_heard(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True)
    while world.choices:
        world.step()
    world.come_to_rest()
    world.check_agreement()
    world.check_coverage()


@often
@given(runs(500))
def test_stops_that_somebody_moves_and_deletes_are_put_back(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, strangers=True)
    while world.choices:
        world.step()
    world.come_to_rest()
    world.check_agreement()
    world.check_coverage()


@often
@given(runs(500))
def test_no_leg_is_asked_for_beyond_what_its_entry_holds(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True)
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


def role_of(world: World, row: OrderReport) -> Role | None:
    order = world.desk.account.order(world.desk.account.tags.get(row.order_tag or ""))
    return None if order is None else order.role


def through_flat(world: World, roles: tuple[Role, ...], *, prompt: bool) -> None:
    """Run; no fill of these roles makes the position larger, or turns it."""
    fill = world.broker.fill

    def watched(row: OrderReport, quantity: int) -> None:
        before, role = world.broker.net, role_of(world, row)
        crossed = before * row.side.sign > 0  # legs have been here
        fill(row, quantity)
        after = world.broker.net
        if role in roles and not crossed:
            assert before * after >= 0, (role, before, after)
            assert abs(after) < abs(before), (role, before, after)

    world.broker.fill = watched  # type: ignore[method-assign]  # a witness, not a fake: it fills as before
    while world.choices:
        world.step()
        if prompt:
            world.catch_up()
    world.come_to_rest()


@often
@given(runs(250))
def test_on_a_prompt_line_no_exit_takes_the_position_through_flat(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, faults=False)
    through_flat(world, (Role.STOP, Role.TARGET, Role.CLOSE), prompt=True)


@often
@given(runs(700))
def test_on_any_line_a_closing_order_does_not_take_the_position_through_flat(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True)
    through_flat(world, (Role.CLOSE,), prompt=False)
    world.check_agreement()
    world.check_coverage()
