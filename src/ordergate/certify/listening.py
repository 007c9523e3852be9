"""The side of a stage that listens: the adapter kept open, what it says, and waiting for it.

It believes the port as the gate does: what is told, and after a gap what is read. Where the venue fails at random it
reads besides, for then something may never be told; where it does not, everything has to be.

Invariant: a wait has an end, and its failure says what was waited for and what was heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from msgspec.structs import replace

from ordergate.broker.last_hop import LastHop
from ordergate.certify.case import CaseFailed, require
from ordergate.certify.heard import Heard
from ordergate.certify.venue import Adapter, Venue
from ordergate.core.effects import ReadSnapshot
from ordergate.core.instrument import Instrument
from ordergate.core.reports import BrokerSnapshot, Quote, Report
from ordergate.errors import BrokerRefused, InputRefused, TransportError

WITHIN_S = 10.0
LINKED_WITHIN_S = 30.0
# Where the venue fails at random: how often what was not told is read. Five requests each, of 200 a minute.
READ_AGAIN_S, _UNREAD_AGAIN_S = 3.0, 0.5
UNREAD = (TransportError, BrokerRefused, InputRefused)
_LOOK_S = 0.25
_AGREE_WITHIN_S = 20.0
_SKEW_NS = 1_000_000_000

_T = TypeVar("_T")


class Listening:
    """See the module. ``tags`` makes a tag from the number of an order; no two stages of an account make the same."""

    def __init__(self, venue: Venue, adapter: Adapter, tags: Callable[[int], str]) -> None:
        self.venue = venue
        self.adapter = adapter
        self.heard = Heard()
        self.account_id = venue.account_id
        self.since_ns = venue.site.clock.now_ns() - _SKEW_NS
        self._tags = tags
        self._numbers = 0
        self._hop: LastHop | None = None
        self._news = asyncio.Event()
        self._read_s = asyncio.get_running_loop().time()
        self._opened = contextlib.AsyncExitStack()
        # Fills of earlier cases in the same account.
        self._earlier: frozenset[int] = frozenset()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The adapter is open in the block, from the moment in which its link is up and both products are quoted."""
        try:
            await self._open()
            yield
        finally:
            self._hop = None
            await self._opened.aclose()

    async def begin_again(self) -> None:
        """Close the adapter and open another, which knows nothing: as after a crash."""
        self._hop = None
        await self._opened.aclose()
        self.heard = Heard()
        await self._open()
        self.heard.has_gap = True  # what came before it is read, as the gate does at its start

    async def _open(self) -> None:
        self._hop = await self._opened.enter_async_context(self.adapter(self.venue.site, self._hear, self._tell))
        await self.linked()
        if not self.account_id:
            self.account_id = min(self.heard.accounts)
        await self.until(lambda: self.account_id in self.heard.accounts, f"account {self.account_id}")
        await self.until(lambda: all(map(self._is_quoted, self.venue.symbols)), "quotes of both products")

    def _hear(self, report: Report) -> None:
        self.heard.take(report)
        self._news.set()

    def _tell(self, quote: Quote) -> None:
        self.heard.quotes[quote.contract_id] = quote
        if self._hop is not None:
            self._hop.quoted(quote)
        self._news.set()

    @property
    def hop(self) -> LastHop:
        assert self._hop is not None, "the stage has begun"
        return self._hop

    @property
    def contract(self) -> Instrument:
        """The product that cases trade."""
        return self.active(self.venue.symbols[0])

    @property
    def other_contract(self) -> Instrument:
        return self.active(self.venue.symbols[1])

    def active(self, symbol: str) -> Instrument:
        """The active contract of a symbol."""
        found = [each for each in self.heard.instruments.values() if each.symbol == symbol and each.active]
        require(found, f"the port tells no active contract of {symbol}")
        return found[0]

    @property
    def bid(self) -> int:
        """The best bid of the contract in ticks."""
        return _price(self.heard.quotes[self.contract.contract_id].bid_ticks)

    @property
    def ask(self) -> int:
        return _price(self.heard.quotes[self.contract.contract_id].ask_ticks)

    async def until(self, what: Callable[[], _T | None], wanted: str, within_s: float = WITHIN_S) -> _T:
        """The first truthy value of ``what``. Raises ``CaseFailed``."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while not (found := what()):
            if loop.time() >= end_s:
                raise CaseFailed(f"waited {within_s:.0f} s for {wanted}; heard: {self.heard.last_said()}")
            self._news.clear()
            await self._read_what_was_missed()
            try:
                async with asyncio.timeout(min(_LOOK_S, max(0.0, end_s - loop.time()))):
                    await self._news.wait()
            except TimeoutError:
                pass
        return found

    async def linked(self, within_s: float = LINKED_WITHIN_S) -> None:
        await self.until(lambda: self.heard.link.up, "the link to be up", within_s)

    async def unlinked(self, within_s: float = WITHIN_S) -> None:
        await self.until(lambda: not self.heard.link.up, "the link to be down", within_s)

    async def sleep(self, seconds: float) -> None:
        """Let some time pass in which nothing in particular is waited for."""
        await asyncio.sleep(seconds)

    async def snapshot(self) -> BrokerSnapshot:
        """All that the broker shows, read until it can be."""
        return await self.readable(self._read, "a snapshot")

    async def _read(self) -> BrokerSnapshot:
        """What was done in the account before this stage is left out. Raises one of ``UNREAD``."""
        read = await self.hop.snapshot(ReadSnapshot(self.account_id, self.since_ns), lambda: None)
        return replace(read, fills=tuple(fill for fill in read.fills if fill.fill_id not in self._earlier))

    async def readable(self, read: Callable[[], Awaitable[_T]], what: str) -> _T:
        """What is read; tried again for a while where it cannot be. Raises ``CaseFailed``."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + LINKED_WITHIN_S
        while True:
            try:
                return await read()
            except UNREAD as error:
                require(loop.time() < end_s, f"{what} could not be read for {LINKED_WITHIN_S:.0f} s: {error}")
                await asyncio.sleep(1.0)

    async def agreed(self) -> None:
        """The end of every case: what was heard, what is read and what the venue holds are the same."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _AGREE_WITHIN_S
        while True:
            await self._read_what_was_missed()
            read = await self.snapshot()
            if self.venue.is_disturbed:
                self.heard.mend(read)
            found = self.heard.differences(read, await self.venue.shown(self.account_id))
            if not found:
                break
            require(loop.time() < end_s, f"not the same: {'; '.join(found)}; heard: {self.heard.last_said()}")
            await asyncio.sleep(_LOOK_S)
        wrong = self.heard.unreadable() + ([] if self.venue.is_disturbed else self.heard.told_again())
        require(not wrong, "; ".join(wrong))

    def _is_quoted(self, symbol: str) -> bool:
        quote = self.heard.quotes.get(self.active(symbol).contract_id)
        return quote is not None and quote.bid_ticks is not None and quote.ask_ticks is not None

    async def _read_what_was_missed(self) -> None:
        """After a gap once; where the venue fails at random, again and again."""
        if self._hop is None or not self.heard.link.up or not self.account_id:
            return
        now_s = asyncio.get_running_loop().time()
        if not self.heard.has_gap and not (self.venue.is_disturbed and now_s - self._read_s >= READ_AGAIN_S):
            return
        self._read_s = now_s
        try:
            read = await self._read()
        except UNREAD:
            self._read_s -= READ_AGAIN_S - _UNREAD_AGAIN_S
            return
        self.heard.mend(read)


def _price(ticks: int | None) -> int:
    assert ticks is not None, "both sides are quoted"
    return ticks
