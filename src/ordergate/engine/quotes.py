"""The latest merged quote of every contract, and a ``Mark`` when something held has moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from ordergate.bus.port import Bus
from ordergate.clock import Clock
from ordergate.core.inputs import Mark
from ordergate.core.reports import Quote
from ordergate.engine.inbox import Inbox

# Price moves enter the gate at most this often (design, section 3).
MARK_GAP_S = 0.25

_decoder = msgspec.json.Decoder(Quote)


class QuoteBoard:
    """``latest``: by contract id. ``held`` tells which contracts have a position now."""

    def __init__(self, bus: Bus, inbox: Inbox, clock: Clock, held: Callable[[], frozenset[str]]) -> None:
        self.latest: dict[str, Quote] = {}
        self._quotes = bus.watch()
        self._inbox = inbox
        self._clock = clock
        self._held = held
        self._moved = asyncio.Event()

    async def read(self) -> None:
        """Keep ``latest`` up to date until the bus closes."""
        async for message in self._quotes:
            quote = _decoder.decode(message)
            before = self.latest.get(quote.contract_id)
            self.latest[quote.contract_id] = quote
            moved = before is None or (before.bid_ticks, before.ask_ticks) != (quote.bid_ticks, quote.ask_ticks)
            if moved and quote.contract_id in self._held():
                self._moved.set()

    async def mark(self) -> None:
        """Put a ``Mark`` into the inbox after moves, with a gap in between."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            self._inbox.put_mark(Mark(), self._clock.now_ns())
            await asyncio.sleep(MARK_GAP_S)
