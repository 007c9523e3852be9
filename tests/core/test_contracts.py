"""The built-in contract table against the ProjectX API notes, section 10."""

from __future__ import annotations

import datetime
import functools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.contracts import (
    MICRO_WEIGHTS,
    MONTH_LETTERS,
    PRODUCT_BY_ROOT,
    PRODUCT_BY_SYMBOL,
    PRODUCTS,
    Product,
    active_month,
    contract_id,
    contract_month,
    contract_name,
    micros,
    underlying,
)
from ordergate.core.sessions import trading_day, wall_ns

products = st.sampled_from(PRODUCTS)
days = st.dates(datetime.date(2023, 1, 1), datetime.date(2029, 12, 31))


def active_name(symbol: str, day: str) -> str:
    product = PRODUCT_BY_SYMBOL[symbol]
    return contract_name(product, *active_month(product, datetime.date.fromisoformat(day)))


@pytest.mark.parametrize(
    ("symbol", "root", "tick_size", "tick_value_usd", "point_value_usd"),
    [
        ("ES", "EP", "0.25", "12.50", "50"),
        ("MES", "MES", "0.25", "1.25", "5"),
        ("NQ", "ENQ", "0.25", "5.00", "20"),
        ("MNQ", "MNQ", "0.25", "0.50", "2"),
        ("RTY", "RTY", "0.10", "5.00", "50"),
        ("M2K", "M2K", "0.10", "0.50", "5"),
        ("YM", "YM", "1", "5.00", "5"),
        ("MYM", "MYM", "1", "0.50", "0.50"),
        ("GC", "GCE", "0.10", "10.00", "100"),
        ("MGC", "MGC", "0.10", "1.00", "10"),
        ("CL", "CLE", "0.01", "10.00", "1000"),
        ("MCL", "MCLE", "0.01", "1.00", "100"),
    ],
)
def test_the_twelve_products_of_the_captured_list_have_its_figures(
    symbol: str, root: str, tick_size: str, tick_value_usd: str, point_value_usd: str
) -> None:
    product = PRODUCT_BY_SYMBOL[symbol]
    assert (product.root, product.symbol_id) == (root, f"F.US.{root}")
    assert (product.tick_size, product.tick_value_usd) == (Decimal(tick_size), Decimal(tick_value_usd))
    assert product.tick_value_usd / product.tick_size == Decimal(point_value_usd)


def test_a_tick_of_a_bond_is_its_fraction_of_a_point() -> None:
    parts = {"ZT": 256, "ZF": 128, "ZN": 64, "TN": 64, "ZB": 32, "UB": 32}
    assert {symbol: 1 / PRODUCT_BY_SYMBOL[symbol].tick_size for symbol in parts} == parts


def test_the_table_has_the_51_products_of_the_captured_list_each_once() -> None:
    assert len(PRODUCTS) == 51
    assert len(PRODUCT_BY_ROOT) == len(PRODUCT_BY_SYMBOL) == len({product.symbol_id for product in PRODUCTS}) == 51


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.symbol)
def test_every_row_has_a_description_a_dated_source_and_sensible_figures(product: Product) -> None:
    assert "2026-" in product.source
    assert product.description
    assert product.tick_size > 0
    assert product.tick_value_usd > 0
    assert product.fee_usd > 0
    assert product.months == "".join(letter for letter in MONTH_LETTERS if letter in product.months)


@pytest.mark.parametrize(("symbol", "fee_usd"), [("MNQ", "0.36"), ("MES", "0.36"), ("MCL", "0.51"), ("ES", "1.40")])
def test_a_fee_that_was_seen_is_in_the_table_and_one_that_was_not_says_so(symbol: str, fee_usd: str) -> None:
    assert PRODUCT_BY_SYMBOL[symbol].fee_usd == Decimal(fee_usd)
    assert "UNVERIFIED" not in PRODUCT_BY_SYMBOL[symbol].source
    assert "fee UNVERIFIED" in PRODUCT_BY_SYMBOL["GC"].source


@pytest.mark.parametrize(
    ("symbol", "day", "name"),
    [
        ("MES", "2026-08-20", "MESU6"),
        ("GC", "2026-08-20", "GCZ6"),
        ("MCL", "2026-08-20", "MCLV6"),
        ("CL", "2026-08-19", "CLV6"),
        ("ES", "2023-12-25", "ESH4"),
        ("MES", "2026-12-09", "MESZ6"),
        ("MES", "2026-12-10", "MESH7"),
        ("MES", "2025-03-12", "MESH5"),  # the first of March is a Saturday, the third Friday the 21st
        ("MES", "2025-03-13", "MESM5"),
        ("MCL", "2026-11-17", "MCLZ6"),
        ("MCL", "2026-11-18", "MCLF7"),
        ("QG", "2025-07-20", "QGQ5"),
        ("QM", "2025-07-20", "QMU5"),
    ],
)
def test_the_active_month_agrees_with_what_was_seen_and_rolls_on_its_day(symbol: str, day: str, name: str) -> None:
    assert active_name(symbol, day) == name


@given(products, days)
def test_the_active_month_is_of_the_cycle_is_not_past_and_never_goes_back(product: Product, day: datetime.date) -> None:
    year, month = active_month(product, day)
    assert MONTH_LETTERS[month - 1] in product.months
    assert (year, month) >= (day.year, day.month)
    assert active_month(product, day + datetime.timedelta(days=1)) >= (year, month)


@given(products, days)
def test_a_contract_id_names_its_contract_and_is_read_back(product: Product, day: datetime.date) -> None:
    year, month = active_month(product, day)
    assert contract_month(contract_id(product, year, month)) == (product, year, month)


def test_ids_and_names_are_written_as_the_api_writes_them() -> None:
    assert contract_id(PRODUCT_BY_SYMBOL["MES"], 2026, 12) == "CON.F.US.MES.Z26"
    assert contract_id(PRODUCT_BY_SYMBOL["ES"], 2026, 9) == "CON.F.US.EP.U26"
    assert contract_name(PRODUCT_BY_SYMBOL["ES"], 2026, 9) == "ESU6"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MES",
        "F.US.MES.Z26",
        "CON.F.US.MES",
        "CON.F.US.MES.Y26",
        "CON.F.US.MES.F26",
        "CON.F.US.NQ.U26",
        "CON.F.US.MES.",
        "CON.F.US.MES.Z2",
        "CON.F.US.MES.Z²6",
        "CON.F.US.MES.Z-6",
        "CON.F.US.MES.Zx6",
        "F.US.CON.F.US.MES.Z26",
        "MES.Z26",
        "CON.F.US.MES.Z26 ",
    ],
)
def test_what_names_no_month_of_a_known_product_is_not_a_contract_id(text: str) -> None:
    assert contract_month(text) is None


@functools.cache
def trade_dates(year: int, month: int) -> list[datetime.date]:
    """The trade dates of a month."""
    days = [datetime.date(year, month, 1) + datetime.timedelta(days=ahead) for ahead in range(31)]
    noon = datetime.time(12)
    return [d for d in days if d.month == month and trading_day(wall_ns(d, noon)) == d.isoformat()]


def last_day(symbol: str, year: int, month: int) -> datetime.date:
    """The last trading day of a contract by the exchange's rules (contract specifications, from memory: UNVERIFIED)."""
    before = trade_dates(*((year - 1, 12) if month == 1 else (year, month - 1)))
    within = trade_dates(year, month)
    first = datetime.date(year, month, 1)
    friday = first + datetime.timedelta(days=(4 - first.weekday()) % 7 + 14)
    wednesday = first + datetime.timedelta(days=(2 - first.weekday()) % 7 + 14)
    match symbol:
        case "MES" | "YM":  # the third Friday
            return max(day for day in within if day <= friday)
        case "NKD":  # the day before the second Friday
            return max(day for day in within if day < friday - datetime.timedelta(days=7))
        case "6E":  # two before the third Wednesday
            return [day for day in within if day < wednesday][-2]
        case (
            "CL" | "MCL" | "QM"
        ):  # three before the 25th, or before the last trade date ahead of it; small ones earlier
            full = [day for day in before if day.day <= 25]
            return full[-4] if symbol == "CL" else full[-5]
        case "HO" | "RB":
            return before[-1]
        case "NG" | "MHG":
            return before[-3]
        case "QG" | "MNG":
            return before[-4]
        case "MBT":  # the last Friday
            return max(day for day in within if day.weekday() == 4)
        case "HE":
            return within[9]
        case "ZC":  # before the 15th
            return max(day for day in within if day.day < 15)
        case _:
            return within[-8]  # treasuries and metals, at the earliest


@pytest.mark.parametrize(
    "symbol",
    ["MES", "YM", "NKD", "6E", "CL", "MCL", "QM", "HO", "RB", "NG", "QG", "MNG", "MHG", "MGC", "ZN", "MBT", "HE", "ZC"],
)
def test_no_contract_is_active_after_its_last_trading_day_on_any_trade_date_of_the_calendar(symbol: str) -> None:
    product = PRODUCT_BY_SYMBOL[symbol]
    months = [(year, month) for year in range(2024, 2029) for month in range(1, 13)]
    for day in (day for month in months for day in trade_dates(*month)):
        assert day <= last_day(symbol, *active_month(product, day)), day


@pytest.mark.parametrize(("symbol", "weight"), [("MES", 1), ("ES", 10), ("SIL", 2), ("MBT", 10), ("QM", 10), ("?", 10)])
def test_a_contract_counts_as_so_many_micros(symbol: str, weight: int) -> None:
    assert micros(symbol) == weight


def test_every_product_with_another_weight_or_another_size_is_in_the_table() -> None:
    assert set(MICRO_WEIGHTS) <= set(PRODUCT_BY_SYMBOL)
    assert {underlying(symbol) for symbol in PRODUCT_BY_SYMBOL} <= set(PRODUCT_BY_SYMBOL)
    assert (underlying("MES"), underlying("ES"), underlying("HE")) == ("ES", "ES", "HE")


def test_a_size_of_a_product_weighs_what_its_money_does() -> None:
    for symbol, weight in MICRO_WEIGHTS.items():
        product, whole = PRODUCT_BY_SYMBOL[symbol], PRODUCT_BY_SYMBOL[underlying(symbol)]
        ratio = (whole.tick_value_usd / whole.tick_size) / (product.tick_value_usd / product.tick_size)
        assert ratio == 10 // weight, symbol
