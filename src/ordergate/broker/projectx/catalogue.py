"""The contracts we know: the broker's list, and any other contract from the moment it is met.

Invariants:
1. No contract is forgotten; each is announced before it is used, and again when it changes.
2. A contract that cannot be read is unknown: it is never given a default tick. One that contradicts our table, or that
   can be read no more, is not active: what is held in it is seen and closed, and nothing is opened.
3. What the broker's last list leaves out is not active.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.messages import Contract
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.projectx.translate import contradiction, instrument
from ordergate.core.instrument import Instrument
from ordergate.errors import BrokerRefused, InputRefused

_log = structlog.get_logger(part="catalogue")


class Catalogue:
    """Instruments by contract id. ``announce`` is awaited with all of them, at first and after each new one.

    ``refused`` says why of each contract of the broker's last list that is not to be traded.
    """

    def __init__(self, client: Client, announce: Callable[[tuple[Instrument, ...]], Awaitable[None]]) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.refused: dict[str, str] = {}
        self._client = client
        self._announce = announce

    async def load(self, passage: Passage) -> None:
        """Read the broker's list: the active contracts, others after a roll. Raises as ``Client.contracts``."""
        rows = await self._client.contracts(passage)
        listed = {row.id for row in rows}
        self.refused.clear()
        for contract_id, known in self.instruments.items():
            if known.active and contract_id not in listed:
                self.instruments[contract_id] = msgspec.structs.replace(known, active=False)
                _log.info("a contract is no longer active", contract_id=contract_id)
        for row in rows:
            self._take(row)
        await self._announce(tuple(self.instruments.values()))

    async def instrument(self, contract_id: str, passage: Passage) -> Instrument:
        """The contract of that id, asked of the broker when it is new.

        Raises ``TransportError``, or ``InputRefused`` when the broker does not describe it.
        """
        known = self.instruments.get(contract_id)
        if known is not None:
            return known
        try:
            row = await self._client.contract(contract_id, passage)
        except BrokerRefused as error:
            raise InputRefused("UNKNOWN_CONTRACT", f"contract {contract_id[:64]}: {error}", "contractId") from error
        self._take(row)
        if contract_id not in self.instruments:
            raise InputRefused("UNREADABLE_CONTRACT", self.refused[row.id], "contractId")
        await self._announce(tuple(self.instruments.values()))
        return self.instruments[contract_id]

    def _take(self, row: Contract) -> None:
        known, wrong = self.instruments.get(row.id), contradiction(row)
        found: Instrument | None
        try:
            found = instrument(row)
        except InputRefused as error:
            found, wrong = known, error.message
        if wrong:
            self.refused[row.id] = wrong
            _log.error("a contract of the broker's is not to be traded", contract_id=row.id, reason=wrong)
            # Its orders and positions are counted in the ticks that it had.
            found = known or found
        if found is not None:
            self.instruments[row.id] = msgspec.structs.replace(found, active=found.active and not wrong)

    def active(self, symbol: str) -> Instrument | None:
        """The active contract of a symbol."""
        for found in self.instruments.values():
            if found.symbol == symbol and found.active:
                return found
        return None
