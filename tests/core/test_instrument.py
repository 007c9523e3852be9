"""The one border between prices and ticks."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.core.instrument import symbol_instrument
from ordergate.errors import InputRefused
from tests.core.desk import MES, MNQ, OLD_MES

FINE = replace(MES, tick_size=Decimal("0.0000005"))


@pytest.mark.parametrize(
    ("price", "ticks"),
    [("5000.00", 20_000), ("5000.25", 20_001), ("0", 0), ("-0", 0), ("-37.50", -150), ("-0.25", -1), ("1E+3", 4_000)],
)
def test_a_price_on_the_grid_is_a_number_of_ticks_and_back(price: str, ticks: int) -> None:
    assert MES.ticks(Decimal(price), "price") == ticks
    assert MES.price(ticks) == Decimal(price)


@pytest.mark.parametrize(
    ("price", "code"),
    [
        ("5000.10", "OFF_TICK"),
        ("0.2499999999999999999999999999", "OFF_TICK"),
        ("-0.1", "OFF_TICK"),
        ("NaN", "PRICE_NOT_FINITE"),
        ("sNaN", "PRICE_NOT_FINITE"),
        ("Infinity", "PRICE_NOT_FINITE"),
        ("-Infinity", "PRICE_NOT_FINITE"),
        ("10000000.25", "PRICE_OUT_OF_RANGE"),
        ("-10000000.25", "PRICE_OUT_OF_RANGE"),
        ("1E+308", "PRICE_OUT_OF_RANGE"),
        ("1E-308", "OFF_TICK"),
        ("1E+999999999999", "PRICE_OUT_OF_RANGE"),
        ("-1E+999999999999", "PRICE_OUT_OF_RANGE"),
        ("1E-999999999999", "OFF_TICK"),
        ("-1E-999999999999", "OFF_TICK"),
    ],
)
def test_any_other_price_is_refused_by_name_and_never_rounded(price: str, code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        MES.ticks(Decimal(price), "limitPrice")
    assert (refused.value.code, refused.value.field) == (code, "limitPrice")


def test_the_largest_price_fits_the_finest_grid() -> None:
    assert FINE.ticks(Decimal(10_000_000), "price") == 20_000_000_000_000


@pytest.mark.parametrize(
    ("points", "code"), [("0", "DISTANCE_NOT_POSITIVE"), ("-1", "DISTANCE_NOT_POSITIVE"), ("0.1", "OFF_TICK")]
)
def test_a_distance_is_above_zero_and_on_the_grid(points: str, code: str) -> None:
    with pytest.raises(InputRefused) as refused:
        MES.distance_ticks(Decimal(points), "stopLoss.points")
    assert refused.value.code == code


def test_a_distance_in_points_is_a_number_of_ticks() -> None:
    assert MES.distance_ticks(Decimal(10), "stopLoss.points") == 40


def test_money_carries_the_signs_of_both() -> None:
    assert MES.money(40, 2) == Decimal("100.00")
    assert MES.money(-40, 2) == MES.money(40, -2) == Decimal("-100.00")


def test_a_contract_is_found_by_its_id_or_as_the_active_month_of_its_symbol() -> None:
    listed = {i.contract_id: i for i in (OLD_MES, MES, MNQ)}
    assert symbol_instrument(listed, "MES") is MES
    assert symbol_instrument(listed, OLD_MES.contract_id) is OLD_MES


@pytest.mark.parametrize("name", ["", "ES", "mes", "MES ", "\uff2d\uff25\uff33", "M\u200bES", "x" * 10_000])
def test_any_other_name_is_an_unknown_instrument(name: str) -> None:
    with pytest.raises(InputRefused) as refused:
        symbol_instrument({MES.contract_id: MES}, name)
    assert refused.value.code == "UNKNOWN_INSTRUMENT"
    assert len(refused.value.message) < 200


def test_a_symbol_without_an_active_month_is_unknown() -> None:
    with pytest.raises(InputRefused):
        symbol_instrument({OLD_MES.contract_id: OLD_MES}, "MES")


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("NaN", "limitPrice must be a finite number"),
        ("10000000.25", "limitPrice 10000000.25 is beyond 10000000"),
        ("5000.10", "limitPrice 5000.10 is not a multiple of MES's tick 0.25"),
    ],
)
def test_a_refused_price_is_told_with_what_is_wrong_about_it(price: str, words: str) -> None:
    with pytest.raises(InputRefused, match=words):
        MES.ticks(Decimal(price), "limitPrice")


def test_a_distance_may_be_one_tick_and_is_refused_by_its_name() -> None:
    assert MES.distance_ticks(Decimal("0.25"), "points") == 1
    for points, words in (("0", "stopLoss.points must be above 0"), ("0.1", "stopLoss.points 0.1 is not")):
        with pytest.raises(InputRefused, match=words) as refused:
            MES.distance_ticks(Decimal(points), "stopLoss.points")
        assert refused.value.field == "stopLoss.points"


def test_an_unknown_name_is_repeated_at_most_in_part() -> None:
    with pytest.raises(InputRefused) as refused:
        symbol_instrument({}, "x" * 65, "symbol")
    assert (refused.value.code, refused.value.field) == ("UNKNOWN_INSTRUMENT", "symbol")
    assert str(refused.value).endswith(f"no contract is called '{'x' * 64}'")
    with pytest.raises(InputRefused) as refused:
        symbol_instrument({}, "x")
    assert refused.value.field == "instrument"
