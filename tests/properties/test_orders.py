"""What ``Orders`` knows beside the orders: after every event it is what the slow way says."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from msgspec.structs import replace

from ordergate.bus import topics
from ordergate.core.account import Account, Group
from ordergate.core.decide import REACTIONS
from ordergate.core.doubt import ask_about
from ordergate.core.draft import Draft
from ordergate.core.figures import figures
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.order import BracketMode, Order, Role, Side, Status
from ordergate.core.orders import Orders
from ordergate.core.worst import new_risk_usd
from tests.core.desk import ACCOUNT, MES
from tests.properties.world import Choices, World, often, runs

LIMITS = Limits(position_quantity_max=6, daily_loss_usd_max=Decimal(10**9), risk_percent_max=Decimal(10**6))


@often
@given(runs(300))
def test_what_is_known_of_the_orders_is_what_the_slow_way_says(choices: Choices) -> None:
    mode = BracketMode.AUTO_OCO if choices.chance(3) else BracketMode.UNKNOWN
    world = World(choices, LIMITS, legs=True, strangers=choices.chance(2), mode=mode)

    def nothing_is_forgotten() -> None:
        check(world.desk.group, world.desk.account)
        desk = world.desk
        draft = Draft(unremembered(desk.group), desk.market)
        for order in desk.account.live_orders():
            ask_about(draft, order)
        for react in REACTIONS:
            react(draft, ACCOUNT)
        assert draft.events == []
        assert desk.figures() == figures(draft.group, draft.account(ACCOUNT), Market(desk.quotes, desk.now_ns))

    world.after = nothing_is_forgotten
    while world.choices:
        world.step()
    told = topics.news(topics.encode(topics.State(world.desk.group)))
    assert told == topics.State(world.desk.group)
    check(told.group, told.group.accounts[ACCOUNT])


def check(group: Group, account: Account) -> None:
    orders = list(account.orders.values())
    book = account.orders.book(MES.contract_id)
    for side in Side:
        known = book.leaves(side)
        its = [order for order in orders if order.terms.side is side]
        plain = [order for order in its if not order.is_leg]
        assert known.plain == sum(order.leaves for order in plain)
        assert known.live == sum(order.live for order in plain)
        assert known.risky == sum(order.leaves for order in plain if order.risk_ticks)
        assert known.risk_ticks == sum(order.leaves * order.risk_ticks for order in plain)
        assert known.legs == once(its, doubtful=False)
        assert known.doubtful == once(its, doubtful=True)
    found = figures(group, account, Market({}, 0))
    assert found.open_orders == sum(order.live and not order.is_leg for order in orders)
    held = [order for order in orders if order.open_quantity]
    exits_last = sorted(held, key=lambda order: order.is_exit)
    assert book.entries() == exits_last
    assert account.orders.pick(account.orders.cancelling) == [
        order for order in orders if order.status is Status.WORKING and order.cancel_wanted and not order.cancel_sent
    ]
    assert book.stop_orders() == [order for order in orders if order.live and order.terms.stop_ticks is not None]
    for entry in orders:
        assert book.legs_of(entry.order_id) == [leg for leg in orders if leg.is_leg and leg.parent_id == entry.order_id]
    again = Orders(named(orders)).book(MES.contract_id)
    assert (again.buys, again.sells, again.legs) == (book.buys, book.sells, book.legs)
    assert new_risk_usd(book, MES, account.position(MES.contract_id).net) == slow_risk_usd(account)


def unremembered(group: Group) -> Group:
    """The same state, without what was worked out from it before."""
    accounts = {name: replace(each, orders=Orders(dict(each.orders.items()))) for name, each in group.accounts.items()}
    return replace(group, accounts=accounts)


def once(orders: list[Order], *, doubtful: bool) -> int:
    """What has filled unseen, and the larger of a bracket's stops and its targets, over the brackets."""
    total = sum(order.unseen for order in orders if order.is_leg)
    for entry_id in {order.parent_id for order in orders if order.is_leg}:
        sizes = {Role.STOP: 0, Role.TARGET: 0}
        for leg in orders:
            if leg.is_leg and leg.parent_id == entry_id:
                counts = not doubtful or leg.status is Status.IN_DOUBT
                sizes[leg.role] += max(0, leg.leaves - leg.unseen) if counts else 0
        total += max(sizes.values())
    return total


def slow_risk_usd(account: Account) -> Decimal:
    """Contract by contract, those closest to their stop closing first."""
    net = account.position(MES.contract_id).net
    total = Decimal(0)
    for side in Side:
        room = max(0, -net * side.sign)
        its = [order for order in account.orders.values() if order.terms.side is side and not order.is_leg]
        distances = sorted(order.risk_ticks for order in its for _ in range(order.leaves))
        for ticks in distances[room:]:
            total += MES.money(ticks, 1) + 2 * MES.fee_usd if ticks else 0
    return total


def named(orders: list[Order]) -> dict[str, Order]:
    return {order.order_id: order for order in orders}
