"""Several targets of one entry: what leaves at which, in which order, and what becomes of what none asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import Cancel, Modify, Place
from ordergate.core.fold import evolve
from ordergate.core.inputs import Mark
from ordergate.core.order import Exit, Order, Role, Side, Status, Target
from ordergate.core.reports import OrderState, Outcome
from ordergate.core.timing import TARGET_RETRY_NS
from tests.core.desk import ACCOUNT, ASK, BID, MS_NS, WIDE, Desk

NEAR, FAR, FARTHEST = 10, 20, 30


def at(ticks: int, quantity: int | None = None) -> Target:
    return Target(Exit(ticks), quantity)


def live(desk: Desk, entry_id: str = "a") -> list[Order]:
    return [leg for leg in desk.legs(entry_id, Role.TARGET) if leg.live]


def sizes(desk: Desk, entry_id: str = "a") -> dict[int, int]:
    """What is still to leave at each price, by the ticks of profit there; of a long at ``ASK``, or a short at it."""
    found: dict[int, int] = {}
    for leg in live(desk, entry_id):
        assert leg.terms.limit_ticks is not None
        distance = abs(leg.terms.limit_ticks - ASK)
        found[distance] = found.get(distance, 0) + leg.leaves
    return found


def leg_at(desk: Desk, ticks: int, entry_id: str = "a") -> Order:
    """The one live target that stands ``ticks`` above ``ASK``."""
    (found,) = [leg for leg in live(desk, entry_id) if leg.terms.limit_ticks == ASK + ticks]
    return found


def settle(desk: Desk) -> None:
    """The broker answers everything it was asked, until it is asked nothing more."""
    for _ in range(5):
        desk.wait(300)
        for order in [order for order in desk.account.live_orders() if order.is_leg]:
            if order.status is Status.APPROVED:
                desk.accept(order.order_id)
            elif order.cancel_wanted:
                desk.cancelled(order.order_id)
            elif order.change is not None:
                desk.modified(order.order_id)


def scaled(quantity: int = 4, *targets: Target, side: Side = Side.BUY) -> Desk:
    """A position of ``quantity`` at ``ASK`` whose legs all rest at the broker."""
    desk = Desk(WIDE)
    desk.hold("a", side, quantity, stop=Exit(40), targets=targets)
    return desk


def test_several_targets_are_placed_with_their_shares_once_the_stop_rests() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=6, stop=Exit(40), targets=(at(NEAR, 3), at(FAR, 2), at(FARTHEST)))
    assert desk.stop("a").terms.quantity == 6
    assert sizes(desk) == {}
    desk.accept(desk.stop("a").order_id)
    assert sizes(desk) == {NEAR: 3, FAR: 2, FARTHEST: 1}
    assert [leg.slot for leg in desk.legs("a", Role.TARGET)] == [0, 1, 2]
    assert {leg.terms.side for leg in desk.legs("a", Role.TARGET)} == {Side.SELL}


def test_the_targets_of_a_short_stand_below_it() -> None:
    desk = scaled(3, at(NEAR, 1), at(FAR), side=Side.SELL)
    assert {leg.terms.limit_ticks: leg.leaves for leg in desk.legs("a", Role.TARGET)} == {ASK - NEAR: 1, ASK - FAR: 2}


def test_a_price_of_a_target_holds_wherever_the_order_fills() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2, price=ASK + 3, stop=Exit(40), targets=(Target(Exit(0, ASK + 50), 1), at(20)))
    assert [leg.terms.limit_ticks for leg in desk.legs("a", Role.TARGET)] == [ASK + 50, ASK + 23]


def test_without_a_stop_the_targets_wait_for_nothing() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=3, stop=Leg.OFF, targets=(at(NEAR, 1), at(FAR, 1)))
    assert sizes(desk) == {NEAR: 1, FAR: 1}
    assert desk.legs("a") == []


def test_what_no_target_asks_for_is_a_runner_that_only_the_stop_ends() -> None:
    desk = scaled(5, at(NEAR, 1), at(FAR, 2))
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    desk.fill(leg_at(desk, FAR).order_id, price=ASK + FAR)
    settle(desk)
    assert desk.net() == 2
    assert sizes(desk) == {}, "nothing is asked for again"
    assert desk.stop("a").leaves == 2
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    assert (desk.net(), list(desk.account.legs("a"))) == (0, [])


def test_a_target_that_fills_leaves_the_others_as_they_are_and_shrinks_the_stop() -> None:
    desk = scaled(4, at(NEAR, 1), at(FAR, 2), at(FARTHEST))
    far, farthest = leg_at(desk, FAR), leg_at(desk, FARTHEST)
    desk.forget()
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    assert [change.terms.quantity for change in desk.asked(Modify)] == [3]
    assert desk.stop("a").leaves == 3
    assert (desk.asked(Place), desk.asked(Cancel)) == ([], [])
    assert [leg_at(desk, FAR), leg_at(desk, FARTHEST)] == [far, farthest]


def test_a_part_of_a_target_that_fills_leaves_the_rest_of_it() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    desk.fill(leg_at(desk, NEAR).order_id, 1, ASK + NEAR)
    settle(desk)
    assert sizes(desk) == {NEAR: 1, FAR: 2}
    assert desk.stop("a").leaves == 3
    assert desk.order("a").protection.targets == (at(NEAR, 1), at(FAR))


def test_what_a_cancelled_target_has_filled_unseen_is_not_asked_for_again() -> None:
    desk = scaled(5, at(NEAR, 3), at(FAR, 2))
    near = leg_at(desk, NEAR)
    desk.show(near.order_id, OrderState.CANCELLED, filled_quantity=2)
    settle(desk)
    assert sizes(desk) == {NEAR: 1, FAR: 2}
    assert desk.stop("a").leaves == 3
    desk.fill(near.order_id, 2, ASK + NEAR)
    settle(desk)
    assert (desk.net(), sizes(desk), desk.stop("a").leaves) == (3, {NEAR: 1, FAR: 2}, 3)


def test_what_a_target_filled_unseen_while_it_was_cancelled_is_nobody_elses() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    near = leg_at(desk, NEAR)
    desk.cancel(near.order_id)
    desk.show(near.order_id, OrderState.CANCELLED, filled_quantity=1)
    settle(desk)
    assert (sizes(desk), desk.stop("a").leaves) == ({FAR: 3}, 3)


def test_a_target_that_was_cancelled_elsewhere_after_a_part_of_it_filled_asks_for_its_rest() -> None:
    desk = scaled(4, at(NEAR, 3), at(FAR))
    near = leg_at(desk, NEAR)
    desk.fill(near.order_id, 1, ASK + NEAR)
    desk.cancelled(near.order_id)
    settle(desk)
    assert sizes(desk) == {NEAR: 2, FAR: 1}
    assert leg_at(desk, NEAR).order_id != near.order_id


def test_partial_fills_of_the_entry_serve_the_first_target_first() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=5, stop=Exit(40), targets=(at(NEAR, 2), at(FAR, 2)))
    desk.accept("a")
    seen = []
    for _ in range(5):
        desk.fill("a", 1)
        desk.wait(300)
        settle(desk)
        seen.append(sizes(desk))
    assert seen == [{NEAR: 1}, {NEAR: 2}, {NEAR: 2, FAR: 1}, {NEAR: 2, FAR: 2}, {NEAR: 2, FAR: 2}]


def test_what_fills_after_the_first_target_was_reached_goes_to_the_next() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Exit(40), targets=(at(NEAR, 2), at(FAR)))
    desk.accept("a")
    desk.fill("a", 2)
    settle(desk)
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    desk.fill("a", 2)
    settle(desk)
    assert sizes(desk) == {FAR: 2}
    assert desk.stop("a").leaves == 2


def test_a_target_for_all_that_is_left_goes_on_asking_for_all_that_is_left() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=20, stop=Exit(40), targets=(at(NEAR),))
    desk.accept("a")
    desk.fill("a", 2)
    settle(desk)
    desk.fill(leg_at(desk, NEAR).order_id, 1, ASK + NEAR)
    desk.fill("a", 18)
    settle(desk)
    assert sizes(desk) == {NEAR: 19}
    assert desk.order("a").protection.targets == (at(NEAR),)


def test_targets_that_add_up_to_more_than_the_order_are_served_as_far_as_it_goes() -> None:
    desk = scaled(3, at(NEAR, 2), at(FAR, 2), at(FARTHEST, 2))
    assert sizes(desk) == {NEAR: 2, FAR: 1}
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    assert sizes(desk) == {FAR: 1}


def test_a_part_close_takes_from_the_runner_first_and_then_from_the_last_target() -> None:
    desk = scaled(5, at(NEAR, 2), at(FAR, 2))
    seen, shrunk = [], []
    for _ in range(4):
        desk.forget()
        assert desk.close(1).ok
        settle(desk)
        shrunk.append(sorted(desk.order(change.order_id).role.value for change in desk.told(e.ModifyApproved)))
        (close,) = desk.closes()
        desk.accept(close.order_id)
        desk.fill(close.order_id, price=BID)
        desk.wait(300)
        desk.read_back()
        settle(desk)
        seen.append((desk.net(), sizes(desk), desk.stop("a").leaves))
    assert seen == [
        (4, {NEAR: 2, FAR: 2}, 4),
        (3, {NEAR: 2, FAR: 1}, 3),
        (2, {NEAR: 2}, 2),
        (1, {NEAR: 1}, 1),
    ]
    assert shrunk == [["stop"], ["stop", "target"], ["stop"], ["stop", "target"]], "and nothing else is touched"


def test_a_stop_that_fills_in_part_takes_from_the_last_target() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    desk.fill(desk.stop("a").order_id, 1, ASK - 40)
    settle(desk)
    assert (sizes(desk), desk.stop("a").leaves) == ({NEAR: 2, FAR: 1}, 3)


def test_a_full_close_ends_every_leg() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR, 1))
    desk.close()
    settle(desk)
    close = desk.closes()[-1]
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=BID)
    settle(desk)
    assert (desk.net(), list(desk.account.legs("a"))) == (0, [])


@pytest.mark.parametrize("slot", [0, 1])
def test_a_cancelled_target_is_not_placed_again_and_its_contracts_become_a_runner(slot: int) -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR, 2))
    ticks = (NEAR, FAR)[slot]
    assert desk.cancel(leg_at(desk, ticks).order_id).ok
    settle(desk)
    desk.wait(10_000)
    assert sizes(desk) == {(FAR, NEAR)[slot]: 2}
    assert desk.stop("a").leaves == 4
    assert desk.told(e.ProtectionChanged)[-1].cause == "the target was cancelled"


def test_the_only_target_can_be_cancelled_too() -> None:
    desk = Desk(WIDE)
    desk.hold("a", quantity=2)
    desk.cancel(desk.target("a").order_id)
    settle(desk)
    desk.wait(10_000)
    assert (sizes(desk), desk.stop("a").leaves) == ({}, 2)


def test_a_last_target_that_takes_all_that_is_left_takes_those_of_a_cancelled_one_too() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    desk.cancel(leg_at(desk, NEAR).order_id)
    settle(desk)
    assert sizes(desk) == {FAR: 4}


def test_a_target_does_not_grow_into_what_a_cancelled_one_may_still_fill() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    near = leg_at(desk, NEAR)
    desk.cancel(near.order_id)
    desk.wait(1_000)
    assert sizes(desk) == {NEAR: 2, FAR: 2}
    assert leg_at(desk, FAR).change is None
    desk.cancelled(near.order_id)
    settle(desk)
    assert sizes(desk) == {FAR: 4}, "all that is left"


def test_a_target_that_fills_while_it_is_cancelled_leaves_the_rest_to_the_others() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR, 2), at(FARTHEST))
    near = leg_at(desk, NEAR)
    desk.cancel(near.order_id)
    desk.fill(near.order_id, 2, ASK + NEAR)
    settle(desk)
    assert (desk.net(), sizes(desk), desk.stop("a").leaves) == (2, {FAR: 2}, 2)
    assert desk.order("a").protection.targets[0].quantity == 0, "never less than nothing"


def test_targets_that_are_placed_together_leave_room_for_what_a_cancelled_one_may_still_fill() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=6, stop=Exit(40), targets=(at(NEAR, 2), at(FAR, 2), at(FARTHEST)))
    desk.accept(desk.stop("a").order_id)
    near, far, farthest = live(desk)
    desk.accept(near.order_id, farthest.order_id)
    desk.placed(far.order_id, Outcome.REFUSED, text="no")
    desk.cancelled(farthest.order_id)
    desk.cancel(near.order_id)
    desk.wait(TARGET_RETRY_NS // MS_NS)
    assert sizes(desk) == {NEAR: 2, FAR: 2, FARTHEST: 2}
    settle(desk)
    assert sizes(desk) == {FAR: 2, FARTHEST: 4}


def test_a_target_that_the_broker_does_not_let_grow_is_helped_by_another_order_at_its_price() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Exit(40), targets=(at(NEAR, 1), at(FAR)))
    desk.accept("a")
    desk.fill("a", 2)
    settle(desk)
    desk.fill("a", 2)
    desk.wait(300)
    desk.modified(leg_at(desk, FAR).order_id, Outcome.REFUSED, "no")
    settle(desk)
    assert sizes(desk) == {NEAR: 1, FAR: 3}
    assert [(leg.slot, leg.leaves) for leg in live(desk)] == [(0, 1), (1, 1), (1, 2)]


def test_a_change_of_one_target_moves_only_that_one() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    near = leg_at(desk, NEAR)
    desk.forget()
    assert desk.modify(leg_at(desk, FAR).order_id, limit_ticks=ASK + 25).ok
    settle(desk)
    assert [change.terms.limit_ticks for change in desk.asked(Modify)] == [ASK + 25]
    assert sizes(desk) == {NEAR: 2, 25: 2}
    assert leg_at(desk, NEAR) == near
    assert desk.order("a").protection.targets == (at(NEAR, 2), Target(Exit(25, ASK + 25)))


def test_a_target_that_was_moved_keeps_its_place_in_the_row() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR, 2))
    desk.modify(leg_at(desk, NEAR).order_id, limit_ticks=ASK + FARTHEST)
    settle(desk)
    desk.fill(desk.stop("a").order_id, 1, ASK - 40)
    settle(desk)
    assert sizes(desk) == {FARTHEST: 2, FAR: 1}


def test_the_size_of_one_target_cannot_be_changed_by_its_order() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    answer = desk.modify(leg_at(desk, NEAR).order_id, quantity=1, limit_ticks=ASK + 5)
    assert answer.code == "NOTHING_TO_CHANGE"
    assert sizes(desk) == {NEAR: 2, FAR: 2}


def test_one_target_of_several_cannot_be_moved_by_the_position() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    answer = desk.protect(target=ASK + 50)
    assert (answer.ok, answer.code, answer.field) == (False, "SEVERAL_TARGETS", "takeProfit")
    assert desk.protect(stop=ASK - 30, target=ASK + 50).code == "SEVERAL_TARGETS"
    assert desk.told(e.ProtectionChanged) == []
    assert desk.protect(stop=ASK - 30).ok, "the stop is one"


def test_the_only_target_that_is_left_is_moved_by_the_position() -> None:
    desk = scaled(4, at(NEAR, 2), at(FAR))
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    assert desk.protect(target=ASK + 50).ok
    settle(desk)
    assert sizes(desk) == {50: 2}


def test_a_position_without_a_target_is_given_one_for_all_that_is_held() -> None:
    desk = scaled(4)
    assert sizes(desk) == {}
    assert desk.protect(target=ASK + 50).ok
    settle(desk)
    assert sizes(desk) == {50: 4}


def test_a_position_whose_targets_were_reached_is_given_one_for_the_runner() -> None:
    desk = scaled(4, at(NEAR, 1))
    desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    assert desk.protect(target=ASK + 50).ok
    settle(desk)
    assert sizes(desk) == {50: 3}
    assert desk.order("a").protection.targets == (at(NEAR, 0), Target(Exit(50, ASK + 50)))


def test_a_busted_fill_of_a_target_asks_for_it_again() -> None:
    desk = scaled(4, at(NEAR, 1), at(FAR, 2))
    fill = desk.fill(leg_at(desk, NEAR).order_id, price=ASK + NEAR)
    settle(desk)
    assert (sizes(desk), desk.stop("a").leaves) == ({FAR: 2}, 3)
    desk.fill(leg_at(desk, FAR).order_id, 1, ASK + FAR)
    settle(desk)
    desk.feed(replace(fill, voided=True))
    settle(desk)
    assert desk.net() == 3
    assert (sizes(desk), desk.stop("a").leaves) == ({NEAR: 1, FAR: 1}, 3)


def test_after_a_refused_target_all_of_that_entry_wait_and_those_of_others_do_not() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=2, stop=Exit(40), targets=(at(NEAR, 1), at(FAR, 1)))
    desk.accept(desk.stop("a").order_id)
    desk.accept(leg_at(desk, FAR).order_id)
    desk.placed(leg_at(desk, NEAR).order_id, Outcome.REFUSED, text="no")
    desk.cancelled(leg_at(desk, FAR).order_id)
    due_ns = desk.account.timers["target:a"]
    assert due_ns == desk.now_ns + TARGET_RETRY_NS
    desk.hold("b", quantity=2, stop=Exit(40), targets=(at(NEAR, 1), at(FAR, 1)))
    assert sizes(desk, "b") == {NEAR: 1, FAR: 1}
    desk.wait((due_ns - desk.now_ns) // MS_NS - 1)
    desk.feed(Mark())
    assert sizes(desk) == {}
    desk.wait(1)
    assert sizes(desk) == {NEAR: 1, FAR: 1}


def test_a_refused_target_leaves_the_others_where_they_are() -> None:
    desk = Desk(WIDE)
    desk.enter("a", quantity=3, stop=Exit(40), targets=(at(NEAR, 1), at(FAR, 1)))
    desk.accept(desk.stop("a").order_id)
    desk.accept(leg_at(desk, FAR).order_id)
    desk.placed(leg_at(desk, NEAR).order_id, Outcome.REFUSED, text="no")
    desk.wait(1_000)
    assert (sizes(desk), desk.stop("a").leaves) == ({FAR: 1}, 3)
    desk.fill(leg_at(desk, FAR).order_id, price=ASK + FAR)
    settle(desk)
    desk.wait(TARGET_RETRY_NS // MS_NS)
    assert sizes(desk) == {NEAR: 1}
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    settle(desk)
    assert [name for name in desk.account.timers if name.endswith(":a")] == [], "the wait ends with the order"


def test_a_scale_out_earns_each_part_at_its_own_price_to_the_cent() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=4, stop=Exit(40), targets=(at(NEAR, 1), at(FAR, 1)))
    desk.accept("a")
    for price in (ASK, ASK + 1):
        desk.fill("a", 2, price, fee_usd=Decimal("0.72"))
    settle(desk)
    assert sizes(desk) == {NEAR + 1: 1, FAR + 1: 1}, "from an average of half a tick above ASK, rounded up"
    earned = []
    for ticks in (NEAR + 1, FAR + 1):
        desk.fill(leg_at(desk, ticks).order_id, price=ASK + ticks, fee_usd=Decimal("0.36"))
        settle(desk)
        earned.append(desk.account.day.realized_usd)
    desk.fill(desk.stop("a").order_id, price=ASK - 39, fee_usd=Decimal("0.72"))
    earned.append(desk.account.day.realized_usd)
    # 10.5, 20.5 and twice -39.5 ticks of 1.25 USD, and 0.36 USD of fees for each of 4, 1, 1 and 2 contracts.
    assert earned == [Decimal("11.325"), Decimal("36.59"), Decimal("-62.88")]
    assert desk.net() == 0


def test_a_scale_out_of_a_short_earns_what_the_price_falls() -> None:
    desk = scaled(2, at(NEAR, 1), at(FAR), side=Side.SELL)
    for leg in desk.legs("a", Role.TARGET):
        desk.fill(leg.order_id, price=leg.terms.limit_ticks or 0)
        settle(desk)
    assert desk.account.day.realized_usd == Decimal("37.50")
    assert list(desk.account.legs("a")) == []


def test_a_target_that_is_promised_no_more_is_taken_away_and_may_still_fill() -> None:
    desk = scaled(4, at(NEAR, 1), at(FAR, 1))
    near, far = live(desk)
    less = replace(desk.order("a").protection, targets=())
    desk.group = evolve(desk.group, e.ProtectionChanged(ACCOUNT, "a", less, "as no command does yet"))
    desk.feed(Mark())
    assert [leg.cancel_wanted for leg in live(desk)] == [True, True]
    desk.fill(far.order_id, price=ASK + FAR)
    desk.cancelled(near.order_id)
    settle(desk)
    assert (desk.net(), sizes(desk), desk.stop("a").leaves) == (3, {}, 3)


def test_without_a_word_on_targets_there_is_one_for_all() -> None:
    desk = Desk(WIDE)
    desk.submit("a", quantity=3)
    (only,) = desk.order("a").protection.targets
    assert only.quantity is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["open", "cancel", "take", "lose", "answer", "wait"]), max_size=25), st.integers(0, 5))
def test_live_targets_never_add_up_to_more_than_is_held(steps: list[str], which: int) -> None:
    """Parts fill, targets are cancelled here and elsewhere, and the broker answers when it likes."""
    desk = Desk(WIDE)
    desk.submit("a", quantity=6, stop=Exit(40), targets=(at(NEAR, 2), at(FAR, 3), at(FARTHEST)))
    desk.accept("a")
    for turn, step in enumerate(["open", "answer", *steps]):
        working = [leg for leg in live(desk) if leg.status is Status.WORKING]
        leg = working[(turn + which) % len(working)] if working else None
        if step == "open" and desk.order("a").live:
            desk.fill("a", 1)
        elif step == "cancel" and leg is not None:
            desk.cancel(leg.order_id)
        elif step == "take" and leg is not None:
            desk.fill(leg.order_id, 1, leg.terms.limit_ticks or 0)
        elif step == "lose" and leg is not None:
            desk.cancelled(leg.order_id)
        elif step == "answer":
            settle(desk)
        else:
            desk.wait(300)
        assert sum(sizes(desk).values()) <= desk.order("a").open_quantity
