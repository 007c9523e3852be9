"""What can be lost, in dollars."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.floor import equity_usd, floor_usd, risk_base_usd
from ordergate.core.limits import Breach, Limits
from ordergate.core.rules.proposal import Proposal, dollar_breach


def order_value(p: Proposal) -> Breach | None:
    """The value of what the order adds, at its price, in dollars."""
    limit = p.limits.order_value_usd_max
    if limit is None or p.entry_ticks is None:
        return None  # no reference price: told by ``reference_price``
    value = abs(p.instrument.money(p.entry_ticks, p.adding))
    if value <= limit:
        return None
    return dollar_breach("MAX_ORDER_VALUE", limit, value, f"of {p.symbol} is above")


def risk_per_trade(p: Proposal) -> Breach | None:
    """Dollars from entry to stop, against an amount and a percentage of the risk base; the smaller one limits."""
    base = risk_base_usd(p.group, p.account)
    if base <= 0:
        return Breach(
            "NO_RISK_BASE", "a positive balance", f"{base} USD", "there is no balance to measure risk against"
        )
    if p.risk_ticks is None:
        return None  # no reference price: told by ``reference_price``
    limit = risk_limit_usd(p.limits, base)
    risk = p.instrument.money(p.risk_ticks, p.adding)
    if risk <= limit:
        return None
    text = "at the stop is above"
    if limit != p.limits.risk_usd_max:
        text += f" {p.limits.risk_percent_max} % of {base:,.2f} USD, which is"
    return dollar_breach("EXCESSIVE_RISK", limit, risk, text)


def risk_limit_usd(limits: Limits, base_usd: Decimal) -> Decimal:
    """What one order may lose at its stop, in dollars."""
    share = base_usd * limits.risk_percent_max.scaleb(-2)
    return share if limits.risk_usd_max is None else min(share, limits.risk_usd_max)


def daily_loss(p: Proposal) -> Breach | None:
    """The day's loss if everything held and everything working is stopped, this order too. Denies at the limit."""
    limit = p.limits.daily_loss_usd_max
    if p.figures.day_pnl_at_stops is None or p.risk_usd is None:
        return None  # no reference price: told by ``reference_price``
    loss = p.risk_usd - p.figures.day_pnl_at_stops
    if loss < limit:
        return None
    return dollar_breach("DAILY_LOSS_LIMIT", limit, loss, "would be lost today if every stop were hit, reaching")


def daily_profit(p: Proposal) -> Breach | None:
    """The day's profit, open positions counted, at which the trader wants to stop. Denies at the limit."""
    limit, profit = p.limits.daily_profit_usd_max, p.figures.day_pnl
    if limit is None or (profit is not None and profit < limit):
        return None
    if profit is None:
        text = "the day's profit cannot be told: something held has no fresh quote"
        return Breach("DAILY_PROFIT_LIMIT", f"{limit:.2f}", "unknown", text)
    return dollar_breach("DAILY_PROFIT_LIMIT", limit, profit, "were made today, reaching the profit to stop at,")


def maximum_loss(p: Proposal) -> Breach | None:
    """The equity left if every stop is hit, this order's too, against the maximum loss floor. Denies at the floor."""
    if p.limits.maximum_loss_usd is None:
        return None
    floor = floor_usd(p.group, p.account)
    if floor is None:
        text = "set maximum_loss_floor: only the firm knows where the floor of this account stands"
        return Breach("MAXIMUM_LOSS_LIMIT", "a known floor", "unknown", text)
    if p.figures.day_pnl_at_stops is None or p.risk_usd is None:
        return None  # no reference price: told by ``reference_price``
    left = equity_usd(p.account, p.figures.day_pnl_at_stops) - p.risk_usd
    if left > floor:
        return None
    return dollar_breach("MAXIMUM_LOSS_LIMIT", floor, left, "would be left if every stop were hit, not above the floor")
