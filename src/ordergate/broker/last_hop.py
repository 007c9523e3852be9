"""The last hop: what the connection manager does at the broker, and the real one of its two forms.

The other is ``shadow``. Which of the two stands behind the connection manager is chosen once, when it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ordergate.broker.projectx import translate
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.reading import Reader
from ordergate.core.effects import LookUp, Modify, Place, ReadSnapshot
from ordergate.core.instrument import Instrument
from ordergate.core.order import Terms
from ordergate.core.reports import (
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    ModifyOutcome,
    OrderReport,
    Outcome,
    PlaceOutcome,
    Quote,
    Report,
)


class LastHop(Protocol):
    """The first three send, and never raise for what becomes of it; the next four read, and raise as ``Reader``."""

    async def place(self, place: Place, instrument: Instrument, passage: Passage) -> PlaceOutcome: ...

    async def modify(self, modify: Modify, instrument: Instrument, passage: Passage) -> ModifyOutcome: ...

    async def cancel(self, account_id: int, broker_order_id: int, passage: Passage) -> CancelOutcome: ...

    async def snapshot(self, asked: ReadSnapshot, begins: Callable[[], None]) -> BrokerSnapshot: ...

    async def order_of(self, asked: LookUp) -> OrderReport | None: ...

    async def fills_since(self, asked: LookUp) -> tuple[FillReport, ...]: ...

    async def not_reducing(self, terms: Terms, passage: Passage) -> str | None: ...

    async def shown(self, report: Report) -> Report | None:
        """What the broker has said, as it is to be told; None = not at all."""
        ...

    def quoted(self, quote: Quote) -> None:
        """The market of a contract has moved."""
        ...

    async def open(self) -> None:
        """Before anything else. Raises ``JournalDamaged``."""
        ...

    async def run(self) -> None:
        """Beside all else, until cancelled."""
        ...


class Live:
    """What is asked for is done at the broker, and what the broker says is told.

    ``promised`` is told of each order that the broker has taken or cancelled, by account and the broker's id, with when
    it was asked: its user hub has to speak of them.
    """

    def __init__(self, client: Client, reader: Reader, promised: Callable[[int, int, float], None]) -> None:
        self._client = client
        self._promised = promised
        self.snapshot = reader.snapshot
        self.order_of = reader.order_of
        self.fills_since = reader.fills_since
        self.not_reducing = reader.not_reducing

    async def place(self, place: Place, instrument: Instrument, passage: Passage) -> PlaceOutcome:
        asked_s = asyncio.get_running_loop().time()
        outcome = await self._client.place(translate.place_body(place.terms, place.order_tag, instrument), passage)
        if outcome.outcome is Outcome.DONE and outcome.broker_order_id is not None:
            self._promised(outcome.account_id, outcome.broker_order_id, asked_s)
        return outcome

    async def modify(self, modify: Modify, instrument: Instrument, passage: Passage) -> ModifyOutcome:
        body = translate.modify_body(modify.terms, modify.broker_order_id, instrument)
        return await self._client.modify(body, modify.order_tag, modify.grant.number, passage)

    async def cancel(self, account_id: int, broker_order_id: int, passage: Passage) -> CancelOutcome:
        asked_s = asyncio.get_running_loop().time()
        outcome = await self._client.cancel(account_id, broker_order_id, passage)
        if outcome.outcome is Outcome.DONE:
            self._promised(account_id, broker_order_id, asked_s)
        return outcome

    async def shown(self, report: Report) -> Report | None:
        return report

    def quoted(self, quote: Quote) -> None:
        """It is the broker who fills."""

    async def open(self) -> None:
        """Nothing is kept here."""

    async def run(self) -> None:
        """Nothing moves by itself."""
