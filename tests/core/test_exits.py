"""Close and flatten: out of the way, close at the proven size, read back; never through flat."""

from __future__ import annotations

import pytest

from ordergate.core import events as e
from ordergate.core.commands import ClosePosition, Leg
from ordergate.core.effects import Cancel, Place, ReadSnapshot
from ordergate.core.fold import evolve
from ordergate.core.inputs import Wake
from ordergate.core.order import Exit, OrderType, Role, Side, Status, Target
from ordergate.core.reports import OrderState, Outcome
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, WIDE, Desk, order_row, position


def both_legs(desk: Desk, entry_id: str) -> tuple[str, str]:
    return desk.stop(entry_id).order_id, desk.target(entry_id).order_id


def finished(desk: Desk) -> list[bool]:
    return [event.flat for event in desk.told(e.ExitFinished)]


def test_a_close_waits_for_its_cancels_closes_and_reads_back() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    desk.forget()
    assert desk.close().ok
    assert len(desk.asked(Cancel)) == 2
    assert desk.closes() == []
    desk.cancelled(stop)
    assert desk.closes() == []
    desk.cancelled(target)
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity, close.terms.order_type) == (Side.SELL, 3, OrderType.MARKET)
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    assert len(desk.asked(ReadSnapshot)) == 1
    assert finished(desk) == [], "not before it is read back"
    desk.read_back()
    assert finished(desk) == [True]
    assert not desk.account.exits


def test_a_close_of_a_short_buys() -> None:
    desk = Desk()
    desk.hold("a", Side.SELL, 2, stop=Leg.OFF, target=Leg.OFF)
    desk.close()
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity) == (Side.BUY, 2)


def test_nothing_is_closed_while_a_cancel_is_not_acknowledged() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = both_legs(desk, "a")
    desk.close()
    desk.wait(10_000)
    assert desk.closes() == [], "the stop or the target may be filling"
    desk.cancelled(target)
    desk.wait(3_000)
    assert desk.closes() == []
    desk.read_back()  # the broker still shows the stop as open
    desk.cancelled(stop)
    (close,) = desk.closes()
    assert close.terms.quantity == 2


def test_after_500_ms_what_is_surely_held_is_closed() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, stop=Leg.OFF, target=Leg.OFF)
    desk.feed(order_row(77, Side.SELL, 1))
    desk.close()
    desk.wait(499)
    assert desk.closes() == []
    desk.wait(1)
    (close,) = desk.closes()
    assert close.terms.quantity == 2, "one may still be sold by the order that is being cancelled"


def test_flatten_with_a_target_filling_in_flight_does_not_reverse() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    desk.flatten()
    desk.cancelled(stop)
    desk.fill(target, 2, ASK + 80)
    desk.cancelled(target)
    (close,) = desk.closes()
    assert close.terms.quantity == 1
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    desk.read_back()
    assert (desk.net(), finished(desk)) == (0, [True])


def test_flatten_whose_target_fills_whole_closes_nothing_more() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    desk.flatten()
    desk.fill(target, 3, ASK + 80)
    desk.cancelled(stop)
    desk.wait(600)
    desk.read_back()
    assert desk.closes() == []
    assert finished(desk) == [True]


def test_a_target_reported_as_filled_is_not_closed_again_before_its_fills_arrive() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    desk.flatten()
    desk.cancelled(stop)
    desk.show(target, OrderState.CANCELLED, filled_quantity=2)
    assert [close.terms.quantity for close in desk.closes()] == [1]


def test_a_rejected_close_is_tried_again_and_given_up_after_three_rounds() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.close()
    for number in (1, 2, 3):
        assert len(desk.closes()) == number
        desk.placed(desk.closes()[-1].order_id, Outcome.REFUSED, text="no")
        desk.wait(600)
        desk.read_back()
    assert finished(desk) == [False]
    assert len(desk.closes()) == 3
    assert desk.close().ok, "and may be asked for again"


def test_a_close_in_doubt_holds_the_exit_until_it_is_resolved() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.close()
    (close,) = desk.closes()
    desk.placed(close.order_id, Outcome.UNKNOWN)
    desk.wait(4_000)
    assert len(desk.closes()) == 1, "it may have been sent: another would reverse the position"
    for _ in range(3):
        desk.looked_up(close.order_id)
        desk.wait(5_000)
    desk.read_back()
    assert len(desk.closes()) == 2


def test_a_residue_is_closed_in_the_next_round() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=ASK, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 2)
    desk.flatten()
    desk.wait(500)
    (close,) = desk.closes()
    assert close.terms.quantity == 2
    desk.accept(close.order_id)
    desk.fill("a", 1)  # crosses its cancel
    desk.fill(close.order_id, 2, BID)
    desk.read_back()
    assert [order.terms.quantity for order in desk.closes()] == [2, 1]
    desk.accept(desk.closes()[-1].order_id)
    desk.fill(desk.closes()[-1].order_id, price=BID)
    desk.read_back()
    assert (desk.net(), finished(desk)) == (0, [True])


def test_a_close_cancelled_after_a_part_is_finished_in_the_next_round() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, stop=Leg.OFF, target=Leg.OFF)
    desk.close()
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(close.order_id, 1, BID)
    desk.cancelled(close.order_id)
    desk.read_back()
    assert [order.terms.quantity for order in desk.closes()] == [3, 2]


def test_a_partial_close_shrinks_the_legs_first_and_keeps_the_rest_protected() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    assert desk.close(1).ok
    assert desk.closes() == []
    changes = [desk.order(stop).change, desk.order(target).change]
    assert [change and change.quantity for change in changes] == [2, 2]
    desk.modified(stop)
    assert desk.closes() == []
    desk.modified(target)
    (close,) = desk.closes()
    assert close.terms.quantity == 1
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    desk.wait(300)
    desk.read_back()
    assert finished(desk) == [True]
    assert (desk.net(), desk.stop("a").leaves, desk.target("a").leaves) == (2, 2, 2)
    assert desk.stop("a").change is None


def test_a_partial_close_that_fills_in_parts_does_not_shrink_the_stop_twice() -> None:
    desk = Desk()
    desk.hold("a", quantity=4, target=Leg.OFF)
    desk.close(2)
    desk.modified(desk.stop("a").order_id)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(close.order_id, 1, BID)
    desk.wait(400)
    assert desk.stop("a").change is None
    desk.fill(close.order_id, 1, BID)
    desk.wait(400)
    assert desk.stop("a").change is None
    desk.read_back()
    assert (desk.net(), desk.stop("a").leaves) == (2, 2)


def test_a_second_partial_close_is_told_to_wait() -> None:
    desk = Desk()
    desk.hold("a", quantity=4)
    assert desk.close(1).ok
    assert desk.close(1).code == "BUSY"
    assert desk.close().ok, "all of it is another matter"
    assert desk.account.exits[MES.contract_id].quantity is None


@pytest.mark.parametrize(("quantity", "code"), [(4, "MORE_THAN_HELD"), (3, ""), (1, "")])
def test_no_more_than_is_held_can_be_closed(quantity: int, code: str) -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    assert desk.close(quantity).code == code


def test_closing_what_is_not_held_is_an_unknown_position() -> None:
    assert Desk().close().code == "UNKNOWN_POSITION"


def test_flatten_is_larger_than_a_close_under_way() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    desk.close(1)
    desk.flatten()
    desk.cancelled(stop, target)
    (close,) = desk.closes()
    assert close.terms.quantity == 3


def test_flatten_cancels_and_closes_every_contract() -> None:
    desk = Desk(positions=[position(2, ASK, MNQ)])
    desk.submit("a", limit=BID - 40)
    desk.accept("a")
    desk.flatten()
    assert desk.order("a").cancel_wanted
    desk.cancelled("a")
    (close,) = desk.closes()
    assert (close.terms.contract_id, close.terms.quantity) == (MNQ.contract_id, 2)


def test_flatten_ten_times_is_one_flatten() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = both_legs(desk, "a")
    for _ in range(10):
        assert desk.flatten().ok
    desk.cancelled(stop, target)
    for _ in range(10):
        assert desk.flatten().ok
    assert len(desk.closes()) == 1
    assert desk.account.epoch == 20


def test_flatten_raises_the_epoch_of_every_approval_after_it() -> None:
    desk = Desk()
    desk.submit("a")
    desk.flatten()
    desk.accept("a")
    desk.cancelled("a")
    desk.wait(600)
    desk.read_back()
    desk.submit("b")
    assert [place.grant.epoch for place in desk.asked(Place)] == [0, 1]


def test_an_order_not_accepted_yet_is_cancelled_once_the_broker_has_named_it() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 40)
    desk.flatten()
    assert desk.asked(Cancel) == []
    desk.accept("a")
    assert len(desk.asked(Cancel)) == 1


def test_a_cancel_that_changed_nothing_is_sent_again() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 40)
    desk.accept("a")
    desk.cancel("a")
    desk.wait(6_000)
    assert len(desk.asked(Cancel)) == 3


def test_an_exit_that_is_given_up_leaves_the_position_protected() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = both_legs(desk, "a")
    desk.close()
    desk.cancelled(stop, target)
    for _ in range(3):
        desk.placed(desk.closes()[-1].order_id, Outcome.REFUSED, text="no")
        desk.wait(600)
        desk.read_back()
    assert finished(desk) == [False]
    assert desk.stop("a").leaves == 2


def test_a_partial_close_never_closes_more_than_was_asked_for() -> None:
    desk = Desk()
    desk.hold("a", quantity=4, stop=Leg.OFF, target=Leg.OFF)
    desk.close(2)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.show(close.order_id, OrderState.CANCELLED, filled_quantity=1)
    desk.wait(300)
    desk.fill(close.order_id, 1, BID)
    desk.read_back()
    assert [order.terms.quantity for order in desk.closes()] == [2, 1]
    desk.accept(desk.closes()[-1].order_id)
    desk.fill(desk.closes()[-1].order_id, price=BID)
    desk.read_back()
    assert (desk.net(), finished(desk)) == (2, [True])


def test_closing_orders_are_not_legs_and_carry_a_reducing_approval() -> None:
    desk = Desk()
    desk.hold("a", stop=Leg.OFF, target=Leg.OFF)
    desk.forget()
    desk.close()
    (approved,) = desk.told(e.OrderApproved)
    assert (approved.kind, approved.order.role) == (e.ApprovalKind.REDUCING, Role.CLOSE)
    assert approved.order.status is Status.APPROVED


def test_a_partial_close_cancels_other_closing_orders_as_far_as_they_stand_in_its_way() -> None:
    desk = Desk()
    desk.hold("a", quantity=4, stop=Leg.OFF, target=Leg.OFF)
    for name, quantity in (("b", 2), ("c", 1), ("d", 1)):
        assert desk.submit(name, Side.SELL, quantity, limit=ASK + 40).ok
        desk.accept(name)
    desk.close(2)
    assert [name for name in "bcd" if desk.order(name).cancel_wanted] == ["c", "d"], "the newest give way"
    assert desk.closes() == []
    desk.cancelled("c")
    desk.cancelled("d")
    assert [close.terms.quantity for close in desk.closes()] == [2]


def test_a_partial_close_cancels_no_stop() -> None:
    desk = Desk(positions=[position(2, ASK)])
    desk.feed(order_row(77, Side.SELL, 2, order_type=OrderType.STOP, limit_ticks=None, stop_ticks=BID - 40))
    desk.close(1)
    assert not desk.order("external/77").cancel_wanted


def test_an_exit_of_our_own_that_was_given_up_is_begun_again_but_not_in_a_loop() -> None:
    desk = Desk()
    desk.submit("a")
    desk.accept("a")
    desk.quote(MES, ASK - 60, ASK - 59)
    desk.fill("a")
    for _ in range(3):
        desk.placed(desk.closes()[-1].order_id, Outcome.REFUSED, text="closed")
        desk.read_back()
    assert finished(desk) == [False]
    assert len(desk.closes()) == 3
    desk.wait(4_999)
    assert len(desk.closes()) == 3
    desk.wait(1)
    assert len(desk.closes()) == 4


def test_a_part_of_a_position_that_has_turned_is_not_closed_any_more() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, stop=Leg.OFF, target=Exit(80))
    target = desk.target("a").order_id
    desk.submit("flip", Side.SELL, 5, stop=Exit(40), target=Leg.OFF)
    desk.accept("flip")
    desk.close(1)
    desk.fill("flip", price=BID)
    assert desk.net() == -2
    desk.cancelled(target)
    desk.wait(2_000)
    desk.read_back()
    assert desk.closes() == [], "one of the three that were long was meant"
    assert finished(desk) == [True]
    assert desk.stop("flip").leaves == 2


def test_a_partial_close_leaves_room_for_the_stop_of_what_has_just_filled() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, target=Leg.OFF)
    desk.submit("b", target=Leg.OFF)
    desk.accept("b")
    desk.close(1)
    desk.fill("b")
    assert desk.stop("b").leaves == 1
    assert desk.closes() == [], "3 and 1 are covered; one of the 3 must be freed first"
    desk.modified(desk.stop("a").order_id)
    assert [close.terms.quantity for close in desk.closes()] == [1]


def test_a_partial_close_leaves_room_for_a_stop_that_is_to_be_tried_again() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    desk.enter("b", target=Leg.OFF)
    desk.close(2)
    desk.wait(1)
    desk.placed(desk.stop("b").order_id, Outcome.REFUSED, text="price band")
    desk.wait(499)
    assert desk.legs("b") == [], "tried again in a moment"
    assert desk.closes() == [], "the stop of a may fill 2, and that of b the third"
    desk.wait(1)
    assert desk.stop("b").leaves == 1
    desk.cancelled(desk.stop("a").order_id)
    desk.read_back()
    assert [close.terms.quantity for close in desk.closes()] == [2]


def test_an_exit_is_recorded_with_its_order_and_the_instant_of_its_end() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    stop, target = both_legs(desk, "a")
    assert desk.ask(ClosePosition("mine", ACCOUNT, MES.contract_id, 3)).ok
    (started,) = desk.told(e.ExitStarted)
    assert (started.exit_id, started.quantity, started.cause) == ("mine", None, "close"), "all that is held"
    desk.cancelled(stop, target)
    (close,) = desk.closes()
    assert close.order_id.startswith("mine/close/")
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    desk.read_back()
    assert desk.told(e.ExitFinished) == [e.ExitFinished(ACCOUNT, MES.contract_id, flat=True, at_ns=desk.now_ns)]


def test_where_nothing_is_held_a_flatten_is_read_back_as_soon_as_its_cancels_are_through() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    desk.wait(1)
    desk.flatten()
    assert desk.order("a").reason == "flatten"
    desk.forget()
    desk.cancelled("a")
    assert len(desk.asked(ReadSnapshot)) == 1
    desk.read_back()
    assert finished(desk) == [True]


def test_what_works_in_another_contract_does_not_hold_up_a_close() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.submit("other", instrument=MNQ, limit=BID - 10)
    desk.accept("other")
    desk.close()
    desk.cancelled(*both_legs(desk, "a"))
    assert [close.terms.quantity for close in desk.closes()] == [2]
    assert not desk.order("other").cancel_wanted


@pytest.mark.parametrize("side", Side)
def test_a_partial_close_of_either_side_makes_room_in_its_own_contract_alone(side: Side) -> None:
    out = side.opposite
    desk = Desk(positions=[position(3 * side.sign, ASK), position(3 * side.sign, ASK, MNQ)])
    far = (ASK + 40) if out is Side.SELL else (BID - 40)
    desk.feed(order_row(77, out, 2, limit_ticks=far))
    desk.feed(order_row(78, out, 2, limit_ticks=far, contract_id=MNQ.contract_id))
    desk.feed(order_row(79, side, 2, limit_ticks=BID - 40 if side is Side.BUY else ASK + 40))
    desk.close(2)
    wanted = {order.order_id: order.reason for order in desk.account.live_orders() if order.cancel_wanted}
    assert wanted == {"external/77": "close"}
    assert desk.closes() == []
    desk.cancelled("external/77")
    assert [(close.terms.side, close.terms.quantity) for close in desk.closes()] == [(out, 2)]


def test_the_last_contract_that_is_to_be_closed_is_one_that_an_order_may_not_close_too() -> None:
    desk = Desk(positions=[position(1, ASK)])
    desk.feed(order_row(77, Side.SELL, 1, limit_ticks=ASK + 40))
    desk.group = evolve(desk.group, e.ExitStarted(ACCOUNT, MES.contract_id, "part", 1, "close", desk.now_ns))
    desk.feed(Wake())
    assert desk.order("external/77").cancel_wanted
    assert desk.closes() == []


def test_a_partial_close_leaves_room_for_every_stop_that_is_to_be_tried_again() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    for name in "bc":
        desk.enter(name, quantity=2, target=Leg.OFF)
    for name in "bc":
        desk.placed(desk.stop(name).order_id, Outcome.REFUSED, text="price band")
    desk.close(2)
    assert desk.closes() == [], "the stop of a may still fill 2, and those of b and c the other 4"
    desk.cancelled(desk.stop("a").order_id)
    assert [close.terms.quantity for close in desk.closes()] == [2]


def test_a_stop_that_is_to_be_tried_again_in_another_contract_holds_nothing_up() -> None:
    desk = Desk(positions=[position(2, ASK)])
    desk.enter("other", quantity=2, target=Leg.OFF, instrument=MNQ)
    desk.placed(desk.stop("other").order_id, Outcome.REFUSED, text="price band")
    desk.close(1)
    assert [close.terms.quantity for close in desk.closes()] == [1]


def test_a_partial_close_leaves_room_for_a_target_that_is_to_be_tried_again() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    desk.enter("b", quantity=2, stop=Leg.OFF)
    desk.placed(desk.target("b").order_id, Outcome.REFUSED, text="no")
    desk.close(2)
    assert desk.closes() == []
    desk.cancelled(desk.stop("a").order_id)
    assert [close.terms.quantity for close in desk.closes()] == [2]


def test_a_partial_close_leaves_room_for_legs_that_are_about_to_grow() -> None:
    desk = Desk()
    desk.hold("a", target=Leg.OFF)
    desk.submit("b", quantity=2)
    desk.accept("b")
    desk.fill("b", 1)
    for role in (Role.STOP, Role.TARGET):
        desk.accept(desk.legs("b", role)[0].order_id)
    desk.fill("b", 1)
    assert (desk.stop("b").leaves, desk.target("b").leaves) == (1, 1)
    desk.close(1)
    assert desk.closes() == [], "one for the stop of a, and two for the legs of b"


@pytest.mark.parametrize("turned", [0, -2], ids=["flat", "turned"])
def test_a_part_of_a_position_that_is_gone_is_not_closed_any_more(turned: int) -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=3, stop=Leg.OFF, target=Exit(80))
    target = desk.target("a").order_id
    desk.submit("out", Side.SELL, 3 - turned, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    desk.close(1)
    desk.fill("out", price=BID)
    desk.cancelled(target)
    desk.wait(2_000)
    desk.read_back()
    assert (desk.net(), desk.closes(), finished(desk)) == (turned, [], [True])


def test_a_part_of_a_short_that_its_stop_has_closed_is_done() -> None:
    desk = Desk()
    desk.hold("a", Side.SELL, 2, BID, target=Leg.OFF)
    desk.close(1)
    desk.fill(desk.stop("a").order_id, 2, BID + 40)
    desk.wait(2_000)
    desk.read_back()
    assert (desk.net(), desk.closes(), finished(desk)) == (0, [], [True])


def test_a_partial_close_cancels_no_target() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Leg.OFF)
    desk.accept("a")
    desk.feed(order_row(77, Side.SELL, 3, limit_ticks=ASK + 40))
    desk.fill("a")
    desk.accept(desk.target("a").order_id)
    desk.close(3)
    assert desk.order("external/77").cancel_wanted
    assert not desk.target("a").cancel_wanted


def test_a_flatten_is_not_done_while_something_still_works() -> None:
    desk = Desk()
    desk.submit("a", limit=BID - 10)
    desk.accept("a")
    desk.wait(1)
    desk.flatten()
    desk.wait(500)
    desk.read_back()
    assert finished(desk) == []
    assert desk.account.exits[MES.contract_id].round == 2


def test_a_leg_that_is_placed_during_a_close_is_not_taken_for_its_order() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, target=Leg.OFF)
    desk.submit("b", target=Leg.OFF)
    desk.accept("b")
    desk.close(1)
    desk.fill("b")
    assert desk.stop("b").leaves == 1
    assert desk.account.exits[MES.contract_id].order_id is None


def test_a_flatten_waits_for_a_fill_that_the_end_of_a_stop_has_shown_before_it_reads_back() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.flatten()
    desk.forget()
    desk.show(stop, OrderState.CANCELLED, filled_quantity=2)
    assert (list(desk.account.live_orders()), desk.net()) == ([], 2)
    assert desk.account.exits[MES.contract_id].phase is e.Phase.CLEARING
    assert desk.asked(ReadSnapshot) == []
    desk.fill(stop, 2)
    assert desk.account.exits[MES.contract_id].phase is e.Phase.READING
    assert desk.closes() == []


def test_an_order_that_would_close_what_the_legs_of_the_rest_leave_gives_way_to_a_part() -> None:
    desk = Desk()
    desk.hold("rest", Side.SELL, 2, price=BID, stop=Leg.OFF, targets=(Target(Exit(16), 1), Target(Exit(30), 1)))
    desk.submit("waits", limit=BID - 200, quantity=2, stop=Exit(40))
    desk.accept("waits")
    desk.submit("a", Side.SELL, stop=Exit(8), target=Leg.OFF)
    desk.accept("a")
    desk.mark(BID + 20)
    desk.fill("a", price=BID)
    assert desk.order("waits").cancel_wanted
    desk.cancelled("waits")
    assert [close.terms.quantity for close in desk.closes()] == [1]
