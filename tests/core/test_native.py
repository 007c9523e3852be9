"""Native brackets, and the bracket engines of others: never two for one position."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import Place
from ordergate.core.inputs import Started
from ordergate.core.order import BracketMode, Exit, OrderType, Role, Side, Target
from ordergate.core.reports import OrderReport, OrderState, Outcome
from ordergate.core.unattended import unattended
from tests.core.desk import ASK, BID, MES, Desk, fill_row, order_row

STOP_ID, TARGET_ID = 20_001, 20_002


def native_desk() -> Desk:
    return Desk(mode=BracketMode.AUTO_OCO)


def placed(desk: Desk) -> list[tuple[int | None, int | None]]:
    return [(one.terms.stop_offset_ticks, one.terms.target_offset_ticks) for one in desk.asked(Place)]


def child(desk: Desk, suffix: str, quantity: int = 2, side: Side = Side.SELL, **more: Any) -> OrderReport:
    """A child of order ``a`` as the broker shows it: tagged after it, resting at its distance from ``ASK``."""
    is_stop = suffix == "SL"
    row = order_row(
        STOP_ID if is_stop else TARGET_ID,
        side,
        quantity,
        order_tag=f"{desk.order('a').tag}-{suffix}",
        order_type=OrderType.STOP if is_stop else OrderType.LIMIT,
        stop_ticks=ASK - 40 * -side.sign if is_stop else None,
        limit_ticks=None if is_stop else ASK + 80 * -side.sign,
        created_ns=desk.now_ns,
    )
    return replace(row, **more)


def filled(desk: Desk, quantity: int = 2, **more: Any) -> None:
    desk.submit("a", quantity=quantity, stop=Exit(40), target=Exit(80), **more)
    desk.accept("a")
    desk.fill("a", quantity)


def test_one_stop_and_one_target_as_distances_are_attached_to_the_order_with_their_signs() -> None:
    desk = native_desk()
    desk.submit("a", stop=Exit(40), target=Exit(80))
    desk.submit("b", Side.SELL, stop=Exit(40), target=Leg.OFF)
    assert placed(desk) == [(-40, 80), (40, None)]


@pytest.mark.parametrize(
    "more",
    [
        {"stop": Exit(40, ASK - 40)},
        {"stop": Leg.OFF},
        {"target": Exit(80, ASK + 80)},
        {"targets": (Target(Exit(20), 1), Target(Exit(40)))},
        {"targets": (Target(Exit(20), 1),)},
    ],
)
def test_what_the_broker_cannot_hold_whole_is_managed(more: dict[str, Any]) -> None:
    desk = native_desk()
    desk.submit("a", quantity=2, **({"stop": Exit(40)} | more))
    assert placed(desk) == [(None, None)]


@pytest.mark.parametrize("mode", [BracketMode.UNKNOWN, BracketMode.POSITION])
def test_nothing_is_attached_where_the_account_may_refuse_it(mode: BracketMode) -> None:
    desk = Desk(mode=mode)
    desk.submit("a", stop=Exit(40), target=Exit(80))
    assert placed(desk) == [(None, None)]


def test_an_order_that_also_closes_is_managed() -> None:
    desk = native_desk()
    desk.feed(order_row(77, Side.SELL, 1))
    desk.feed(fill_row(1, 77, Side.SELL, 1, BID))
    desk.read_back()
    desk.forget()
    desk.submit("a", quantity=3, stop=Exit(40), target=Exit(80))
    assert placed(desk) == [(None, None)]


def test_children_that_sleep_are_nothing_yet() -> None:
    desk = native_desk()
    desk.submit("a", quantity=2, stop=Exit(40), target=Exit(80))
    desk.accept("a")
    desk.feed(child(desk, "SL", state=OrderState.SUSPENDED, stop_ticks=None))
    assert set(desk.account.orders) == {"a"}


def test_children_become_the_legs_of_their_entry_and_nothing_is_placed_from_here() -> None:
    desk = native_desk()
    filled(desk)
    desk.forget()
    desk.feed(child(desk, "TP"))
    desk.feed(child(desk, "SL"))
    assert (desk.stop("a").broker_order_id, desk.target("a").broker_order_id) == (STOP_ID, TARGET_ID)
    assert desk.account.covers[MES.contract_id].state is e.Cover.PROTECTED
    desk.wait(5_000)
    assert desk.asked(Place) == []


def test_a_child_is_known_by_its_parent_where_it_has_no_tag() -> None:
    desk = native_desk()
    filled(desk)
    desk.feed(child(desk, "SL", order_tag=None, parent_id=desk.order("a").broker_order_id))
    assert desk.stop("a").broker_order_id == STOP_ID


@pytest.mark.parametrize(
    "odd",
    [
        {"side": Side.BUY},
        {"contract_id": "CON.F.US.MNQ.Z26"},
        {"order_type": OrderType.LIMIT, "stop_ticks": None, "limit_ticks": ASK + 9},
    ],
)
def test_what_only_looks_like_a_child_is_somebody_elses(odd: dict[str, Any]) -> None:
    desk = native_desk()
    filled(desk)
    desk.feed(child(desk, "SL", **odd))
    assert desk.order(f"external/{STOP_ID}").role is Role.EXTERNAL


def test_children_that_do_not_show_within_a_second_are_placed_from_here() -> None:
    desk = native_desk()
    filled(desk)
    desk.forget()
    desk.wait(999)
    assert desk.asked(Place) == []
    desk.wait(1)
    assert [one.terms.stop_ticks for one in desk.asked(Place)] == [ASK - 40]


def test_a_child_that_shows_after_ours_is_surplus_and_one_stop_is_left() -> None:
    desk = native_desk()
    filled(desk)
    desk.wait(1_000)
    desk.accept(desk.stop("a").order_id)
    desk.show(desk.stop("a").order_id)
    desk.feed(child(desk, "SL"))
    assert [(leg.broker_order_id, leg.cancel_wanted) for leg in desk.legs("a")] == [(9_002, False), (STOP_ID, True)]


def test_a_native_stop_that_somebody_cancels_is_placed_again_from_here() -> None:
    desk = native_desk()
    filled(desk)
    desk.feed(child(desk, "SL"))
    desk.feed(child(desk, "TP"))
    desk.wait(2_000)
    desk.forget()
    desk.feed(child(desk, "SL", state=OrderState.CANCELLED))
    assert [one.terms.stop_ticks for one in desk.asked(Place)] == [ASK - 40]


def test_a_part_close_makes_the_children_smaller() -> None:
    desk = native_desk()
    filled(desk)
    desk.feed(child(desk, "SL"))
    desk.feed(child(desk, "TP"))
    desk.submit("out", Side.SELL, 1, stop=Leg.OFF, target=Leg.OFF)
    desk.accept("out")
    desk.fill("out", 1, BID)
    desk.wait(300)
    assert [leg.change and leg.change.quantity for leg in (desk.stop("a"), desk.target("a"))] == [1, 1]


def test_the_brokers_refusal_teaches_the_mode_and_the_next_order_is_managed() -> None:
    desk = native_desk()
    desk.submit("a", stop=Exit(40), target=Exit(80))
    text = "Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets."
    desk.placed("a", Outcome.REFUSED, text=text)
    assert desk.account.bracket_mode is BracketMode.POSITION
    desk.forget()
    desk.submit("b", stop=Exit(40), target=Exit(80))
    assert placed(desk) == [(None, None)]


def test_another_refusal_teaches_nothing() -> None:
    desk = native_desk()
    desk.submit("a", stop=Exit(40), target=Exit(80))
    desk.placed("a", Outcome.REFUSED, text="no funds")
    assert desk.account.bracket_mode is None


def test_another_setting_forgets_what_was_learned_and_the_same_one_does_not() -> None:
    desk = native_desk()
    desk.submit("a", stop=Exit(40), target=Exit(80))
    desk.placed("a", Outcome.REFUSED, text="Position Brackets")
    desk.feed(Started("desk", "sim", "practice", desk.group.limits, BracketMode.AUTO_OCO))
    assert desk.account.bracket_mode is BracketMode.POSITION
    desk.feed(Started("desk", "sim", "practice", desk.group.limits, BracketMode.UNKNOWN))
    assert desk.account.bracket_mode is None


def foreign(desk: Desk, broker_order_id: int = 555, **more: Any) -> OrderReport:
    """A stop of somebody else's as large as the position, made with the fill."""
    row = order_row(
        broker_order_id,
        Side.SELL,
        2,
        order_type=OrderType.STOP,
        limit_ticks=None,
        stop_ticks=ASK - 30,
        created_ns=desk.now_ns,
    )
    return replace(row, **more)


def test_the_platforms_own_leg_is_cut_once_ours_rests_and_never_before() -> None:
    desk = Desk()
    filled(desk)
    desk.feed(foreign(desk))
    assert not desk.order("external/555").cancel_wanted, "it is all there is"
    assert desk.account.bracket_mode is BracketMode.POSITION
    desk.accept(desk.stop("a").order_id)
    assert not desk.order("external/555").cancel_wanted
    desk.show(desk.stop("a").order_id)
    assert desk.order("external/555").cancel_wanted
    assert not desk.stop("a").cancel_wanted


@pytest.mark.parametrize(
    "own", [{"created_ns": 0}, {"quantity": 7}, {"side": Side.BUY, "stop_ticks": ASK + 30}], ids=str
)
def test_a_persons_own_order_is_left_alone(own: dict[str, Any]) -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.feed(foreign(desk, **own))
    assert not desk.order("external/555").cancel_wanted


def test_a_stop_that_somebody_places_later_is_left_alone() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.wait(3_001)
    desk.feed(foreign(desk))
    assert not desk.order("external/555").cancel_wanted


def test_a_leg_for_a_position_without_a_promised_stop_is_left_alone() -> None:
    desk = Desk()
    desk.enter("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.feed(foreign(desk))
    assert not desk.order("external/555").cancel_wanted


def test_left_alone_an_order_with_a_stop_attached_loses_what_that_lets_it() -> None:
    desk = native_desk()
    desk.submit("a", limit=BID - 10, quantity=2, stop=Exit(40), target=Exit(80))
    desk.accept("a")
    (one,) = unattended(desk.group, desk.account, desk.market)
    assert (one.opening, one.bounded) == (0, True)
    assert one.worst_usd == -MES.money(40, 2) - 4 * MES.fee_usd


def test_a_child_that_fills_before_it_is_shown_open_closes_its_entry() -> None:
    desk = native_desk()
    filled(desk)
    desk.feed(fill_row(900, STOP_ID, Side.SELL, 2, ASK - 40))
    desk.feed(child(desk, "SL", state=OrderState.FILLED, filled_quantity=2))
    assert desk.net() == 0
    assert desk.account.order(f"a/stop/{STOP_ID}") is not None
