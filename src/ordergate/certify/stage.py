"""What a case is given: orders to send through the port, what was heard of them, and a venue to provoke.

Invariant: an order whose outcome is unknown is never sent again under its tag, unless a case asks for just that.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from ordergate.broker.projectx.rest import Passage
from ordergate.certify.case import CaseFailed, require
from ordergate.certify.listening import WITHIN_S, Listening
from ordergate.certify.venue import Cut, Provocation
from ordergate.core.effects import Grant, LookUp, Modify, Place
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
)

# As the gate: absent in three reads over 10 s is not sent.
ABSENT_READS, ABSENT_AGAIN_S = 3, 5.0
ATTEMPTS_MAX = 6
ENDED = frozenset((OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED))
_ENTRY, _EXIT = Passage(exits=False, wait_s=5.0), Passage(exits=True, wait_s=5.0)
_LIVE = frozenset((OrderState.OPEN, OrderState.SUSPENDED))
_CERTAIN = (Outcome.DONE, Outcome.REFUSED)


class Stage(Listening):
    """See the module. What sends once gives the answer as it is; the rest is sure of what became of it."""

    _is_ready = False

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

    async def found(self, order_tag: str) -> OrderReport | None:
        """The order of a tag, looked for until it can be."""
        return await self.readable(
            lambda: self.hop.order_of(LookUp(self.account_id, order_tag, self.since_ns)), "a look-up by tag"
        )

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
        for _ in range(ATTEMPTS_MAX):
            outcome = await self.cancel(order_id)
            require(
                outcome.outcome is Outcome.DONE or self.venue.is_disturbed,
                f"a cancel was {outcome.outcome.value}: {outcome.text}",
            )
            try:
                return await self.until(lambda: self.ended(order_id), f"order {order_id} to end")
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

    async def place_until_answered(self, terms: Terms, *, exits: bool = False) -> PlaceOutcome:
        """What is said to an order that cannot be taken; asked anew where the venue fails at random."""
        for _ in range(ATTEMPTS_MAX):
            outcome = await (self.exit(terms) if exits else self.place(terms))
            if outcome.outcome in _CERTAIN or not self.venue.is_disturbed:
                break
        return outcome

    async def modify_until_answered(self, order: OrderReport, **changes: object) -> None:
        """Ask for a new look that nothing will be told of; asked anew where the venue fails at random."""
        for _ in range(ATTEMPTS_MAX):
            outcome = await self.modify(order, **changes)
            if outcome.outcome in _CERTAIN:
                break
            require(self.venue.is_disturbed, f"a change was {outcome.outcome.value}: {outcome.text}")

    async def cancel_whatever_comes(self, order_id: int) -> None:
        """Ask for the end of an order that may have ended by itself."""
        for _ in range(ATTEMPTS_MAX):
            if (await self.cancel(order_id)).outcome in _CERTAIN or self.ended(order_id):
                break
            require(self.venue.is_disturbed, "a cancel was neither done nor refused")

    def ended(self, order_id: int) -> OrderReport | None:
        """The order, if it has ended."""
        found = self.heard.orders.get(order_id)
        return found if found is not None and found.state in ENDED else None

    async def not_reducing(self, terms: Terms) -> str | None:
        """Why an order would do more than reduce, or None; read until it can be."""
        return await self.readable(lambda: self.hop.not_reducing(terms, _EXIT), "the position")

    # The account that other cases use after this one.

    async def ready(self) -> None:
        """Raises ``CaseFailed`` if anything is held or works in an account that is not the case's own."""
        if self.venue.is_fresh:
            return
        read = await self.snapshot()
        self._earlier = frozenset(fill.fill_id for fill in read.fills)
        left = _left(read)
        require(not left, f"the account is not empty, flatten it first: {'; '.join(left)}")
        self._is_ready = True

    async def left(self) -> None:
        """Leave nothing in an account that is not the case's own: neither an order that works, nor a position."""
        if self.venue.is_fresh or not self._is_ready:
            return
        await self.linked()
        for _ in range(ATTEMPTS_MAX):
            read = await self.snapshot()
            if not _left(read):
                return
            for order in read.orders:
                if order.state in _LIVE:
                    await self.cancel(order.broker_order_id)
            for held in read.positions:
                side = Side.SELL if held.net_quantity > 0 else Side.BUY
                await self.exit(self.terms(side, abs(held.net_quantity), contract_id=held.contract_id))
            await asyncio.sleep(1.0)
        raise CaseFailed(f"the account could not be emptied: flatten it now. It shows: {'; '.join(_left(read))}")

    # The venue.

    async def provoke(self, asked: Provocation) -> None:
        await self.venue.provoke(asked)

    async def cut_off(self, seconds: float) -> None:
        """Cut the line; returns when the loss is told."""
        await self.provoke(Cut(seconds))
        await self.unlinked()

    def _grant(self, kind: ApprovalKind) -> Grant:
        self._numbers += 1
        return Grant(kind, self._numbers, epoch=0, limits_version=1, issued_ns=self.venue.site.clock.now_ns())

    def _instrument(self, contract_id: str) -> Instrument:
        known = self.heard.instruments.get(contract_id)
        return known or replace(self.contract, contract_id=contract_id)


def _left(read: BrokerSnapshot) -> list[str]:
    """What an account holds."""
    held = [f"a position of {each.net_quantity:+d} of {each.contract_id}" for each in read.positions]
    return held + [f"order {each.broker_order_id}" for each in read.orders if each.state in _LIVE]
