"""The exposure against an independent, slow and obvious oracle: every subset of orders fills."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.account import Account
from ordergate.core.exposure import closable, worst_position
from ordergate.core.order import Change, Order, OrderType, Role, Side, Status, Terms
from ordergate.core.orders import Orders
from ordergate.core.pnl import Position
from tests.core.desk import ACCOUNT, MES, MNQ
from tests.properties.world import often

STATUSES = [Status.APPROVED, Status.WORKING, Status.WORKING, Status.IN_DOUBT, Status.CANCELLED, Status.FILLED]


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """A position, up to four orders of anybody's and up to two brackets; finished ones may have fills on the way."""
    net = draw(st.integers(-6, 6))
    orders: dict[str, Order] = {}

    def put(order_id: str, role: Role, side: Side, parent_id: str | None = None) -> None:
        quantity = draw(st.integers(1, 4))
        filled = draw(st.integers(0, quantity))
        status = draw(st.sampled_from(STATUSES))
        contract = draw(st.sampled_from([MES, MES, MES, MNQ]))
        terms = Terms(ACCOUNT, contract.contract_id, side, quantity, OrderType.MARKET)
        order = Order(order_id, terms, role, status, parent_id=parent_id, filled_quantity=filled)
        orders[order_id] = Order(
            order_id,
            terms,
            role,
            status,
            parent_id=parent_id,
            filled_quantity=filled,
            reported_filled=draw(st.integers(0, quantity)),
            change=Change(1, draw(st.integers(1, 5)), None, None) if order.live and draw(st.booleans()) else None,
        )

    for number in range(draw(st.integers(0, 4))):
        put(f"o{number}", draw(st.sampled_from([Role.ENTRY, Role.EXTERNAL, Role.CLOSE])), draw(st.sampled_from(Side)))
    for number in range(draw(st.integers(0, 2))):
        side = draw(st.sampled_from(Side))
        for role in draw(st.sampled_from([(Role.STOP,), (Role.TARGET,), (Role.STOP, Role.TARGET)])):
            put(f"b{number}/{role.value}", role, side, f"b{number}")
    positions = {MES.contract_id: Position(MES.contract_id, net, net and 100)} if net else {}
    return Account(ACCOUNT, orders=Orders(orders), positions=positions)


def may_fill(order: Order) -> int:
    """The most that can still become known to have filled, spelled out."""
    if order.status in (Status.APPROVED, Status.WORKING, Status.IN_DOUBT):
        sizes = [order.terms.quantity] + ([order.change.quantity] if order.change is not None else [])
        return max(0, max(sizes) - order.filled_quantity)
    return unseen(order)


def unseen(order: Order) -> int:
    """Contracts that are shown as filled, and whose fills have not come: sure, whatever else happens."""
    return max(0, order.reported_filled - order.filled_quantity)


def outcomes(orders: list[Order], amounts: list[int]) -> list[int]:
    """Every sum that some of the orders can reach, a bracket's stops and targets one or the other."""
    groups: dict[str, dict[Role, int]] = {}
    for order, amount in zip(orders, amounts, strict=True):
        roles = groups.setdefault(order.parent_id or order.order_id, {})
        roles[order.role] = roles.get(order.role, 0) + amount
    return [sum(chosen) for chosen in product(*([0, *roles.values()] for roles in groups.values()))]


@often
@given(accounts(), st.sampled_from(Side), st.integers(1, 5))
def test_the_worst_position_is_the_worst_of_all_subsets(account: Account, side: Side, quantity: int) -> None:
    net = account.position(MES.contract_id).net
    orders = [o for o in account.orders.values() if o.terms.contract_id == MES.contract_id and o.terms.side is side]
    plain = [order for order in orders if not order.is_leg]
    legs = [order for order in orders if order.is_leg]
    closes, sure = max(0, -net * side.sign), sum(unseen(leg) for leg in legs)
    worst = max(
        net * side.sign + quantity + opened + max(0, sure + closed - closes)
        for opened in outcomes(plain, [may_fill(order) for order in plain])
        for closed in outcomes(legs, [max(0, may_fill(order) - unseen(order)) for order in legs])
    )
    assert worst_position(account, MES.contract_id, side, quantity) == worst * side.sign


@often
@given(accounts(), st.sampled_from(Side))
def test_what_can_be_closed_is_the_least_that_any_subset_leaves(account: Account, side: Side) -> None:
    net = account.position(MES.contract_id).net
    orders = [o for o in account.orders.values() if o.terms.contract_id == MES.contract_id and o.terms.side is side]
    plain = [order for order in orders if not order.is_leg]
    legs = [order for order in orders if order.is_leg]
    # A leg that works gives way to whoever closes; one in doubt may be gone already, and what is shown as filled is.
    gone = [max(0, may_fill(leg) - unseen(leg)) if leg.status is Status.IN_DOUBT else 0 for leg in legs]
    sure = sum(unseen(leg) for leg in legs)
    least = min(
        max(0, -net * side.sign - closed - sure - lost)
        for closed in outcomes(plain, [may_fill(order) for order in plain])
        for lost in outcomes(legs, gone)
    )
    assert closable(account, MES.contract_id, side) == least


@often
@given(accounts(), st.sampled_from(Side))
def test_an_order_of_what_can_be_closed_never_makes_the_worst_case_worse_than_flat(
    account: Account, side: Side
) -> None:
    size = closable(account, MES.contract_id, side)
    legs = [order for order in account.orders.values() if order.is_leg]
    without_legs = Account(
        ACCOUNT,
        orders=Orders({name: order for name, order in account.orders.items() if order not in legs}),
        positions=account.positions,
    )
    if size:
        assert worst_position(without_legs, MES.contract_id, side, size) * side.sign <= 0
