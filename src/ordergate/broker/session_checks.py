"""What a session stands on, compared with what this desk reckons with: the contracts, the prices, the clock.

In a contract that contradicts nothing is opened, without a price new risk is denied, and hours are kept by both clocks;
with one that is half a minute off no new risk is taken at all. This says so before an order does.

Invariants:
1. Nothing is called well that was not seen; what cannot be told yet is not told.
2. Each is told when it changes, and all of them to a gate that knows nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from ordergate.broker.clock_watch import ClockWatch
from ordergate.broker.health import MarketHub
from ordergate.core.reports import CheckReport, Quote
from ordergate.telemetry import logger

CONTRACTS = "contracts"
PRICES = "prices"

_log = logger("session")


class SessionChecks:
    """``publish`` gets each that is new."""

    def __init__(self, publish: Callable[[CheckReport], Awaitable[None]]) -> None:
        self._publish = publish
        self._clock = ClockWatch()
        self._told: dict[str, CheckReport] = {}

    def quoted(self, quote: Quote) -> None:
        self._clock.heard(quote)

    async def look(self, *found: CheckReport | None) -> None:
        """``found`` is what is so now; None cannot be told."""
        for check in (*found, self._clock.check):
            if check is None or self._told.get(check.name) == check:
                continue
            before = self._told.get(check.name)
            self._told[check.name] = check
            if not check.well:
                _log.warning("what this session stands on differs", check=check.name, found=check.text)
            elif before is not None and not before.well:
                _log.info("what this session stands on agrees again", check=check.name, found=check.text)
            await self._publish(check)

    async def introduce(self) -> None:
        """Tell all that is known."""
        for check in self._told.values():
            await self._publish(check)


def contracts(symbols: Sequence[str], listed: Mapping[str, str], contradicting: Mapping[str, str]) -> CheckReport:
    """``listed``: the active contract of each symbol; ``contradicting``: why a listed one is not, by its id."""
    wrong = list(contradicting.values())
    missing = [symbol for symbol in symbols if symbol not in listed]
    if missing:
        wrong.append(f"the broker lists no active contract of {', '.join(missing)}")
    if wrong:
        return CheckReport(CONTRACTS, "; ".join(wrong), well=False)
    ours = ", ".join(symbols) or "no symbol is asked for"
    return CheckReport(CONTRACTS, f"ticks and tick values are the broker's: {ours}", well=True)


def prices(hub: MarketHub) -> CheckReport | None:
    """Whether what is in session is quoted to this login: the only sign of its data subscription that there is."""
    live = [row for row in hub.contracts if row.in_session]
    if hub.why:
        return CheckReport(PRICES, f"{hub.why}; a login without a data subscription gets none", well=False)
    if not live:
        return CheckReport(PRICES, "nothing is in session", well=True)
    if any(row.quote_age_ms is None for row in live):
        return None
    return CheckReport(PRICES, f"quotes come of {', '.join(sorted(row.instrument for row in live))}", well=True)
