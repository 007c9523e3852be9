"""The trades of docs/worked-examples.md, every figure worked out by hand and typed here. No table of the code is read.

Tick sizes and tick values: the broker's list of contracts of 2026-08-20. Fees: seen on a live account in 2026-08 (MES,
MNQ, MCL), an older public list of unknown date (ES, NQ, RTY, YM, CL, M2K, MYM), or UNVERIFIED and conservative (GC,
MGC). ProjectX API notes, sections 10 and 5.6, read 2026-11-22. Prices are made up.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

QUANTITY = 2
STOP_TICKS, TARGET_TICKS, STRESS_TICKS = 40, 80, 160  # the target is twice as far as the stop: default_risk_reward
ACCOUNT_USD, DAY_USD = Decimal(100_000), Decimal(2_000)  # ES needs a larger daily loss limit than the default


class Trade(msgspec.Struct, frozen=True):
    """2 contracts bought at ``entry``, out at ``stop`` or at ``target``. Dollars of both contracts; fees of both sides.

    ``lost``, ``made``, ``stress`` and ``value`` are positive; ``net_loss`` and ``net_gain`` are signed.
    """

    symbol: str
    tick_size: Decimal
    tick_usd: Decimal
    point_usd: Decimal
    fee_usd: Decimal
    entry: Decimal
    stop: Decimal
    target: Decimal
    lost: Decimal
    fees: Decimal
    net_loss: Decimal
    made: Decimal
    net_gain: Decimal
    stress: Decimal
    value: Decimal


class Average(msgspec.Struct, frozen=True):
    """2 MES bought in two fills a tick apart: the average lies between two ticks."""

    fills: tuple[Decimal, Decimal]
    average: Decimal
    rounded: Decimal
    stop: Decimal
    target: Decimal
    net_loss: Decimal
    net_gain: Decimal


def _trade(text: str) -> Trade:
    symbol, *figures = text.split()
    return Trade(symbol, *(Decimal(figure) for figure in figures))


# fmt: off
TRADES: tuple[Trade, ...] = tuple(map(_trade, (
    #   tick tick$  point$  fee    entry     stop   target    lost fees      net    made     net  stress      value
    "MES 0.25  1.25    5.00 0.36  7569.25  7559.25  7589.25  100.00 1.44  -101.44  200.00  198.56  400.00   75692.50",
    "ES  0.25 12.50   50.00 1.40  7569.25  7559.25  7589.25 1000.00 5.60 -1005.60 2000.00 1994.40 4000.00  756925.00",
    "MNQ 0.25  0.50    2.00 0.36 25410.50 25400.50 25430.50   40.00 1.44   -41.44   80.00   78.56  160.00  101642.00",
    "NQ  0.25  5.00   20.00 1.40 25410.50 25400.50 25430.50  400.00 5.60  -405.60  800.00  794.40 1600.00 1016420.00",
    "M2K 0.10  0.50    5.00 0.37  2512.30  2508.30  2520.30   40.00 1.48   -41.48   80.00   78.52  160.00   25123.00",
    "RTY 0.10  5.00   50.00 1.40  2512.30  2508.30  2520.30  400.00 5.60  -405.60  800.00  794.40 1600.00  251230.00",
    "MYM    1  0.50    0.50 0.37    48215    48175    48295   40.00 1.48   -41.48   80.00   78.52  160.00   48215.00",
    "YM     1  5.00    5.00 1.40    48215    48175    48295  400.00 5.60  -405.60  800.00  794.40 1600.00  482150.00",
    "MGC 0.10  1.00   10.00 0.70  4105.40  4101.40  4113.40   80.00 2.80   -82.80  160.00  157.20  320.00   82108.00",
    "GC  0.10 10.00  100.00 1.70  4105.40  4101.40  4113.40  800.00 6.80  -806.80 1600.00 1593.20 3200.00  821080.00",
    "MCL 0.01  1.00  100.00 0.51    61.35    60.95    62.15   80.00 2.04   -82.04  160.00  157.96  320.00   12270.00",
    "CL  0.01 10.00 1000.00 1.52    61.35    60.95    62.15  800.00 6.08  -806.08 1600.00 1593.92 3200.00  122700.00",
)))
# fmt: on

# The stop is rounded toward the entry and the target away from it: for a long, both up.
AVERAGE = Average(
    fills=(Decimal("7569.25"), Decimal("7569.50")),
    average=Decimal("7569.375"),
    rounded=Decimal("7569.50"),
    stop=Decimal("7559.50"),
    target=Decimal("7589.50"),
    net_loss=Decimal("-100.19"),
    net_gain=Decimal("199.81"),
)
