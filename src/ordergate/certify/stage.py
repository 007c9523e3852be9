"""What a case is given: orders to send through the port, what was heard of them, and a venue to provoke.

It believes the port as the gate does: what is told, what is read after the line was lost, and what is found by the tag
of an order whose outcome is not known. Where the venue fails at random it reads besides, for then something may never
be told; where it does not, everything has to be.

Invariants:
1. A wait has an end, and its failure says what was waited for and what was heard.
2. An order whose outcome is unknown is never sent again under its tag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec.structs import replace

from ordergate.broker.last_hop import LastHop
from ordergate.broker.projectx.rest import Passage
from ordergate.certify.case import CaseFailed, require
from ordergate.certify.heard import Heard
from ordergate.certify.venue import Cut, Provocation, Venue
from ordergate.core.effects import Grant, LookUp, Modify, Place, ReadSnapshot
from ordergate.core.events import ApprovalKind
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import (
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    Quote,
    Report,
)
from ordergate.errors import BrokerRefused, InputRefused, TransportError

WITHIN_S = 10.0
LINKED_WITHIN_S = 30.0
# As the gate: absent in three reads over 10 s is not sent.
ABSENT_READS, ABSENT_AGAIN_S = 3, 5.0
ATTEMPTS_MAX = 6
# Where the venue fails at random: how often what was not told is read. Five requests each, of 200 a minute.
READ_AGAIN_S = 3.0
_LOOK_S = 0.25
_AGREE_WITHIN_S = 20.0
_SKEW_NS = 1_000_000_000
_ENTRY, _EXIT = Passage(exits=False, wait_s=5.0), Passage(exits=True, wait_s=5.0)
ENDED = frozenset((OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED))
UNREAD = (TransportError, BrokerRefused, InputRefused)

_T = TypeVar("_T")


class Stage:
    """See the module. ``tags`` makes a tag from the number of an order; no two stages of an account make the same."""

    def __init__(self, venue: Venue, tags: Callable[[int], str]) -> None:
        self.venue = venue
        self.heard = Heard()
        self.account_id = venue.account_id
        self.since_ns = venue.site.clock.now_ns() - _SKEW_NS
        self._tags = tags
        self._numbers = 0
        self._hop: LastHop | None = None
        self._news = asyncio.Event()
        self._read_s = asyncio.get_running_loop().time()

    # What the adapter says.

    def hear(self, report: Report) -> None:
        self.heard.take(report)
        self._news.set()

    def tell(self, quote: Quote) -> None:
        self.heard.quotes[quote.contract_id] = quote
        if self._hop is not None:
            self._hop.quoted(quote)
        self._news.set()

    async def begin(self, hop: LastHop) -> None:
        """The adapter is open: wait for its link, the account and quotes of both products."""
        self._hop = hop
        await self.linked()
        if not self.account_id:
            self.account_id = min(self.heard.accounts)
        await self.until(lambda: self.account_id in self.heard.accounts, f"account {self.account_id}")
        await self.until(lambda: all(map(self._is_quoted, self.venue.symbols)), "quotes of both products")

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

    # Waiting.

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

    # Sending: what was answered, as it was answered.

    def terms(self, side: Side, quantity: int = 1, kind: OrderType = OrderType.MARKET, **more: object) -> Terms:
        """An order of the contract, unless ``contract_id`` is among what is given besides."""
        given = {"contract_id": self.contract.contract_id} | more
        terms = Terms(self.account_id, "", side, quantity, kind)
        return replace(terms, **given)

    def tag(self) -> str:
        """A tag that no order has."""
        self._numbers += 1
        return self._tags(self._numbers)

    async def place(self, terms: Terms, order_tag: str | None = None) -> PlaceOutcome:
        """Send an order once."""
        place = Place(terms, order_tag or self.tag(), self._grant(ApprovalKind.APPROVED))
        return await self.hop.place(place, self._instrument(terms.contract_id), _ENTRY)

    async def exit(self, terms: Terms, order_tag: str | None = None) -> PlaceOutcome:
        """Send an order that takes risk away, once."""
        place = Place(terms, order_tag or self.tag(), self._grant(ApprovalKind.REDUCING))
        return await self.hop.place(place, self._instrument(terms.contract_id), _EXIT)

    async def modify(self, order: OrderReport, **changes: object) -> ModifyOutcome:
        """Ask for a new look of an order once: ``quantity``, ``limit_ticks``, ``stop_ticks``."""
        terms = Terms(
            order.account_id,
            order.contract_id,
            order.side,
            order.quantity,
            order.order_type,
            order.limit_ticks,
            order.stop_ticks,
        )
        asked = Modify(
            replace(terms, **changes), order.order_tag or "", order.broker_order_id, self._grant(ApprovalKind.LEG)
        )
        return await self.hop.modify(asked, self._instrument(order.contract_id), _EXIT)

    async def cancel(self, broker_order_id: int) -> CancelOutcome:
        """Ask for an order's end once."""
        return await self.hop.cancel(self.account_id, broker_order_id, _EXIT)

    # Reading.

    async def snapshot(self) -> BrokerSnapshot:
        """All that the broker shows, read until it can be."""
        return await self.readable(
            lambda: self.hop.snapshot(ReadSnapshot(self.account_id, self.since_ns), lambda: None), "a snapshot"
        )

    async def found(self, order_tag: str) -> OrderReport | None:
        """The order of a tag, looked for until it can be."""
        return await self.readable(
            lambda: self.hop.order_of(LookUp(self.account_id, order_tag, self.since_ns)), "a look-up by tag"
        )

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

    # As the gate does it: whatever is answered, until it is known what became of it.

    async def settled(self, terms: Terms, order_tag: str | None = None) -> PlaceOutcome:
        """Send an order until it is done or refused: in doubt it is looked for, and not sent it is sent anew."""
        for _ in range(ATTEMPTS_MAX):
            outcome = await self.place(terms, order_tag)
            if outcome.outcome is Outcome.UNKNOWN:
                outcome = await self.resolved(outcome)
            if outcome.outcome is not Outcome.NOT_SENT:
                return outcome
            require(self.venue.is_disturbed, f"an order was not sent: {outcome.text}")
            order_tag = None
        raise CaseFailed(f"an order was not sent in {ATTEMPTS_MAX} attempts; heard: {self.heard.last_said()}")

    async def resolved(self, unknown: PlaceOutcome) -> PlaceOutcome:
        """What became of an order in doubt, by what the broker shows of its tag."""
        for number in range(ABSENT_READS):
            if number:
                await asyncio.sleep(ABSENT_AGAIN_S)
            found = await self.found(unknown.order_tag)
            if found is not None:
                outcome = Outcome.REFUSED if found.state is OrderState.REJECTED else Outcome.DONE
                return replace(unknown, outcome=outcome, broker_order_id=found.broker_order_id)
        return replace(unknown, outcome=Outcome.NOT_SENT)

    async def accepted(self, terms: Terms, order_tag: str | None = None) -> int:
        """The broker's id of an order that it has taken."""
        outcome = await self.settled(terms, order_tag)
        require(outcome.outcome is Outcome.DONE, f"an order was {outcome.outcome.value}: {outcome.text}")
        require(outcome.broker_order_id is not None, "an order was taken without an id")
        assert outcome.broker_order_id is not None
        return outcome.broker_order_id

    async def resting(self, terms: Terms, order_tag: str | None = None) -> OrderReport:
        """An order that was taken and is told to work."""
        order_id = await self.accepted(terms, order_tag)
        return await self.shown_as(order_id, OrderState.OPEN)

    async def filled(self, terms: Terms, order_tag: str | None = None, within_s: float = WITHIN_S) -> int:
        """The broker's id of an order that was taken and has filled, and each of whose fills was told."""
        order_id = await self.accepted(terms, order_tag)
        await self.has_filled(order_id, terms.quantity, within_s)
        return order_id

    async def has_filled(self, order_id: int, quantity: int, within_s: float = WITHIN_S) -> tuple[FillReport, ...]:
        """The fills of an order that has filled whole."""
        await self.shown_as(order_id, OrderState.FILLED, within_s)
        await self.until(
            lambda: self.heard.filled(order_id) >= quantity, f"{quantity} contracts of order {order_id} to fill"
        )
        return self.heard.fills_of(order_id)

    async def shown_as(self, order_id: int, state: OrderState, within_s: float = WITHIN_S) -> OrderReport:
        """The order in that state."""

        def seen() -> OrderReport | None:
            found = self.heard.orders.get(order_id)
            return found if found is not None and found.state is state else None

        return await self.until(seen, f"order {order_id} to be {state.value}", within_s)

    async def changed(self, order: OrderReport, **changes: int) -> OrderReport:
        """An order with its new look, asked for until it is told."""

        def seen() -> OrderReport | None:
            found = self.heard.orders[order.broker_order_id]
            return found if all(getattr(found, name) == value for name, value in changes.items()) else None

        for _ in range(ATTEMPTS_MAX):
            outcome = await self.modify(order, **changes)
            require(
                outcome.outcome is Outcome.DONE or self.venue.is_disturbed,
                f"a change was {outcome.outcome.value}: {outcome.text}",
            )
            if outcome.outcome in (Outcome.DONE, Outcome.UNKNOWN):
                try:
                    return await self.until(seen, f"order {order.broker_order_id} with {changes}")
                except CaseFailed:
                    if outcome.outcome is Outcome.DONE:
                        raise
        raise CaseFailed(f"order {order.broker_order_id} was not changed in {ATTEMPTS_MAX} attempts")

    async def cancelled(self, order_id: int) -> OrderReport:
        """An order that has ended by a cancel, asked for until it is told."""

        def seen() -> OrderReport | None:
            found = self.heard.orders.get(order_id)
            return found if found is not None and found.state in ENDED else None

        for _ in range(ATTEMPTS_MAX):
            outcome = await self.cancel(order_id)
            require(
                outcome.outcome is Outcome.DONE or self.venue.is_disturbed,
                f"a cancel was {outcome.outcome.value}: {outcome.text}",
            )
            try:
                return await self.until(seen, f"order {order_id} to end")
            except CaseFailed:
                if outcome.outcome is Outcome.DONE:
                    raise
        raise CaseFailed(f"order {order_id} was not cancelled in {ATTEMPTS_MAX} attempts")

    async def holds(self, net: int, contract_id: str | None = None, within_s: float = WITHIN_S) -> None:
        """The position is told, and is that of the fills."""
        name = contract_id or self.contract.contract_id

        def seen() -> bool:
            told = self.heard.positions.get(name)
            return self.heard.net(name) == net == (0 if told is None else told.net_quantity)

        await self.until(seen, f"a position of {net:+d} of {name}", within_s)

    # The venue.

    async def provoke(self, asked: Provocation) -> None:
        await self.venue.provoke(asked)

    async def cut_off(self, seconds: float) -> None:
        """Cut the line; returns when the loss is told."""
        await self.provoke(Cut(seconds))
        await self.unlinked()

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

    def _grant(self, kind: ApprovalKind) -> Grant:
        self._numbers += 1
        return Grant(kind, self._numbers, epoch=0, limits_version=1, issued_ns=self.venue.site.clock.now_ns())

    def _instrument(self, contract_id: str) -> Instrument:
        known = self.heard.instruments.get(contract_id)
        return known or replace(self.contract, contract_id=contract_id)

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
            read = await self.hop.snapshot(ReadSnapshot(self.account_id, self.since_ns), lambda: None)
        except UNREAD:
            return  # read again
        self.heard.mend(read)


def _price(ticks: int | None) -> int:
    assert ticks is not None, "both sides are quoted"
    return ticks
