"""The limits of one risk group. They enter as events, so each decision replays with the limits of its moment."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

MICROS = ("MGC", "MNQ", "MES", "MCL", "M2K", "MYM")


class Breach(msgspec.Struct, frozen=True):
    """One limit that an order breaks: the observed value beside the limit, as text in the rule's own unit."""

    code: str
    limit: str
    actual: str
    message: str


class OnDailyLoss(enum.Enum):
    """What happens to open positions when the daily loss limit trips."""

    KEEP = "keep"
    FLATTEN = "flatten"


class Limits(msgspec.Struct, frozen=True):
    """Loss limits deny at ``>=``; size and count limits deny at ``>``. Defaults are the documented ones.

    ``account_size_usd`` is the risk base of ``risk_percent_max``; None = the balance at the day's open.
    ``quote_age_ms_max``: an older quote is no reference price. ``session_only``: new risk is denied while the exchange
    is closed; False for a venue that never closes.
    """

    allowed_symbols: tuple[str, ...] = MICROS
    order_quantity_min: int = 1
    order_quantity_max: int = 10
    position_quantity_max: int = 10
    open_orders_max: int = 5
    daily_loss_usd_max: Decimal = Decimal(1000)
    risk_percent_max: Decimal = Decimal(2)
    account_size_usd: Decimal | None = None
    risk_reward_ratio: Decimal = Decimal(2)
    quote_age_ms_max: int = 5_000
    on_daily_loss: OnDailyLoss = OnDailyLoss.FLATTEN
    session_only: bool = False
