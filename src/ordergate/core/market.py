"""Prices that can be believed: two-sided, not crossed, fresh, and near the last trade.

Invariant: what cannot be believed is None, and never a guess.
"""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING

from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.reports import Quote

if TYPE_CHECKING:
    from ordergate.core.figures import Opened

MS_NS = 1_000_000
# A word on the time goes stale with our own clock, which must tell how long ago it was.
_HEARD_NS = 10_000 * MS_NS
# As far as clocks in order, and a message on its way, are apart.
_SAME_NS = 1_000 * MS_NS

_venue_ns = attrgetter("venue_ns")


class Market:
    """The latest ``quotes`` by contract, looked at in the instant ``at_ns``.

    ``opened`` is what ``figures`` has worked out at these prices.
    """

    __slots__ = ("_instants", "at_ns", "opened", "quotes")

    def __init__(self, quotes: dict[str, Quote], at_ns: int) -> None:
        self.quotes = quotes
        self.at_ns = at_ns
        self.opened: Opened | None = None
        self._instants: tuple[int, ...] = ()

    def of(self, instrument: Instrument, limits: Limits) -> Quote | None:
        """The quote of ``instrument`` if it can be believed under the limits of its product."""
        quote = self.quotes.get(instrument.contract_id)
        if quote is None or self.at_ns - quote.at_ns > limits.quote_age_ms_max * MS_NS:
            return None
        bid, ask = quote.bid_ticks, quote.ask_ticks
        if bid is None or ask is None or bid > ask:
            return None
        last = quote.last_ticks
        if last is not None and not _is_near(bid, ask, last, instrument, limits):
            return None
        return quote

    @property
    def venue_now_ns(self) -> int | None:
        """What the time is by the venue's own word, heard a moment ago; None without one.

        Our own clock can be set by whoever the limits are for. It proves no new day, and no end of a lockout.
        """
        latest = max(self.quotes.values(), key=_venue_ns, default=None)
        if latest is None or not latest.venue_ns or not 0 <= self.at_ns - latest.at_ns <= _HEARD_NS:
            return None
        return latest.venue_ns + self.at_ns - latest.at_ns

    @property
    def instants(self) -> tuple[int, ...]:
        """The times by which hours are kept: ours, and the venue's where that is another."""
        if not self._instants:
            venue_ns = self.venue_now_ns
            is_same = venue_ns is None or abs(venue_ns - self.at_ns) <= _SAME_NS
            self._instants = (self.at_ns,) if venue_ns is None or is_same else (self.at_ns, venue_ns)
        return self._instants

    def fresh(self, contract_id: str, age_ms_max: int) -> Quote | None:
        """The quote if it is two-sided, not crossed and fresh, wherever the last trade was."""
        return fresh(self.quotes.get(contract_id), age_ms_max, self.at_ns)


def fresh(quote: Quote | None, age_ms_max: int, at_ns: int) -> Quote | None:
    """``quote`` if it can be a reference: two-sided, not crossed, not older than ``age_ms_max``."""
    if quote is None or quote.bid_ticks is None or quote.ask_ticks is None or quote.bid_ticks > quote.ask_ticks:
        return None
    return quote if at_ns - quote.at_ns <= age_ms_max * MS_NS else None


def fresh_quotes(quotes: dict[str, Quote], age_ms_max: int, at_ns: int) -> dict[str, Quote]:
    """The quotes that can be references, by contract."""
    return {name: quote for name, quote in quotes.items() if fresh(quote, age_ms_max, at_ns) is not None}


def _is_near(bid: int, ask: int, last: int, instrument: Instrument, limits: Limits) -> bool:
    """Whether both sides are near the last trade: one bad print neither prices nor closes anything.

    A market that has really moved is believed as soon as a trade confirms it. Near zero, where a percentage says
    nothing, the default stop distance is near.
    """
    near = instrument.stop_ticks_default
    if last - near <= bid and ask <= last + near:
        return True
    percent = limits.quote_jump_percent_max
    if percent is None:
        return True
    near = share_ticks(percent, last)
    return last - near <= bid and ask <= last + near


def share_ticks(percent: Decimal, ticks: int) -> int:
    """``percent`` of a price, in whole ticks, rounded down (>= 0)."""
    return int(percent * abs(ticks) / 100)
