"""Every limit has a direction, and what holds at once never allows more."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core import tighter
from ordergate.core.limits import Blackout, Limits, OnDailyLoss, OnMustBeFlat
from ordergate.core.tighter import TIGHTER, at_once, differing


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_every_limit_says_which_direction_is_tighter(field: str) -> None:
    assert field in TIGHTER, f"add {field} to TIGHTER in core/tighter.py: nobody can tell which of its values is looser"


def test_nothing_but_limits_has_a_direction() -> None:
    assert set(TIGHTER) <= set(Limits.__struct_fields__)


@pytest.mark.parametrize(
    ("field", "tight", "loose"),
    [
        ("allowed_symbols", ("MES",), ("MES", "MNQ")),
        ("order_quantity_min", 2, 1),
        ("order_quantity_max", 1, 2),
        ("position_quantity_max", 1, 2),
        ("open_orders_max", 1, 2),
        ("daily_loss_usd_max", Decimal(1), Decimal(2)),
        ("risk_percent_max", Decimal(1), Decimal(2)),
        ("account_size_usd", Decimal(1), Decimal(2)),
        ("quote_age_ms_max", 1, 2),
        ("on_daily_loss", OnDailyLoss.FLATTEN, OnDailyLoss.KEEP),
        ("account_position_micros_max", 10, None),
        ("order_value_usd_max", Decimal(1), Decimal(2)),
        ("daily_profit_usd_max", Decimal(1), None),
        ("maximum_loss_usd", Decimal(1), Decimal(2)),
        ("maximum_loss_floor_usd", Decimal(2), Decimal(1)),
        ("risk_usd_max", Decimal(1), None),
        ("quote_jump_percent_max", Decimal(1), None),
        ("price_distance_ticks_max", 1, 2),
        ("price_distance_percent_max", Decimal(1), Decimal(2)),
        ("duplicate_window_ms", 2, 1),
        ("orders_per_minute_max", 1, 2),
        ("instrument_orders_per_minute_max", 1, 2),
        ("repeats_per_minute_max", 1, 2),
        ("age_ms_max", 1, 2),
        ("clock_ahead_ms_max", 1, 2),
        ("opposite_positions", False, True),
        ("blackouts", (Blackout(time(8), time(9)),), None),
        ("must_be_flat", time(15), time(15, 8)),
        ("on_must_be_flat", OnMustBeFlat.FLATTEN, OnMustBeFlat.KEEP),
    ],
)
def test_the_tighter_value_holds_at_once_and_the_looser_does_not(field: str, tight: Any, loose: Any) -> None:
    narrow, wide = replace(Limits(), **{field: tight}), replace(Limits(), **{field: loose})
    assert at_once(wide, narrow) == narrow
    assert at_once(narrow, wide) == narrow


def test_of_a_list_that_gains_and_loses_only_the_loss_holds_at_once() -> None:
    now, wanted = Limits(allowed_symbols=("MES", "MNQ")), Limits(allowed_symbols=("MNQ", "MCL"))
    assert at_once(now, wanted).allowed_symbols == ("MNQ",)


@pytest.mark.parametrize(("now", "wanted"), [(None, Decimal(1)), (Decimal(10**9), None)])
def test_an_account_size_that_cannot_be_compared_with_the_balance_waits(now: Any, wanted: Any) -> None:
    assert at_once(Limits(account_size_usd=now), Limits(account_size_usd=wanted)).account_size_usd == now


@pytest.mark.parametrize("name", ["smaller", "larger"])
def test_no_limit_at_all_is_the_loosest(name: str) -> None:
    choice = getattr(tighter, name)
    assert (choice(None, 5), choice(5, None), choice(None, None)) == (5, 5, None)


def test_a_switch_that_goes_off_waits_and_what_has_no_order_too() -> None:
    on, off = True, False
    assert (tighter.either_on(on, off), tighter.either_on(off, on), tighter.either_on(off, off)) == (on, on, off)
    assert tighter.unordered("now", "wanted") == "now"


@pytest.mark.parametrize("field", ["risk_reward_ratio", "session_only"])
def test_what_is_no_limit_holds_at_once(field: str) -> None:
    wanted = replace(Limits(), **{field: {"risk_reward_ratio": Decimal(9), "session_only": True}[field]})
    assert at_once(Limits(), wanted) == wanted
    assert at_once(wanted, Limits()) == Limits()
    assert differing(Limits(), wanted) == (field,)


def test_no_windows_and_no_windows_are_none() -> None:
    assert tighter.in_either(None, None) is None
    assert tighter.in_either((), None) is None
