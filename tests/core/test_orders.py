"""``Orders``: immutable, oldest first, and what follows from it. tests/properties/test_orders.py compares the sums."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

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
    names = [f"o{number}" for number in range(20)]
    for name in names:
        orders = orders.put(order(name))
    assert [found.order_id for found in orders.pick(frozenset(names))] == names


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


def test_what_is_counted_follows_every_change() -> None:
    orders = Orders().put(order("a", risk_ticks=40)).put(order("a", quantity=5, risk_ticks=30)).put(order("b"))
    assert orders.book(MES).buys == Leaves(plain=7, live=2, risky=5, risk_ticks=150)
    assert orders.delete("a").book(MES).buys == Leaves(plain=2, live=1)


def test_the_legs_of_a_bracket_add_up_to_its_stops_or_to_its_targets() -> None:
    legs = (
        order("s", Role.STOP, 3, parent_id="a"),
        order("t", Role.TARGET, 4, parent_id="a"),
        order("s2", Role.STOP, 2, parent_id="a"),
    )
    one_by_one = Orders()
    for leg in legs:
        one_by_one = one_by_one.put(leg)
    for orders in (one_by_one, Orders({leg.order_id: leg for leg in legs})):
        assert orders.book(MES).sells == Leaves(legs=5)
        assert [leg.order_id for leg in orders.book(MES).legs_of("a")] == ["s", "t", "s2"]


def test_a_leg_in_doubt_is_doubtful_until_the_doubt_ends() -> None:
    leg, other = order("s", Role.STOP, 3, parent_id="a"), order("s2", Role.STOP, 1, parent_id="a")
    lost = [replace(each, status=Status.IN_DOUBT) for each in (leg, other)]
    orders = Orders().put(lost[0]).put(lost[1])
    assert orders.book(MES).sells == Leaves(legs=4, doubtful=4)
    assert orders.put(leg).book(MES).sells == Leaves(legs=4, doubtful=1)
    assert orders.put(leg).put(other).book(MES).sells == Leaves(legs=4)


def test_the_legs_of_an_entry_that_has_none_left_are_forgotten() -> None:
    orders = Orders().put(order("a")).put(order("s", Role.STOP, parent_id="a"))
    assert orders.delete("s").book(MES).legs == {}


def test_an_entry_is_known_as_one_while_contracts_of_it_are_held() -> None:
    entry = order("a", opened_quantity=2)
    orders = Orders().put(order("b")).put(entry)
    assert orders.book(MES).entries() == [entry]
    assert orders.put(replace(entry, exited_quantity=2)).book(MES).entries() == []


def test_a_wanted_cancel_is_known_until_it_is_sent_or_the_order_goes() -> None:
    wanted = order("a", cancel_wanted=True)
    orders = Orders().put(order("b")).put(wanted)
    assert orders.cancelling == Orders(dict(orders.items())).cancelling == {"a"}
    assert orders.put(replace(wanted, cancel_sent=1)).cancelling == frozenset()
    assert orders.delete("a").cancelling == frozenset()
    assert Orders().put(replace(wanted, status=Status.IN_DOUBT)).cancelling == frozenset()


@pytest.mark.parametrize(
    ("changed", "at_rest"),
    [
        (order("new"), True),
        (order("plain", quantity=3), True),
        (order("new", opened_quantity=1), False),
        (order("holds", opened_quantity=2, exited_quantity=2), False),
        (order("has legs", quantity=3), False),
        (order("t", Role.TARGET, parent_id="has legs"), False),
    ],
    ids=["comes", "changes", "begins to hold", "holds no more", "has legs", "is a leg"],
)
def test_brackets_at_rest_stay_so_until_an_order_of_one_changes(changed: Order, *, at_rest: bool) -> None:
    orders = Orders().put(order("plain")).put(order("holds", opened_quantity=2)).put(order("has legs"))
    orders = orders.put(order("s", Role.STOP, parent_id="has legs"))
    assert not Orders(dict(orders.items())).book(MES).brackets_rest, "nobody has looked at them yet"
    orders.book(MES).brackets_rest = True
    assert orders.put(changed).book(MES).brackets_rest is at_rest


def test_a_book_that_was_not_at_rest_does_not_come_to_rest_by_itself() -> None:
    orders = Orders().put(order("plain"))
    assert not orders.put(order("new")).book(MES).brackets_rest


def test_a_changed_leg_keeps_its_place_in_its_bracket() -> None:
    orders = Orders().put(order("s", Role.STOP, parent_id="a")).put(order("t", Role.TARGET, parent_id="a"))
    again = orders.put(order("s", Role.STOP, 1, parent_id="a"))
    assert [leg.order_id for leg in again.book(MES).legs_of("a")] == ["s", "t"]


def test_read_back_they_know_which_are_legs_which_are_held_and_which_are_stops() -> None:
    told = (order("a"), order("s", Role.STOP, parent_id="a"), order("h", opened_quantity=1))
    gone = replace(order("g", Role.STOP, parent_id="h"), status=Status.CANCELLED, reported_filled=1)
    orders = Orders({each.order_id: each for each in (*told, gone)})
    book = orders.book(MES)
    assert (len(orders), book.legs) == (4, {"a": ("s",), "h": ("g",)})
    assert ([each.order_id for each in book.entries()], [each.order_id for each in book.stop_orders()]) == (
        ["h"],
        ["s"],
    )
