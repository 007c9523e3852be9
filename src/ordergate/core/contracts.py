"""The built-in table of contract products, and which month of each is traded on a day.

It is the default where the broker has not spoken; the broker's own contract record is the truth (design, section 4).

Invariants:
1. Every row says where its numbers come from and when they were read.
2. ``root``, ``symbol`` and ``symbol_id`` are unique, so a contract id names one product.
3. ``active_month`` always answers a month of the product's cycle, not before the month of the day asked for.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

import msgspec

MONTH_LETTERS = "FGHJKMNQUVXZ"

# What the rows rest on: contract data from a captured Contract/available list of 2026-08-20 (ProjectX API notes,
# section 10), fees in US dollars per contract and side (section 5.6); both read on 2026-11-22.
_LIST = "Contract/available of 2026-08-20, ProjectX API notes section 10, read 2026-11-22"
_FEE_SEEN = f"{_LIST}; fee seen on a live account in 2026-08, section 5.6"
_FEE_OLDER = f"{_LIST}; fee from an older public list of unknown date, section 5.6"
_LIVE = f"{_LIST}; fee UNVERIFIED: a conservative figure, compare with the fees of the account's own fills"
_LISTED = f"{_LIVE}; description and months UNVERIFIED: compare with Contract/available"

_QUARTERLY = "HMUZ"
_MONTHLY = MONTH_LETTERS

# The day on which the next month becomes the active one: (months before the contract's own, day of that month). Each
# lies a few days before first notice or last trading day. Quarterly financial products follow _QUARTERLY_ROLL_DAYS.
# UNVERIFIED except that CL was October on 2026-08-19, GC was December in August 2026, and a docs sample of July 2025
# (section 5.2) shows gas a month behind oil: compare with Contract/available around the day. No contract is
# active after its last trading day, which is tested on every trade date of the calendar: the small gas contracts end on
# the fourth last one of the month before, on 2027-02-23 the earliest in the month.
_ROLL: Mapping[str, tuple[int, int]] = {
    "energy": (1, 18),
    "gas": (1, 22),
    "metal": (1, 25),
    "treasury": (1, 25),
    "crypto": (0, 21),
    "grain": (1, 20),
    "livestock": (1, 20),
}
_QUARTERLY_GROUPS = frozenset({"equity", "currency"})
_QUARTERLY_ROLL_DAYS = 8  # before the third Friday: exchange convention for index futures


class Product(msgspec.Struct, frozen=True):
    """One product, all months of it.

    ``root`` is the API's own root ("EP"), ``symbol`` what a trader types ("ES"), ``symbol_id`` the API's id of the
    product. ``tick_value_usd`` is the money of one tick of one contract, ``fee_usd`` per contract and side. ``months``
    are the letters of its delivery cycle; ``group`` decides on which day it rolls.
    """

    root: str
    symbol: str
    symbol_id: str
    description: str
    tick_size: Decimal
    tick_value_usd: Decimal
    fee_usd: Decimal
    months: str
    group: str
    source: str


def _product(
    root: str,
    symbol: str,
    description: str,
    tick_size: str,
    tick_value_usd: str,
    fee_usd: str,
    months: str,
    group: str,
    source: str,
) -> Product:
    return Product(
        root=root,
        symbol=symbol,
        symbol_id=f"F.US.{root}",
        description=description,
        tick_size=Decimal(tick_size),
        tick_value_usd=Decimal(tick_value_usd),
        fee_usd=Decimal(fee_usd),
        months=months,
        group=group,
        source=source,
    )


# fmt: off
PRODUCTS: tuple[Product, ...] = (
    _product("EP", "ES", "E-Mini S&P 500", "0.25", "12.50", "1.40", _QUARTERLY, "equity", _FEE_OLDER),
    _product("MES", "MES", "Micro E-mini S&P 500", "0.25", "1.25", "0.36", _QUARTERLY, "equity", _FEE_SEEN),
    _product("ENQ", "NQ", "E-mini NASDAQ-100", "0.25", "5.00", "1.40", _QUARTERLY, "equity", _FEE_OLDER),
    _product("MNQ", "MNQ", "Micro E-mini Nasdaq-100", "0.25", "0.50", "0.36", _QUARTERLY, "equity", _FEE_SEEN),
    _product("RTY", "RTY", "E-mini Russell 2000", "0.10", "5.00", "1.40", _QUARTERLY, "equity", _FEE_OLDER),
    _product("M2K", "M2K", "Micro E-mini Russell 2000", "0.10", "0.50", "0.37", _QUARTERLY, "equity", _FEE_OLDER),
    _product("YM", "YM", "E-mini Dow ($5)", "1", "5.00", "1.40", _QUARTERLY, "equity", _FEE_OLDER),
    _product("MYM", "MYM", "Micro E-mini Dow $0.50", "1", "0.50", "0.37", _QUARTERLY, "equity", _FEE_OLDER),
    _product("NKD", "NKD", "Nikkei 225 (Dollar)", "5", "25.00", "2.50", _QUARTERLY, "equity", _LISTED),
    _product("GCE", "GC", "Gold (Globex)", "0.10", "10.00", "1.70", "GJMQZ", "metal", _LIVE),
    _product("MGC", "MGC", "Micro Gold", "0.10", "1.00", "0.70", "GJMQZ", "metal", _LIVE),
    _product("SIE", "SI", "Silver (Globex)", "0.005", "25.00", "1.70", "HKNUZ", "metal", _LISTED),
    _product("SIL", "SIL", "Micro Silver", "0.005", "5.00", "1.10", "HKNUZ", "metal", _LISTED),
    _product("CPE", "HG", "Copper (Globex)", "0.0005", "12.50", "1.70", "HKNUZ", "metal", _LISTED),
    _product("MHG", "MHG", "Micro Copper", "0.0005", "1.25", "0.70", "HKNUZ", "metal", _LISTED),
    _product("PLE", "PL", "Platinum (Globex)", "0.1", "5.00", "1.70", "FJNV", "metal", _LISTED),
    _product("CLE", "CL", "Crude Light (Globex)", "0.01", "10.00", "1.52", _MONTHLY, "energy", _FEE_OLDER),
    _product("MCLE", "MCL", "Micro WTI Crude Oil", "0.01", "1.00", "0.51", _MONTHLY, "energy", _FEE_SEEN),
    _product("NQM", "QM", "E-mini Crude Oil", "0.025", "12.50", "1.40", _MONTHLY, "energy", _LISTED),
    _product("NGE", "NG", "Henry Hub Natural Gas (Globex)", "0.001", "10.00", "1.70", _MONTHLY, "gas", _LISTED),
    _product("NQG", "QG", "E-mini Natural Gas", "0.005", "12.50", "0.70", _MONTHLY, "gas", _LISTED),
    _product("MNG", "MNG", "Micro Henry Hub Natural Gas", "0.001", "1.00", "0.70", _MONTHLY, "gas", _LISTED),
    _product("HOE", "HO", "NY Harbor ULSD (Globex)", "0.0001", "4.20", "1.70", _MONTHLY, "energy", _LISTED),
    _product("RBE", "RB", "RBOB Gasoline (Globex)", "0.0001", "4.20", "1.70", _MONTHLY, "energy", _LISTED),
    _product("EU6", "6E", "Euro FX", "0.00005", "6.25", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("EEU", "E7", "E-mini Euro FX", "0.0001", "6.25", "1.20", _QUARTERLY, "currency", _LISTED),
    _product("M6E", "M6E", "E-micro EUR/USD", "0.0001", "1.25", "0.40", _QUARTERLY, "currency", _LISTED),
    _product("BP6", "6B", "British Pound", "0.0001", "6.25", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("M6B", "M6B", "E-micro GBP/USD", "0.0001", "0.625", "0.40", _QUARTERLY, "currency", _LISTED),
    _product("DA6", "6A", "Australian Dollar", "0.00005", "5.00", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("M6A", "M6A", "E-micro AUD/USD", "0.0001", "1.00", "0.40", _QUARTERLY, "currency", _LISTED),
    _product("CA6", "6C", "Canadian Dollar", "0.00005", "5.00", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("JY6", "6J", "Japanese Yen", "0.0000005", "6.25", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("SF6", "6S", "Swiss Franc", "0.00005", "6.25", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("NE6", "6N", "New Zealand Dollar", "0.00005", "5.00", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("MX6", "6M", "Mexican Peso", "0.00001", "5.00", "1.70", _QUARTERLY, "currency", _LISTED),
    _product("MBT", "MBT", "Micro Bitcoin", "5", "0.50", "2.50", _MONTHLY, "crypto", _LISTED),
    _product("GMET", "MET", "Micro Ether", "0.5", "0.05", "0.40", _MONTHLY, "crypto", _LISTED),
    _product("TUA", "ZT", "2-Year T-Note", "0.00390625", "7.8125", "1.00", _QUARTERLY, "treasury", _LISTED),
    _product("FVA", "ZF", "5-Year T-Note", "0.0078125", "7.8125", "1.00", _QUARTERLY, "treasury", _LISTED),
    _product("TYA", "ZN", "10-Year T-Note", "0.015625", "15.625", "1.10", _QUARTERLY, "treasury", _LISTED),
    _product("TNA", "TN", "Ultra 10-Year T-Note", "0.015625", "15.625", "1.10", _QUARTERLY, "treasury", _LISTED),
    _product("USA", "ZB", "30-Year T-Bond", "0.03125", "31.25", "1.20", _QUARTERLY, "treasury", _LISTED),
    _product("ULA", "UB", "Ultra T-Bond", "0.03125", "31.25", "1.20", _QUARTERLY, "treasury", _LISTED),
    _product("ZCE", "ZC", "Corn (Globex)", "0.25", "12.50", "2.20", "HKNUZ", "grain", _LISTED),
    _product("ZSE", "ZS", "Soybeans (Globex)", "0.25", "12.50", "2.20", "FHKNQUX", "grain", _LISTED),
    _product("ZWA", "ZW", "Wheat (Globex)", "0.25", "12.50", "2.20", "HKNUZ", "grain", _LISTED),
    _product("ZME", "ZM", "Soybean Meal (Globex)", "0.1", "10.00", "2.20", "FHKNQUVZ", "grain", _LISTED),
    _product("ZLE", "ZL", "Soybean Oil (Globex)", "0.01", "6.00", "2.20", "FHKNQUVZ", "grain", _LISTED),
    _product("HE", "HE", "Lean Hogs (Globex)", "0.025", "10.00", "2.20", "GJKMNQVZ", "livestock", _LISTED),
    _product("GLE", "LE", "Live Cattle (Globex)", "0.025", "10.00", "2.20", "GJMQVZ", "livestock", _LISTED),
)
# fmt: on

# How much of an account's position one contract is, in micros. TopstepX counts micros 10:1 against minis (help article
# 9221977, ProjectX API notes, section 12.3, read 2026-11-22). UNVERIFIED, one secondary source there: silver counts
# 5:1, and micro bitcoin and ether weigh as much as a mini, as does here every product that is not named.
MINI_WEIGHT = 10
_ONE_MICRO = ("MES", "MNQ", "M2K", "MYM", "MGC", "MHG", "MCL", "MNG", "M6E", "M6B", "M6A")
MICRO_WEIGHTS: dict[str, int] = {**dict.fromkeys(_ONE_MICRO, 1), "SIL": 2}

# The same thing in several sizes: a firm lets nobody be long of one and short of another in two accounts at once
# (TopstepX help article 13747047, API notes, section 12.5, read 2026-11-22). Named by the first.
_SIZES = (
    ("ES", "MES"), ("NQ", "MNQ"), ("RTY", "M2K"), ("YM", "MYM"), ("GC", "MGC"), ("SI", "SIL"), ("HG", "MHG"),
    ("CL", "MCL", "QM"), ("NG", "MNG", "QG"), ("6E", "E7", "M6E"), ("6B", "M6B"), ("6A", "M6A"),
)  # fmt: skip
_UNDERLYING = {symbol: sizes[0] for sizes in _SIZES for symbol in sizes}

PRODUCT_BY_SYMBOL: dict[str, Product] = {product.symbol: product for product in PRODUCTS}
PRODUCT_BY_ROOT: dict[str, Product] = {product.root: product for product in PRODUCTS}


def micros(symbol: str) -> int:
    """How many micros one contract of a product counts as (>= 1)."""
    return MICRO_WEIGHTS.get(symbol, MINI_WEIGHT)


def underlying(symbol: str) -> str:
    """What a product is a size of: the same for all whose prices move as one."""
    return _UNDERLYING.get(symbol, symbol)


def active_month(product: Product, day: datetime.date) -> tuple[int, int]:
    """The (year, month 1-12) that is traded on ``day``, a trading date.

    Thin: one rule for each group instead of a sourced table of roll dates, which nobody publishes; the API itself may
    lag by some days in roll week (ProjectX API notes, section 10, read 2026-11-22).
    """
    year, month = day.year, day.month
    while MONTH_LETTERS[month - 1] not in product.months or _roll_day(product, year, month) <= day:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 - months of a year
    return year, month


def contract_id(product: Product, year: int, month: int) -> str:
    """The API's id of one month, for example ``CON.F.US.MES.Z26``."""
    return f"CON.{product.symbol_id}.{MONTH_LETTERS[month - 1]}{year % 100:02d}"


def contract_name(product: Product, year: int, month: int) -> str:
    """The name that traders read, with one digit of the year, for example ``MESZ6``."""
    return f"{product.symbol}{MONTH_LETTERS[month - 1]}{year % 10}"


def contract_month(id_text: str) -> tuple[Product, int, int] | None:
    """Product, year and month of a contract id, or None if it names no month of a product in the table."""
    head, _, expiry = id_text.rpartition(".")
    product = PRODUCT_BY_ROOT.get(head.removeprefix("CON.F.US."))
    if product is None or len(expiry) != 3 or expiry[0] not in product.months:  # noqa: PLR2004 - letter and two digits
        return None
    if not (expiry[1:].isascii() and expiry[1:].isdigit()):
        return None
    year, month = 2000 + int(expiry[1:]), MONTH_LETTERS.index(expiry[0]) + 1
    return (product, year, month) if contract_id(product, year, month) == id_text else None


def _roll_day(product: Product, year: int, month: int) -> datetime.date:
    """The first trading date on which the month after this one is the active month."""
    if product.group in _QUARTERLY_GROUPS:
        first = datetime.date(year, month, 1)
        third_friday = 15 + (4 - first.weekday()) % 7
        return datetime.date(year, month, third_friday - _QUARTERLY_ROLL_DAYS)
    months_before, day = _ROLL[product.group]
    number = year * 12 + month - 1 - months_before
    return datetime.date(number // 12, number % 12 + 1, day)
