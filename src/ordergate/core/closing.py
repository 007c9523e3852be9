"""What closes positions by itself: the limits on an account's money, and the time at which it must be flat. Pure."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.account import Account, Group
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.figures import day_pnl
from ordergate.core.floor import equity_usd, floor_usd
from ordergate.core.limits import OnDailyLoss, OnMustBeFlat
from ordergate.core.market import Market
from ordergate.core.rules.hours import flat_groups

PROFIT = "DAILY_PROFIT_LIMIT"
# The fields of ``Limits`` that say when what is held is closed.
CLOSING = (
    "daily_loss_usd_max",
    "on_daily_loss",
    "maximum_loss_usd",
    "maximum_loss_trailing",
    "maximum_loss_lock_usd",
    "maximum_loss_floor_usd",
    "must_be_flat",
    "on_must_be_flat",
)


def reached(group: Group, account: Account, pnl: Decimal) -> tuple[str, str] | None:
    """The code of the limit that the account's money has reached at the day's ``pnl``, and what is told of it."""
    limits, floor = group.limits, floor_usd(group, account)
    if floor is not None and (equity := equity_usd(account, pnl)) <= floor:
        return "MAXIMUM_LOSS_LIMIT", f"{equity:,.2f} USD left, floor {floor:,.2f} USD"
    if -pnl >= limits.daily_loss_usd_max:
        return "DAILY_LOSS_LIMIT", f"{-pnl:,.2f} USD lost today, limit {limits.daily_loss_usd_max:,.2f} USD"
    if limits.daily_profit_usd_max is not None and pnl >= limits.daily_profit_usd_max:
        return PROFIT, f"{pnl:,.2f} USD made today, limit {limits.daily_profit_usd_max:,.2f} USD"
    return None


def flat_contracts(group: Group, contract_ids: list[str], market: Market) -> list[str]:
    """Those of the contracts that must be flat now, by our clock or by the venue's."""
    groups = [name for at_ns in market.instants for name in flat_groups(group.limits, at_ns)]
    return [contract_id for contract_id in contract_ids if groups and _product_group(group, contract_id) in groups]


def _product_group(group: Group, contract_id: str) -> str | None:
    instrument = group.instruments.get(contract_id)
    product = None if instrument is None else PRODUCT_BY_SYMBOL.get(instrument.symbol)
    return None if product is None else product.group


def closes(group: Group, account: Account, market: Market, *, unknown: bool) -> bool:
    """Whether the group's limits close something that the account holds; ``unknown`` where no price tells its P&L."""
    limits = group.limits
    if limits.on_must_be_flat is OnMustBeFlat.FLATTEN and flat_contracts(group, list(account.positions), market):
        return True
    if limits.on_daily_loss is OnDailyLoss.KEEP:
        return False
    pnl = day_pnl(group, account, market)
    if pnl is None:
        return unknown
    found = reached(group, account, pnl)
    return found is not None and found[0] != PROFIT
