"""A decision in the making: every event is folded at once, every approval has a number and a tag of its own."""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.draft import Draft
from ordergate.core.order import Order, OrderType, Protection, Role, Side, Status, Terms
from tests.core.desk import ACCOUNT, ASK, MES, SECOND_NS, Desk

TERMS = Terms(ACCOUNT, MES.contract_id, Side.BUY, 1, OrderType.MARKET)


def draft(desk: Desk) -> Draft:
    return Draft(desk.group, desk.market)


def test_what_is_added_is_seen_at_once_and_the_group_it_began_with_is_untouched() -> None:
    desk = Desk()
    begun = draft(desk)
    begun.add(e.EpochRaised(ACCOUNT, 7, "test"))
    assert begun.account(ACCOUNT).epoch == 7
    assert desk.account.epoch == 0
    assert len(begun.events) == 1


def test_approvals_are_numbered_and_tagged_one_by_one() -> None:
    begun = draft(Desk())
    for name in ("a", "b"):
        begun.approve(Order(name, TERMS, Role.ENTRY, Status.APPROVED), e.ApprovalKind.APPROVED)
    begun.approve_close("x", TERMS)
    approved = [event for event in begun.events if isinstance(event, e.OrderApproved)]
    assert [event.number for event in approved] == [1, 2, 3]
    assert [event.order.tag for event in approved] == [f"og-desk-{ACCOUNT}-{n}" for n in (1, 2, 3)]
    assert [event.order.order_id for event in approved] == ["a", "b", "x/close/3"]
    assert approved[0].quote == begun.quotes[MES.contract_id]


def test_a_cancel_is_wanted_once_and_only_of_what_is_live() -> None:
    begun = draft(Desk())
    begun.approve(Order("a", TERMS, Role.ENTRY, Status.APPROVED), e.ApprovalKind.APPROVED)
    for _ in range(2):
        begun.want_cancel(begun.account(ACCOUNT).orders["a"], "test")
    begun.want_cancel(Order("b", TERMS, Role.ENTRY, Status.FILLED), "test")
    assert len([event for event in begun.events if isinstance(event, e.CancelWanted)]) == 1


def test_a_promise_that_stays_as_it_is_is_no_event() -> None:
    desk = Desk()
    desk.hold("a")
    begun = draft(desk)
    begun.set_protection(desk.order("a"), desk.order("a").protection, "test")
    assert begun.events == []
    begun.set_protection(desk.order("a"), Protection(), "test")
    assert len(begun.events) == 1


def test_a_snapshot_under_way_is_not_asked_for_again_unless_it_must_be_newer() -> None:
    begun = draft(Desk())
    for anew, asked in ((False, 1), (False, 1), (True, 2)):
        begun.request_snapshot(begun.account(ACCOUNT), "test", anew=anew)
        assert len(begun.events) == asked


def test_the_price_of_a_decision_is_the_one_it_was_given() -> None:
    desk = Desk()
    desk.quote(MES, ASK - 5, ASK - 4)
    desk.submit("a")
    assert desk.told(e.OrderApproved)[0].quote == desk.quotes[MES.contract_id]


def test_an_approval_sets_the_status_and_the_times_of_its_order() -> None:
    begun = draft(Desk())
    begun.at_ns += 5
    begun.approve(Order("a", TERMS, Role.ENTRY, Status.DENIED), e.ApprovalKind.APPROVED)
    order = begun.account(ACCOUNT).orders["a"]
    assert (order.status, order.decided_ns, order.updated_ns) == (Status.APPROVED, begun.at_ns, begun.at_ns)


def test_legs_closes_and_changes_take_the_next_number_and_the_moment() -> None:
    begun = draft(Desk())
    begun.at_ns += 5
    begun.approve(Order("a", TERMS, Role.ENTRY, Status.APPROVED, instance_id="mine"), e.ApprovalKind.APPROVED)
    begun.approve_leg(begun.account(ACCOUNT).orders["a"], Role.STOP, TERMS)
    begun.approve_close("x", TERMS)
    begun.approve_change(begun.account(ACCOUNT).orders["a"], 2, None, None, e.ApprovalKind.APPROVED, 0)
    leg, close = begun.account(ACCOUNT).orders["a/stop/2"], begun.account(ACCOUNT).orders["x/close/3"]
    assert (leg.instance_id, leg.received_ns, close.received_ns) == ("mine", begun.at_ns, begun.at_ns)
    change = begun.account(ACCOUNT).orders["a"].change
    assert change is not None
    assert change.number == begun.account(ACCOUNT).number == 4


def test_a_reading_reaches_back_to_a_day_that_could_not_be_closed() -> None:
    desk = Desk()
    begun = draft(desk)
    begun.at_ns += 24 * 3_600 * SECOND_NS
    begun.request_snapshot(desk.account, "why", anew=True)
    (asked,) = [event for event in begun.events if isinstance(event, e.SnapshotRequested)]
    assert asked.since_ns == desk.account.day.opened_ns


def test_a_reading_need_not_reach_back_to_an_entry_that_has_filled() -> None:
    desk = Desk()
    desk.enter("a", stop=Leg.OFF, target=Leg.OFF)
    desk.wait(24 * 3_600 * 1_000)
    begun = draft(desk)
    begun.request_snapshot(desk.account, "why", anew=True)
    (asked,) = [event for event in begun.events if isinstance(event, e.SnapshotRequested)]
    assert asked.since_ns == desk.account.day.opened_ns > desk.order("a").received_ns
