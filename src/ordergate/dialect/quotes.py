"""Prices, told on ``aggregator:market-data`` as flattened quotes (wire notes, section 2.6, read 2026-11-22).

Invariant: a contract is told at most four times a second, as on the page, however fast its market moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ordergate.bus import announcements as told
from ordergate.bus.port import Bus, Channel
from ordergate.bus.prices import price
from ordergate.core.account import Group
from ordergate.core.instrument import Instrument
from ordergate.core.reports import Quote
from ordergate.dialect.outbox import Outbox

TOLD_EVERY_S = 0.25

_MS_NS = 1_000_000
_quote = msgspec.json.Decoder(Quote)


class Quotes:
    """``latest`` by contract."""

    def __init__(self, bus: Bus, outbox: Outbox, group: Callable[[], Group | None]) -> None:
        self._outbox = outbox
        self._group = group
        self._watched = bus.watch()
        self._moved: dict[str, None] = {}
        self.latest: dict[str, Quote] = {}

    async def run(self) -> None:
        """Read and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(), name="dialect: quotes")
            tasks.create_task(self._tell(), name="dialect: quotes told")

    async def _read(self) -> None:
        async for message in self._watched:
            quote = _quote.decode(message)
            self.latest[quote.contract_id] = quote
            self._moved[quote.contract_id] = None

    async def _tell(self) -> None:
        while True:
            group = self._group()
            if group is not None:
                moved, self._moved = self._moved, {}
                for contract_id in moved:
                    instrument = group.instruments.get(contract_id)
                    if instrument is not None:
                        self._outbox.say(Channel.MARKET_DATA, quote_told(instrument, self.latest[contract_id]))
            await asyncio.sleep(TOLD_EVERY_S)


def quote_told(instrument: Instrument, quote: Quote) -> told.QuoteTold:
    """The documented form of a quote."""
    bid, ask = price(instrument, quote.bid_ticks), price(instrument, quote.ask_ticks)
    last = price(instrument, quote.last_ticks)
    return told.QuoteTold(
        instrument=instrument.contract_id,
        symbol=instrument.symbol,
        bid=bid,
        ask=ask,
        last=last,
        data=told.QuoteData(quote.at_ns // _MS_NS, bid, ask, last),
    )
