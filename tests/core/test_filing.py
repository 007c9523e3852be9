"""Where an order is kept, and its timers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core.account import Account
from ordergate.core.filing import complete_if_filled, ended, known, leg_timer, linked, put, step, timer, without
from ordergate.core.order import Change, Order, OrderType, Role, Side, Status, Terms, Trigger
from ordergate.errors import IllegalTransition
from tests.core.desk import ACCOUNT, MES

EMPTY = Account(ACCOUNT)


def order(order_id: str = "a", status: Status = Status.WORKING, **more: object) -> Order:
    terms = Terms(ACCOUNT, MES.contract_id, Side.BUY, 3, OrderType.MARKET)
    return replace(Order(order_id, terms, Role.ENTRY, status), **more)


def test_a_step_follows_the_table_and_keeps_the_time_it_is_given() -> None:
    stepped = step(order(), Trigger.CANCEL, 7)
    assert (stepped.status, stepped.updated_ns) == (Status.CANCELLED, 7)
    assert step(stepped, Trigger.CANCEL).updated_ns == 7


def test_a_step_of_our_own_that_is_not_in_the_table_raises() -> None:
    with pytest.raises(IllegalTransition):
        step(order(status=Status.FILLED), Trigger.WANT_CANCEL)


def test_a_fact_that_is_not_in_the_table_is_never_journaled() -> None:
    with pytest.raises(AssertionError, match="was journaled"):
        step(order(status=Status.DENIED), Trigger.FILL)


@pytest.mark.parametrize(
    ("more", "acts"),
    [
        ({}, True),
        ({"status": Status.IN_DOUBT}, True),
        ({"status": Status.FILLED}, False),
        ({"status": Status.FILLED, "opened_quantity": 1}, True),
        ({"status": Status.FILLED, "opened_quantity": 1, "exited_quantity": 1}, False),
        ({"status": Status.CANCELLED, "reported_filled": 2, "filled_quantity": 1}, True),
    ],
)
def test_an_order_that_can_still_act_is_kept_apart(more: dict[str, Any], acts: bool) -> None:  # noqa: FBT001
    account = put(EMPTY, order(**more))
    assert ("a" in account.orders, "a" in account.done) == (acts, not acts)


def test_an_order_that_is_done_takes_its_timers_and_failures_along() -> None:
    account = put(EMPTY, order())
    for kind in ("order", "cancel", "change", "fills", "target"):
        account = timer(account, f"{kind}:a", 5)
    account = timer(account, "order:b", 6)
    account = replace(account, stop_failures={"a": 2, "b": 1}, bracket_timers={"a": 7, "b": 8})
    account = put(account, order(status=Status.CANCELLED))
    assert (account.timers, account.stop_failures, account.bracket_timers) == ({"order:b": 6}, {"b": 1}, {"b": 8})


def test_an_order_comes_back_from_those_that_are_done() -> None:
    account = put(put(EMPTY, order(status=Status.CANCELLED)), order(status=Status.CANCELLED, opened_quantity=2))
    assert ("a" in account.orders, "a" in account.done) == (True, False)


def test_what_was_under_way_ends_and_the_rest_stays() -> None:
    account = timer(timer(timer(EMPTY, "cancel:a", 5), "fills:a", 6), "cancel:b", 7)
    account = timer(timer(account, "order:a", 8), "change:a", 9)
    assert ended(account, order()).timers == {"fills:a": 6, "cancel:b": 7}


def test_an_order_is_linked_once_the_broker_has_named_it() -> None:
    assert linked(EMPTY, order()) == EMPTY
    assert linked(EMPTY, order(broker_order_id=9)).broker_ids.get(9) == "a"


def test_a_leg_wakes_its_entry_while_that_can_act() -> None:
    leg = order("s", role=Role.STOP, parent_id="a")
    assert leg_timer(put(EMPTY, order()), leg, 100, 5).bracket_timers == {"a": 105}
    assert leg_timer(EMPTY, leg, 100, 5).bracket_timers == {}
    assert leg_timer(put(EMPTY, order()), order("b"), 100, 5).bracket_timers == {}


@pytest.mark.parametrize(
    ("more", "complete"),
    [
        ({"filled_quantity": 2}, False),
        ({"filled_quantity": 3}, True),
        ({"filled_quantity": 3, "change": Change(1, 4, None, None)}, False),
        ({"filled_quantity": 3, "change": Change(1, 2, None, None)}, True),
        ({"filled_quantity": 3, "status": Status.CANCELLED}, False),
    ],
)
def test_an_order_is_complete_when_nothing_of_its_largest_size_is_left(more: dict[str, Any], complete: bool) -> None:  # noqa: FBT001
    done = complete_if_filled(order(**more), 7)
    assert (done.status is Status.FILLED) is complete
    assert not complete or (done.change, done.updated_ns) == (None, 7)


def test_a_journaled_name_is_in_the_book() -> None:
    assert known(put(EMPTY, order()), "a").order_id == "a"
    with pytest.raises(AssertionError, match="not in the book"):
        known(EMPTY, "a")


def test_without_gives_a_copy() -> None:
    given = {"a": 1, "b": 2}
    assert without(given, "a") == {"b": 2}
    assert without(given, "c") == given
    assert given == {"a": 1, "b": 2}
