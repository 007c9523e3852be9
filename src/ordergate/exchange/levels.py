"""Where each product's simulated market starts, and how it moves. Data only.

Believable, not true: prices of the order of 2026, rounded by hand on 2026-11-22 (only MNQ, 29,423 in August 2026, is
from a source: section 5.6); daily moves and sizes are of the usual order for the product. UNVERIFIED.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec


class Level(msgspec.Struct, frozen=True):
    """One product's market. ``day_move`` is the typical move of a day as a part of the price; sizes are contracts."""

    price: Decimal
    day_move: Decimal
    spread_ticks: int
    touch_size: int


def _level(price: str, day_move_percent: str, spread_ticks: int, touch_size: int) -> Level:
    return Level(Decimal(price), Decimal(day_move_percent) / 100, spread_ticks, touch_size)


LEVELS: dict[str, Level] = {
    "ES": _level("7600", "1.0", 1, 25),
    "MES": _level("7600", "1.0", 1, 40),
    "NQ": _level("29400", "1.4", 2, 5),
    "MNQ": _level("29400", "1.4", 2, 15),
    "RTY": _level("2750", "1.5", 1, 10),
    "M2K": _level("2750", "1.5", 1, 20),
    "YM": _level("51000", "0.9", 2, 6),
    "MYM": _level("51000", "0.9", 2, 12),
    "NKD": _level("54000", "1.3", 2, 4),
    "GC": _level("4400", "1.2", 2, 5),
    "MGC": _level("4400", "1.2", 2, 15),
    "SI": _level("58", "2.2", 2, 4),
    "SIL": _level("58", "2.2", 3, 6),
    "HG": _level("5.4", "1.5", 1, 8),
    "MHG": _level("5.4", "1.5", 2, 10),
    "PL": _level("1750", "1.8", 5, 3),
    "CL": _level("64", "2.0", 1, 15),
    "MCL": _level("64", "2.0", 1, 30),
    "QM": _level("64", "2.0", 1, 8),
    "NG": _level("4.1", "3.5", 1, 12),
    "QG": _level("4.1", "3.5", 1, 6),
    "MNG": _level("4.1", "3.5", 2, 10),
    "HO": _level("2.4", "2.0", 4, 3),
    "RB": _level("2.0", "2.0", 4, 3),
    "6E": _level("1.18", "0.5", 1, 25),
    "E7": _level("1.18", "0.5", 1, 8),
    "M6E": _level("1.18", "0.5", 1, 15),
    "6B": _level("1.34", "0.6", 1, 20),
    "M6B": _level("1.34", "0.6", 2, 10),
    "6A": _level("0.67", "0.7", 1, 25),
    "M6A": _level("0.67", "0.7", 1, 12),
    "6C": _level("0.725", "0.4", 1, 20),
    "6J": _level("0.0066", "0.6", 1, 25),
    "6S": _level("1.27", "0.5", 1, 10),
    "6N": _level("0.585", "0.7", 1, 15),
    "6M": _level("0.0555", "0.7", 1, 20),
    "MBT": _level("96000", "2.8", 2, 5),
    "MET": _level("3400", "3.8", 2, 8),
    "ZT": _level("104.25", "0.08", 1, 800),
    "ZF": _level("109.5", "0.2", 1, 600),
    "ZN": _level("113", "0.3", 1, 900),
    "TN": _level("115.5", "0.4", 1, 200),
    "ZB": _level("117.5", "0.6", 1, 150),
    "UB": _level("121", "0.8", 1, 80),
    "ZC": _level("445", "1.2", 1, 80),
    "ZS": _level("1120", "1.0", 1, 30),
    "ZW": _level("545", "1.5", 1, 30),
    "ZM": _level("325", "1.3", 1, 25),
    "ZL": _level("51", "1.6", 1, 30),
    "HE": _level("84", "1.4", 1, 10),
    "LE": _level("228", "1.0", 1, 8),
}

# Products that are worth the same as another, in another size: they go where it goes.
SAME_AS: Mapping[str, str] = {
    "MES": "ES",
    "MNQ": "NQ",
    "M2K": "RTY",
    "MYM": "YM",
    "MGC": "GC",
    "SIL": "SI",
    "MHG": "HG",
    "MCL": "CL",
    "QM": "CL",
    "QG": "NG",
    "MNG": "NG",
    "E7": "6E",
    "M6E": "6E",
    "M6B": "6B",
    "M6A": "6A",
}


class Together(msgspec.Struct, frozen=True):
    """Products that move together: ``share`` of each move, in thousandths, is that of all of them (0 to 999)."""

    name: str
    symbols: str
    share: int


# What two of them have in common is the square of the share: 0.85 for the indices.
TOGETHER: Mapping[str, Together] = {
    symbol: together
    for together in (
        Together("indices", "ES NQ RTY YM", 920),
        Together("metals", "GC SI PL HG", 750),
        Together("energy", "CL HO RB", 900),
        Together("currencies", "6E 6B 6A 6C 6S 6N 6M 6J", 650),
        Together("rates", "ZT ZF ZN TN ZB UB", 950),
        Together("grains", "ZC ZS ZW ZM ZL", 600),
        Together("meat", "HE LE", 400),
        Together("crypto", "MBT MET", 850),
    )
    for symbol in together.symbols.split()
}


def walks_as(symbol: str) -> str:
    """The product whose way a product goes: itself, or the one that it is a size of."""
    return SAME_AS.get(symbol, symbol)
