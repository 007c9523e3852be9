"""Every limit is alive, and one that is not is found at the start."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.core import selftest
from ordergate.core.judgement import judge
from ordergate.core.limits import Blackout, Limits
from ordergate.core.rules import RULES, Rule
from ordergate.core.selftest import CASES, complaint, self_test

# No limit is off in these.
ALL_ON = Limits(
    order_quantity_min=2,
    account_position_micros_max=200,
    order_value_usd_max=Decimal(10**6),
    daily_profit_usd_max=Decimal(500),
    maximum_loss_usd=Decimal(2_000),
    maximum_loss_floor_usd=Decimal(48_000),
    duplicate_window_ms=1_000,
    orders_per_minute_max=30,
    instrument_orders_per_minute_max=20,
    opposite_positions=False,
    session_only=True,
    blackouts=(Blackout(time(7, 25), time(7, 45)),),
)
DECISION = Path(__file__).resolve().parents[2] / "docs/decision.md"
TIGHT = replace(
    ALL_ON, order_quantity_max=2, position_quantity_max=2, open_orders_max=1, risk_percent_max=Decimal("0.01")
)
WIDE = replace(
    ALL_ON,
    order_quantity_max=1_000,
    position_quantity_max=5_000,
    open_orders_max=2_000,
    daily_loss_usd_max=Decimal(10**7),
)


@pytest.mark.parametrize("limits", [ALL_ON, TIGHT, WIDE, replace(ALL_ON, allowed_symbols=("ES", "NOT-LISTED"))])
def test_every_limit_is_alive_for_every_product(limits: Limits) -> None:
    trials = self_test(limits)
    assert complaint(trials) == ""
    assert [trial.code for trial in trials if not trial.enabled] == []


FUNDED = Limits(maximum_loss_usd=Decimal(2_000))  # such an account begins at 0, and may fall below it


@pytest.mark.parametrize("floor", [None, Decimal(-2_000), Decimal(48_000)])
def test_a_funded_account_has_its_room_to_the_floor_as_a_base_and_its_limits_are_alive(floor: Decimal | None) -> None:
    trials = self_test(replace(FUNDED, maximum_loss_floor_usd=floor))
    assert complaint(trials) == ""
    assert {"NO_RISK_BASE", "MAXIMUM_LOSS_LIMIT"} <= {trial.code for trial in trials if trial.enabled}


def test_a_maximum_loss_that_no_account_can_reach_is_found() -> None:
    assert "MAXIMUM_LOSS_LIMIT" in complaint(self_test(replace(FUNDED, maximum_loss_usd=Decimal(10**12))))


counts = st.integers(1, 10_000)
dollars = st.decimals("0.01", "1000000000", places=2)
balances = st.decimals("-1000000000", "1000000000", places=2)


@given(
    st.builds(
        Limits,
        allowed_symbols=st.sampled_from([("MES",), ("ES", "MGC"), ("NOT-LISTED",)]),
        order_quantity_min=counts,
        order_quantity_max=counts,
        position_quantity_max=counts,
        open_orders_max=st.integers(1, 50),
        daily_loss_usd_max=dollars,
        risk_percent_max=st.decimals("0.01", "100", places=2),
        account_size_usd=st.none() | dollars,
        maximum_loss_usd=st.none() | dollars,
        maximum_loss_lock_usd=st.none() | balances,
        maximum_loss_floor_usd=st.none() | balances,
        session_only=st.booleans(),
    )
)
def test_no_limits_that_can_be_set_stop_a_start_whose_rules_are_all_asked(limits: Limits) -> None:
    assert complaint(self_test(limits)) == ""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_that_is_not_asked_is_found(rule: Rule) -> None:
    rest = tuple(other for other in RULES if other is not rule)
    dead = [trial for trial in self_test(ALL_ON, rest) if trial.dead_for]
    assert dead, f"add a case for {rule.__name__} to ordergate.core.selftest.CASES"
    assert all(trial.dead_for == ALL_ON.allowed_symbols for trial in dead)
    assert all(line.startswith("self-test: ") for line in complaint(tuple(dead)).splitlines())


def test_every_code_of_a_rule_has_a_case() -> None:
    table = DECISION.read_text(encoding="utf-8").partition("<!-- made: rules -->")[2].partition("<!-- end -->")[0]
    codes = [code.strip(" `") for row in table.strip().splitlines()[2:] for code in row.split("|")[-2].split(",")]
    assert codes
    for code in codes:
        assert code in CASES, f"add a case for {code} to ordergate.core.selftest.CASES"
    assert sorted(CASES) == sorted(codes)


@pytest.mark.parametrize("code", CASES)
def test_a_refusal_tells_its_code_the_limit_and_the_value_seen(code: str) -> None:
    """I16."""
    scene = CASES[code](selftest.scene(ALL_ON, "MES"))
    assert scene is not None
    group, stamp = selftest.stage(scene)
    found = judge(group, scene.account, scene.order, stamp).breaches
    assert code in [breach.code for breach in found]
    assert [breach for breach in found if not (breach.limit and breach.actual)] == []


def test_a_limit_that_is_off_is_told_as_off_and_is_not_dead() -> None:
    trials = self_test(Limits(account_size_usd=Decimal(50_000)))
    assert {trial.code for trial in trials if not trial.enabled} == {
        "MIN_ORDER_SIZE", "MAX_ACCOUNT_POSITION", "MAX_ORDER_VALUE", "NO_RISK_BASE", "DAILY_PROFIT_LIMIT",
        "MAXIMUM_LOSS_LIMIT", "DUPLICATE_ORDER", "ORDER_RATE", "OUTSIDE_TRADING_HOURS", "BLACKOUT", "OPPOSITE_POSITION",
    }  # fmt: skip
    assert complaint(trials) == ""


def test_a_case_is_refused_for_what_it_changes_and_not_before() -> None:
    for symbol in Limits().allowed_symbols:
        assert selftest.codes(selftest.scene(Limits(), symbol)) == []
