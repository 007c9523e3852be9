"""How far this machine's clock is from the venue's, told when it is too far to leave.

A quote that comes late, or is about an old price, looks like a clock that is ahead; so the quickest of many counts.
"""

from __future__ import annotations

from datetime import timedelta

from ordergate.core.reports import Quote

_SECOND_NS = 1_000_000_000
# Hours and days are kept by both clocks from one second on; below two, a slow line cannot be told from a wrong clock.
_TOO_FAR_NS = 2 * _SECOND_NS
_LISTEN_NS = 30 * _SECOND_NS


class ClockWatch:
    """Told of each quote as it comes."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._quickest_ns: int | None = None
        self._told = False

    def heard(self, quote: Quote) -> str | None:
        """What is to be told after 30 s of quotes: once while the clock is wrong, and once when it is right again."""
        if not quote.venue_ns:
            return None
        ahead_ns = quote.at_ns - quote.venue_ns
        if self._since_ns is None or not 0 <= quote.at_ns - self._since_ns <= 2 * _LISTEN_NS:
            self._since_ns, self._quickest_ns = quote.at_ns, None  # the first quote, or our clock was set just now
        if self._quickest_ns is None or ahead_ns < self._quickest_ns:
            self._quickest_ns = ahead_ns
        if quote.at_ns - self._since_ns < _LISTEN_NS:
            return None
        quickest_ns, self._since_ns, self._quickest_ns = self._quickest_ns, None, None
        return self._word(quickest_ns)

    def _word(self, ahead_ns: int) -> str | None:
        wrong = abs(ahead_ns) > _TOO_FAR_NS
        if wrong == self._told:
            return None
        self._told = wrong
        if not wrong:
            return "the clock here agrees with the venue's again"
        side = "ahead of" if ahead_ns > 0 else "behind"
        apart = timedelta(seconds=abs(ahead_ns) // _SECOND_NS)
        return (
            f"the clock here is {apart} (h:mm:ss) {side} the venue's: set this machine's clock, and restart if it is "
            "right already. Until then new risk needs both to allow it, and days and lockouts end by the venue's"
        )
