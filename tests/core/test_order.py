"""The lifecycle table, every pair of it, and what an order says about itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ordergate.bus.topics import State, encode
from ordergate.core import events as e
from ordergate.core.fold import evolve
from ordergate.core.order import (
    LIVE,
    TRANSITIONS,
    Breakeven,
    Change,
    Exit,
    Order,
    OrderType,
    Protection,
    Role,
    Side,
    Status,
    Target,
    Terms,
    Trail,
    Trigger,
    next_status,
)
from ordergate.core.reports import FillReport, OrderReport, OrderState, Outcome
from ordergate.errors import IllegalTransition
from tests.core.desk import ACCOUNT, BID, MES, Desk
from tools.lifecycle_diagram import TARGET, drawing

PAIRS = list(product(Status, Trigger))
LIMIT = BID - 40


def names(pair: tuple[Status, Trigger]) -> str:
    return f"{pair[0].value}-{pair[1].value}"


@pytest.mark.parametrize("pair", PAIRS, ids=names)
def test_a_pair_is_in_the_table_or_has_no_next_status_or_is_our_own_mistake(pair: tuple[Status, Trigger]) -> None:
    status, trigger = pair
    if pair in TRANSITIONS:
        assert next_status(status, trigger) is TRANSITIONS[pair]
    elif trigger is Trigger.WANT_CANCEL:
        with pytest.raises(IllegalTransition, match=status.value):
            next_status(status, trigger)
    else:
        assert next_status(status, trigger) is None


def test_every_status_but_denied_is_reached_from_approved() -> None:
    reached = {Status.APPROVED}
    for _ in Status:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(Status) - {Status.DENIED}, "an order is born denied, or becomes what the table says"
    assert not [pair for pair in TRANSITIONS if pair[0] is Status.DENIED]


def test_a_final_status_never_becomes_live_again_but_for_an_order_that_was_proven_absent() -> None:
    woken = {before for (before, _), after in TRANSITIONS.items() if before not in LIVE and after in LIVE}
    assert woken == {Status.NOT_SENT}


def test_our_own_cancel_is_wanted_only_of_what_is_live() -> None:
    assert {status for status, trigger in TRANSITIONS if trigger is Trigger.WANT_CANCEL} == set(LIVE)


def test_whatever_is_not_denied_takes_a_fill() -> None:
    takes = {status for status, trigger in TRANSITIONS if trigger is Trigger.FILL}
    assert takes == {status for status, trigger in TRANSITIONS if trigger is Trigger.COMPLETE}
    assert takes == set(Status) - {Status.DENIED}


def test_whatever_can_hold_a_fill_takes_its_bust() -> None:
    held = {
        TRANSITIONS[status, trigger] for status, trigger in TRANSITIONS if trigger in (Trigger.FILL, Trigger.COMPLETE)
    }
    assert {status for status, trigger in TRANSITIONS if trigger is Trigger.BUST} == held


# How a broker fact of each kind reaches an order, and the desk that has an order of each status.
def accept(desk: Desk) -> None:
    desk.placed("a", Outcome.DONE, 9_001)


def reject(desk: Desk) -> None:
    desk.placed("a", Outcome.REFUSED, text="no")


def shown(state: OrderState) -> Callable[[Desk], None]:
    def fact(desk: Desk) -> None:
        desk.show("a", state, broker_order_id=desk.order("a").broker_order_id or 9_001)

    return fact


def lose(desk: Desk) -> None:
    desk.placed("a", Outcome.UNKNOWN)


def not_sent(desk: Desk) -> None:
    desk.placed("a", Outcome.NOT_SENT)


def refuse_cancel(desk: Desk) -> None:
    desk.cancel_outcome("a", Outcome.REFUSED)


FACTS: dict[Trigger, Callable[[Desk], object]] = {
    Trigger.ACCEPT: accept,
    Trigger.REJECT: shown(OrderState.REJECTED),
    Trigger.FILL: lambda desk: desk.fill("a", 1, LIMIT),
    Trigger.COMPLETE: lambda desk: desk.fill("a", 2, LIMIT),
    Trigger.CANCEL: shown(OrderState.CANCELLED),
    Trigger.REFUSE_CANCEL: refuse_cancel,
    Trigger.EXPIRE: shown(OrderState.EXPIRED),
    Trigger.LOSE: lose,
    Trigger.PROVE_ABSENT: not_sent,
}


def accepted(desk: Desk, then: Callable[[Desk], object] = lambda _: None) -> None:
    accept(desk)
    then(desk)


PATHS: dict[Status, Callable[[Desk], None]] = {
    Status.APPROVED: lambda _: None,
    Status.WORKING: accept,
    Status.IN_DOUBT: lose,
    Status.FILLED: lambda desk: accepted(desk, lambda d: d.fill("a", 2, LIMIT)),
    Status.CANCELLED: lambda desk: accepted(desk, shown(OrderState.CANCELLED)),
    Status.REJECTED: lambda desk: accepted(desk, shown(OrderState.REJECTED)),
    Status.EXPIRED: lambda desk: accepted(desk, shown(OrderState.EXPIRED)),
    Status.NOT_SENT: not_sent,
}


def desk_with(status: Status) -> Desk:
    """A desk whose order "a", a buy limit of 2 without legs, has that status."""
    desk = Desk()
    assert desk.submit("a", quantity=2, limit=LIMIT).ok
    PATHS[status](desk)
    assert desk.order("a").status is status
    return desk


@pytest.mark.parametrize("status", PATHS, ids=lambda status: status.value)
@pytest.mark.parametrize("trigger", FACTS, ids=lambda trigger: trigger.value)
def test_a_broker_fact_is_applied_or_called_unexpected_and_never_raises(status: Status, trigger: Trigger) -> None:
    desk = desk_with(status)
    before = desk.order("a")
    FACTS[trigger](desk)
    after = desk.order("a").status
    listed = TRANSITIONS.get((status, trigger))
    # A cancel refused, and a fill of an order the broker has not named yet, are said of no order we can find.
    unnamed = before.broker_order_id is None and trigger in (Trigger.FILL, Trigger.COMPLETE, Trigger.REFUSE_CANCEL)
    # Said again, or said too late to matter: what is proven stands.
    ignored = trigger in (Trigger.LOSE, Trigger.PROVE_ABSENT, Trigger.REFUSE_CANCEL)
    if listed is not None and not unnamed:
        assert after is listed
    elif unnamed or ignored:
        assert after is status
    else:
        assert after is status
        assert "a is" in desk.account.unexplained


def denied(desk: Desk) -> None:
    assert not desk.submit("a", quantity=11, limit=LIMIT).ok


def desk_in(status: Status) -> Desk:
    """As ``desk_with``, of a denied order too."""
    if status is not Status.DENIED:
        return desk_with(status)
    desk = Desk()
    denied(desk)
    return desk


# What a row or a fill can say of an order, besides what is so.
ROWS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without its tag": {"order_tag": None},
    "by its tag only": {"broker_order_id": 9_999},
    "filled in part": {"filled_quantity": 1},
    "filled": {"filled_quantity": 2},
    "filled beyond its size": {"filled_quantity": 5},
    "smaller": {"quantity": 1},
    "larger": {"quantity": 7},
    "at another price": {"limit_ticks": LIMIT - 4},
    "of the other side": {"side": Side.SELL},
    "of another type": {"order_type": OrderType.STOP, "limit_ticks": None, "stop_ticks": LIMIT},
    "of an unknown contract": {"contract_id": "CON.F.US.XX.Z26"},
    "of long ago": {"created_ns": 0},
}
FILLS: dict[str, dict[str, Any]] = {
    "a part": {"quantity": 1},
    "all": {"quantity": 2},
    "too many": {"quantity": 5},
    "of the other side": {"quantity": 1, "side": Side.SELL},
    "of an unknown order": {"quantity": 1, "broker_order_id": 9_999},
    "of an unknown contract": {"quantity": 1, "contract_id": "CON.F.US.XX.Z26"},
    "taken back before it was told": {"quantity": 1, "voided": True},
}
AFTER = {status: {status, *(after for (b, _), after in TRANSITIONS.items() if b is status)} for status in Status}


@pytest.mark.parametrize("status", Status, ids=lambda status: status.value)
@pytest.mark.parametrize("state", OrderState, ids=lambda state: state.value)
@pytest.mark.parametrize("row", ROWS)
def test_whatever_row_the_broker_shows_of_an_order_in_any_status_nothing_raises(
    status: Status, state: OrderState, row: str
) -> None:
    desk = desk_in(status)
    shown_as = {"broker_order_id": desk.order("a").broker_order_id or 9_001} | ROWS[row]
    for _ in range(2):
        before = desk.order("a").status
        desk.show("a", state, **shown_as)
        assert desk.order("a").status in AFTER[before]
    assert (desk.order("a").status is Status.DENIED) == (status is Status.DENIED)


@pytest.mark.parametrize("status", Status, ids=lambda status: status.value)
@pytest.mark.parametrize("fill", FILLS)
def test_whatever_fill_the_broker_tells_of_an_order_in_any_status_nothing_raises(status: Status, fill: str) -> None:
    desk = desk_in(status)
    held, filled = desk.net(), desk.order("a").filled_quantity
    told = {"broker_order_id": desk.order("a").broker_order_id or 9_001} | FILLS[fill]
    report = desk.fill("a", price=LIMIT, **told)
    reached = desk.order("a").status
    assert reached in AFTER[status]
    assert not report.voided or desk.net() == held
    desk.feed(report)
    assert desk.order("a").status is reached, "told again, it is the same fill"
    desk.feed(replace(report, voided=True))
    assert desk.order("a").status in AFTER[reached]
    assert (desk.net(), desk.order("a").filled_quantity) == (held, filled)


# The statuses that may hold a fill of a part, and the way there.
PARTLY: dict[Status, Callable[[Desk], object]] = {
    Status.WORKING: lambda _: None,
    Status.FILLED: lambda desk: desk.fill("a", 1, LIMIT),
    Status.CANCELLED: shown(OrderState.CANCELLED),
    Status.EXPIRED: shown(OrderState.EXPIRED),
    Status.REJECTED: shown(OrderState.REJECTED),
}


def test_the_bust_of_a_fill_is_applied_in_every_status_that_the_table_has_it_in() -> None:
    assert set(PARTLY) == {status for status, trigger in TRANSITIONS if trigger is Trigger.BUST}
    for status, way in PARTLY.items():
        desk = desk_with(Status.WORKING)
        fill = desk.fill("a", 1, LIMIT)
        way(desk)
        assert desk.order("a").status is status
        held = desk.net()
        desk.feed(replace(fill, voided=True))
        assert desk.order("a").status is TRANSITIONS[status, Trigger.BUST]
        assert desk.net() == held - 1


# Our own steps, each with an event that says it was taken.
OWN: dict[Trigger, Callable[[], e.Event]] = {Trigger.WANT_CANCEL: lambda: e.CancelWanted(ACCOUNT, "a", "a mistake")}


@pytest.mark.parametrize("status", [status for status in Status if status not in LIVE], ids=lambda s: s.value)
@pytest.mark.parametrize("trigger", OWN, ids=lambda trigger: trigger.value)
def test_our_own_step_that_is_not_in_the_table_raises_and_changes_nothing(status: Status, trigger: Trigger) -> None:
    assert (status, trigger) not in TRANSITIONS
    desk = desk_in(status)
    before = encode(State(desk.group))
    with pytest.raises(IllegalTransition, match=status.value):
        evolve(desk.group, OWN[trigger]())
    assert encode(State(desk.group)) == before


@pytest.mark.parametrize("status", [Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED, Status.NOT_SENT])
def test_cancelling_a_final_order_is_refused_and_changes_nothing(status: Status) -> None:
    desk = desk_with(status)
    before = desk.group
    assert desk.cancel("a").code == "ALREADY_FINAL"
    assert desk.group == before


def order(status: Status = Status.WORKING, quantity: int = 5, **more: object) -> Order:
    terms = Terms(ACCOUNT, MES.contract_id, Side.BUY, quantity, OrderType.MARKET)
    return replace(Order("a", terms, Role.ENTRY, status), **more)


@pytest.mark.parametrize("status", Status, ids=lambda status: status.value)
def test_what_is_live_has_leaves_and_what_is_final_has_none(status: Status) -> None:
    assert order(status, filled_quantity=2).leaves == (3 if status in LIVE else 0)


@pytest.mark.parametrize(
    ("more", "leaves"),
    [
        ({}, 5),
        ({"filled_quantity": 5}, 0),
        ({"filled_quantity": 7}, 0),
        ({"change": Change(1, 8, None, None)}, 8),
        ({"change": Change(1, 3, None, None)}, 5),
        ({"change": Change(1, 8, None, None), "filled_quantity": 2}, 6),
    ],
)
def test_leaves_are_never_negative_and_an_unproven_modify_counts_with_the_larger_size(
    more: dict[str, Any], leaves: int
) -> None:
    assert order(**more).leaves == leaves


def test_open_quantity_is_what_opened_less_what_was_closed() -> None:
    assert order(opened_quantity=5, exited_quantity=2).open_quantity == 3


def test_a_side_has_a_sign_and_an_opposite() -> None:
    assert [(side.sign, side.opposite) for side in Side] == [(1, Side.SELL), (-1, Side.BUY)]


def test_an_order_survives_json() -> None:
    whole = order(
        protection=Protection(Exit(40), (Target(Exit(80, -5), 1),), Breakeven(20), Trail(10)),
        change=Change(3, 4, None, 7),
    )
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Order) == whole


def test_an_order_row_is_not_a_fill() -> None:
    assert not set(OrderReport.__struct_fields__) >= {"fill_id", "price_ticks"}
    assert "fill_id" in FillReport.__struct_fields__


def test_the_picture_of_the_table_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == drawing(), "run: python tools/lifecycle_diagram.py"


def test_the_picture_names_every_status_and_everything_that_can_happen() -> None:
    picture = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawing()))
    assert all(status.value in picture for status in Status)
    assert all(word in picture for trigger in Trigger for word in trigger.value.split())
    changes = [after for (before, _), after in TRANSITIONS.items() if after is not before]
    assert len(re.findall(r'rx="6"', drawing())) == len(changes) + len(Status)
