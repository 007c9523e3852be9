"""Modes from the settings of a start, and interception switched while the day runs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer, LockOut, SetInterception
from ordergate.core.effects import Place
from ordergate.core.fold import evolve
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from tests.core.desk import ACCOUNT, BID, Desk

TIGHT = Limits(order_quantity_max=3)
OFF = Modes(intercept=False)


def switched(desk: Desk, *, on: bool) -> Answer:
    return desk.ask(SetInterception(desk.request_id(), on))


def test_the_modes_of_a_start_are_on_the_record_and_fold_from_it() -> None:
    desk = Desk(modes=Modes(preserve=True))
    (told,) = desk.told(e.ModesChanged)
    assert (told.modes, told.configured, told.cause) == (Modes(preserve=True), Modes(preserve=True), "the settings")
    group = Group()
    for event in desk.events:
        group = evolve(group, event)
    assert (group.modes, group) == (Modes(preserve=True), desk.group)


def test_a_journal_from_before_there_were_modes_enforces() -> None:
    desk = Desk()
    assert desk.told(e.ModesChanged) == []
    assert desk.group.modes == Modes()


def test_the_same_settings_again_are_no_event() -> None:
    desk = Desk(modes=OFF)
    desk.forget()
    desk.started_again(OFF)
    assert desk.told(e.ModesChanged) == []


def test_interception_is_switched_off_and_on_for_the_orders_decided_from_then_on() -> None:
    desk = Desk(TIGHT)
    assert desk.codes("a", quantity=4) == ["MAX_ORDER_SIZE"]
    assert switched(desk, on=False).ok
    assert desk.submit("b", quantity=4).ok
    assert switched(desk, on=True).ok
    assert desk.codes("c", quantity=4) == ["MAX_ORDER_SIZE"]
    assert [place.grant.kind.value for place in desk.asked(Place)] == ["passed"]
    told = desk.told(e.ModesChanged)
    assert [(event.modes.intercept, event.configured.intercept, event.cause) for event in told] == [
        (False, True, "asked for"),
        (True, True, "asked for"),
    ]


def test_what_is_asked_for_already_is_answered_and_no_event() -> None:
    desk = Desk()
    desk.forget()
    assert switched(desk, on=True).ok
    assert desk.events == []


def test_it_is_not_switched_off_while_an_account_is_locked_out() -> None:
    desk = Desk()
    desk.ask(LockOut("lock", ACCOUNT))
    answer = switched(desk, on=False)
    assert (answer.ok, answer.code) == (False, "LOCKED_OUT")
    assert desk.group.modes.intercept


@pytest.mark.parametrize(
    ("state", "code"), [(e.TradingState.HALTED, "TRADING_HALTED"), (e.TradingState.REDUCING, "REDUCE_ONLY")]
)
def test_it_is_not_switched_off_while_an_account_is_stopped(state: e.TradingState, code: str) -> None:
    desk = Desk()
    account = replace(desk.account, trading_state=state, state_message="why")
    desk.group = replace(desk.group, accounts={ACCOUNT: account})
    answer = switched(desk, on=False)
    assert (answer.ok, answer.code) == (False, code)
    assert "why" in answer.message
    assert desk.group.modes.intercept


def test_it_is_switched_on_at_any_time() -> None:
    desk = Desk(modes=OFF)
    desk.ask(LockOut("lock", ACCOUNT))
    assert switched(desk, on=True).ok
    assert desk.group.modes.intercept


def test_a_persons_switch_holds_over_a_restart_until_the_setting_itself_is_changed() -> None:
    desk = Desk(modes=OFF)
    switched(desk, on=True)
    desk.started_again(OFF)
    assert desk.group.modes == Modes()
    desk.started_again(Modes(intercept=False, preserve=True))
    assert desk.group.modes == Modes(preserve=True), "another setting was changed"
    desk.started_again(Modes())
    desk.started_again(OFF)
    assert desk.group.modes == OFF


def test_what_works_already_stays_as_it_is() -> None:
    desk = Desk(TIGHT)
    switched(desk, on=False)
    desk.submit("a", quantity=4, limit=BID - 40)
    desk.accept("a")
    desk.show("a")
    switched(desk, on=True)
    assert not desk.order("a").cancel_wanted
    desk.fill("a", price=BID - 40)
    assert desk.stop("a").terms.quantity == 4
