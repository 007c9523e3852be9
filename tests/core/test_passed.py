"""Orders of instances that pass: the mark skips the limits of that one order, and decides nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg, LockOut, SetPaused, SubmitOrder
from ordergate.core.effects import Place
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import judge
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import OrderType, Side, Status
from ordergate.core.preview import preview
from ordergate.core.reports import LinkReport
from tests.core.desk import ACCOUNT, BID, MES, MS_NS, Desk

TIGHT = Limits(order_quantity_max=3)


def order(desk: Desk, order_id: str, quantity: int = 4, **more: Any) -> SubmitOrder:
    command = SubmitOrder(
        desk.request_id(),
        ACCOUNT,
        order_id,
        MES.contract_id,
        Side.BUY,
        quantity,
        OrderType.MARKET,
        stop=Leg.OFF,
        targets=Leg.OFF,
        instance_id="bot-7",
        passed=True,
    )
    return replace(command, **more)


def codes(desk: Desk, order_id: str, **more: Any) -> list[str]:
    return [breach.code for breach in desk.ask(order(desk, order_id, **more)).breaches]


@pytest.mark.parametrize("modes", [Modes(), Modes(preserve=True), Modes(intercept=False), Modes(shadow=True)], ids=str)
def test_no_limit_is_asked_of_it_in_any_mode_and_the_record_says_so(modes: Modes) -> None:
    desk = Desk(TIGHT, modes=modes)
    assert codes(desk, "a") == []
    (approved,) = desk.told(e.OrderApproved)
    assert (approved.kind, approved.order.passed, approved.order.instance_id) == (e.ApprovalKind.PASSED, True, "bot-7")
    assert [place.grant.kind for place in desk.asked(Place)] == [e.ApprovalKind.PASSED]
    assert desk.told(e.OrderOverridden) == []
    assert desk.account.day.passed == 1


def test_an_order_of_anybody_else_at_the_same_desk_is_held_to_the_limits_and_counts_what_passed() -> None:
    desk = Desk(Limits(position_quantity_max=5))
    assert codes(desk, "bots") == []
    assert desk.codes("mine", quantity=2) == ["MAX_POSITION_SIZE"]
    assert desk.group.modes.enforcing


def test_whatever_is_no_limit_is_asked_of_it_too() -> None:
    desk = Desk(TIGHT)
    stamp = Stamped(order(desk, "old"), desk.market, desk.now_ns - (desk.group.limits.age_ms_max + 1) * MS_NS)
    assert [breach.code for breach in judge(desk.group, desk.account, order(desk, "old"), stamp).breaches] == [
        "TOO_OLD"
    ]
    assert codes(desk, "early", sent_ns=desk.now_ns + (desk.group.limits.clock_ahead_ms_max + 1) * MS_NS) == [
        "CLOCK_SKEW"
    ]
    desk.ask(SetPaused(desk.request_id(), on=True, by=e.Door.PAGE))
    assert codes(desk, "paused") == ["PAUSED"]
    desk.ask(SetPaused(desk.request_id(), on=False, by=e.Door.PAGE))
    desk.feed(LinkReport(up=False, reason="gone"))
    assert codes(desk, "blind") == ["BROKER_LINK_DOWN"]
    desk.ask(LockOut(desk.request_id(), ACCOUNT))
    assert codes(desk, "locked") == ["LOCKED_OUT", "BROKER_LINK_DOWN"]
    assert desk.asked(Place) == []
    assert desk.account.day.passed == 0


def test_a_halted_account_takes_none_of_it() -> None:
    desk = Desk(TIGHT)
    account = replace(desk.account, trading_state=e.TradingState.HALTED, state_message="why")
    desk.group = replace(desk.group, accounts={ACCOUNT: account})
    assert codes(desk, "a") == ["TRADING_HALTED"]


def test_an_order_that_a_flatten_overtook_is_superseded() -> None:
    desk = Desk(TIGHT)
    answer = desk.ask(order(desk, "a"), superseded=True)
    assert [breach.code for breach in answer.breaches] == ["SUPERSEDED"]


def test_asked_for_again_it_is_one_order() -> None:
    desk = Desk(TIGHT)
    for _ in range(3):
        assert desk.ask(order(desk, "a", fingerprint="same")).ok
    assert desk.ask(order(desk, "a", fingerprint="other")).code == "ORDER_ID_REUSED"
    assert len(desk.asked(Place)) == 1
    assert desk.account.day.passed == 1


def test_of_its_changes_no_limit_is_asked_either() -> None:
    desk = Desk(TIGHT)
    desk.ask(order(desk, "bots", 2, order_type=OrderType.LIMIT, limit_ticks=BID - 8))
    desk.submit("mine", quantity=2, limit=BID - 8)
    desk.accept("bots", "mine")
    assert desk.modify("bots", quantity=9).ok
    (approved,) = desk.told(e.ModifyApproved)
    assert approved.kind is e.ApprovalKind.PASSED
    assert desk.modify("mine", quantity=9).code == "MAX_ORDER_SIZE"


def test_it_has_the_stop_that_it_carries_and_an_order_of_it_that_only_closes_is_reducing() -> None:
    desk = Desk(TIGHT)
    desk.ask(order(desk, "a"))
    assert desk.order("a").protection.stop is None
    desk.accept("a")
    desk.fill("a")
    assert desk.order("a").status is Status.FILLED
    assert desk.ask(order(desk, "out", side=Side.SELL)).ok
    assert desk.told(e.OrderApproved)[-1].kind is e.ApprovalKind.REDUCING
    assert desk.account.day.passed == 1


def test_a_preview_of_it_says_that_it_passes() -> None:
    desk = Desk(TIGHT)
    command = order(desk, "a")
    seen = preview(desk.group, desk.account, command, Stamped(command, desk.market, desk.now_ns))
    assert (seen.breaches, seen.overridden, seen.ground) == ((), (), e.ApprovalKind.PASSED)
