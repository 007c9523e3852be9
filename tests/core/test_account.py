"""The state: what can be asked of it, and that nothing in it is ever changed in place."""

from __future__ import annotations

import pytest

from ordergate.core.account import Account, Group, RunningExit
from ordergate.core.order import Role, Side, Status
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, Desk


def test_an_order_is_found_whether_it_can_still_act_or_not() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.submit("b", quantity=11)
    assert set(desk.account.orders) == {"a"}
    assert set(desk.account.done.keys()) == {"b"}
    assert desk.account.order("a") is not None
    assert desk.account.order("b") is not None
    assert desk.account.order("c") is None
    assert desk.account.order(None) is None


def test_a_position_that_is_not_held_is_flat() -> None:
    assert Desk().account.position(MES.contract_id).net == 0


def test_live_orders_are_told_by_contract_oldest_first() -> None:
    desk = Desk()
    for name, instrument in (("a", MES), ("b", MNQ), ("c", MES)):
        desk.submit(name, limit=BID, instrument=instrument)
    assert [order.order_id for order in desk.account.live_orders()] == ["a", "b", "c"]
    assert [order.order_id for order in desk.account.live_orders(MES.contract_id)] == ["a", "c"]


def test_the_legs_of_an_entry_are_its_live_stops_and_targets() -> None:
    desk = Desk()
    desk.hold("a")
    desk.hold("b")
    assert [leg.role for leg in desk.account.legs("a")] == [Role.STOP, Role.TARGET]
    desk.cancelled(desk.target("a").order_id)
    assert {leg.parent_id for leg in desk.account.legs("a")} == {"a"}


def test_an_entry_that_holds_contracts_can_still_act() -> None:
    desk = Desk()
    desk.hold("a")
    assert desk.order("a").status is Status.FILLED
    assert "a" in desk.account.orders
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    assert "a" in desk.account.done


@pytest.mark.parametrize(("quantity", "filled", "left"), [(None, 2, None), (3, 2, 1), (3, 0, 3), (3, 5, 0)])
def test_a_running_exit_knows_what_it_has_still_to_close(quantity: int | None, filled: int, left: int | None) -> None:
    desk = Desk()
    desk.submit("a", Side.SELL, 5)
    desk.accept("a")
    if filled:
        desk.fill("a", filled)
    exit_ = RunningExit("x", MES.contract_id, quantity, "test")
    assert exit_.still_closing(desk.order("a")) == left
    assert exit_.still_closing(None) == quantity


def test_a_book_is_named_by_venue_and_account_or_login() -> None:
    group = Group(venue="sim", login="practice")
    assert (group.book(101), group.book(0)) == ("sim:101:live", "sim:practice:live")


def test_an_order_is_looked_for_in_one_account_or_in_all() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    for account_id in (None, ACCOUNT):
        found = desk.group.find_order("a", account_id)
        assert found is not None
        assert found[1].order_id == "a"
    assert desk.group.find_order("a", 999) is None
    assert desk.group.find_order("b", None) is None


def test_states_do_not_share_what_one_of_them_changes() -> None:
    desk = Desk()
    before, kept = desk.account, Account(1)
    desk.hold("a")
    assert before.orders == {}
    assert before.timers.keys() == {"day"}
    assert kept == Account(1)
