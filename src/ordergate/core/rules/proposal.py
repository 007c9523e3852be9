"""What the rules look at: an order, the state it meets, and the figures that several rules need.

It judges nothing; it must never guess a figure that cannot be told: that one is None.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.exposure import worst_position
from ordergate.core.figures import Figures, figures
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach, Limits
from ordergate.core.market import Market
from ordergate.core.order import Protection, Side, Terms
from ordergate.core.reports import Quote
from ordergate.core.worst import order_risk_usd


class Proposal(msgspec.Struct, frozen=True):
    """An order as the rules see it.

    ``adding`` (> 0) is the quantity beyond what the order closes; ``entry_ticks`` the price it is measured from,
    ``risk_ticks`` the distance to its stop and ``risk_usd`` what is lost there with the fees of both sides; None where
    no reference price was there to tell. ``worst_net`` is the net position (signed) if it and all
    leaves of its side fill. ``order_id`` names the order that a modify replaces; ``account`` is without
    it. ``limits`` are those of the instrument; ``instants`` is the time, by our clock and, where that differs, by the
    venue's; ``received_ns`` is when the order arrived and ``sent_ns`` what it says itself, None where nobody told;
    ``delayed_ns`` (>= 0) is what is known of its way before it arrived.
    """

    group: Group
    limits: Limits
    account: Account
    instrument: Instrument
    terms: Terms
    adding: int
    protection: Protection
    entry_ticks: int | None
    risk_ticks: int | None
    risk_usd: Decimal | None
    figures: Figures
    worst_net: int
    at_ns: int
    instants: tuple[int, ...]
    quote: Quote | None
    superseded: bool = False
    order_id: str | None = None
    received_ns: int | None = None
    sent_ns: int | None = None
    delayed_ns: int = 0

    @property
    def symbol(self) -> str:
        return self.instrument.symbol


Rule = Callable[[Proposal], Breach | None]


def propose(
    group: Group,
    account: Account,
    terms: Terms,
    adding: int,
    protection: Protection,
    *,
    market: Market,
    superseded: bool = False,
    order_id: str | None = None,
    received_ns: int | None = None,
    sent_ns: int | None = None,
    delayed_ns: int = 0,
) -> Proposal:
    """Put together what the rules look at."""
    instrument = group.instruments[terms.contract_id]
    limits = group.limits.of(instrument.symbol)
    quote = market.of(instrument, limits)
    entry = entry_ticks(terms, quote)
    distance = risk_ticks(instrument, protection, entry)
    return Proposal(
        group=group,
        limits=limits,
        account=account,
        instrument=instrument,
        terms=terms,
        adding=adding,
        protection=protection,
        entry_ticks=entry,
        risk_ticks=distance,
        risk_usd=None if distance is None else order_risk_usd(instrument, distance, adding),
        figures=figures(group, account, market),
        worst_net=worst_position(account, terms.contract_id, terms.side, terms.quantity),
        at_ns=market.at_ns,
        instants=market.instants,
        quote=quote,
        superseded=superseded,
        order_id=order_id,
        received_ns=received_ns,
        sent_ns=sent_ns,
        delayed_ns=delayed_ns,
    )


def entry_ticks(terms: Terms, quote: Quote | None) -> int | None:
    """Where the order is expected to fill: its own price, or the far touch for a market order."""
    if terms.limit_ticks is not None:
        return terms.limit_ticks
    if terms.stop_ticks is not None:
        return terms.stop_ticks
    if quote is None:
        return None
    return quote.ask_ticks if terms.side is Side.BUY else quote.bid_ticks


def risk_ticks(instrument: Instrument, protection: Protection, entry: int | None) -> int | None:
    """Ticks from entry to stop (>= 0); without a stop, the instrument's stress move."""
    if protection.stop is None:
        return instrument.stress_ticks
    if protection.stop.price_ticks is None:
        return protection.stop.ticks
    return None if entry is None else abs(entry - protection.stop.price_ticks)


def counted_risk_ticks(instrument: Instrument, protection: Protection, entry: int | None) -> int:
    """The distance an order counts with once it is approved: the stress move where no price was there to tell."""
    distance = risk_ticks(instrument, protection, entry)
    return instrument.stress_ticks if distance is None else distance


def count_breach(code: str, limit: int, actual: int, text: str) -> Breach:
    return Breach(code, str(limit), str(actual), f"{actual} {text} {limit}")


def dollar_breach(code: str, limit: Decimal, actual: Decimal, text: str) -> Breach:
    return Breach(code, f"{limit:.2f}", f"{actual:.2f}", f"{actual:,.2f} USD {text} {limit:,.2f} USD")
