"""The maximum loss floor: the equity at which an account ends, by the rules of the firm that gave it.

It trails the highest balance and stops at the starting balance: ``min(S, max(H, S) - D)`` with starting balance S,
distance D, highest end-of-day balance H (intraday: highest equity). It is never lowered, and touching it is a breach.
Source: TopstepX help article 8284204 in the ProjectX API notes, section 12.2, read 2026-11-22.
"""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.account import Account, Group

# The venue whose accounts begin with us: their history is all here.
SIMULATED = "sim"


def floor_usd(group: Group, account: Account) -> Decimal | None:
    """The floor now, in dollars of equity; None where the rule is off, or it cannot be told.

    Of a real account only the firm knows how high it has ever been: there it can be told only with a floor given.
    """
    limits = group.limits
    if limits.maximum_loss_usd is None or (limits.maximum_loss_floor_usd is None and group.venue != SIMULATED):
        return None
    start = account.start_usd if limits.maximum_loss_lock_usd is None else limits.maximum_loss_lock_usd
    given = limits.maximum_loss_floor_usd
    if given is None:
        return min(start, max(account.high_usd, start) - limits.maximum_loss_usd)
    # The floor that the firm shows tells how high the account has been before we knew it.
    return max(given, min(start, account.high_usd - limits.maximum_loss_usd))


def equity_usd(account: Account, day_pnl_usd: Decimal) -> Decimal:
    """Balance and open P&L, less the fees of closing: what the day began with and its P&L so far."""
    return account.day.balance_usd + account.day.carried_usd + day_pnl_usd


def risk_base_usd(group: Group, account: Account) -> Decimal:
    """What ``risk_percent_max`` is a percentage of; not positive where there is nothing to measure against.

    An account that begins at 0, as a funded one does, has the room down to its floor.
    """
    base = group.limits.account_size_usd or account.day.balance_usd
    if base > 0:
        return base
    floor = floor_usd(group, account)
    return base if floor is None else base - floor
