"""The broker's list of accounts, read once for all who ask together: it shows every account of the login anyway.

Invariants:
1. Nobody gets what was read before he asked: who asks while a reading is under way is for the next one.
2. A failed reading is the failure of all whom it was for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from ordergate.broker.projectx import messages
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage
from ordergate.errors import BrokerRefused, InputRefused, TransportError


class _Reading:
    """One reading, and those who are told when it leaves."""

    def __init__(self) -> None:
        self.leaving: list[Callable[[], None]] = []
        self.rows: tuple[messages.Account, ...] | None = None
        self.failed: TransportError | BrokerRefused | None = None


class AccountRows:
    """Of one login, active and other accounts."""

    def __init__(self, client: Client, passage: Passage) -> None:
        self._client = client
        self._passage = passage
        self._unbegun: _Reading | None = None
        self._turn = asyncio.Lock()

    async def row(self, account_id: int, leaving: Callable[[], None] | None = None) -> messages.Account:
        """The broker's row of an account; ``leaving`` is called when its request leaves. Raises as ``Reader``."""
        reading = self._unbegun = self._unbegun or _Reading()
        if leaving is not None:
            reading.leaving.append(leaving)
        async with self._turn:
            if reading.failed is not None:
                raise reading.failed.with_traceback(None)
            # Not the first's task but everybody's turn: where the first is cancelled, the second reads.
            rows = await self._read(reading) if reading.rows is None else reading.rows
        found = next((row for row in rows if row.id == account_id), None)
        if found is None:
            raise InputRefused("UNKNOWN_ACCOUNT", f"the broker lists no account {account_id}", "accountId")
        return found

    async def _read(self, reading: _Reading) -> tuple[messages.Account, ...]:
        def leaves() -> None:
            self._begun(reading)
            for told in reading.leaving:
                told()

        try:
            reading.rows = await self._client.accounts(replace(self._passage, leaving=leaves), only_active=False)
        except (TransportError, BrokerRefused) as error:
            reading.failed = error
            raise
        finally:
            self._begun(reading)
        return reading.rows

    def _begun(self, reading: _Reading) -> None:
        if self._unbegun is reading:
            self._unbegun = None
