"""How far this machine's clock is from the venue's, by its quotes.

A quote that comes late, or is about an old price, looks like a clock that is ahead; so the quickest of many counts.
"""

from __future__ import annotations

from datetime import timedelta

from ordergate.core.reports import CheckReport, Quote

CLOCK = "clock"
_SECOND_NS = 1_000_000_000
# Hours and days are kept by both clocks from one second on; below two, a slow line cannot be told from a wrong clock.
_TOO_FAR_NS = 2 * _SECOND_NS
# From here on nothing that is reckoned in time can be right: no new risk is taken.
_REFUSING_NS = 30 * _SECOND_NS
_LISTEN_NS = 30 * _SECOND_NS


class ClockWatch:
    """Told of each quote as it comes. ``check`` is its word after 30 s of them, the same until it turns over."""

    def __init__(self) -> None:
        self.check: CheckReport | None = None
        self._since_ns: int | None = None
        self._quickest_ns: int | None = None

    def heard(self, quote: Quote) -> None:
        if not quote.venue_ns:
            return
        ahead_ns = quote.at_ns - quote.venue_ns
        if self._since_ns is None or not 0 <= quote.at_ns - self._since_ns <= 2 * _LISTEN_NS:
            self._since_ns, self._quickest_ns = quote.at_ns, None  # the first quote, or our clock was set just now
        if self._quickest_ns is None or ahead_ns < self._quickest_ns:
            self._quickest_ns = ahead_ns
        if quote.at_ns - self._since_ns >= _LISTEN_NS:
            self._judge(self._quickest_ns)
            self._since_ns, self._quickest_ns = None, None

    def _judge(self, ahead_ns: int) -> None:
        well, refuses = abs(ahead_ns) <= _TOO_FAR_NS, abs(ahead_ns) > _REFUSING_NS
        if self.check is None or (self.check.well, self.check.refuses) != (well, refuses):
            self.check = CheckReport(CLOCK, _AGREES if well else _differs(ahead_ns, refuses=refuses), well, refuses)


_REFUSED = "no new risk is taken"
_BOTH = "new risk needs both to allow it"
_AGREES = f"within {_TOO_FAR_NS // _SECOND_NS} s of the venue's, by its quotes"


def _differs(ahead_ns: int, *, refuses: bool) -> str:
    side = "ahead of" if ahead_ns > 0 else "behind"
    apart = timedelta(seconds=abs(ahead_ns) // _SECOND_NS)
    return (
        f"the clock here is {apart} (h:mm:ss) {side} the venue's: set this machine's clock, and restart if it is "
        f"right already. Until then {_REFUSED if refuses else _BOTH}, and days and lockouts end by the venue's"
    )
