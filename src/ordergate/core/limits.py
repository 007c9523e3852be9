"""The limits of one risk group. They enter as events, so each decision replays with the limits of its moment."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
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


class OnMustBeFlat(enum.Enum):
    """What happens to open positions when the time has come at which accounts must be flat."""

    KEEP = "keep"
    FLATTEN = "flatten"


class Blackout(msgspec.Struct, frozen=True):
    """A window without new risk, in Chicago wall time: from ``start`` until before ``end``, which may be past midnight.

    ``day`` is the one date on which it starts; None = every day.
    """

    start: time
    end: time
    day: date | None = None

    @property
    def text(self) -> str:
        """As a setting has it: ``07:25-07:45``, with the date before it if there is one."""
        return f"{'' if self.day is None else f'{self.day} '}{self.start:%H:%M}-{self.end:%H:%M}"

    def holds(self, local: datetime) -> bool:
        """Whether a wall time in Chicago lies in it."""
        wall, started = local.time(), local.date()
        if self.start < self.end:
            inside = self.start <= wall < self.end
        else:
            inside = wall >= self.start or wall < self.end
            started -= timedelta(days=wall < self.end)
        return inside and self.day in (None, started)


class Limits(msgspec.Struct, frozen=True):
    """Loss limits deny at ``>=``; size and count limits deny at ``>``. Defaults are the documented ones.

    ``account_size_usd`` is the risk base of ``risk_percent_max``; None = the balance at the day's open.
    ``quote_age_ms_max``: an older quote is no reference price. ``session_only``: new risk is denied while the exchange
    is closed, and from ``must_be_flat`` (Chicago wall time; None = never) to its next open; False for a venue that
    never closes.
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

    blackouts: tuple[Blackout, ...] | None = None
    must_be_flat: time | None = time(15, 8)
    on_must_be_flat: OnMustBeFlat = OnMustBeFlat.KEEP
