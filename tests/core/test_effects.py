"""What an event calls for: one effect or none, and never one that adds risk without an approval."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.commands import Leg
from ordergate.core.effects import (
    Cancel,
    Effect,
    Grant,
    LookUp,
    Modify,
    Place,
    RaiseEpoch,
    ReadSnapshot,
    Urgency,
    effects,
)
from ordergate.core.order import Role
from ordergate.core.reports import LinkReport, OrderState, Outcome
from ordergate.core.sessions import day_open_ns
from tests.core.desk import ACCOUNT, ASK, BID, Desk

CALLS = {
    e.OrderApproved: Place,
    e.ModifyApproved: Modify,
    e.CancelSent: Cancel,
    e.LookupSent: LookUp,
    e.SnapshotRequested: ReadSnapshot,
    e.EpochRaised: RaiseEpoch,
}


def eventful() -> Desk:
    """A desk to which nearly everything has happened."""
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.protect(stop=ASK - 20)
    desk.submit("b", quantity=11)
    desk.submit("c", limit=BID)
    desk.placed("c", Outcome.UNKNOWN)
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    desk.flatten()
    return desk


def test_every_effect_has_exactly_one_kind_of_event_that_calls_for_it() -> None:
    assert set(CALLS.values()) == set(get_args(Effect))
    desk = eventful()
    for event in desk.events:
        found = effects(desk.group, event) if type(event) not in CALLS else ()
        assert found == ()
    assert {type(effect) for effect in desk.effects} == set(get_args(Effect))


@pytest.mark.parametrize("kind", CALLS, ids=lambda kind: kind.__name__)
def test_an_event_that_calls_for_an_effect_calls_for_one(kind: type[e.Event]) -> None:
    desk = eventful()
    event = desk.told(kind)[-1]
    (effect,) = effects(desk.group, event)
    assert isinstance(effect, CALLS[kind])


def test_an_order_leaves_only_by_an_approval_and_carries_its_ground() -> None:
    desk = eventful()
    approved = desk.told(e.OrderApproved)
    places = desk.asked(Place)
    assert [place.order_tag for place in places] == [event.order.tag for event in approved]
    assert [place.terms for place in places] == [event.order.terms for event in approved]
    numbers = [place.grant.number for place in places] + [change.grant.number for change in desk.asked(Modify)]
    assert len(set(numbers)) == len(numbers), "an approval's number is used once"


def test_a_modify_tells_the_whole_new_look() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.protect(stop=ASK - 20)
    (change,) = desk.asked(Modify)
    stop = desk.stop("a")
    assert change.terms == replace(stop.terms, stop_ticks=ASK - 20)
    assert change.broker_order_id == stop.broker_order_id


def test_a_lookup_names_the_tag() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.UNKNOWN)
    (search,) = desk.asked(LookUp)
    assert (search.account_id, search.order_tag) == (ACCOUNT, desk.order("a").tag)


def test_an_approval_tells_the_ground_it_stands_on() -> None:
    desk = Desk()
    desk.flatten()
    desk.submit("a", limit=BID)
    desk.accept("a")
    desk.wait(1)
    desk.modify("a", quantity=2)
    (placed,), (changed,) = desk.asked(Place), desk.asked(Modify)
    version = desk.group.limits_version
    assert placed.grant == Grant(e.ApprovalKind.APPROVED, 1, 1, version, desk.now_ns - 1_000_000)
    assert changed.grant == Grant(e.ApprovalKind.APPROVED, 2, 1, version, desk.now_ns)
    assert changed.order_tag == placed.order_tag == desk.order("a").tag


def test_a_reading_names_its_account() -> None:
    desk = Desk()
    desk.feed(LinkReport(up=False, reason="x"))
    desk.feed(LinkReport(up=True))
    assert {reading.account_id for reading in desk.asked(ReadSnapshot)} == {ACCOUNT}


def test_an_order_of_today_is_looked_up_since_the_open() -> None:
    desk = Desk()
    desk.submit("a")
    desk.placed("a", Outcome.UNKNOWN)
    assert [search.since_ns for search in desk.asked(LookUp)] == [day_open_ns(desk.now_ns)]


def test_a_look_up_is_urgent_where_an_exit_hangs_on_it() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)

    def urgent() -> dict[Role, bool]:
        orders = desk.group.accounts[ACCOUNT].orders.values()
        asked = [(order.role, e.LookupSent(ACCOUNT, order.order_id, order.tag, 0)) for order in orders]
        looked_up = [(role, effect) for role, event in asked for effect in effects(desk.group, event)]
        return {role: effect.urgent for role, effect in looked_up if isinstance(effect, LookUp)}

    assert urgent() == {Role.ENTRY: False, Role.STOP: True, Role.TARGET: False}
    desk.flatten()
    assert urgent()[Role.TARGET], "it is in the way"
    for leg in [*desk.legs("a", Role.STOP), *desk.legs("a", Role.TARGET)]:
        desk.cancelled(leg.order_id)
    assert urgent()[Role.CLOSE]


def urgency(desk: Desk) -> Urgency:
    (effect,) = effects(desk.group, e.SnapshotRequested(ACCOUNT, "a test", 0, desk.now_ns))
    assert isinstance(effect, ReadSnapshot)
    return effect.urgency


def test_a_reading_comes_soon_where_the_stop_of_an_entry_or_the_end_of_an_exit_hangs_on_it() -> None:
    desk = Desk()
    assert urgency(desk) is Urgency.CAN_WAIT
    desk.submit("a", limit=BID - 40)
    desk.accept("a")
    assert urgency(desk) is Urgency.SOON, "it may fill unseen"
    desk.cancel("a")
    desk.cancelled("a")
    desk.hold("b", quantity=2)
    assert urgency(desk) is Urgency.CAN_WAIT, "the position is covered"
    desk.close()
    assert urgency(desk) is Urgency.SOON


@pytest.mark.parametrize("quantity", [None, 1])
def test_a_reading_without_which_an_exit_cannot_go_on_is_an_exit_itself(quantity: int | None) -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.close(quantity)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    assert urgency(desk) is Urgency.SOON, "it fills yet"
    desk.show(close.order_id, OrderState.CANCELLED)
    assert urgency(desk) is Urgency.EXIT


@pytest.mark.parametrize("quantity", [None, 1])
def test_an_exit_that_has_filled_is_only_to_be_read_back(quantity: int | None) -> None:
    desk = Desk()
    desk.hold("a", quantity=2, stop=Leg.OFF, target=Leg.OFF)
    desk.close(quantity)
    (close,) = desk.closes()
    desk.accept(close.order_id)
    desk.fill(close.order_id, quantity or 2, BID)
    assert desk.account.exits
    assert urgency(desk) is Urgency.SOON


def test_a_cancel_of_which_nothing_is_heard_holds_an_exit_up() -> None:
    desk = Desk()
    desk.hold("a", quantity=2)
    desk.close()
    desk.wait(600)
    assert urgency(desk) is Urgency.EXIT
