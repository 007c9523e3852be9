"""``Orders``: immutable, oldest first, and what follows from it. tests/properties/test_orders.py compares the sums."""

from __future__ import annotations

from ordergate.core.order import Order, OrderType, Role, Side, Status, Terms
from ordergate.core.orders import Leaves, Orders

MES = "MES"


def order(order_id: str, role: Role = Role.ENTRY, quantity: int = 2, **more: object) -> Order:
    side = Side.SELL if role in (Role.STOP, Role.TARGET) else Side.BUY
    terms = Terms(1, MES, side, quantity, OrderType.STOP, stop_ticks=100 if role is Role.STOP else None)
    return Order(order_id, terms, role, Status.WORKING, **more)  # type: ignore[arg-type]


def test_a_change_leaves_the_one_before_as_it_was() -> None:
    before = Orders().put(order("a"))
    after = before.put(order("b"))
    assert (list(before), list(after), list(after.delete("a"))) == (["a"], ["a", "b"], ["b"])
    assert before.book(MES).buys.plain == 2
    assert after.delete("nobody") is after


def test_a_changed_order_keeps_its_place_and_those_picked_are_told_oldest_first() -> None:
    orders = Orders().put(order("b")).put(order("a")).put(order("c")).put(order("b", quantity=5))
    assert list(orders) == ["b", "a", "c"]
    assert [found.order_id for found in orders.pick({"a", "b", "unknown"})] == ["b", "a"]
    assert [found.order_id for found in orders.pick({"c"})] == ["c"]
    assert orders.pick({"unknown"}) == []


def test_of_a_bracket_the_larger_leg_counts_and_a_leg_that_ends_counts_no_more() -> None:
    orders = Orders({x.order_id: x for x in (order("s", Role.STOP, 3, parent_id="a"),)})
    orders = orders.put(order("t", Role.TARGET, 5, parent_id="a")).put(order("u", Role.STOP, 1, parent_id="b"))
    assert orders.book(MES).sells.legs == 6
    assert orders.delete("t").book(MES).sells.legs == 4
    assert [leg.order_id for leg in orders.book(MES).legs_of("a")] == ["s", "t"]
    assert [stop.order_id for stop in orders.book(MES).stop_orders()] == ["s", "u"]


def test_what_comes_to_nothing_is_forgotten() -> None:
    orders = Orders().put(order("a", risk_ticks=40))
    assert orders.book(MES).buys == Leaves(plain=2, live=1, risky=2, risk_ticks=80)
    assert orders.delete("a").books == {}
    assert orders.delete("a") == Orders()
