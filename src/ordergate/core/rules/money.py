"""What can be lost, in dollars."""

from __future__ import annotations

from ordergate.core.limits import Breach
from ordergate.core.rules.proposal import Proposal, dollar_breach


def risk_per_trade(p: Proposal) -> Breach | None:
    """Dollars from entry to stop, against a percentage of the risk base."""
    base = p.group.limits.account_size_usd or p.account.day.balance_usd
    percent = p.group.limits.risk_percent_max
    if base <= 0:
        return Breach(
            "NO_RISK_BASE", "a positive balance", f"{base} USD", "there is no balance to measure risk against"
        )
    if p.risk_ticks is None:
        return None  # no reference price: told by ``reference_price``
    limit = base * percent.scaleb(-2)
    risk = p.instrument.money(p.risk_ticks, p.adding)
    if risk <= limit:
        return None
    text = f"at the stop is above {percent} % of {base:,.2f} USD, which is"
    return dollar_breach("EXCESSIVE_RISK", limit, risk, text)


def daily_loss(p: Proposal) -> Breach | None:
    """The day's loss if everything held and everything working is stopped, this order too. Denies at the limit."""
    limit = p.group.limits.daily_loss_usd_max
    if p.money.day_pnl_at_stops is None or p.risk_usd is None:
        return None  # no reference price: told by ``reference_price``
    loss = p.risk_usd - p.money.day_pnl_at_stops
    if loss < limit:
        return None
    return dollar_breach("DAILY_LOSS_LIMIT", limit, loss, "would be lost today if every stop were hit, reaching")
