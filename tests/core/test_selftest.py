"""Every limit is alive, and one that is not is found at the start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.core import selftest
from ordergate.core.commands import SubmitOrder
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.judgement import judge
from ordergate.core.limits import Blackout, InstrumentLimits, Limits
from ordergate.core.order import Exit, OrderType, Terms
from ordergate.core.orders import Orders
from ordergate.core.rules import RULES, Rule
from ordergate.core.selftest import CASES, Scene, complaint, self_test

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


def test_every_limit_is_alive_for_every_product_that_is_known_whatever_its_tick_is_worth() -> None:
    """In whole numbers: rounding is trapped here, and a tick of HO is 4.20 USD."""
    assert complaint(self_test(replace(ALL_ON, allowed_symbols=tuple(PRODUCT_BY_SYMBOL)))) == ""


@pytest.mark.parametrize(("symbol", "known_as"), [("MES", "MES"), ("GC", "GC"), ("ZN", "ZN"), ("NOT-LISTED", "MES")])
def test_a_case_is_of_its_own_product_and_of_mes_sizes_where_nobody_knows_those_of_its_own(
    symbol: str, known_as: str
) -> None:
    instrument, product = selftest.scene(Limits(), symbol).instrument, PRODUCT_BY_SYMBOL[known_as]
    assert instrument.symbol == symbol
    assert (instrument.tick_size, instrument.tick_value_usd) == (product.tick_size, product.tick_value_usd)
    assert instrument.fee_usd == product.fee_usd


def test_a_window_of_one_day_is_tried_on_that_day() -> None:
    window = Blackout(time(7, 25), time(7, 45), date(2026, 12, 4))
    assert complaint(self_test(replace(ALL_ON, blackouts=(window,)))) == ""


@pytest.mark.parametrize("place", [0, 1])
def test_a_window_that_never_holds_is_found_wherever_it_stands_among_others(place: int) -> None:
    windows = [Blackout(time(7, 25), time(7, 45))]
    windows.insert(place, Blackout(time(2, 10), time(2, 50), date(2027, 3, 14)))  # clocks go from 2 to 3
    assert "BLACKOUT" in complaint(self_test(replace(ALL_ON, blackouts=tuple(windows))))


def test_a_case_is_of_the_smallest_order_that_is_allowed_of_its_own_product() -> None:
    limits = Limits(order_quantity_min=2, instruments=(InstrumentLimits("ES", order_quantity_min=3),))
    assert [selftest.scene(limits, symbol).order.quantity for symbol in ("MES", "ES")] == [2, 3]


@pytest.mark.parametrize("code", CASES)
def test_what_a_case_is_made_of_could_come_from_a_trader_and_from_the_broker(code: str) -> None:
    """All of it has the types that are read from the outside, and an order the prices of its type."""
    scene = CASES[code](selftest.scene(ALL_ON, "MES"))
    assert scene is not None
    group, stamp = selftest.stage(scene)
    assert stamp.input is scene.order
    assert [quote.contract_id for quote in stamp.market.quotes.values()] == list(stamp.market.quotes)
    accounts = group.accounts.values()
    assert [account.account_id for account in accounts] == list(group.accounts)
    orders = [order for account in accounts for order in account.orders.values()]
    exits = [running for account in accounts for running in account.exits.values()]
    held = [position for account in accounts for position in account.positions.values()]
    for part in (scene.order, *stamp.market.quotes.values(), *orders, *exits, *held):
        assert msgspec.convert(msgspec.to_builtins(part), type(part)) == part
    asked: list[SubmitOrder | Terms] = [scene.order, *(order.terms for order in orders)]
    for terms in asked:
        assert (terms.limit_ticks is not None) == (terms.order_type is OrderType.LIMIT)
        assert (terms.stop_ticks is not None) == (terms.order_type is OrderType.STOP)


def smaller(scene: Scene) -> Scene:
    return replace(scene, order=replace(scene.order, quantity=scene.order.quantity - 1))


def farther(scene: Scene, ticks: int) -> Scene:
    assert isinstance(scene.order.stop, Exit)
    return replace(scene, order=replace(scene.order, stop=Exit(scene.order.stop.ticks + ticks)))


def changed(scene: Scene, **changes: object) -> Scene:
    return replace(scene, account=replace(scene.account, **changes))


# Cases that are counted, each with one less. A loss is not among them: what the order could lose comes on top of it.
LESS: dict[str, Callable[[Scene], Scene]] = {
    "MIN_ORDER_SIZE": lambda s: replace(s, order=replace(s.order, quantity=s.order.quantity + 1)),
    "MAX_ORDER_SIZE": smaller,
    "MAX_POSITION_SIZE": smaller,
    "MAX_ACCOUNT_POSITION": smaller,
    "MAX_ORDER_VALUE": smaller,
    "MAX_OPEN_ORDERS": lambda s: changed(s, orders=Orders(dict(list(s.account.orders.items())[1:]))),
    "EXCESSIVE_RISK": lambda s: farther(s, -1),
    "STOP_TOO_CLOSE": lambda s: farther(s, 1),
    "DAILY_PROFIT_LIMIT": lambda s: changed(s, balance_usd=s.account.balance_usd - Decimal("0.01")),
    "DUPLICATE_ORDER": lambda s: changed(s, asked=s.account.asked[1:]),
    "ORDER_RATE": lambda s: changed(s, asked=s.account.asked[1:]),
    "TOO_OLD": lambda s: replace(s, waited_ns=s.waited_ns - 1),
    "CLOCK_SKEW": lambda s: replace(s, order=replace(s.order, sent_ns=(s.order.sent_ns or 0) - 1)),
}


@pytest.mark.parametrize("code", LESS)
def test_a_case_goes_beyond_its_limit_by_no_more_than_one(code: str) -> None:
    """So a limit that is alive is alive at the border that was set, and not only far beyond it."""
    limits = replace(ALL_ON, order_quantity_min=1 if code == "EXCESSIVE_RISK" else 2, orders_per_minute_max=20)
    scene = CASES[code](selftest.scene(limits, "MES"))
    assert scene is not None
    assert code in selftest.codes(scene)
    assert code not in selftest.codes(LESS[code](scene))
