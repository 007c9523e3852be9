"""Limits on micros, value and price, as tables: allowed, at the limit, over it, unknown; and those of one product."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.core.commands import Leg
from ordergate.core.inputs import Mark
from ordergate.core.limits import InstrumentLimits, Limits
from ordergate.core.order import Exit, Side
from tests.core.desk import ASK, BID, ES, MES, MNQ, OLD_MES, WIDE, Desk, order_row, position

THREE = ("MES", "MNQ", "ES")


# position_size: limits follow the product
@pytest.mark.parametrize(
    ("old", "side", "quantity", "codes"),
    [
        (3, Side.BUY, 2, []),
        (3, Side.BUY, 3, ["MAX_POSITION_SIZE"]),
        (3, Side.SELL, 5, []),
        (3, Side.SELL, 6, ["MAX_POSITION_SIZE"]),
        (-3, Side.BUY, 5, []),
    ],
    ids=["at the limit", "over", "the other side", "the other side, over", "a short month gives no room"],
)
def test_the_month_that_was_rolled_counts_against_the_same_product(
    old: int, side: Side, quantity: int, codes: list[str]
) -> None:
    desk = Desk(Limits(position_quantity_max=5), positions=[position(old, ASK, OLD_MES)])
    desk.quote(OLD_MES, BID, ASK)
    assert desk.codes("a", side, quantity, stop=Exit(4)) == codes


def test_orders_that_work_in_another_month_count_too() -> None:
    desk = Desk(Limits(position_quantity_max=5))
    desk.feed(order_row(77, Side.BUY, 4, contract_id=OLD_MES.contract_id))
    assert desk.codes("a", quantity=2) == ["MAX_POSITION_SIZE"]
    assert desk.codes("b", Side.SELL, quantity=2) == []


# account_position
@pytest.mark.parametrize(
    ("instrument", "quantity", "codes"),
    [
        (MNQ, 13, []),
        (MNQ, 14, ["MAX_ACCOUNT_POSITION"]),
        (ES, 1, []),
        (ES, 2, ["MAX_ACCOUNT_POSITION"]),
    ],
)
def test_all_positions_of_an_account_count_together_in_micros(instrument: Any, quantity: int, codes: list[str]) -> None:
    limits = replace(WIDE, allowed_symbols=THREE, account_position_micros_max=20)
    desk = Desk(limits, positions=[position(-4, ASK)])
    desk.quote(ES, BID, ASK)
    assert desk.codes("short", Side.SELL, 3) == [], "seven micros short, at worst"
    assert desk.codes("a", instrument=instrument, quantity=quantity) == codes
    assert desk.codes("b", Side.BUY, 11, limit=BID - 8) == [], "four of them close"


def test_the_account_position_is_off_unless_set() -> None:
    assert Desk(replace(WIDE, allowed_symbols=THREE)).codes("a", quantity=900) == []


def test_a_change_of_an_order_counts_that_order_once() -> None:
    desk = Desk(replace(WIDE, account_position_micros_max=4, position_quantity_max=4, open_orders_max=1))
    assert desk.codes("a", quantity=3, limit=BID - 8) == []
    desk.accept("a")
    found = desk.modify("a", quantity=5).breaches
    assert [(breach.code, breach.limit, breach.actual) for breach in found] == [
        ("MAX_POSITION_SIZE", "4", "5"),
        ("MAX_ACCOUNT_POSITION", "4", "5"),
    ]
    assert desk.modify("a", quantity=4).ok


# order_value: a point of MES is 5 USD, so one contract at 5,000.00 is 25,000 USD
@pytest.mark.parametrize(
    ("limit", "codes"), [("50000", []), ("49999.99", ["MAX_ORDER_VALUE"]), (None, [])], ids=["at", "over", "off"]
)
def test_the_value_of_an_order_is_what_it_adds_at_its_price(limit: str | None, codes: list[str]) -> None:
    desk = Desk(Limits(order_value_usd_max=Decimal(limit) if limit else None), positions=[position(-1, ASK)])
    assert desk.codes("a", quantity=3) == codes, "a market buy fills at 5,000.00, and one of the three closes"


def test_the_value_of_a_limit_order_is_that_of_its_own_price_and_a_negative_one_has_value() -> None:
    desk = Desk(Limits(order_value_usd_max=Decimal(24_000)))
    assert desk.codes("a", limit=19_800) == ["MAX_ORDER_VALUE"]
    desk = Desk(Limits(order_value_usd_max=Decimal(24)))
    desk.quote(MES, -30, -29)
    assert desk.codes("b", limit=-19) == []
    assert desk.codes("c", limit=-20) == ["MAX_ORDER_VALUE"]


def test_a_value_that_cannot_be_told_is_denied_for_want_of_a_price() -> None:
    desk = Desk(Limits(order_value_usd_max=Decimal(10**9)))
    desk.quotes.clear()
    assert desk.codes("a") == ["NO_REFERENCE_PRICE"]


# price_collar: 3 % of 4,999.75 is 599 ticks
@pytest.mark.parametrize(
    ("side", "away", "codes"),
    [
        (Side.BUY, -599, []),
        (Side.BUY, -600, ["PRICE_COLLAR"]),
        (Side.BUY, 599, []),
        (Side.BUY, 600, ["PRICE_COLLAR"]),
        (Side.SELL, 600, []),
        (Side.SELL, 601, ["PRICE_COLLAR"]),
        (Side.SELL, -600, []),
        (Side.SELL, -601, ["PRICE_COLLAR"]),
        (Side.BUY, -120, []),
    ],
)
def test_a_limit_price_stands_within_three_percent_of_its_own_side(side: Side, away: int, codes: list[str]) -> None:
    near = BID if side is Side.BUY else ASK
    assert Desk(WIDE).codes("a", side, limit=near + away) == codes


@pytest.mark.parametrize(
    ("side", "trigger", "codes"),
    [
        (Side.BUY, ASK + 1, []),
        (Side.BUY, ASK, ["PRICE_COLLAR"]),
        (Side.BUY, BID - 40, ["PRICE_COLLAR"]),
        (Side.SELL, BID - 1, []),
        (Side.SELL, BID, ["PRICE_COLLAR"]),
        (Side.SELL, ASK + 40, ["PRICE_COLLAR"]),
        (Side.BUY, BID + 600, ["PRICE_COLLAR"]),
        (Side.BUY, BID + 599, []),
    ],
)
def test_a_stop_order_stands_beyond_the_market_and_within_the_collar(
    side: Side, trigger: int, codes: list[str]
) -> None:
    assert Desk(WIDE).codes("a", side, trigger=trigger) == codes


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "actual"),
    [(Side.BUY, ASK - 2, "above 5000.00", "4999.50"), (Side.SELL, BID + 2, "below 4999.75", "5000.25")],
)
def test_a_stop_order_at_the_market_is_told_the_side_and_the_price_it_has_to_stand_beyond(
    side: Side, trigger: int, limit: str, actual: str
) -> None:
    (breach,) = Desk(WIDE).submit("a", side, trigger=trigger).breaches
    assert (breach.limit, breach.actual) == (limit, actual)
    assert f"{side.value} stop at {actual}" in breach.message
    assert breach.message.endswith(limit)


@pytest.mark.parametrize(("ask", "codes"), [(BID + 40, []), (BID + 41, ["PRICE_COLLAR"])])
def test_a_market_order_waits_while_the_market_is_too_wide(ask: int, codes: list[str]) -> None:
    desk = Desk(replace(WIDE, price_distance_ticks_max=40))
    desk.quote(MES, BID, ask)
    assert desk.codes("a") == codes
    assert desk.codes("b", Side.SELL) == codes


@pytest.mark.parametrize(
    ("ticks", "percent", "away", "codes"),
    [
        (100, None, 100, []),
        (100, None, 101, ["PRICE_COLLAR"]),
        (100, "3", 101, ["PRICE_COLLAR"]),
        (1_000, "3", 600, ["PRICE_COLLAR"]),
        (None, None, 19_000, []),
        (None, "0.01", 40, []),
        (None, "0.01", 41, ["PRICE_COLLAR"]),
    ],
    ids=["at", "over", "ticks bind", "percent binds", "off", "a tiny percentage is a default stop", "and no more"],
)
def test_the_smaller_of_both_collars_binds(ticks: int | None, percent: str | None, away: int, codes: list[str]) -> None:
    limits = replace(
        WIDE,
        price_distance_ticks_max=ticks,
        price_distance_percent_max=None if percent is None else Decimal(percent),
    )
    assert Desk(limits).codes("a", limit=BID - away) == codes


def test_a_collar_without_a_reference_is_denied_for_want_of_one() -> None:
    desk = Desk()
    desk.quotes.clear()
    assert desk.codes("a", limit=1) == ["NO_REFERENCE_PRICE"]


def test_changing_a_price_is_judged_by_the_collar_like_placing() -> None:
    desk = Desk(WIDE)
    assert desk.submit("a", limit=BID - 10).ok
    desk.accept("a")
    assert desk.modify("a", limit_ticks=BID - 600).code == "PRICE_COLLAR"
    assert desk.modify("a", limit_ticks=BID - 599).ok


def test_an_exit_has_no_collar() -> None:
    desk = Desk(positions=[position(2, ASK)])
    assert desk.submit("a", Side.SELL, 2, limit=ASK * 2).ok
    assert desk.submit("b", Side.SELL, 2, trigger=ASK * 2, stop=Leg.OFF).code == "PRICE_COLLAR", "it adds: a closes"


# reference_price: 1 % of 5,000.00 is 200 ticks
@pytest.mark.parametrize(
    ("bid", "ask", "last", "codes"),
    [
        (20_000, 20_001, 19_803, []),
        (20_000, 20_001, 19_802, ["NO_REFERENCE_PRICE"]),
        (19_799, 20_000, 20_000, ["NO_REFERENCE_PRICE"]),
        (19_800, 20_000, 20_000, []),
        (20_000, 20_001, None, []),
        (10, 50, 10, []),
        (10, 51, 10, ["NO_REFERENCE_PRICE"]),
    ],
    ids=["at", "both jumped", "the bid jumped", "at, below", "never traded", "near zero", "near zero, over"],
)
def test_a_quote_that_jumped_from_the_last_trade_is_no_reference(
    bid: int, ask: int, last: int | None, codes: list[str]
) -> None:
    desk = Desk(replace(WIDE, price_distance_percent_max=None))
    desk.quote(MES, bid, ask)
    desk.quotes[MES.contract_id] = replace(desk.quotes[MES.contract_id], last_ticks=last)
    assert desk.codes("a") == codes
    assert desk.codes("b", limit=bid) == codes


def test_the_want_of_a_reference_is_told_with_what_would_be_one() -> None:
    desk = Desk(replace(WIDE, quote_age_ms_max=1_500), positions=[position(1, ASK, MNQ)])
    desk.quote(MNQ, None, ASK)
    (breach,) = desk.submit("a").breaches
    assert (breach.code, breach.limit, breach.actual) == ("NO_REFERENCE_PRICE", "1.500 s", "none")
    assert "position without a stop" in breach.message
    desk.quote(MES, None, ASK)
    (breach,) = desk.submit("b").breaches
    assert "MES younger than 1.500 s with both sides within 1 % of the last trade" in breach.message
    desk.group = replace(desk.group, limits=replace(desk.group.limits, quote_jump_percent_max=None))
    (breach,) = desk.submit("c").breaches
    assert breach.message.endswith("with both sides")


def test_one_bad_print_closes_nothing_and_a_trade_that_confirms_it_does() -> None:
    desk = Desk()
    desk.hold("a", quantity=10, stop=Exit(4))
    desk.quote(MES, BID - 300, BID - 299)
    spike = replace(desk.quotes[MES.contract_id], last_ticks=BID)
    desk.quotes[MES.contract_id] = spike
    desk.feed(Mark())
    assert desk.account.trading_state.value == "active"
    desk.quotes[MES.contract_id] = replace(spike, last_ticks=BID - 300)
    desk.feed(Mark())
    assert desk.account.state_code == "DAILY_LOSS_LIMIT"


# of one product
def test_a_product_may_have_limits_of_its_own() -> None:
    own = InstrumentLimits("MES", order_quantity_max=2, position_quantity_max=3)
    desk = Desk(Limits(instruments=(own,)))
    assert desk.codes("a", quantity=2) == []
    assert desk.codes("b", quantity=3) == ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]
    assert desk.codes("c", quantity=10, instrument=MNQ) == []


OWN: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"order_quantity_min": 2}, {}, "MIN_ORDER_SIZE"),
    ({"order_value_usd_max": Decimal(1)}, {}, "MAX_ORDER_VALUE"),
    ({"risk_percent_max": Decimal("0.01")}, {"stop": Exit(40)}, "EXCESSIVE_RISK"),
    ({"risk_usd_max": Decimal(1)}, {"stop": Exit(40)}, "EXCESSIVE_RISK"),
    ({"quote_age_ms_max": 0}, {}, "NO_REFERENCE_PRICE"),
    ({"quote_jump_percent_max": Decimal("0.1")}, {}, "NO_REFERENCE_PRICE"),
    ({"price_distance_ticks_max": 1}, {}, "PRICE_COLLAR"),
    ({"price_distance_percent_max": Decimal("0.1")}, {}, "PRICE_COLLAR"),
    ({"instrument_orders_per_minute_max": 1}, {}, "ORDER_RATE"),
    ({"duplicate_window_ms": 60_000}, {"quantity": 1}, "DUPLICATE_ORDER"),
]


@pytest.mark.parametrize(("own", "order", "code"), OWN, ids=[code + str(n) for n, (_, _, code) in enumerate(OWN)])
def test_each_of_them_overrides_the_one_for_all(own: dict[str, Any], order: dict[str, Any], code: str) -> None:
    given = {"limit": BID - 50, **order}
    for symbol, codes in (("MES", [code]), ("MNQ", [])):
        desk = Desk(Limits(instruments=(InstrumentLimits(symbol, **own),)))
        desk.quote(MES, BID, ASK + 48, age_ms=1)
        if code in ("ORDER_RATE", "DUPLICATE_ORDER"):
            assert desk.codes("before", **given) == []
        assert desk.codes("a", **given) == codes


def test_every_limit_of_one_product_is_one_of_all() -> None:
    assert set(InstrumentLimits.__struct_fields__) - {"symbol"} <= set(Limits.__struct_fields__)
    tested = {name for own, _, _ in OWN for name in own} | {"order_quantity_max", "position_quantity_max"}
    assert tested == set(InstrumentLimits.__struct_fields__) - {"symbol"}
