"""The ends of our own requests; an order whose end is unknown, until evidence comes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import LookUp, Modify, Place, ReadSnapshot
from ordergate.core.limits import Limits
from ordergate.core.order import Side, Status
from ordergate.core.reports import (
    CancelOutcome,
    FillReport,
    LookupOutcome,
    ModifyOutcome,
    OrderState,
    Outcome,
    PlaceOutcome,
)
from ordergate.core.sessions import day_open_ns
from tests.core.desk import ACCOUNT, ASK, BID, MNQ, SECOND_NS, Desk, fill_row, instant


def doubtful(desk: Desk, order_id: str = "a", **more: Any) -> None:
    assert desk.submit(order_id, limit=BID, stop=Leg.OFF, target=Leg.OFF, **more).ok
    desk.placed(order_id, Outcome.UNKNOWN, text="timed out")


def absent(desk: Desk, order_id: str = "a") -> None:
    """Three reads over ten seconds in which the order is not there."""
    for _ in range(3):
        desk.looked_up(order_id)
        desk.wait(5_000)


def test_accepted_without_an_order_id_is_in_doubt() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.DONE, None)
    assert desk.order("a").status is Status.IN_DOUBT


def test_an_order_in_doubt_is_never_sent_again() -> None:
    desk = Desk()
    doubtful(desk)
    desk.wait(60_000)
    assert len(desk.asked(Place)) == 1


def test_an_order_in_doubt_counts_until_evidence_ends_it() -> None:
    desk = Desk(Limits(position_quantity_max=3))
    doubtful(desk, quantity=3)
    desk.wait(600_000)
    assert desk.codes("b") == ["MAX_POSITION_SIZE"]
    absent(desk)
    assert desk.order("a").status is Status.NOT_SENT
    assert desk.codes("c", quantity=3) == []


def nobodys_fill(desk: Desk, **more: Any) -> FillReport:
    """A fill that belongs to no order that is known."""
    return fill_row(1, 7_777, Side.BUY, 1, ASK, **({"at_ns": desk.now_ns} | more))


def test_an_order_that_may_have_filled_is_not_called_unsent_whatever_the_lists_show() -> None:
    desk = Desk()
    doubtful(desk)
    for _ in range(10):
        desk.looked_up("a", fills=(nobodys_fill(desk),))
        desk.wait(5_000)
    assert desk.order("a").status is Status.IN_DOUBT
    assert desk.asked(LookUp), "and it is looked for still"
    desk.looked_up("a", desk.row("a", OrderState.FILLED, broker_order_id=7_777, filled_quantity=1))
    desk.feed(nobodys_fill(desk))
    assert (desk.order("a").status, desk.net()) == (Status.FILLED, 1)


def test_a_fill_that_was_told_and_belongs_to_nobody_counts_too() -> None:
    desk = Desk()
    doubtful(desk)
    desk.feed(nobodys_fill(desk))
    absent(desk)
    assert desk.order("a").status is Status.IN_DOUBT


@pytest.mark.parametrize(
    "more",
    [
        {"side": Side.SELL},
        {"contract_id": MNQ.contract_id},
        {"voided": True},
        {"at_ns": 0},
        {"broker_order_id": 9_001},
    ],
)
def test_what_cannot_be_its_fill_keeps_no_order_in_doubt(more: dict[str, Any]) -> None:
    desk = Desk()
    desk.submit("known", limit=BID - 4, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("known")
    assert desk.order("known").broker_order_id == 9_001
    doubtful(desk)
    for _ in range(3):
        desk.looked_up("a", fills=(replace(nobodys_fill(desk), **more),))
        desk.wait(5_000)
    assert desk.order("a").status is Status.NOT_SENT


def test_an_order_absent_in_three_reads_over_ten_seconds_was_not_sent() -> None:
    desk = Desk()
    doubtful(desk)
    began = desk.now_ns
    reads = 0
    while desk.order("a").status is Status.IN_DOUBT:
        assert len(desk.asked(LookUp)) == reads + 1
        desk.looked_up("a")
        reads += 1
        if desk.order("a").status is Status.IN_DOUBT:
            desk.wait(5_000)
    assert (reads, desk.now_ns - began) == (3, 10 * SECOND_NS)
    assert desk.order("a").status is Status.NOT_SENT
    assert "absent" in desk.order("a").reason


def test_answers_that_come_all_at_once_are_one_read() -> None:
    desk = Desk()
    doubtful(desk)
    desk.wait(30_000)
    for _ in range(7):
        desk.looked_up("a")
    assert (desk.order("a").status, desk.order("a").doubt_reads) == (Status.IN_DOUBT, 1)


def test_a_read_that_failed_is_no_evidence() -> None:
    desk = Desk()
    doubtful(desk)
    for _ in range(10):
        desk.looked_up("a", outcome=Outcome.UNKNOWN)
        desk.wait(5_000)
    assert desk.order("a").status is Status.IN_DOUBT
    assert len(desk.asked(LookUp)) == 11


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (OrderState.OPEN, Status.WORKING),
        (OrderState.FILLED, Status.WORKING),
        (OrderState.CANCELLED, Status.CANCELLED),
        (OrderState.EXPIRED, Status.EXPIRED),
        (OrderState.REJECTED, Status.REJECTED),
    ],
)
def test_an_order_in_doubt_that_is_found_is_adopted(state: OrderState, status: Status) -> None:
    desk = Desk()
    doubtful(desk)
    filled = 1 if state is OrderState.FILLED else 0
    desk.looked_up("a", desk.row("a", state, broker_order_id=9_001, filled_quantity=filled))
    assert desk.order("a").status is status
    assert desk.order("a").unseen == filled, "a row never moves a position: the fills are asked for"


def test_another_order_with_our_tag_is_refused_and_is_evidence_that_ours_is_not_there() -> None:
    desk = Desk()
    doubtful(desk)
    for _ in range(3):
        desk.looked_up("a", desk.row("a", broker_order_id=9_001, side=Side.SELL))
        desk.wait(5_000)
    assert desk.order("a").status is Status.NOT_SENT
    assert desk.order("external/9001").live


def test_an_order_proven_absent_that_appears_after_all_is_adopted() -> None:
    desk = Desk()
    doubtful(desk)
    absent(desk)
    desk.show("a", broker_order_id=9_001)
    assert (desk.order("a").status, desk.order("a").leaves) == (Status.WORKING, 1)
    desk.fill("a", price=BID)
    assert desk.net() == 1


def test_a_late_unknown_does_not_take_back_what_the_hub_has_proven() -> None:
    desk = Desk()
    desk.submit("a")
    desk.show("a", broker_order_id=9_001)
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.order("a").status is Status.WORKING


def test_without_any_answer_an_order_is_in_doubt_after_fifteen_seconds() -> None:
    desk = Desk()
    desk.submit("a")
    desk.wait(14_999)
    assert desk.order("a").status is Status.APPROVED
    desk.wait(1)
    assert desk.order("a").status is Status.IN_DOUBT
    assert len(desk.asked(LookUp)) == 1


def test_certainly_not_sent_ends_an_order_at_once() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.NOT_SENT, text="the approval expired")
    assert (desk.order("a").status, desk.order("a").reason) == (Status.NOT_SENT, "the approval expired")


def test_an_outcome_for_a_tag_we_never_used_is_ignored() -> None:
    desk = Desk()
    before = desk.group
    for outcome in Outcome:
        desk.feed(PlaceOutcome(ACCOUNT, "og-other-101-1", outcome, 7))
        desk.feed(PlaceOutcome(999, "og-desk-101-1", outcome, 7))
    assert desk.group == before


def test_a_lookup_reaches_back_to_the_day_its_order_was_sent() -> None:
    desk = Desk(at_ns=instant("2026-11-23 16:59"))
    sent_ns = desk.now_ns
    doubtful(desk)
    desk.looked_up("a", outcome=Outcome.UNKNOWN)
    desk.wait(5 * 60_000)
    assert day_open_ns(desk.now_ns) > sent_ns
    assert desk.asked(LookUp)[-1].since_ns <= sent_ns


# Modifies.
def changing(desk: Desk, quantity: int = 3) -> int:
    """A working order of 2 that is being made ``quantity``; the number of the change."""
    assert desk.submit("a", quantity=2, limit=BID, stop=Leg.OFF, target=Leg.OFF).ok
    desk.accept("a")
    assert desk.modify("a", quantity=quantity).ok
    change = desk.order("a").change
    assert change is not None
    return change.number


def test_a_modify_holds_once_it_is_confirmed() -> None:
    desk = Desk()
    changing(desk)
    assert desk.order("a").leaves == 3
    desk.modified("a")
    assert (desk.order("a").terms.quantity, desk.order("a").change) == (3, None)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.NOT_SENT])
def test_a_modify_that_was_not_made_leaves_the_old_terms(outcome: Outcome) -> None:
    desk = Desk()
    changing(desk)
    desk.modified("a", outcome, "too late")
    assert (desk.order("a").terms.quantity, desk.order("a").change, desk.order("a").leaves) == (2, None, 2)
    assert desk.order("a").reason == "too late"


def test_an_unknown_modify_counts_with_the_larger_size_until_it_is_read_back() -> None:
    desk = Desk()
    changing(desk)
    desk.modified("a", Outcome.UNKNOWN)
    assert desk.order("a").leaves == 3
    assert len(desk.asked(LookUp)) == 1
    desk.wait(5_000)
    assert len(desk.asked(LookUp)) == 2
    desk.looked_up("a", desk.row("a", quantity=3))
    assert (desk.order("a").terms.quantity, desk.order("a").change) == (3, None)


def test_an_unknown_modify_that_the_broker_does_not_show_in_three_reads_over_ten_seconds_was_not_made() -> None:
    desk = Desk()
    changing(desk)
    desk.modified("a", Outcome.UNKNOWN)
    began = desk.now_ns
    for _ in range(2):
        desk.looked_up("a", desk.row("a"))
        assert desk.order("a").leaves == 3
        desk.wait(5_000)
    desk.looked_up("a", desk.row("a"))
    assert (desk.order("a").terms.quantity, desk.order("a").change) == (2, None)
    assert desk.now_ns - began == 10 * SECOND_NS


def test_an_unknown_modify_of_a_leg_is_tried_again_after_two_reads_a_second_apart() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    desk.protect(stop=BID - 4)
    stop = desk.stop("a").order_id
    desk.modified(stop, Outcome.UNKNOWN)
    desk.looked_up(stop, desk.row(stop))
    assert len(desk.asked(Modify)) == 1
    desk.wait(1_000)
    desk.looked_up(stop, desk.row(stop))
    desk.wait(250)
    assert len(desk.asked(Modify)) == 2


def test_a_row_of_the_hub_from_before_our_change_does_not_take_it_back() -> None:
    desk = Desk()
    changing(desk, 4)
    desk.modified("a")
    desk.show("a", quantity=2)
    assert desk.order("a").leaves == 4, "older than the answer, perhaps"
    assert len(desk.asked(LookUp)) == 1
    desk.wait(1)
    desk.looked_up("a", desk.row("a", quantity=2))
    assert desk.order("a").leaves == 2, "newer, and REST says so"


def test_a_row_of_the_hub_with_fewer_fills_than_we_know_says_nothing_of_the_terms() -> None:
    desk = Desk()
    desk.submit("a", quantity=4, limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 2, BID)
    desk.show("a", quantity=3, filled_quantity=1)
    assert desk.order("a").leaves == 2


def test_a_look_up_that_failed_is_made_good_by_a_reading() -> None:
    desk = Desk()
    changing(desk, 4)
    desk.modified("a")
    desk.show("a", quantity=2)
    desk.looked_up("a", outcome=Outcome.UNKNOWN)
    assert len(desk.asked(ReadSnapshot)) == 4, "three of them from before"


def test_the_answer_to_an_older_modify_says_nothing_of_a_newer_one() -> None:
    desk = Desk()
    number = changing(desk)
    desk.modified("a", Outcome.REFUSED)
    desk.modify("a", quantity=4)
    desk.feed(ModifyOutcome(ACCOUNT, desk.order("a").tag, number, Outcome.DONE))
    change = desk.order("a").change
    assert change is not None
    assert change.quantity == 4


def test_a_modify_without_any_answer_is_read_back_after_fifteen_seconds() -> None:
    desk = Desk()
    changing(desk)
    desk.wait(14_999)
    assert desk.asked(LookUp) == []
    desk.wait(1)
    assert len(desk.asked(LookUp)) == 1


def test_a_modify_sends_the_whole_new_look_of_the_order() -> None:
    desk = Desk()
    changing(desk)
    (change,) = desk.asked(Modify)
    assert (change.terms.quantity, change.terms.limit_ticks) == (3, BID)
    assert change.broker_order_id == desk.order("a").broker_order_id


# Cancels.
def test_a_cancel_is_done_when_the_row_says_so_not_when_the_request_was_taken() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.cancel("a")
    desk.cancel_outcome("a", Outcome.DONE)
    assert desk.order("a").status is Status.WORKING
    desk.cancelled("a")
    assert desk.order("a").status is Status.CANCELLED


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN, Outcome.NOT_SENT])
def test_a_cancel_that_did_not_go_through_compares_the_books(outcome: Outcome) -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.cancel("a")
    desk.forget()
    desk.cancel_outcome("a", outcome)
    assert len(desk.asked(ReadSnapshot)) == 1
    assert bool(desk.told(e.CancelRefused)) is (outcome is Outcome.REFUSED)
    assert desk.order("a").live


def test_a_fill_that_crosses_its_cancel_counts() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=BID)
    desk.accept("a")
    desk.cancel("a")
    desk.fill("a", 1, BID)
    desk.cancel_outcome("a", Outcome.REFUSED)
    desk.cancelled("a")
    assert (desk.net(), desk.order("a").leaves, desk.stop("a").leaves) == (1, 0, 1)


# What is recorded of them.
@pytest.mark.parametrize(
    ("outcome", "text", "reason"),
    [
        (Outcome.DONE, "", "accepted without an order id"),
        (Outcome.UNKNOWN, "timed out", "timed out"),
        (Outcome.UNKNOWN, "", "no answer from the broker"),
    ],
)
def test_why_an_order_is_in_doubt_is_recorded(outcome: Outcome, text: str, reason: str) -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", outcome, None, text)
    assert desk.told(e.OrderInDoubt) == [e.OrderInDoubt(ACCOUNT, "a", reason, desk.now_ns)]


def test_a_stop_that_was_not_sent_is_recorded_as_lost_with_the_reason() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    desk.placed(desk.stop("a").order_id, Outcome.NOT_SENT, text="too late")
    assert desk.told(e.ProtectionFailed) == [e.ProtectionFailed(ACCOUNT, "a", 1, "too late", desk.now_ns)]


def test_a_stop_proven_absent_was_lost_when_that_was_found_first() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.placed(stop, Outcome.UNKNOWN, text="timed out")
    since_ns = desk.now_ns
    for _ in range(2):
        desk.wait(500)
        desk.looked_up(stop)
    (failed,) = desk.told(e.ProtectionFailed)
    assert failed.reason == "timed out; absent from open orders and history in 2 reads"
    assert failed.at_ns == since_ns
    assert desk.told(e.OrderNotSent)[0].reason == failed.reason


def test_the_end_of_a_modify_that_nobody_waits_for_changes_nothing() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    before = desk.group
    for tag in (desk.order("a").tag, "og-nobodys-1"):
        desk.feed(ModifyOutcome(ACCOUNT, tag, 1, Outcome.DONE, 0, ""))
        desk.feed(ModifyOutcome(ACCOUNT + 1, tag, 1, Outcome.REFUSED, 0, ""))
    assert desk.group == before


def test_an_unknown_modify_is_looked_up_by_its_orders_tag() -> None:
    desk = Desk()
    changing(desk)
    desk.modified("a", Outcome.UNKNOWN)
    assert [ask.order_tag for ask in desk.asked(LookUp)] == [desk.order("a").tag]


def test_a_modify_that_the_broker_does_not_show_is_recorded_as_refused_with_its_number() -> None:
    desk = Desk()
    changing(desk)
    change = desk.order("a").change
    assert change is not None
    desk.modified("a", Outcome.UNKNOWN)
    for _ in range(3):
        desk.looked_up("a", desk.row("a"))
        desk.wait(5_000)
    (refused,) = desk.told(e.ModifyRefused)
    assert (refused.number, refused.reason) == (change.number, "the broker shows the old terms in 3 reads")


def test_the_end_of_a_cancel_that_has_nothing_to_cancel_changes_nothing() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.cancel("a")
    broker_order_id = desk.order("a").broker_order_id or 0
    desk.forget()
    desk.feed(CancelOutcome(ACCOUNT + 1, broker_order_id, Outcome.REFUSED))
    desk.feed(CancelOutcome(ACCOUNT, 4_711, Outcome.REFUSED))
    desk.cancel_outcome("a", Outcome.DONE)
    assert desk.events == []
    desk.cancelled("a")
    desk.forget()
    for outcome in Outcome:
        desk.cancel_outcome("a", outcome)
    assert desk.events == []


def test_a_look_up_that_failed_asks_for_no_reading_while_the_order_is_looked_up_anyway() -> None:
    desk = Desk()
    doubtful(desk)
    desk.submit("b", quantity=2, limit=BID)
    desk.accept("b")
    assert desk.modify("b", quantity=3).ok
    desk.modified("b", Outcome.UNKNOWN)
    desk.forget()
    for name in "ab":
        desk.looked_up(name, outcome=Outcome.UNKNOWN)
    assert desk.asked(ReadSnapshot) == []


def test_reads_that_come_quicker_than_half_their_distance_are_one_read() -> None:
    desk = Desk()
    doubtful(desk)
    desk.looked_up("a")
    desk.wait(2_499)
    desk.looked_up("a")
    assert desk.order("a").doubt_reads == 1
    desk.wait(1)
    desk.looked_up("a")
    assert desk.order("a").doubt_reads == 2


def test_the_old_terms_of_an_order_are_no_evidence_before_its_change_is_looked_up() -> None:
    desk = Desk()
    changing(desk)
    desk.looked_up("a", desk.row("a"))
    assert desk.order("a").doubt_reads == 0
    desk.modified("a", Outcome.UNKNOWN)
    desk.looked_up("a", desk.row("a"))
    desk.wait(2_499)
    desk.looked_up("a", desk.row("a"))
    assert desk.order("a").doubt_reads == 1, "what is no leg is read like an order in doubt"


def test_what_is_looked_up_after_its_change_has_ended_says_nothing_of_it() -> None:
    desk = Desk()
    changing(desk)
    desk.modified("a", Outcome.UNKNOWN)
    desk.looked_up("a", desk.row("a", quantity=3))
    desk.forget()
    desk.looked_up("a", desk.row("a"))
    assert desk.told(e.LookupMissed) == []


def test_an_order_is_accepted_once_and_a_late_unknown_records_nothing() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.forget()
    desk.placed("a", Outcome.DONE, desk.order("a").broker_order_id)
    desk.placed("a", Outcome.UNKNOWN)
    desk.placed("a", Outcome.DONE, None)
    assert desk.events == []


def test_a_refusal_without_a_reason_says_so() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.REFUSED)
    assert desk.order("a").reason == "no reason given"
    desk = Desk()
    changing(desk)
    desk.modified("a", Outcome.REFUSED)
    assert desk.order("a").reason == "refused without a reason"


def test_a_look_up_that_finds_nothing_says_nothing_of_an_order_that_works_or_is_unknown() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.forget()
    for outcome in (Outcome.DONE, Outcome.UNKNOWN):
        desk.feed(LookupOutcome(ACCOUNT, "og-nobodys-1", outcome, None))
    for _ in range(3):
        desk.looked_up("a")
        desk.wait(5_000)
    assert desk.events == []
