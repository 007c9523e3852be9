"""The promise with a clock: what each position is covered by, since when, and why not."""

from __future__ import annotations

from ordergate.core import events as e
from ordergate.core.account import Covered
from ordergate.core.commands import Leg
from ordergate.core.coverage import resting
from ordergate.core.effects import Cancel, LookUp, Modify, Place
from ordergate.core.order import Exit, OrderType, Side
from ordergate.core.reports import LinkReport, OrderState, Outcome
from tests.core.desk import ASK, BID, MES, MS_NS, Desk, order_row, position

C = MES.contract_id


def cover(desk: Desk) -> Covered:
    return desk.account.covers[C]


def told(desk: Desk) -> list[tuple[e.Cover, int]]:
    return [(event.state, event.uncovered) for event in desk.told(e.CoverChanged)]


def test_a_fill_is_being_protected_until_its_stop_is_seen_at_the_broker() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    begun_ns = desk.now_ns
    assert cover(desk) == Covered(e.Cover.PROTECTING, 2, begun_ns, "its stop has not been seen at the broker yet")
    desk.wait(40)
    desk.accept(desk.stop("a").order_id)
    assert cover(desk).state is e.Cover.PROTECTING, "an answer is no sight of it"
    desk.wait(60)
    desk.show(desk.stop("a").order_id)
    assert cover(desk) == Covered(e.Cover.PROTECTED, 0, desk.now_ns, "")
    assert desk.told(e.CoverChanged)[-1].lasted_ns == 100 * MS_NS


def test_a_promise_that_takes_too_long_is_unprotected_and_the_clock_runs_on() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    begun_ns = desk.now_ns
    desk.wait(1_999)
    assert cover(desk).state is e.Cover.PROTECTING
    desk.wait(1)
    assert cover(desk) == Covered(e.Cover.UNPROTECTED, 2, begun_ns, "its stop has not been seen at the broker yet")
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    assert cover(desk).state is e.Cover.PROTECTED
    assert desk.told(e.CoverChanged)[-1].lasted_ns == 2_000 * MS_NS


def test_a_refused_stop_is_unprotected_at_once() -> None:
    desk = Desk()
    desk.enter("a")
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="no")
    assert cover(desk).state is e.Cover.UNPROTECTED
    assert cover(desk).cause == "its stop was rejected: no"


def test_a_stop_that_somebody_cancels_leaves_a_gap_until_the_next_one_rests() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.forget()
    desk.show(desk.stop("a").order_id, OrderState.CANCELLED)
    assert (cover(desk).state, cover(desk).cause) == (e.Cover.PROTECTING, "its stop was cancelled")
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    assert told(desk) == [(e.Cover.PROTECTING, 2), (e.Cover.PROTECTED, 0)]


def test_what_no_stop_was_asked_for_is_unprotected_by_choice_and_never_closed() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF)
    assert cover(desk) == Covered(e.Cover.BY_CHOICE, 2, desk.now_ns, "no stop was asked for")
    desk.wait(60_000)
    assert cover(desk).state is e.Cover.BY_CHOICE
    assert desk.closes() == []


def test_a_part_without_a_stop_is_by_choice_only_once_the_other_part_is_covered() -> None:
    desk = Desk()
    desk.enter("bare", stop=Leg.OFF, target=Leg.OFF)
    desk.enter("a", quantity=2)
    assert (cover(desk).state, cover(desk).uncovered) == (e.Cover.PROTECTING, 3)
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    assert (cover(desk).state, cover(desk).uncovered) == (e.Cover.BY_CHOICE, 1)


def test_somebody_elses_stop_covers_too() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF)
    desk.feed(order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 40))
    assert cover(desk).state is e.Cover.PROTECTED


def test_a_stop_on_the_other_side_covers_nothing() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF)
    desk.feed(order_row(77, Side.BUY, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=ASK + 40))
    assert cover(desk).state is e.Cover.BY_CHOICE


def test_a_scale_in_is_a_gap_of_its_own_contracts() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.forget()
    desk.enter("b")
    assert told(desk) == [(e.Cover.PROTECTING, 1)]


def test_a_stop_that_is_being_made_smaller_covers_the_smaller_size() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    assert resting(desk.account, C) == 3
    desk.modify(desk.stop("a").order_id, stop_ticks=BID - 30)
    assert resting(desk.account, C) == 3, "another price is no other size"
    stop = desk.stop("a")
    desk.fill(stop.order_id, 1, BID - 40)
    assert resting(desk.account, C) == 2


def test_a_close_says_what_it_is_while_nothing_rests() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.close()
    assert cover(desk).cause == "being closed: close"


def test_flat_there_is_nothing_to_cover_and_the_other_side_begins_anew() -> None:
    desk = Desk()
    desk.hold("a", quantity=1)
    since_ns = cover(desk).since_ns
    desk.fill(desk.stop("a").order_id, 1, BID - 40)
    assert desk.account.covers == {}
    desk.wait(10)
    desk.enter("b", Side.SELL, stop=Leg.OFF, target=Leg.OFF)
    assert cover(desk).since_ns > since_ns


def test_a_position_that_turns_in_one_fill_has_a_new_clock() -> None:
    desk = Desk()
    desk.enter("a", quantity=1, stop=Leg.OFF, target=Leg.OFF)
    desk.wait(10)
    desk.enter("b", Side.SELL, 3, stop=Leg.OFF, target=Leg.OFF)
    assert cover(desk) == Covered(e.Cover.BY_CHOICE, 2, desk.now_ns, "no stop was asked for")


def test_an_accepted_stop_that_the_hub_does_not_show_is_read() -> None:
    desk = Desk()
    desk.enter("a")
    stop = desk.stop("a")
    desk.accept(stop.order_id)
    desk.forget()
    desk.wait(1_000)
    assert [search.order_tag for search in desk.asked(LookUp)] == [stop.tag]
    desk.looked_up(stop.order_id, desk.row(stop.order_id))
    assert cover(desk).state is e.Cover.PROTECTED


def test_a_stop_that_the_hub_shows_is_not_read() -> None:
    desk = Desk()
    desk.hold("a")
    desk.forget()
    desk.wait(60_000)
    assert desk.asked(LookUp) == []


def test_reading_for_a_stop_does_not_use_up_the_requests() -> None:
    desk = Desk()
    desk.enter("a", target=Leg.OFF)
    desk.accept(desk.stop("a").order_id)
    desk.forget()
    desk.wait(60_000)
    assert len(desk.asked(LookUp)) == 7  # after 1, 2, 4, 8, 16, 31 and 46 s


def test_an_accepted_stop_that_the_broker_does_not_know_has_the_books_compared() -> None:
    desk = Desk()
    desk.enter("a")
    stop = desk.stop("a")
    desk.accept(stop.order_id)
    desk.wait(1_000)
    desk.forget()
    desk.looked_up(stop.order_id)
    assert [event.reason for event in desk.told(e.SnapshotRequested)] == ["an accepted stop is not to be seen"]


def test_a_stop_that_was_seen_before_a_lost_link_still_rests() -> None:
    desk = Desk()
    desk.hold("a")
    desk.feed(LinkReport(up=False, reason="lost"))
    assert cover(desk).state is e.Cover.PROTECTED


def test_nothing_is_told_twice() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Exit(40))
    desk.forget()
    for _ in range(5):
        desk.mark(BID + 3)
        desk.wait(1_000)
    assert told(desk) == []


def test_a_stop_that_the_market_traded_at_and_that_does_not_fill_is_told_and_nothing_is_sent() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Exit(40), target=Leg.OFF)
    desk.forget()
    level = desk.stop("a").terms.stop_ticks
    assert level is not None
    desk.mark(level + 1)
    assert told(desk) == []
    desk.mark(level)
    begun_ns = desk.now_ns
    assert told(desk) == [(e.Cover.PROTECTING, 2)]
    desk.wait(2_000)
    assert cover(desk) == Covered(e.Cover.UNPROTECTED, 2, begun_ns, "the market is at its stop, which has not filled")
    desk.wait(60_000)
    assert told(desk) == [(e.Cover.PROTECTING, 2), (e.Cover.UNPROTECTED, 2)]
    assert desk.asked(Place) + desk.asked(Modify) + desk.asked(Cancel) == []
    desk.mark(level + 1)
    assert cover(desk) == Covered(e.Cover.PROTECTED, 0, desk.now_ns, "")


def test_a_stop_that_was_reached_and_does_not_fill_is_read_once() -> None:
    desk = Desk()
    desk.hold("a", stop=Exit(40))
    desk.forget()
    desk.mark(desk.stop("a").terms.stop_ticks or 0)
    desk.wait(1_999)
    assert desk.told(e.SnapshotRequested) == []
    desk.wait(1_000)
    assert [event.reason for event in desk.told(e.SnapshotRequested)] == ["a stop was reached and has not filled"]


def test_a_stop_on_its_way_that_is_reached_is_missing_once() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Exit(40))
    desk.mark(desk.stop("a").terms.stop_ticks or 0)
    assert cover(desk).uncovered == 2


def test_a_stop_of_a_short_is_reached_from_below() -> None:
    desk = Desk()
    desk.hold("a", Side.SELL, stop=Exit(40), price=BID)
    desk.forget()
    desk.mark(BID + 39)
    assert told(desk) == []
    desk.mark(BID + 40)
    assert told(desk) == [(e.Cover.PROTECTING, 1)]


def test_what_crossing_exits_have_left_is_nobodys_choice() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    target = desk.target("a").order_id
    desk.fill(desk.stop("a").order_id, 2, BID - 40)
    desk.fill(target, 2, BID + 80)
    assert (cover(desk).state, cover(desk).uncovered) == (e.Cover.UNPROTECTED, 2)
    assert cover(desk).cause == "being closed: exits went through flat"


def test_a_bare_position_that_is_closed_was_so_by_choice() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.forget()
    desk.close()
    assert told(desk) == []


def test_an_entry_that_fills_with_the_market_through_its_stop_is_unprotected_at_once() -> None:
    desk = Desk()
    desk.submit("a", stop=Exit(10))
    desk.accept("a")
    desk.mark(BID - 100)
    desk.fill("a", price=ASK)
    assert (cover(desk).state, cover(desk).cause) == (
        e.Cover.UNPROTECTED,
        "being closed: the market is through the stop",
    )


def moved_twice() -> Desk:
    """A stop of 3 that we have changed, so that a row of it may be from before that."""
    desk = Desk()
    desk.hold("a", quantity=3)
    stop = desk.stop("a").order_id
    desk.modify(stop, stop_ticks=BID - 30)
    desk.modified(stop)
    desk.forget()
    return desk


def test_a_stop_that_is_shown_smaller_than_we_made_it_covers_nothing_until_it_is_read() -> None:
    desk = moved_twice()
    stop = desk.stop("a").order_id
    desk.show(stop, quantity=2)
    assert (cover(desk).state, cover(desk).uncovered) == (e.Cover.PROTECTING, 3)
    desk.wait(2_000)
    assert cover(desk).state is e.Cover.UNPROTECTED
    desk.looked_up(stop, desk.row(stop, quantity=2))
    assert cover(desk).uncovered == 1
    desk.modified(stop)
    assert cover(desk).state is e.Cover.PROTECTED


def test_a_reading_from_before_a_stop_was_shown_smaller_does_not_tell() -> None:
    desk = moved_twice()
    stop = desk.stop("a").order_id
    desk.wait(1_000)
    begun_ns, row = desk.now_ns, desk.row(stop)
    desk.wait(1_000)
    desk.show(stop, quantity=2)
    desk.snapshot([position(3, ASK)], [row, desk.row(desk.target("a").order_id)], started_ns=begun_ns)
    assert cover(desk).state is e.Cover.PROTECTING


def test_a_row_from_before_our_change_is_no_gap_once_that_has_been_read() -> None:
    desk = moved_twice()
    stop = desk.stop("a").order_id
    desk.show(stop, stop_ticks=BID - 40)
    desk.wait(20)
    desk.looked_up(stop, desk.row(stop))
    assert cover(desk).state is e.Cover.PROTECTED
    assert desk.told(e.CoverChanged)[-1].lasted_ns == 20 * MS_NS


def test_a_stop_that_is_shown_smaller_is_read_again_when_nobody_answers() -> None:
    desk = moved_twice()
    desk.show(desk.stop("a").order_id, quantity=2)
    desk.wait(1_000)
    assert len(desk.asked(LookUp)) == 2


def test_a_stop_that_is_made_smaller_twice_in_a_moment_is_read_twice() -> None:
    desk = moved_twice()
    stop = desk.stop("a").order_id
    for _ in range(2):
        desk.show(stop, quantity=2)
        desk.wait(20)
        desk.looked_up(stop, desk.row(stop, quantity=2))
        desk.wait(250)
        desk.modified(stop)
    assert len(desk.asked(LookUp)) == 2
    assert cover(desk).state is e.Cover.PROTECTED


def test_while_it_is_read_what_became_of_our_own_change_the_smaller_size_covers() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop = desk.stop("a").order_id
    desk.modify(stop, stop_ticks=BID - 30)
    desk.modified(stop, Outcome.UNKNOWN)
    assert cover(desk).state is e.Cover.PROTECTED


def test_somebody_elses_stop_that_we_have_moved_covers_as_it_is_known() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF)
    desk.feed(order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 40))
    desk.modify("external/77", stop_ticks=BID - 30)
    desk.modified("external/77")
    desk.show("external/77", stop_ticks=BID - 50)
    assert cover(desk).state is e.Cover.PROTECTED
