"""What is not known is asked for again, at a bounded pace, and after a restart too."""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.decide import next_wake_ns
from ordergate.core.effects import Cancel, LookUp, ReadSnapshot
from ordergate.core.inputs import Started, Wake
from ordergate.core.limits import Limits
from ordergate.core.order import Side, Status
from ordergate.core.reports import LinkReport, Outcome
from tests.core.desk import ASK, BID, SECOND_NS, Desk, fill_row


def restart(desk: Desk) -> None:
    desk.forget()
    desk.feed(Started("desk", "sim", "practice", desk.group.limits))


def test_what_left_before_a_restart_and_was_not_answered_is_in_doubt() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.submit("b", limit=BID)
    desk.accept("b")
    restart(desk)
    assert (desk.order("a").status, desk.order("b").status) == (Status.IN_DOUBT, Status.WORKING)
    assert [event.order_id for event in desk.told(e.OrderInDoubt)] == ["a"]
    assert [search.order_tag for search in desk.asked(LookUp)] == [desk.order("a").tag]


def test_a_modify_that_was_not_answered_before_a_restart_is_read_back() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.modify("a", limit_ticks=BID - 4)
    restart(desk)
    assert [search.order_tag for search in desk.asked(LookUp)] == [desk.order("a").tag]


def test_after_a_restart_nothing_new_is_sent_before_the_books_have_been_compared() -> None:
    desk = Desk()
    restart(desk)
    assert desk.codes("a") == ["BROKER_LINK_DOWN"]
    desk.feed(LinkReport(up=True))
    assert len(desk.asked(ReadSnapshot)) == 1
    assert desk.codes("b") == ["UNEXPLAINED"]
    desk.read_back()
    assert desk.codes("c") == []


def test_a_stop_in_doubt_after_a_restart_is_replaced_within_half_a_second_of_reads() -> None:
    desk = Desk()
    desk.enter("a")
    stop = desk.stop("a").order_id
    restart(desk)
    desk.looked_up(stop)
    desk.wait(500)
    desk.looked_up(stop)
    assert desk.stop("a").order_id != stop


def test_a_target_in_doubt_after_a_restart_holds_up_a_flatten_for_half_a_second_of_reads() -> None:
    """Seen in the browser test of a killed server: the flatten ended NOT FLAT after three rounds."""
    desk = Desk()
    desk.enter("a", quantity=2)
    stop = desk.stop("a").order_id
    desk.accept(stop)
    target = desk.target("a").order_id
    restart(desk)
    desk.feed(LinkReport(up=True))
    desk.looked_up(target)
    desk.read_back()
    desk.wait(300)
    assert desk.flatten().ok
    desk.cancelled(stop)
    desk.forget()
    desk.wait(200)
    assert len(desk.asked(LookUp)) == 1
    desk.looked_up(target)
    assert desk.order(target).status is Status.NOT_SENT
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity) == (Side.SELL, 2)


def test_a_target_in_doubt_whose_first_read_is_under_way_is_read_again_soon_once_it_is_in_the_way() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    stop = desk.stop("a").order_id
    desk.accept(stop)
    target = desk.target("a").order_id
    desk.placed(target, Outcome.UNKNOWN)
    desk.flatten()
    desk.cancelled(stop)
    desk.looked_up(target)
    desk.forget()
    desk.wait(500)
    assert len(desk.asked(LookUp)) == 1
    desk.looked_up(target)
    assert desk.order(target).status is Status.NOT_SENT
    desk.read_back()
    assert len(desk.closes()) == 1


def test_a_target_in_doubt_that_is_in_nobodys_way_is_read_as_patiently_as_any_order() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    target = desk.target("a").order_id
    desk.placed(target, Outcome.UNKNOWN)
    desk.looked_up(target)
    desk.forget()
    desk.wait(4_900)
    assert desk.asked(LookUp) == []
    desk.wait(100)
    assert len(desk.asked(LookUp)) == 1


def test_a_restart_with_the_same_limits_says_nothing_new() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="x"))
    before = desk.group
    desk.feed(Started("desk", "sim", "practice", desk.group.limits))
    assert desk.group == before


def test_a_restart_with_other_limits_says_so_and_counts_their_version() -> None:
    desk = Desk()
    version = desk.group.limits_version
    desk.feed(Started("desk", "sim", "practice", Limits(order_quantity_max=1)))
    assert (desk.group.limits_version, desk.group.limits.order_quantity_max) == (version + 1, 1)


def test_a_snapshot_that_was_not_answered_is_asked_for_every_fifteen_seconds() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    desk.forget()
    desk.wait(60_000)
    assert len(desk.asked(ReadSnapshot)) == 4


def test_a_held_fill_is_asked_about_for_ever_but_not_in_a_loop() -> None:
    desk = Desk()
    desk.forget()
    desk.feed(fill_row(1, 77, Side.BUY, 1, ASK))
    for _ in range(60):
        desk.wait(1_000)
        if desk.account.timers.get("snapshot"):
            desk.snapshot()
    assert 4 <= len(desk.asked(ReadSnapshot)) <= 12


def test_a_wanted_cancel_waits_for_the_brokers_id_and_goes_out_once() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.cancel("a")
    desk.cancel("a")
    assert desk.asked(Cancel) == []
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.asked(Cancel) == []
    desk.show("a", broker_order_id=9_001)
    assert [cancel.broker_order_id for cancel in desk.asked(Cancel)] == [9_001]


def test_an_order_in_doubt_that_is_cancelled_is_cancelled_when_it_is_found() -> None:
    desk = Desk()
    desk.submit("a", limit=BID, stop=Leg.OFF, target=Leg.OFF)
    desk.placed("a", Outcome.UNKNOWN)
    assert desk.cancel("a").ok
    desk.looked_up("a", desk.row("a", broker_order_id=9_001))
    assert len(desk.asked(Cancel)) == 1


def test_the_next_wake_is_the_nearest_timer_that_lies_ahead() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    due = next_wake_ns(desk.group, desk.now_ns)
    assert due == desk.now_ns + 15_000_000_000
    later = next_wake_ns(Desk().group, desk.now_ns)
    assert later == desk.account.timers["day"], "nothing else lies ahead of an idle desk"
    assert next_wake_ns(Desk().group, later) == later + SECOND_NS, "until the venue says that the day has come"


def test_nothing_due_means_nothing_decided() -> None:
    desk = Desk()
    desk.hold("a")
    desk.forget()
    desk.wait(60_000)
    assert desk.events == []


def test_an_order_whose_id_holds_colons_is_asked_about_too() -> None:
    desk = Desk()
    desk.submit("mine:today:1", limit=BID)
    desk.wait(15_000)
    assert [search.order_tag for search in desk.asked(LookUp)] == [desk.order("mine:today:1").tag]
    assert [event.reason for event in desk.told(e.OrderInDoubt)] == ["no answer from the connection manager"]


def test_an_order_in_doubt_is_asked_about_at_its_pace_though_its_cancel_is_wanted() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.placed("a", Outcome.UNKNOWN)
    desk.cancel("a")
    for _ in range(3):
        desk.feed(Wake())
    assert len(desk.asked(LookUp)) == 1
    assert desk.asked(Cancel) == []


def test_an_order_that_was_looked_up_once_and_works_is_not_looked_up_again() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=BID)
    desk.accept("a")
    desk.modify("a", quantity=3)
    desk.modified("a")
    desk.show("a", quantity=2)
    desk.wait(60_000)
    assert len(desk.asked(LookUp)) == 1


def test_what_is_asked_about_is_not_cancelled_for_that() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.modify("a", quantity=2)
    desk.wait(60_000)
    assert len(desk.asked(LookUp)) > 1
    assert desk.asked(Cancel) == []


def test_an_order_whose_cancel_is_wanted_is_in_doubt_no_earlier_than_any_other() -> None:
    desk = Desk()
    desk.submit("a", limit=BID)
    desk.cancel("a")
    desk.wait(14_999)
    assert desk.order("a").status is Status.APPROVED
    desk.wait(1)
    assert desk.order("a").status is Status.IN_DOUBT


def test_a_read_that_is_under_way_is_not_asked_for_again_where_its_order_has_become_urgent() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    desk.accept(desk.stop("a").order_id)
    target = desk.target("a").order_id
    desk.placed(target, Outcome.UNKNOWN)
    desk.flatten()
    assert desk.order(target).is_urgent
    desk.wait(400)
    assert len(desk.asked(LookUp)) == 1


def test_a_leg_that_was_in_doubt_and_works_is_not_read_back_again_where_it_has_become_urgent() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    desk.accept(desk.stop("a").order_id)
    target = desk.target("a").order_id
    desk.placed(target, Outcome.UNKNOWN)
    desk.looked_up(target)
    desk.accept(target)
    assert desk.order(target).status is Status.WORKING
    desk.flatten()
    assert desk.order(target).is_urgent
    assert [key for key in desk.account.timers if key.startswith("order:")] == []
