"""What the rules look at: an order, the state it meets, and the figures that several rules need.

It judges nothing; it must never guess a figure that cannot be told: that one is None.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.exposure import Money, money, order_risk_usd
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach, Limits
from ordergate.core.order import Protection, Side, Terms
from ordergate.core.reports import Quote

MS_NS = 1_000_000


class Proposal(msgspec.Struct, frozen=True):
    """An order as the rules see it.

    ``adding`` (> 0) is the quantity beyond what the order closes; ``entry_ticks`` the price it is measured from,
    ``risk_ticks`` the distance to its stop and ``risk_usd`` what is lost there with the fees of both sides; None where
    no reference price was there to tell. ``order_id`` names the order that a modify replaces: it does not count twice,
    and ``money`` is computed without it. ``limits`` are those of the instrument; ``received_ns`` is when the order
    arrived and ``sent_ns`` what it says itself, None where nobody told.
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
    money: Money
    at_ns: int
    quote: Quote | None
    superseded: bool = False
    order_id: str | None = None
    received_ns: int | None = None
    sent_ns: int | None = None

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
    quotes: dict[str, Quote],
    at_ns: int,
    superseded: bool = False,
    order_id: str | None = None,
    received_ns: int | None = None,
    sent_ns: int | None = None,
) -> Proposal:
    """Put together what the rules look at."""
    instrument = group.instruments[terms.contract_id]
    limits = group.limits.of(instrument.symbol)
    quote = fresh(quotes.get(terms.contract_id), limits.quote_age_ms_max, at_ns)
    if quote is not None and not is_plausible(instrument, limits, quote):
        quote = None
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
        money=money(group, account, held_quotes(group, account, quotes, at_ns), order_id),
        at_ns=at_ns,
        quote=quote,
        superseded=superseded,
        order_id=order_id,
        received_ns=received_ns,
        sent_ns=sent_ns,
    )


def fresh(quote: Quote | None, age_ms_max: int, at_ns: int) -> Quote | None:
    """``quote`` if it can be a reference: two-sided, not crossed, not older than ``age_ms_max``."""
    if quote is None or quote.bid_ticks is None or quote.ask_ticks is None or quote.bid_ticks > quote.ask_ticks:
        return None
    return quote if at_ns - quote.at_ns <= age_ms_max * MS_NS else None


def fresh_quotes(quotes: dict[str, Quote], age_ms_max: int, at_ns: int) -> dict[str, Quote]:
    """The quotes that can be references, by contract."""
    return {name: quote for name, quote in quotes.items() if fresh(quote, age_ms_max, at_ns) is not None}


def is_plausible(instrument: Instrument, limits: Limits, quote: Quote) -> bool:
    """Whether the two-sided ``quote`` is near the last trade: one bad print neither prices nor closes anything.

    A market that has really moved is believed as soon as a trade confirms it. Near zero, where a percentage says
    nothing, the default stop distance is near.
    """
    percent, last = limits.quote_jump_percent_max, quote.last_ticks
    if percent is None or last is None or quote.bid_ticks is None or quote.ask_ticks is None:
        return True
    jump = max(abs(quote.bid_ticks - last), abs(quote.ask_ticks - last))
    return jump <= instrument.stop_ticks_default or jump <= share_ticks(percent, last)


def share_ticks(percent: Decimal, ticks: int) -> int:
    """``percent`` of a price, in whole ticks, rounded down (>= 0)."""
    return int(percent * abs(ticks) / 100)


def held_quotes(group: Group, account: Account, quotes: dict[str, Quote], at_ns: int) -> dict[str, Quote]:
    """The quotes of what is held that can be references, by contract."""
    found: dict[str, Quote] = {}
    for name in account.positions:
        instrument = group.instruments[name]
        limits = group.limits.of(instrument.symbol)
        quote = fresh(quotes.get(name), limits.quote_age_ms_max, at_ns)
        if quote is not None and is_plausible(instrument, limits, quote):
            found[name] = quote
    return found


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
