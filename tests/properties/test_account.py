"""Any interleaving of orders, fills, cancels, changes, losses and doubts: the position never beyond its limit.

The broker is honest, its line is not. With every order that has left counted as filled on the bad side, the limit holds
at the broker itself, not only in our books.
"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from msgspec.structs import replace

from ordergate.core.effects import Modify, Place
from ordergate.core.order import Side
from tests.core.desk import WIDE
from tests.properties.world import Choices, World, often, runs

LIMIT = 5
LIMITS = replace(WIDE, position_quantity_max=LIMIT, daily_loss_usd_max=Decimal(10**9))


def worst_at_the_broker(world: World, side: Side) -> int:
    """The position if all that is open on ``side``, and all that is still on its way there, fills."""
    broker = world.broker
    open_ = {row.broker_order_id: row.quantity for row in broker.open_orders if row.side is side}
    sent = 0
    for request in world.requests:
        if isinstance(request.effect, Place) and request.effect.terms.side is side:
            sent += request.effect.terms.quantity
        if isinstance(request.effect, Modify) and request.effect.broker_order_id in open_:
            number = request.effect.broker_order_id
            open_[number] = max(open_[number], request.effect.terms.quantity)
    filled = sum(broker.orders[number].filled_quantity for number in open_)
    return broker.net * side.sign + sum(open_.values()) - filled + sent


@often
@given(runs(600))
def test_the_position_is_never_beyond_the_limit_in_any_order_of_fills(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=False)

    def within() -> None:
        for side in Side:
            assert worst_at_the_broker(world, side) <= LIMIT

    world.after = within
    while world.choices:
        world.step()
        within()
    world.come_to_rest()
    world.check_agreement()
    world.check_replay()


@often
@given(runs(400))
def test_at_rest_the_books_are_the_brokers_whoever_trades_the_account(choices: Choices) -> None:
    world = World(choices, LIMITS, legs=True, strangers=True)
    world.play()
    world.check_agreement()
    world.check_replay()
