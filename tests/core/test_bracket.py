"""Brackets: where legs belong, when they are placed, moved and taken away, and what is done when they cannot be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.commands import Leg
from ordergate.core.effects import Cancel, Modify, Place
from ordergate.core.limits import InstrumentLimits, Limits
from ordergate.core.order import Exit, Order, OrderType, Role, Side, Status, Target, Terms
from ordergate.core.pace import MINUTE_NS, is_taken_again
from ordergate.core.persistent import Map
from ordergate.core.reports import OrderState, Outcome
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, WIDE, Desk, fill_row, order_row


def test_a_fill_places_the_stop_first_and_the_target_once_the_stop_rests() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Exit(40), target=Exit(80))
    stop = desk.stop("a")
    assert (stop.terms.side, stop.terms.quantity, stop.terms.order_type) == (Side.SELL, 2, OrderType.STOP)
    assert stop.terms.stop_ticks == ASK - 40
    assert desk.legs("a", Role.TARGET) == []
    desk.accept(stop.order_id)
    target = desk.target("a")
    assert (target.terms.side, target.terms.quantity, target.terms.order_type) == (Side.SELL, 2, OrderType.LIMIT)
    assert target.terms.limit_ticks == ASK + 80


def test_legs_are_told_apart_by_ids_that_are_never_used_again() -> None:
    desk = Desk()
    desk.hold("a")
    first = desk.stop("a")
    desk.cancelled(first.order_id)
    assert desk.stop("a").order_id != first.order_id
    assert desk.stop("a").tag != first.tag
    assert desk.stop("a").order_id.startswith("a/stop/")


def test_defaults_are_the_instruments_distance_and_the_ratio() -> None:
    desk = Desk(Limits(risk_reward_ratio=Decimal("1.5")))
    desk.hold("a")
    assert desk.stop("a").terms.stop_ticks == ASK - 40
    assert desk.target("a").terms.limit_ticks == ASK + 60


def test_a_default_stop_is_drawn_in_to_the_risk_limit_but_not_below_the_minimum() -> None:
    desk = Desk(Limits(account_size_usd=Decimal(1_250)))  # 2 % are 25 USD: 20 ticks of one contract
    desk.submit("a")
    desk.submit("b", quantity=4)
    desk.submit("c", quantity=10)
    assert [desk.order(name).protection.stop for name in "abc"] == [Exit(20), Exit(5), Exit(4)]
    assert desk.order("c").status is Status.DENIED, "which then says EXCESSIVE_RISK"


def test_the_default_target_never_falls_below_the_ratio() -> None:
    desk = Desk(Limits(risk_reward_ratio=Decimal("1.51")))
    desk.submit("a", stop=Exit(7))
    assert desk.order("a").protection.targets == (Target(Exit(11)),)  # 10.57


def test_legs_switched_off_are_not_placed() -> None:
    desk = Desk()
    desk.enter("a", stop=Leg.OFF, target=Leg.OFF)
    assert list(desk.account.legs("a")) == []
    desk.enter("b", stop=Leg.OFF, target=Exit(80))
    assert desk.legs("b") == []
    assert desk.target("b").terms.limit_ticks == ASK + 80, "there is no stop to wait for"
    desk.enter("c", stop=Exit(40), target=Leg.OFF)
    desk.accept(desk.stop("c").order_id)
    assert desk.legs("c", Role.TARGET) == []


@pytest.mark.parametrize(
    ("side", "prices", "stop", "target"),
    [
        (Side.BUY, [100, 101], 61, 181),  # 100.5: stop 60.5, target 180.5
        (Side.SELL, [100, 101], 140, 20),  # stop 140.5, target 20.5
        (Side.BUY, [100, 100, 101], 61, 181),
        (Side.SELL, [100, 100, 101], 140, 20),
        (Side.BUY, [-100, -101], -140, -20),  # -100.5: stop -140.5, target -20.5
        (Side.SELL, [-100, -101], -61, -181),
        (Side.BUY, [20, 21], -19, 101),  # across zero
        (Side.BUY, [-3, -3], -43, 77),
    ],
)
def test_the_stop_rounds_toward_the_entry_and_the_target_away(
    side: Side, prices: list[int], stop: int, target: int
) -> None:
    desk = Desk(WIDE)
    desk.quote(MES, prices[0], prices[0])
    desk.submit("a", side, len(prices), stop=Exit(40), target=Exit(80))
    desk.accept("a")
    for price in prices:
        desk.fill("a", 1, price)
    desk.wait(300)
    desk.accept(desk.stop("a").order_id)
    desk.modified(desk.stop("a").order_id)
    assert desk.stop("a").terms.stop_ticks == stop
    assert desk.target("a").terms.limit_ticks == target


def test_partial_fills_grow_the_legs_at_most_every_250_ms() -> None:
    desk = Desk()
    desk.submit("a", quantity=4)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.accept(desk.target("a").order_id)
    assert desk.stop("a").terms.quantity == 1, "the first stop is immediate"
    desk.forget()
    for _ in range(3):
        desk.fill("a", 1)
        desk.wait(50)
    assert desk.asked(Modify) == []
    desk.wait(250)
    assert sorted(change.terms.quantity for change in desk.asked(Modify)) == [4, 4], "one resize each for three fills"


def test_one_leg_is_not_resized_again_while_its_change_is_under_way() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 1)
    desk.wait(300)
    desk.forget()
    desk.fill("a", 1)
    desk.wait(1_000)
    assert desk.asked(Modify) == []
    desk.modified(desk.stop("a").order_id)
    desk.wait(300)
    (change,) = desk.asked(Modify)
    assert change.terms.quantity == 3


def test_the_stop_follows_the_average_to_the_last_fill() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, limit=ASK)
    desk.accept("a")
    desk.fill("a", 1, ASK)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 1, ASK - 10)
    assert desk.order("a").status is Status.FILLED
    desk.wait(300)
    desk.modified(desk.stop("a").order_id)
    assert desk.stop("a").terms.stop_ticks == ASK - 45
    assert desk.stop("a").terms.quantity == 2


def test_the_stop_follows_the_average_as_long_as_the_entry_works() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=ASK)
    desk.accept("a")
    desk.fill("a", 1, ASK)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 1, ASK - 10)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id)
    assert desk.stop("a").terms.stop_ticks == ASK - 45


def test_a_filled_leg_ends_its_sibling() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = desk.stop("a"), desk.target("a")
    desk.fill(target.order_id, price=ASK + 80)
    assert desk.order(stop.order_id).cancel_wanted
    assert Cancel(stop.terms.account_id, stop.broker_order_id or 0, stop.order_id) in desk.asked(Cancel)
    desk.cancelled(stop.order_id)
    desk.wait(5_000)
    assert list(desk.account.live_orders()) == []
    assert not desk.account.stop_failures


def test_a_leg_filled_in_part_shrinks_its_sibling() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    desk.fill(desk.target("a").order_id, 1, ASK + 80)
    change = desk.stop("a").change
    assert change is not None
    assert change.quantity == 2
    desk.modified(desk.stop("a").order_id)
    assert (desk.stop("a").leaves, desk.target("a").leaves) == (2, 2)


def test_a_stop_that_is_hit_cancels_the_rest_of_its_entry() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=ASK)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill(desk.stop("a").order_id, price=ASK - 40)
    assert desk.order("a").cancel_wanted


def test_both_legs_filled_is_reversed_back_to_flat() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = desk.stop("a").order_id, desk.target("a").order_id
    desk.fill(target, price=ASK + 80)
    desk.fill(stop, price=ASK - 40)
    assert desk.net() == -2
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity) == (Side.BUY, 2)


def test_a_refused_stop_is_tried_again_and_then_the_position_is_closed() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    for attempt in (1, 2):
        desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="price band")
        assert desk.legs("a") == []
        assert desk.told(e.ProtectionFailed)[-1].attempt == attempt
        desk.wait(499)
        assert desk.legs("a") == [], "not in a loop"
        desk.wait(1)
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="price band")
    (close,) = desk.closes()
    assert (close.terms.side, close.terms.quantity) == (Side.SELL, 2)
    assert desk.legs("a") == []


OFF_RANGE = "Invalid price. Price is outside allowed range."


@pytest.mark.parametrize("side", Side)
def test_a_stop_too_far_for_the_broker_is_tried_half_as_far_from_the_market_and_then_promised_there(side: Side) -> None:
    desk = Desk()
    desk.enter("a", side, quantity=2, price=BID, stop=Exit(100))
    market, sign = (BID, 1) if side is Side.BUY else (ASK, -1)
    levels = []
    for _ in range(3):
        level = desk.stop("a").terms.stop_ticks
        assert level is not None
        levels.append((market - level) * sign)
        desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text=OFF_RANGE)
        desk.wait(500)
    far = levels[0]
    assert levels == [far, far // 2, far // 4]
    assert len(desk.closes()) == 1, "and closed, where none is taken"


def test_a_stop_that_was_drawn_in_stays_there_while_its_entry_fills_on() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, stop=Exit(100))
    desk.accept("a")
    desk.fill("a", 1)
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text=OFF_RANGE)
    desk.wait(500)
    nearer = BID - (BID - (ASK - 100)) // 2
    assert desk.told(e.ProtectionChanged)[-1].protection.stop == Exit(ASK - nearer, nearer)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2, ASK + 4)
    desk.wait(250)
    desk.modified(desk.stop("a").order_id)
    assert (desk.stop("a").terms.stop_ticks, desk.stop("a").terms.quantity) == (nearer, 3)


@pytest.mark.parametrize("text", [OFF_RANGE, "Order rejected."])
def test_a_stop_is_not_drawn_in_to_the_market_itself_nor_for_another_reason(text: str) -> None:
    desk = Desk()
    near = text == OFF_RANGE
    desk.enter("a", stop=Exit(MES.stop_ticks_min if near else 100))
    level = desk.stop("a").terms.stop_ticks
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text=text)
    desk.wait(500)
    assert desk.stop("a").terms.stop_ticks == level


def test_a_stop_is_tried_at_its_own_price_where_nobody_knows_the_market() -> None:
    desk = Desk()
    desk.enter("a", stop=Exit(100))
    level = desk.stop("a").terms.stop_ticks
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text=OFF_RANGE)
    desk.quote(MES, None, None)
    desk.wait(500, quiet=True)
    assert desk.stop("a").terms.stop_ticks == level


def test_a_stop_that_stays_in_doubt_is_not_placed_for_ever() -> None:
    desk = Desk()
    desk.enter("a", quantity=2)
    for _ in range(3):
        stop = desk.stop("a").order_id
        desk.placed(stop, Outcome.UNKNOWN)
        desk.looked_up(stop)
        desk.wait(500)
        desk.looked_up(stop)
    (close,) = desk.closes()
    assert close.terms.quantity == 2


@pytest.mark.parametrize(("side", "bid", "ask"), [(Side.BUY, ASK - 40, ASK - 39), (Side.SELL, ASK + 39, ASK + 40)])
def test_a_market_through_the_stop_closes_at_once(side: Side, bid: int, ask: int) -> None:
    desk = Desk()
    desk.submit("a", side)
    desk.accept("a")
    desk.quote(MES, bid, ask)
    desk.fill("a", price=ASK)
    assert desk.legs("a") == []
    (close,) = desk.closes()
    assert close.terms.side is side.opposite


def test_a_stop_one_tick_from_the_market_is_placed() -> None:
    desk = Desk()
    desk.submit("a")
    desk.accept("a")
    desk.quote(MES, ASK - 39, ASK - 38)
    desk.fill("a", price=ASK)
    assert desk.stop("a").terms.stop_ticks == ASK - 40


def test_without_a_fresh_quote_the_stop_is_placed_all_the_same() -> None:
    desk = Desk()
    desk.submit("a")
    desk.accept("a")
    desk.quotes.clear()
    desk.fill("a")
    assert desk.stop("a").status is Status.APPROVED


def test_scaling_in_keeps_a_bracket_for_each_entry() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Exit(40))
    desk.hold("b", quantity=3, price=ASK + 10, stop=Exit(20))
    assert (desk.stop("a").terms.stop_ticks, desk.stop("a").leaves) == (ASK - 40, 2)
    assert (desk.stop("b").terms.stop_ticks, desk.stop("b").leaves) == (ASK - 10, 3)
    desk.fill(desk.stop("b").order_id, price=ASK - 10)
    assert desk.order("a").open_quantity == 2
    assert not desk.stop("a").cancel_wanted


def test_a_manual_reduction_shrinks_the_oldest_bracket_first() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.hold("b", quantity=2)
    desk.submit("out", Side.SELL, 3)
    desk.accept("out")
    desk.fill("out")
    assert (desk.order("a").open_quantity, desk.order("b").open_quantity) == (0, 1)
    assert desk.stop("a").cancel_wanted
    change = desk.stop("b").change
    assert change is not None
    assert change.quantity == 1


def test_a_reduction_made_elsewhere_shrinks_the_oldest_bracket_too() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.hold("b", quantity=2)
    desk.feed(order_row(77, Side.SELL, 1))
    desk.feed(fill_row(1, 77, Side.SELL, 1, ASK))
    assert (desk.order("a").open_quantity, desk.order("b").open_quantity) == (1, 2)


def test_a_flip_ends_the_old_bracket_and_protects_the_rest_on_the_new_side() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.submit("flip", Side.SELL, 5, stop=Exit(40), target=Exit(80))
    desk.accept("flip")
    desk.fill("flip", price=BID)
    assert desk.net() == -3
    assert desk.stop("a").cancel_wanted
    assert desk.target("a").cancel_wanted
    stop = desk.stop("flip")
    assert (stop.terms.side, stop.terms.quantity, stop.terms.stop_ticks) == (Side.BUY, 3, BID + 40)


def test_a_stop_dragged_away_at_the_broker_is_put_back() -> None:
    desk = Desk()
    desk.hold("a")
    desk.show(desk.stop("a").order_id, stop_ticks=ASK - 90)
    change = desk.stop("a").change
    assert change is not None
    assert change.stop_ticks == ASK - 40


def test_a_stop_dragged_closer_at_the_broker_stays_there() -> None:
    desk = Desk()
    desk.hold("a")
    desk.show(desk.stop("a").order_id, stop_ticks=ASK - 10)
    assert desk.stop("a").change is None
    assert desk.stop("a").terms.stop_ticks == ASK - 10


def test_a_stop_made_smaller_at_the_broker_is_made_whole() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    desk.show(desk.stop("a").order_id, quantity=1)
    change = desk.stop("a").change
    assert change is not None
    assert change.quantity == 3


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_a_stop_deleted_at_the_broker_is_placed_again(state: OrderState) -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    first = desk.stop("a").order_id
    desk.show(first, state)
    assert desk.stop("a").order_id != first
    assert desk.stop("a").leaves == 2


def taken_away(desk: Desk, leg_id: str, state: OrderState = OrderState.CANCELLED) -> None:
    desk.accept(leg_id)
    desk.show(leg_id)
    desk.show(leg_id, state)


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED])
def test_stops_that_somebody_deletes_one_after_the_other_count_as_refused_and_end_in_a_close(state: OrderState) -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.show(desk.stop("a").order_id, state)
    assert desk.told(e.ProtectionFailed) == [], "the first one is placed again at once"
    for attempt in (1, 2, 3):
        taken_away(desk, desk.stop("a").order_id, state)
        assert desk.told(e.ProtectionFailed)[-1].attempt == attempt
        assert desk.legs("a") == [], "and the next ones after a moment"
        desk.wait(500)
    assert desk.told(e.ExitStarted)[-1].cause == "the stop was refused"


def test_a_stop_that_is_deleted_long_after_another_one_is_placed_again_at_once() -> None:
    desk = Desk()
    desk.hold("a")
    for _ in range(5):
        taken_away(desk, desk.stop("a").order_id)
        desk.accept(desk.stop("a").order_id)
        desk.wait(60_000)
    assert desk.told(e.ProtectionFailed) == []


def test_the_deleted_stop_of_another_entry_counts_for_nothing() -> None:
    desk = Desk()
    desk.hold("a")
    desk.hold("b")
    taken_away(desk, desk.stop("a").order_id)
    taken_away(desk, desk.stop("b").order_id)
    assert desk.told(e.ProtectionFailed) == []


def test_what_we_cancel_ourselves_is_not_taken_away() -> None:
    desk = Desk()
    desk.hold("a")
    taken_away(desk, desk.target("a").order_id)
    desk.accept(desk.target("a").order_id)
    taken_away(desk, desk.stop("a").order_id)
    desk.accept(desk.stop("a").order_id)
    legs = [desk.stop("a").order_id, desk.target("a").order_id]
    desk.flatten()
    for leg_id in legs:
        desk.cancelled(leg_id)
    assert desk.told(e.ProtectionFailed) == []
    assert not [key for key in desk.account.timers if key.startswith("target:")]


def taken(**changed: Any) -> Order:
    terms = Terms(ACCOUNT, MES.contract_id, Side.SELL, 1, OrderType.STOP, stop_ticks=BID - 40)
    leg = Order("a/stop/1", terms, Role.STOP, Status.CANCELLED, parent_id="a", updated_ns=MINUTE_NS + 1)
    return replace(leg, **changed)


@pytest.mark.parametrize(
    ("before", "is_again"),
    [
        (taken(), True),
        (taken(status=Status.EXPIRED), True),
        (taken(status=Status.FILLED), False),
        (taken(cancel_wanted=True), False),
        (taken(updated_ns=MINUTE_NS), False),
        (taken(parent_id="b"), False),
        (taken(role=Role.TARGET), False),
        (taken(slot=1), False),
        (taken(order_id="a/stop/2"), False),
    ],
)
def test_a_leg_is_taken_again_within_a_minute_of_another_in_its_place(before: Order, is_again: bool) -> None:  # noqa: FBT001
    account = Account(ACCOUNT, done=Map({before.order_id: before}))
    assert is_taken_again(account, taken(order_id="a/stop/2"), 2 * MINUTE_NS) is is_again


def test_targets_that_somebody_deletes_one_after_the_other_are_placed_again_after_a_while() -> None:
    desk = Desk()
    desk.hold("a")
    taken_away(desk, desk.target("a").order_id)
    taken_away(desk, desk.target("a").order_id)
    assert desk.legs("a", Role.TARGET) == []
    desk.wait(4_999)
    assert desk.legs("a", Role.TARGET) == []
    desk.wait(1)
    assert desk.target("a").live


def test_a_stop_that_was_rejected_after_it_had_been_accepted_is_placed_again() -> None:
    desk = Desk()
    desk.hold("a")
    desk.show(desk.stop("a").order_id, OrderState.REJECTED)
    desk.wait(500)
    assert desk.stop("a").status is Status.APPROVED


def test_a_stop_rejected_by_the_hub_before_its_rest_answer_does_not_pass_for_resting() -> None:
    desk = Desk()
    desk.enter("a")
    stop = desk.stop("a").order_id
    desk.show(stop, OrderState.REJECTED, broker_order_id=9_500)
    desk.placed(stop, Outcome.DONE, 9_500)
    assert desk.order(stop).status is Status.REJECTED
    desk.wait(500)
    assert desk.stop("a").order_id != stop


def test_a_stop_in_doubt_is_replaced_after_two_reads_and_the_surplus_cancelled_when_the_first_appears() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, target=Leg.OFF)
    first = desk.stop("a").order_id
    desk.placed(first, Outcome.UNKNOWN)
    desk.looked_up(first)
    assert [leg.order_id for leg in desk.legs("a")] == [first]
    desk.wait(499)
    assert [leg.order_id for leg in desk.legs("a")] == [first]
    desk.wait(1)
    desk.looked_up(first)
    (second,) = desk.legs("a")
    assert second.order_id != first
    desk.accept(second.order_id)
    desk.show(first, broker_order_id=9_700)
    assert desk.order(first).status is Status.WORKING
    assert desk.order(first).cancel_wanted
    assert not desk.order(second.order_id).cancel_wanted
    desk.cancelled(first)
    desk.wait(2_000)
    assert [leg.order_id for leg in desk.legs("a")] == [second.order_id]


def test_a_stop_whose_resize_is_refused_gets_another_for_the_difference() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2)
    desk.wait(300)
    first = desk.stop("a").order_id
    desk.modified(first, Outcome.REFUSED, "size cannot be changed")
    assert not desk.order(first).cancel_wanted, "the only stop is never cancelled"
    desk.wait(300)
    assert [leg.leaves for leg in desk.legs("a")] == [1, 2]
    first_stop, more = desk.legs("a")
    assert more.terms == replace(first_stop.terms, quantity=2)
    desk.accept(more.order_id)
    desk.wait(1_000)
    assert not any(leg.cancel_wanted for leg in desk.legs("a")), "neither is more than what is held"


def test_of_several_stops_those_go_that_the_others_cover() -> None:
    desk = Desk()
    desk.submit("a", quantity=4, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 1)
    desk.wait(300)
    desk.modified(desk.legs("a")[0].order_id, Outcome.REFUSED, "size cannot be changed")
    desk.wait(300)
    for more in range(3):
        desk.accept(desk.legs("a")[-1].order_id)
        if more < 2:
            desk.fill("a", 1)
        desk.wait(1_000)
    sizes = [leg.leaves for leg in desk.legs("a")]
    assert desk.submit("out", Side.SELL, 2).ok
    desk.accept("out")
    desk.fill("out")
    gone = [leg for leg in desk.legs("a") if leg.cancel_wanted]
    assert sizes == [1, 1, 1, 1]
    assert [leg.reason for leg in gone] == ["surplus leg", "surplus leg"]
    assert sum(leg.leaves for leg in desk.legs("a") if not leg.cancel_wanted) == desk.net() == 2


def test_a_change_that_is_refused_again_and_again_is_asked_for_ever_more_rarely() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, target=Leg.OFF)
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.fill("out")
    desk.forget()
    for _ in range(600):
        if desk.stop("a").change is not None:
            desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "no")
        desk.wait(100)
    assert 5 <= len(desk.asked(Modify)) <= 12, "in a minute"


def test_a_stop_cancelled_with_a_fill_that_is_still_missing_is_replaced_without_that_part() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, target=Leg.OFF)
    first = desk.stop("a").order_id
    desk.show(first, OrderState.CANCELLED, filled_quantity=1)
    assert desk.stop("a").leaves == 2
    desk.fill(first, 1, ASK - 40)
    desk.wait(300)
    assert (desk.net(), desk.stop("a").leaves) == (2, 2)
    assert desk.stop("a").change is None


def test_a_target_taken_off_stays_off() -> None:
    desk = Desk()
    desk.hold("a")
    target = desk.target("a").order_id
    assert desk.cancel(target).ok
    desk.cancelled(target)
    desk.wait(5_000)
    assert desk.legs("a", Role.TARGET) == []
    assert desk.stop("a").status is Status.WORKING


def test_legs_that_are_done_leave_no_timer_behind() -> None:
    desk = Desk()
    for name in "abc":
        desk.hold(name)
        stop, target = desk.stop(name).order_id, desk.target(name).order_id
        desk.fill(target, price=ASK + 80)
        desk.cancelled(stop)
    assert set(desk.account.timers) == {"day", "balance", "review"}, "that of the last fill has not been told"


def test_an_order_that_only_closes_places_no_legs() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.submit("out", Side.SELL, 2)
    desk.accept("out")
    desk.forget()
    desk.fill("out")
    assert desk.asked(Place) == []
    assert list(desk.account.legs("out")) == []


def test_a_stop_refused_because_the_market_is_through_it_is_not_tried_again() -> None:
    desk = Desk()
    desk.enter("a")
    desk.quote(MES, ASK - 45, ASK - 44)
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="invalid price")
    assert len(desk.closes()) == 1, "at once"


def test_a_refused_target_is_tried_again_but_not_in_a_loop() -> None:
    desk = Desk()
    desk.enter("a")
    desk.accept(desk.stop("a").order_id)
    desk.placed(desk.target("a").order_id, Outcome.REFUSED, text="no")
    assert desk.legs("a", Role.TARGET) == []
    desk.wait(4_999)
    assert desk.legs("a", Role.TARGET) == []
    desk.wait(1)
    desk.accept(desk.target("a").order_id)
    assert desk.target("a").leaves == 1


def test_a_default_stop_is_drawn_in_to_the_limit_of_its_own_product() -> None:
    desk = Desk(Limits(instruments=(InstrumentLimits("MES", risk_usd_max=Decimal(25)),)))
    assert desk.submit("a").ok
    assert desk.order("a").protection.stop == Exit(20)
    assert desk.submit("b", instrument=MNQ).ok
    assert desk.order("b").protection.stop == Exit(40)


def test_a_stop_has_a_stop_price_a_target_a_limit_price_and_neither_risks_anything_more() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    stop, target = desk.stop("a").terms, desk.target("a").terms
    assert stop == Terms(ACCOUNT, MES.contract_id, Side.SELL, 2, OrderType.STOP, None, ASK - 40)
    assert target == Terms(ACCOUNT, MES.contract_id, Side.SELL, 2, OrderType.LIMIT, ASK + 80, None)
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.fill("out")
    changes = desk.told(e.ModifyApproved)
    assert [(event.kind, event.risk_ticks) for event in changes] == [(e.ApprovalKind.LEG, 0)] * 2


def test_a_stop_that_is_refused_for_good_closes_as_many_as_its_own_entry_holds() -> None:
    desk = Desk()
    desk.hold("a", quantity=2, target=Leg.OFF)
    desk.enter("b", quantity=3, target=Leg.OFF)
    for _ in range(3):
        desk.placed(desk.stop("b").order_id, Outcome.REFUSED, text="price band")
        desk.wait(500)
    (started,) = desk.told(e.ExitStarted)
    assert (started.exit_id, started.quantity, started.cause) == ("b/unprotected", 3, "the stop was refused")


def test_a_market_through_the_stop_is_told_as_the_cause_of_the_close() -> None:
    desk = Desk()
    desk.submit("a", quantity=2, target=Leg.OFF)
    desk.accept("a")
    desk.quote(MES, ASK - 60, ASK - 59)
    desk.fill("a")
    (started,) = desk.told(e.ExitStarted)
    assert (started.exit_id, started.quantity, started.cause) == (
        "a/unprotected",
        2,
        "the market is through the stop",
    )


def test_a_partial_close_ends_the_brackets_of_the_oldest_entries_and_no_more() -> None:
    desk = Desk()
    for name in "abc":
        desk.hold(name, target=Leg.OFF)
    desk.close(2)
    assert [desk.stop(name).cancel_wanted for name in "abc"] == [True, True, False]


def test_a_stop_that_is_shown_as_filled_in_part_keeps_its_size_until_the_fill_comes() -> None:
    desk = Desk()
    desk.hold("a", quantity=3, target=Leg.OFF)
    stop = desk.stop("a").order_id
    desk.show(stop, filled_quantity=1)
    desk.wait(300)
    assert desk.order(stop).change is None
    desk.fill(stop, 1, ASK - 40)
    assert (desk.order(stop).leaves, desk.order(stop).change) == (2, None)


def test_a_stop_dragged_closer_while_its_entry_works_is_put_back() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    stop = desk.stop("a").order_id
    desk.accept(stop)
    desk.wait(300)
    desk.show(stop, stop_ticks=ASK - 20)
    desk.wait(300)
    change = desk.order(stop).change
    assert change is not None
    assert change.stop_ticks == ASK - 40


def test_a_target_that_was_never_refused_is_placed_though_others_failed_again_and_again() -> None:
    desk = Desk()
    desk.submit("a")
    desk.accept("a")
    desk.group = replace(desk.group, accounts={ACCOUNT: replace(desk.account, repeating=6)})
    desk.fill("a")
    desk.accept(desk.stop("a").order_id)
    assert desk.target("a").leaves == 1


def unprotected() -> tuple[Desk, Order]:
    """Two entries, "a" with its stop and target resting; the stop of "b" was refused for good: the close of it."""
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.enter("b", quantity=3)
    for _ in range(3):
        desk.placed(desk.stop("b").order_id, Outcome.REFUSED, text="price band")
        desk.wait(500)
    (close,) = desk.closes()
    return desk, close


def test_a_stop_that_is_refused_for_good_closes_its_own_entry_and_no_other() -> None:
    desk, close = unprotected()
    assert [leg.cancel_wanted for leg in desk.account.legs("a")] == [False, False]
    desk.accept(close.order_id)
    desk.fill(close.order_id, 3)
    assert (desk.order("a").open_quantity, desk.order("b").open_quantity) == (2, 0)
    assert [leg.leaves for leg in desk.account.legs("a")] == [2, 2]
    desk.wait(2_000)
    desk.snapshot()
    assert (desk.net(), len(desk.closes()), desk.account.exits) == (2, 1, {})


def test_what_closed_one_entry_and_is_busted_is_that_entrys_again() -> None:
    desk, close = unprotected()
    desk.accept(close.order_id)
    fill = desk.fill(close.order_id, 3)
    desk.feed(replace(fill, voided=True))
    assert (desk.order("a").open_quantity, desk.order("b").open_quantity) == (2, 3)


def test_what_fills_while_a_surplus_stop_is_on_its_way_out_is_covered_by_the_one_that_stays() -> None:
    desk = Desk()
    desk.submit("a", quantity=4, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 2)
    first = desk.stop("a").order_id
    desk.placed(first, Outcome.UNKNOWN)
    desk.looked_up(first)
    desk.wait(500)
    desk.looked_up(first)
    second = desk.stop("a").order_id
    desk.accept(second)
    desk.show(first, broker_order_id=9_700)
    assert desk.order(first).cancel_wanted
    desk.fill("a", 2)
    desk.wait(300)
    change = desk.order(second).change
    assert change is not None
    assert change.quantity == 4


def test_a_stop_is_never_asked_to_be_of_less_than_one_contract() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "size cannot be changed")
    desk.wait(300)
    desk.accept(desk.legs("a")[-1].order_id)
    assert [leg.leaves for leg in desk.legs("a")] == [1, 2]
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.fill("out")
    desk.wait(1_000)
    assert [event.change.quantity for event in desk.told(e.ModifyApproved) if event.change.quantity < 1] == []


def test_an_entry_that_still_works_and_holds_nothing_any_more_has_no_legs() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, limit=BID)
    desk.accept("a")
    desk.fill("a", 1, BID)
    desk.accept(desk.stop("a").order_id)
    desk.accept(desk.target("a").order_id)
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.fill("out")
    assert desk.order("a").live
    assert [leg.cancel_wanted for leg in desk.account.legs("a")] == [True, True]


def test_a_close_of_our_own_that_was_given_up_is_begun_again_where_no_target_is_wanted_either() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, target=Leg.OFF)
    desk.placed(desk.stop("a").order_id, Outcome.REFUSED, text="through")
    desk.mark(BID - 100)
    for _ in range(3):
        desk.placed(desk.closes()[-1].order_id, Outcome.REFUSED, text="no")
        desk.read_back()
    assert [event.flat for event in desk.told(e.ExitFinished)] == [False]
    desk.mark(BID - 100)
    assert len(desk.told(e.ExitStarted)) == 1
    desk.wait(5_000)
    assert len(desk.told(e.ExitStarted)) == 2


def test_of_two_unprotected_entries_the_second_is_closed_once_the_close_of_the_first_is_over() -> None:
    desk = Desk()
    for name in ("a", "b"):
        desk.submit(name, quantity=2, target=Leg.OFF)
        desk.accept(name)
    desk.quote(MES, ASK - 60, ASK - 59)
    desk.fill("a")
    desk.fill("b")
    desk.wait(1_000)
    assert [event.exit_id for event in desk.told(e.ExitStarted)] == ["a/unprotected"]
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(close.order_id, price=ASK - 60)
    desk.wait(1_000)
    assert [event.exit_id for event in desk.told(e.ExitStarted)] == ["a/unprotected"]
    desk.read_back()
    assert [event.exit_id for event in desk.told(e.ExitStarted)] == ["a/unprotected", "b/unprotected"]


def test_a_contract_whose_brackets_need_nothing_does_not_hold_up_the_others() -> None:
    desk = Desk()
    desk.hold("a")
    desk.mark(BID)
    desk.enter("b", instrument=MNQ)
    assert desk.stop("b").terms.contract_id == MNQ.contract_id


def test_a_surplus_stop_goes_whichever_it_is_and_is_not_asked_to_become_what_it_is() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "size cannot be changed")
    desk.wait(300)
    desk.accept(desk.legs("a")[-1].order_id)
    assert [leg.leaves for leg in desk.legs("a")] == [1, 2]
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.forget()
    desk.fill("out")
    desk.wait(1_000)
    assert [leg.cancel_wanted for leg in desk.legs("a")] == [True, False]
    assert desk.told(e.ModifyApproved) == []


def test_a_stop_that_rests_is_not_surplus_before_the_others_rest_too() -> None:
    desk = Desk()
    desk.submit("a", quantity=3, target=Leg.OFF)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.fill("a", 2)
    desk.wait(300)
    desk.modified(desk.stop("a").order_id, Outcome.REFUSED, "size cannot be changed")
    desk.wait(300)
    desk.submit("out", Side.SELL, 1)
    desk.accept("out")
    desk.fill("out")
    desk.forget()
    desk.wait(1_000)
    assert [(leg.leaves, leg.cancel_wanted) for leg in desk.legs("a")] == [(1, False), (2, False)]
    desk.accept(desk.legs("a")[-1].order_id)
    assert [(leg.leaves, leg.cancel_wanted) for leg in desk.legs("a")] == [(1, True), (2, False)]
    assert desk.told(e.ModifyApproved) == []


def test_an_entry_that_fills_one_by_one_has_its_legs_resized_once_in_a_while() -> None:
    desk = Desk()
    desk.submit("a", quantity=10)
    desk.accept("a")
    desk.fill("a", 1)
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    desk.accept(desk.target("a").order_id)
    desk.forget()
    for _ in range(9):
        desk.wait(100)
        desk.fill("a", 1)
        for leg in (desk.stop("a"), desk.target("a")):
            if leg.change is not None:
                desk.modified(leg.order_id)
    desk.wait(250)
    sizes = [change.terms.quantity for change in desk.asked(Modify) if change.terms.stop_ticks is not None]
    assert sizes == [3, 5, 8, 10]
    assert len(desk.asked(Modify)) == 2 * len(sizes)
