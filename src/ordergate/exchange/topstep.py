"""The firm behind the exchange, where it is switched on: Topstep's loss limits, largest position and end of day. PURE.

Figures are those of section 12.2 (rule texts quoted on 2026-09-13), by the size of the account. A loss counts what is
open, at the last trade, and what was paid in fees.

Invariants:
1. The floor of the maximum loss rises with the highest balance at an end of a day, never falls, and stops at the
   starting balance.
2. An account that has touched its floor never trades again; one that has touched its daily loss does not before the
   next trading day.
3. Nothing is held from 15:10 in Chicago to the end of the trading day, nor opened from then on.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ordergate.core import sessions
from ordergate.core.contracts import micros
from ordergate.exchange.accounts import Account

MICROS_PER_MINI = 10
FLAT_AT, DAY_ENDS = datetime.time(15, 10), datetime.time(17)  # Chicago's wall (section 12.1)
FOR_EVER = "ever"


class Plan(msgspec.Struct, frozen=True):
    """The limits of one size of account: losses in US dollars (> 0), the largest position in minis."""

    max_loss_usd: Decimal
    daily_loss_usd: Decimal
    position_minis_max: int


PLANS = {
    Decimal(50_000): Plan(Decimal(2_000), Decimal(1_000), 5),
    Decimal(100_000): Plan(Decimal(3_000), Decimal(2_000), 10),
    Decimal(150_000): Plan(Decimal(4_500), Decimal(3_000), 15),
}


class Breach(enum.Enum):
    """Why everything is closed."""

    MAX_LOSS = "maximum loss limit"
    DAILY_LOSS = "daily loss limit"
    DECIDED = "decided by hand"


def at_start_of(day: str, account: Account) -> Account:
    """The account as the trading day ``day`` (ISO date) finds it; what was locked until then is free."""
    high = account.balance_usd if account.high_usd is None else max(account.high_usd, account.balance_usd)
    still = FOR_EVER if account.locked == FOR_EVER else ""
    return msgspec.structs.replace(
        account,
        day=day,
        day_opened_usd=account.balance_usd,
        high_usd=high,
        locked=still,
        can_trade=not still,
    )


def floor_usd(plan: Plan, starting_usd: Decimal, high_usd: Decimal | None) -> Decimal:
    """The balance, with what is open, at which the account has lost all that it may."""
    above = max(Decimal(0), (high_usd or starting_usd) - starting_usd)
    return min(starting_usd, starting_usd - plan.max_loss_usd + above)


def breach(account: Account, plan: Plan, starting_usd: Decimal, open_pnl_usd: Decimal) -> Breach | None:
    """Which limit the account has touched with ``open_pnl_usd`` on what it holds."""
    equity = account.balance_usd + open_pnl_usd
    if equity <= floor_usd(plan, starting_usd, account.high_usd):
        return Breach.MAX_LOSS
    if account.day_opened_usd is not None and equity <= account.day_opened_usd - plan.daily_loss_usd:
        return Breach.DAILY_LOSS
    return None


def locked(account: Account, found: Breach) -> Account:
    """The account after a breach: it does not trade for the rest of the day, or for ever."""
    return msgspec.structs.replace(
        account, locked=FOR_EVER if found is Breach.MAX_LOSS else account.day, can_trade=False
    )


def is_flat_time(at_ns: int) -> bool:
    """Whether nothing may be held: the end of every trading day."""
    return FLAT_AT <= sessions.chicago(at_ns).time() < DAY_ENDS


def is_too_large(plan: Plan, held: Iterable[tuple[str, int]]) -> bool:
    """Whether positions, as (symbol, contracts of either sign), are above the largest: micros count 10 to a mini."""
    return sum(micros(symbol) * abs(quantity) for symbol, quantity in held) > plan.position_minis_max * MICROS_PER_MINI
