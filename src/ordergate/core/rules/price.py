"""Where the market is, and how far from it an order and its stop stand."""

from __future__ import annotations

from decimal import Decimal

from ordergate.core.limits import Breach
from ordergate.core.market import share_ticks
from ordergate.core.order import OrderType, Side
from ordergate.core.rules.proposal import Proposal, count_breach

_TARGET_TICKS_MIN = 1


def price_collar(p: Proposal) -> Breach | None:
    """How far a price may stand from its own side of the market, in ticks and percent; a stop is beyond the other.

    A market order is measured at the side it would fill on, so it waits while the market is too wide.
    """
    if p.quote is None or p.entry_ticks is None or p.quote.bid_ticks is None or p.quote.ask_ticks is None:
        return None  # no reference price: told by ``reference_price``
    near, far = p.quote.bid_ticks, p.quote.ask_ticks
    if p.terms.side is Side.SELL:
        near, far = far, near
    price = p.instrument.price
    if p.terms.order_type is OrderType.STOP and (p.entry_ticks - far) * p.terms.side.sign <= 0:
        bound = f"{'above' if p.terms.side is Side.BUY else 'below'} {price(far)}"
        text = f"a {p.terms.side.value} stop at {price(p.entry_ticks)} would trigger at once: it must stand {bound}"
        return Breach("PRICE_COLLAR", bound, str(price(p.entry_ticks)), text)
    high, away = _allowed_ticks(p, near), abs(p.entry_ticks - near)
    if high is None or away <= high:
        return None
    return count_breach("PRICE_COLLAR", high, away, f"ticks from {price(near)}, its side of the market, is above")


def _allowed_ticks(p: Proposal, near_ticks: int) -> int | None:
    """The smaller of both collars. A percentage of a price near zero is nothing: it is not less than a default stop."""
    ticks, percent = p.limits.price_distance_ticks_max, p.limits.price_distance_percent_max
    if percent is None:
        return ticks
    share = max(share_ticks(percent, near_ticks), p.instrument.stop_ticks_default)
    return share if ticks is None else min(ticks, share)


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


def target_distance(p: Proposal) -> Breach | None:
    """Every target stands on the winning side of the entry: elsewhere it would close the position as soon as it is."""
    if p.entry_ticks is None:
        return None  # no reference price: told by ``reference_price``
    prices = [target.at.price_ticks for target in p.protection.targets if target.at.price_ticks is not None]
    distance = min([(price - p.entry_ticks) * p.terms.side.sign for price in prices], default=_TARGET_TICKS_MIN)
    if distance >= _TARGET_TICKS_MIN:
        return None
    return count_breach("TARGET_TOO_CLOSE", _TARGET_TICKS_MIN, distance, "ticks from entry to target is below")


def reference_price(p: Proposal) -> Breach | None:
    """A fresh, two-sided and believable quote of the contract, and one of everything held that no stop covers."""
    if p.quote is not None and p.figures.day_pnl_at_stops is not None:
        return None
    age_s = Decimal(p.limits.quote_age_ms_max).scaleb(-3)
    if p.quote is None:
        percent = p.limits.quote_jump_percent_max
        near = "" if percent is None else f" within {percent} % of the last trade"
        text = f"no quote of {p.symbol} younger than {age_s} s with both sides{near}"
        return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", text)
    return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", "an open position without a stop has no fresh quote")
