"""The limits of one risk group. They enter as events, so each decision replays with the limits of its moment."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property

import msgspec

_MINUTE_MS = 60_000

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


class Trailing(enum.Enum):
    """When the maximum loss floor rises: at the trading day's end by its balance, or at once by the equity."""

    END_OF_DAY = "end-of-day"
    INTRADAY = "intraday"


class InstrumentLimits(msgspec.Struct, frozen=True):
    """What is different for one product; None = as for all. The fields are those of ``Limits``.

    Limits of the account as a whole (its day's money, its open orders) have no value of one product's own.
    """

    symbol: str
    order_quantity_min: int | None = None
    order_quantity_max: int | None = None
    position_quantity_max: int | None = None
    order_value_usd_max: Decimal | None = None
    risk_percent_max: Decimal | None = None
    risk_usd_max: Decimal | None = None
    quote_age_ms_max: int | None = None
    quote_jump_percent_max: Decimal | None = None
    price_distance_ticks_max: int | None = None
    price_distance_percent_max: Decimal | None = None
    duplicate_window_ms: int | None = None
    instrument_orders_per_minute_max: int | None = None


class Limits(msgspec.Struct, frozen=True, dict=True):
    """Loss limits deny at ``>=``; size and count limits deny at ``>``. Defaults are the documented ones. None = off.

    Size: ``account_position_micros_max`` is in micro-equivalents (``contracts.micros``), all contracts of an account
    together. ``order_value_usd_max`` is the value of what an order adds, at its price.

    Money: ``account_size_usd`` is the risk base of ``risk_percent_max``; None = the balance at the day's open;
    ``risk_usd_max`` limits the same loss in dollars. ``maximum_loss_usd`` is how far the maximum loss floor stands
    below the highest balance; it stops rising at ``maximum_loss_lock_usd`` (None = the balance when the account was
    first seen) and is never below ``maximum_loss_floor_usd``, which is where the firm shows it.

    Price: ``quote_age_ms_max``: an older quote is no reference price, nor is one farther from the last trade than
    ``quote_jump_percent_max``. ``price_distance_ticks_max`` and ``price_distance_percent_max`` are the collar: how far
    an order's price may stand from its own side of the market.

    Pace: ``duplicate_window_ms``: an order equal to one decided that shortly before is denied.
    ``orders_per_minute_max`` counts new-risk orders and changes of an account, ``instrument_orders_per_minute_max``
    those in one contract. ``repeats_per_minute_max``: how often what we do by ourselves (placing a stop or target) may
    fail. ``age_ms_max`` is how long an order may have waited for its decision, ``clock_ahead_ms_max``
    how far its own time may be in the future.

    ``opposite_positions``: whether an account may be long of an underlying while another of the group is short of it.
    ``instruments`` are the exceptions of single products. ``session_only``: new risk is denied while the exchange is
    closed, and from ``must_be_flat`` (Chicago wall time; None = never) to its next open; False for a venue that never
    closes. ``blackouts`` are windows without new risk, kept anywhere.
    """

    allowed_symbols: tuple[str, ...] = MICROS
    order_quantity_min: int = 1
    order_quantity_max: int = 10
    position_quantity_max: int = 10
    account_position_micros_max: int | None = None
    open_orders_max: int = 5
    order_value_usd_max: Decimal | None = None
    daily_loss_usd_max: Decimal = Decimal(1000)
    daily_profit_usd_max: Decimal | None = None
    maximum_loss_usd: Decimal | None = None
    maximum_loss_trailing: Trailing = Trailing.END_OF_DAY
    maximum_loss_lock_usd: Decimal | None = None
    maximum_loss_floor_usd: Decimal | None = None
    risk_percent_max: Decimal = Decimal(2)
    risk_usd_max: Decimal | None = None
    account_size_usd: Decimal | None = None
    risk_reward_ratio: Decimal = Decimal(2)
    quote_age_ms_max: int = 5_000
    quote_jump_percent_max: Decimal | None = Decimal(1)
    price_distance_ticks_max: int | None = None
    price_distance_percent_max: Decimal | None = Decimal(3)
    duplicate_window_ms: int | None = None
    orders_per_minute_max: int | None = None
    instrument_orders_per_minute_max: int | None = None
    repeats_per_minute_max: int = 5
    age_ms_max: int = 5_000
    clock_ahead_ms_max: int = 2_000
    opposite_positions: bool = True
    instruments: tuple[InstrumentLimits, ...] = ()
    on_daily_loss: OnDailyLoss = OnDailyLoss.FLATTEN
    session_only: bool = False
    blackouts: tuple[Blackout, ...] | None = None
    must_be_flat: time | None = time(15, 8)
    on_must_be_flat: OnMustBeFlat = OnMustBeFlat.KEEP

    def of(self, symbol: str) -> Limits:
        """The limits of one product: its own where it has any."""
        return self._own.get(symbol, self)

    @cached_property
    def pace_window_ms(self) -> int:
        """How far back any rule on pace looks (>= 0); 0 = none looks back."""
        rates = [self.orders_per_minute_max, self.instrument_orders_per_minute_max]
        rates += [each.instrument_orders_per_minute_max for each in self.instruments]
        windows = [self.duplicate_window_ms or 0, *(each.duplicate_window_ms or 0 for each in self.instruments)]
        return max(*windows, _MINUTE_MS if any(rates) else 0)

    @cached_property
    def _own(self) -> dict[str, Limits]:
        found: dict[str, Limits] = {}
        for own in reversed(self.instruments):
            given = {name: value for name in OVERRIDABLE if (value := getattr(own, name)) is not None}
            found[own.symbol] = msgspec.structs.replace(self, **given)
        return found


OVERRIDABLE = tuple(name for name in InstrumentLimits.__struct_fields__ if name != "symbol")
