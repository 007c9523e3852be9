"""Where the market is, and how far from it an order and its stop stand."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.limits import Breach
from ordergate.core.rules.proposal import Proposal, count_breach


def reference_price(p: Proposal) -> Breach | None:
    """A fresh two-sided quote of the contract, and one of everything held that no stop covers."""
    age_s = Decimal(p.group.limits.quote_age_ms_max).scaleb(-3)
    if p.quote is None:
        return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", f"no quote of {p.symbol} younger than {age_s} s")
    if p.money.day_pnl_at_stops is None:
        return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", "an open position without a stop has no fresh quote")
    return None


def stop_distance(p: Proposal) -> Breach | None:
    """The stop stands at least the instrument's minimum away, on the losing side of the entry."""
    stop = p.protection.stop
    if stop is None:
        return None
    distance = stop.ticks
    if stop.price_ticks is not None and p.entry_ticks is not None:
        distance = (p.entry_ticks - stop.price_ticks) * p.terms.side.sign
    if distance >= p.instrument.stop_ticks_min:
        return None
    return count_breach("STOP_TOO_CLOSE", p.instrument.stop_ticks_min, distance, "ticks from entry to stop is below")
