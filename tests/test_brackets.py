"""A bracket as people write it: what each unit means in ticks, and each fault by its code and field."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ordergate.bus.brackets import (
    TARGETS_MAX,
    Asked,
    BracketAsk,
    BreakevenAsk,
    StopAsk,
    TargetAsk,
    TrailAsk,
    asked,
)
from ordergate.bus.messages import LegAsk, PlaceOrderPayload
from ordergate.bus.translate import fingerprint, submit_order
from ordergate.core.commands import Leg
from ordergate.core.instrument import QUANTITY_MAX, Instrument
from ordergate.core.order import Breakeven, Exit, Role, Side, Status, Target, Trail
from ordergate.errors import InputRefused
from ordergate.net.body import read
from ordergate.web.bodies import OrderBody
from tests.core.desk import ACCOUNT, ASK, MES, MNQ, WIDE, Desk

# A tick whose dollars have three decimals.
TEN_YEAR = Instrument("CON.F.US.TYA.Z26", "ZN", "ZNZ6", Decimal("0.015625"), Decimal("15.625"), Decimal("0.81"))


def D(number: str | int) -> Decimal:  # noqa: N802
    return Decimal(number)


def ticks(bracket: BracketAsk, quantity: int = 4, instrument: Instrument = MES) -> Asked:
    return asked(bracket, instrument, quantity)


def stop(ask: StopAsk, quantity: int = 4, instrument: Instrument = MES) -> Exit | Leg:
    return ticks(BracketAsk(stop=ask), quantity, instrument).stop


def targets(*asks: TargetAsk, quantity: int = 4, instrument: Instrument = MES) -> tuple[Target, ...]:
    found = ticks(BracketAsk(targets=asks), quantity, instrument).targets
    assert isinstance(found, tuple)
    return found


def order(bracket: BracketAsk | None = None, **more: Any) -> PlaceOrderPayload:
    return PlaceOrderPayload("MANUAL", "a", ACCOUNT, "MES", "BUY", D(4), bracket=bracket, **more)


def refusal(bracket: BracketAsk, instrument: Instrument = MES) -> tuple[str, str | None]:
    with pytest.raises(InputRefused) as caught:
        asked(bracket, instrument, 4)
    field = caught.value.field
    assert field is not None
    assert field.rpartition(".")[0] in caught.value.message or field == "bracket.stop.enabled"
    return caught.value.code, field


# Each unit.


def test_a_distance_is_in_ticks_or_in_points() -> None:
    assert stop(StopAsk(ticks=8)) == Exit(8)
    assert stop(StopAsk(points=D("2.5"))) == Exit(10)
    assert targets(TargetAsk(ticks=8)) == (Target(Exit(8)),)
    assert targets(TargetAsk(points=D("2.5"))) == (Target(Exit(10)),)


def test_a_price_is_said_in_ticks_of_the_contract_and_may_be_zero_or_below() -> None:
    assert stop(StopAsk(price=D("4990.25"))) == Exit(0, 19_961)
    assert targets(TargetAsk(price=D("-0.25"))) == (Target(Exit(0, -1)),)
    assert stop(StopAsk(price=D(0))) == Exit(0, 0)


def test_what_is_left_out_is_the_default() -> None:
    nothing = Asked(Leg.DEFAULT, Leg.DEFAULT)
    assert ticks(BracketAsk()) == nothing
    assert ticks(BracketAsk(stop=StopAsk())) == nothing
    assert submit_order(order(BracketAsk()), {MES.contract_id: MES}, "r", ()).targets is Leg.DEFAULT


def test_no_stop_and_no_target_are_said_in_so_many_words() -> None:
    assert ticks(BracketAsk(StopAsk(enabled=False), ())) == Asked(Leg.OFF, ())


def test_a_whole_bracket_reaches_the_command() -> None:
    bracket = BracketAsk(
        StopAsk(ticks=12), (TargetAsk(ticks=8, quantity=2), TargetAsk(ticks=20)), BreakevenAsk(6, 1), TrailAsk(10, 2)
    )
    command = submit_order(order(bracket), {MES.contract_id: MES}, "r", ())
    assert command.stop == Exit(12)
    assert command.targets == (Target(Exit(8), 2), Target(Exit(20)))
    assert (command.breakeven, command.trail) == (Breakeven(6, 1), Trail(10, 2))


def test_breakeven_has_no_offset_and_a_trail_moves_by_one_tick_unless_said() -> None:
    found = ticks(BracketAsk(breakeven=BreakevenAsk(6), trail=TrailAsk(10)))
    assert (found.breakeven, found.trail) == (Breakeven(6, 0), Trail(10, 1))


# Dollars.


@pytest.mark.parametrize(
    ("dollars", "quantity", "instrument", "down", "up"),
    [
        ("50", 4, MES, 10, 10),  # one tick of four is 5 USD
        ("50.01", 4, MES, 10, 11),
        ("54.99", 4, MES, 10, 11),
        ("5", 4, MES, 1, 1),
        ("7.49", 1, MNQ, 14, 15),
        ("100", 3, TEN_YEAR, 2, 3),  # 46.875 USD a tick
        ("140.625", 3, TEN_YEAR, 3, 3),
        ("49." + 40 * "9", 4, MES, 9, 10),
        ("50." + 40 * "0" + "1", 4, MES, 10, 11),
    ],
)
def test_dollars_are_rounded_to_lose_less_and_to_earn_more(
    dollars: str, quantity: int, instrument: Instrument, down: int, up: int
) -> None:
    assert stop(StopAsk(dollars=D(dollars)), quantity, instrument) == Exit(down)
    assert targets(TargetAsk(dollars=D(dollars)), quantity=quantity, instrument=instrument) == (Target(Exit(up)),)


def test_dollars_of_a_target_are_earned_by_its_own_contracts() -> None:
    found = targets(
        TargetAsk(dollars=D(25), quantity=1), TargetAsk(dollars=D(25), quantity=2), TargetAsk(dollars=D(25))
    )
    assert found == (Target(Exit(20), 1), Target(Exit(10), 2), Target(Exit(20)))  # of 1, 2 and the last of 4


def test_dollars_of_a_last_target_that_nothing_is_left_for_are_those_of_one_contract() -> None:
    assert targets(TargetAsk(ticks=8, quantity=4), TargetAsk(dollars=D(25)))[1] == Target(Exit(20))
    assert targets(TargetAsk(ticks=8, quantity=9), TargetAsk(dollars=D(25)))[1] == Target(Exit(20))


def test_a_target_for_more_than_the_order_counts_with_its_own_quantity() -> None:
    assert targets(TargetAsk(dollars=D(100), quantity=8)) == (Target(Exit(10), 8),)


# Refusals.

_AT = TargetAsk(ticks=8, quantity=1)


@pytest.mark.parametrize(
    ("bracket", "code", "field"),
    [
        (BracketAsk(StopAsk(ticks=8, points=D(2))), "BAD_BRACKET", "bracket.stop"),
        (BracketAsk(StopAsk(price=D(5000), dollars=D(50))), "BAD_BRACKET", "bracket.stop"),
        (BracketAsk(targets=(TargetAsk(),)), "BAD_BRACKET", "bracket.targets[0]"),
        (BracketAsk(targets=(_AT, TargetAsk(quantity=1))), "BAD_BRACKET", "bracket.targets[1]"),
        (BracketAsk(targets=(TargetAsk(ticks=8, dollars=D(50)),)), "BAD_BRACKET", "bracket.targets[0]"),
        (BracketAsk(StopAsk(ticks=0)), "BAD_BRACKET", "bracket.stop.ticks"),
        (BracketAsk(StopAsk(ticks=-8)), "BAD_BRACKET", "bracket.stop.ticks"),
        (BracketAsk(StopAsk(ticks=QUANTITY_MAX + 1)), "BAD_BRACKET", "bracket.stop.ticks"),
        (BracketAsk(targets=(_AT, TargetAsk(ticks=0))), "BAD_BRACKET", "bracket.targets[1].ticks"),
        (BracketAsk(StopAsk(points=D("2.3"))), "OFF_TICK", "bracket.stop.points"),
        (BracketAsk(StopAsk(points=D(0))), "DISTANCE_NOT_POSITIVE", "bracket.stop.points"),
        (BracketAsk(targets=(TargetAsk(points=D(-2)),)), "DISTANCE_NOT_POSITIVE", "bracket.targets[0].points"),
        (BracketAsk(StopAsk(price=D("4990.1"))), "OFF_TICK", "bracket.stop.price"),
        (BracketAsk(StopAsk(price=D("NaN"))), "PRICE_NOT_FINITE", "bracket.stop.price"),
        (BracketAsk(targets=(_AT, TargetAsk(price=D("1e9")))), "PRICE_OUT_OF_RANGE", "bracket.targets[1].price"),
        (BracketAsk(StopAsk(dollars=D("4.99"))), "BAD_BRACKET", "bracket.stop.dollars"),  # a tick of four is 5 USD
        (BracketAsk(StopAsk(dollars=D(-50))), "BAD_BRACKET", "bracket.stop.dollars"),
        (BracketAsk(StopAsk(dollars=D("Infinity"))), "BAD_BRACKET", "bracket.stop.dollars"),
        (BracketAsk(StopAsk(dollars=D("NaN"))), "BAD_BRACKET", "bracket.stop.dollars"),
        (BracketAsk(StopAsk(dollars=D("1e30"))), "BAD_BRACKET", "bracket.stop.dollars"),
        (BracketAsk(targets=(TargetAsk(dollars=D(1), quantity=1),)), "BAD_BRACKET", "bracket.targets[0].dollars"),
        (BracketAsk(targets=(TargetAsk(ticks=8, quantity=0),)), "BAD_BRACKET", "bracket.targets[0].quantity"),
        (BracketAsk(targets=(_AT, TargetAsk(ticks=8, quantity=-1))), "BAD_BRACKET", "bracket.targets[1].quantity"),
        (
            BracketAsk(targets=(TargetAsk(ticks=8, quantity=QUANTITY_MAX + 1),)),
            "BAD_BRACKET",
            "bracket.targets[0].quantity",
        ),
        (BracketAsk(targets=(TargetAsk(ticks=8), _AT)), "BAD_BRACKET", "bracket.targets[0].quantity"),
        (BracketAsk(targets=(_AT,) * (TARGETS_MAX + 1)), "BAD_BRACKET", "bracket.targets"),
        (BracketAsk(breakeven=BreakevenAsk(0)), "BAD_BRACKET", "bracket.breakeven.trigger"),
        (BracketAsk(breakeven=BreakevenAsk(-5)), "BAD_BRACKET", "bracket.breakeven.trigger"),
        (BracketAsk(breakeven=BreakevenAsk(5, 5)), "BAD_BRACKET", "bracket.breakeven.offset"),
        (BracketAsk(breakeven=BreakevenAsk(5, -1)), "BAD_BRACKET", "bracket.breakeven.offset"),
        (BracketAsk(trail=TrailAsk(3)), "BAD_BRACKET", "bracket.trail.distance"),
        (BracketAsk(trail=TrailAsk(QUANTITY_MAX + 1)), "BAD_BRACKET", "bracket.trail.distance"),
        (BracketAsk(trail=TrailAsk(10, 0)), "BAD_BRACKET", "bracket.trail.step"),
        (BracketAsk(StopAsk(enabled=False), breakeven=BreakevenAsk(5)), "BAD_BRACKET", "bracket.stop.enabled"),
        (BracketAsk(StopAsk(enabled=False), trail=TrailAsk(10)), "BAD_BRACKET", "bracket.stop.enabled"),
    ],
)
def test_each_fault_is_told_by_its_code_and_field(bracket: BracketAsk, code: str, field: str) -> None:
    assert refusal(bracket) == (code, field)


def test_what_is_just_within_its_bounds_is_taken() -> None:
    assert len(targets(*(_AT,) * TARGETS_MAX)) == TARGETS_MAX
    found = ticks(BracketAsk(StopAsk(ticks=QUANTITY_MAX), (), BreakevenAsk(5, 4), TrailAsk(MES.stop_ticks_min)))
    assert found == Asked(Exit(QUANTITY_MAX), (), Breakeven(5, 4), Trail(4))
    assert stop(StopAsk(dollars=D(5) * QUANTITY_MAX)) == Exit(QUANTITY_MAX)


def test_a_bracket_of_something_else_than_an_order_is_named_by_its_own_path() -> None:
    with pytest.raises(InputRefused) as caught:
        asked(BracketAsk(targets=(_AT, TargetAsk())), MES, 1, "presets[0]")
    assert caught.value.field == "presets[0].targets[1]"


@pytest.mark.parametrize(
    "documented",
    [
        {"stop_loss": LegAsk(points=D(10))},
        {"take_profit": LegAsk(enabled=False)},
        {"stop_loss_points": D(10)},
        {"take_profit_points": D(10)},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_bracket_and_the_documented_fields_are_not_said_together(documented: dict[str, Any]) -> None:
    with pytest.raises(InputRefused) as caught:
        submit_order(order(BracketAsk(), **documented), {MES.contract_id: MES}, "r", ())
    assert (caught.value.code, caught.value.field) == ("BAD_BRACKET", "bracket")
    assert submit_order(order(**documented), {MES.contract_id: MES}, "r", ()).quantity == 4


def test_the_documented_fields_still_mean_one_target() -> None:
    command = submit_order(
        order(stop_loss_points=D(10), take_profit=LegAsk(points=D(20))), {MES.contract_id: MES}, "r", ()
    )
    assert (command.stop, command.targets) == (Exit(40), (Target(Exit(80)),))
    assert submit_order(order(take_profit=LegAsk(enabled=False)), {MES.contract_id: MES}, "r", ()).targets is Leg.OFF


# The same order again, or another.


def test_orders_that_differ_anywhere_in_their_brackets_have_different_fingerprints() -> None:
    one, two = TargetAsk(ticks=8, quantity=1), TargetAsk(ticks=9, quantity=1)
    brackets = [
        None,
        BracketAsk(),
        BracketAsk(StopAsk()),
        BracketAsk(StopAsk(enabled=False)),
        BracketAsk(StopAsk(ticks=8)),
        BracketAsk(StopAsk(points=D(8))),
        BracketAsk(StopAsk(price=D(8))),
        BracketAsk(StopAsk(dollars=D(8))),
        BracketAsk(targets=()),
        BracketAsk(targets=(one,)),
        BracketAsk(targets=(one, two)),
        BracketAsk(targets=(two, one)),
        BracketAsk(targets=(TargetAsk(ticks=8, quantity=2),)),
        BracketAsk(targets=(TargetAsk(ticks=8),)),
        BracketAsk(breakeven=BreakevenAsk(8)),
        BracketAsk(breakeven=BreakevenAsk(8, 1)),
        BracketAsk(trail=TrailAsk(8)),
        BracketAsk(trail=TrailAsk(8, 2)),
    ]
    assert len({fingerprint(order(bracket)) for bracket in brackets}) == len(brackets)


def test_the_same_bracket_asked_again_has_the_same_fingerprint() -> None:
    bracket = BracketAsk(StopAsk(dollars=D("50.00")), (TargetAsk(ticks=8, quantity=1),), BreakevenAsk(8), TrailAsk(8))
    again = msgspec.json.decode(msgspec.json.encode(bracket), type=BracketAsk)
    assert again == bracket
    assert fingerprint(order(again, request_id="r9", timestamp=7)) == fingerprint(order(bracket))


# As JSON.

_LEAST = {"instrument": "MES", "side": "BUY", "quantity": 4, "accountId": 1001}


def body(bracket: object) -> OrderBody:
    return read(json.dumps(_LEAST | {"bracket": bracket}).encode(), OrderBody)


def test_a_body_is_read_with_the_whole_bracket() -> None:
    said = {
        "stop": {"dollars": 50.05},
        "targets": [{"ticks": 8, "quantity": 1}, {"points": 2.5}],
        "breakeven": {"trigger": 6},
        "trail": {"distance": 10, "step": 2},
    }
    assert body(said).bracket == BracketAsk(
        StopAsk(dollars=D("50.05")),
        (TargetAsk(ticks=8, quantity=1), TargetAsk(points=D("2.5"))),
        BreakevenAsk(6),
        TrailAsk(10, 2),
    )
    assert body({"targets": []}).bracket == BracketAsk(targets=())
    assert body({"targets": None, "stop": None}).bracket == BracketAsk()
    assert body(None).bracket is None


@pytest.mark.parametrize(
    ("bracket", "code", "field"),
    [
        ({"targets": [{"ticks": 8}, {"ticks": 9, "quantity": "1"}]}, "TARGETS_QUANTITY", "targets[1].quantity"),
        ({"targets": [{"ticks": 8}, {"ticks": 9, "quantity": 1.5}]}, "TARGETS_QUANTITY", "targets[1].quantity"),
        ({"targets": [{"ticks": True}]}, "TARGETS_TICKS", "targets[0].ticks"),
        ({"targets": [{"price": "5000"}]}, "TARGETS_PRICE", "targets[0].price"),
        ({"targets": [{"ticks": 8}, 9]}, "TARGETS", "targets[1]"),
        ({"targets": [{"ticks": 8}, None]}, "TARGETS", "targets[1]"),
        ({"targets": [[{"ticks": 8}]]}, "TARGETS", "targets[0]"),
        ({"targets": {"ticks": 8}}, "TARGETS", "targets"),
        ({"targets": 8}, "TARGETS", "targets"),
        ({"stop": {"ticks": "8"}}, "STOP_TICKS", "stop.ticks"),
        ({"stop": {"dollars": "8"}}, "STOP_DOLLARS", "stop.dollars"),
        ({"stop": [8]}, "STOP", "stop"),
        ({"breakeven": {"trigger": None}}, "BREAKEVEN_TRIGGER", "breakeven.trigger"),
        ({"trail": {"distance": 8.5}}, "TRAIL_DISTANCE", "trail.distance"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_by_its_path(bracket: object, code: str, field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        body(bracket)
    assert (caught.value.code, caught.value.field) == (f"BAD_BRACKET_{code}", f"bracket.{field}")


@pytest.mark.parametrize(
    ("bracket", "code", "field"),
    [
        ({"target": []}, "UNKNOWN_FIELD", "bracket.target"),
        ({"stop": {"distance": 8}}, "UNKNOWN_FIELD", "bracket.stop.distance"),
        ({"targets": [{"ticks": 8}, {"tick": 8}]}, "UNKNOWN_FIELD", "bracket.targets[1].tick"),
        ({"breakeven": {"trigger": 8, "at": 1}}, "UNKNOWN_FIELD", "bracket.breakeven.at"),
        ({"breakeven": {}}, "MISSING_FIELD", "bracket.breakeven.trigger"),
        ({"trail": {"step": 1}}, "MISSING_FIELD", "bracket.trail.distance"),
    ],
)
def test_a_name_that_is_not_there_or_is_missing_is_told_by_its_path(bracket: object, code: str, field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        body(bracket)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_bracket_that_is_no_object_is_refused() -> None:
    nonsense: tuple[object, ...] = (8, [], "stop")
    for said in nonsense:
        with pytest.raises(InputRefused) as caught:
            body(said)
        assert (caught.value.code, caught.value.field) == ("BAD_BRACKET", "bracket")


# What it comes to.

_cents = st.integers(500, 200_000).map(lambda cents: Decimal(cents).scaleb(-2))


@settings(max_examples=100, deadline=None)
@given(
    dollars=_cents,
    side=st.sampled_from(Side),
    offsets=st.lists(st.integers(0, 2), min_size=1, max_size=5),
    takes=st.lists(st.tuples(_cents, st.integers(1, 3)), max_size=3),
)
def test_no_bracket_loses_more_at_its_stop_or_earns_less_at_its_targets_than_was_asked(
    dollars: Decimal, side: Side, offsets: list[int], takes: list[tuple[Decimal, int]]
) -> None:
    quantity = len(offsets)
    assume(dollars >= MES.money(MES.stop_ticks_min, quantity))
    assume(all(earned >= MES.money(1, own) for earned, own in takes))
    bracket = BracketAsk(StopAsk(dollars=dollars), tuple(TargetAsk(dollars=d, quantity=own) for d, own in takes))
    payload = PlaceOrderPayload("MANUAL", "a", ACCOUNT, "MES", side.value, Decimal(quantity), bracket=bracket)
    desk = Desk(WIDE)
    assert desk.ask(submit_order(payload, {MES.contract_id: MES}, "r", ())).ok
    desk.accept("a")
    for offset in offsets:
        desk.fill("a", 1, ASK + offset)
    settle(desk)
    paid = sum(ASK + offset for offset in offsets)
    level = desk.stop("a").terms.stop_ticks
    assert level is not None
    lost = MES.money(paid - level * quantity, side.sign)
    assert dollars - MES.money(2, quantity) < lost <= dollars, "and as much as whole ticks allow"
    average = Decimal(paid) / quantity
    for leg in desk.legs("a", Role.TARGET):
        earned, own = takes[leg.slot]
        assert leg.terms.limit_ticks is not None
        if leg.leaves == own:
            assert (leg.terms.limit_ticks - average) * side.sign * own * MES.tick_value_usd >= earned


def settle(desk: Desk) -> None:
    """The broker answers everything it was asked, until it is asked nothing more."""
    for _ in range(4):
        desk.wait(300)
        for leg in list(desk.account.legs("a")):
            if leg.status is Status.APPROVED:
                desk.accept(leg.order_id)
            elif leg.change is not None:
                desk.modified(leg.order_id)
