"""Snapshots and look-ups: what the broker shows of an account, read over REST.

Invariants:
1. A reading is complete or it raises: a page that failed, or a row that cannot be read, is never taken for absence.
2. In a snapshot positions are read first and fills last. It began when its first request left, not when it was asked.
3. Of the reserve for exits only that on which an exit hangs has a part; all else waits for room.
4. A snapshot that can wait waits before its first request, behind all that cannot: what it shows of positions is as old
   as its fills.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from msgspec.structs import replace

from ordergate.broker.account_rows import AccountRows
from ordergate.broker.projectx import messages
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage
from ordergate.broker.projectx.translate import (
    account_report,
    fill_report,
    instant,
    net_quantity,
    order_report,
    position_report,
)
from ordergate.clock import Clock
from ordergate.core.effects import LookUp, ReadSnapshot, Urgency
from ordergate.core.order import Terms
from ordergate.core.reports import BrokerSnapshot, FillReport, OrderReport, PositionReport
from ordergate.errors import NoRoom

# The broker dates orders by its own clock. A minute more than asked for costs nothing, tags being unique, and keeps a
# clock that is off from hiding the very order that is looked for.
_CLOCK_SKEW_NS = 60_000_000_000

# Some windows of the request limit: twenty accounts that are read twice need more than one. New risk of an account is
# denied until it was read, so waiting is safe, and what is not read for want of room would only be asked for again.
SNAPSHOT = Passage(exits=False, wait_s=300.0)
# Positions, accounts, both lists of orders, fills; and one that may be cut.
_SNAPSHOT_REQUESTS = 6
# Without it an exit cannot go on.
_OF_AN_EXIT = Passage(exits=True, wait_s=60.0)
# Asked again every few seconds, so one that does not leave by then has a later one beside it.
_LOOKUP = Passage(exits=False, wait_s=10.0)
# Of what protects or closes: until it is known what became of it, nothing else can be placed in its stead.
_URGENT_LOOKUP = Passage(exits=True, wait_s=10.0)


class Reader:
    """Reads one login's accounts. Every method raises ``TransportError``, ``BrokerRefused`` or ``InputRefused``."""

    def __init__(self, client: Client, catalogue: Catalogue, clock: Clock) -> None:
        self._client = client
        self._catalogue = catalogue
        self._clock = clock
        self._accounts = {passage: AccountRows(client, passage) for passage in (SNAPSHOT, _OF_AN_EXIT)}
        self._turn = asyncio.Lock()  # it is fair
        self._under_way = 0
        self._ended = asyncio.Event()

    async def snapshot(self, asked: ReadSnapshot, begins: Callable[[], None]) -> BrokerSnapshot:
        """All that the broker shows of the account. ``begins`` is called when the first request leaves."""
        passage = _OF_AN_EXIT if asked.urgency is Urgency.EXIT else SNAPSHOT
        async with self._room() if asked.urgency is Urgency.CAN_WAIT else contextlib.nullcontext():
            return await self._snapshot(asked, begins, passage)

    @contextlib.asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """The requests of one more snapshot, beside those that are under way."""
        try:
            async with asyncio.timeout(SNAPSHOT.wait_s), self._turn:
                while (delay_s := self._client.room_s(_SNAPSHOT_REQUESTS * (self._under_way + 1))) > 0:
                    self._ended.clear()  # one that has ended has left what it did not need
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(delay_s):
                            await self._ended.wait()
        except TimeoutError:
            raise NoRoom(f"no room for a snapshot within {SNAPSHOT.wait_s:.0f} s") from None
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._ended.set()

    async def _snapshot(self, asked: ReadSnapshot, begins: Callable[[], None], passage: Passage) -> BrokerSnapshot:
        started_ns = self._clock.now_ns()

        def leaving() -> None:
            nonlocal started_ns
            started_ns = self._clock.now_ns()
            begins()

        since = instant(asked.since_ns)
        positions = await self.positions(asked.account_id, replace(passage, leaving=leaving))
        account = await self._accounts[passage].row(asked.account_id)
        # Both lists: the first lacks what is done and suspended legs, the second what is older. It is the later word.
        orders = {row.id: row for row in await self._client.open_orders(asked.account_id, passage)}
        orders |= {row.id: row for row in await self._client.orders(asked.account_id, since, passage)}
        fills = await self._client.trades(asked.account_id, since, passage)
        return BrokerSnapshot(
            account=account_report(account),
            since_ns=asked.since_ns,
            started_ns=started_ns,
            positions=positions,
            orders=tuple([await self._order(orders[order_id], passage) for order_id in sorted(orders)]),
            fills=tuple(
                [fill_report(row, await self._catalogue.instrument(row.contract_id, passage)) for row in fills]
            ),
        )

    async def positions(self, account_id: int, passage: Passage) -> tuple[PositionReport, ...]:
        """Every open position."""
        rows = await self._client.positions(account_id, passage)
        return tuple([position_report(row, await self._catalogue.instrument(row.contract_id, passage)) for row in rows])

    async def order_of(self, asked: LookUp) -> OrderReport | None:
        """The order with that tag, or None when it is in neither list.

        A second sending that was rejected for its used tag may stand beside the first, which is the one that counts.
        """
        since, passage = instant(asked.since_ns - _CLOCK_SKEW_NS), _URGENT_LOOKUP if asked.urgent else _LOOKUP
        rows = {row.id: row for row in await self._client.open_orders(asked.account_id, passage)}
        rows |= {row.id: row for row in await self._client.orders(asked.account_id, since, passage)}
        found = [row for row in rows.values() if row.custom_tag == asked.order_tag]
        if not found:
            return None
        return await self._order(
            min(found, key=lambda row: (row.status == messages.OrderStatus.REJECTED, row.id)), passage
        )

    async def fills_since(self, asked: LookUp) -> tuple[FillReport, ...]:
        """What has filled since then in contracts that are known: an order may be among them before it is in a list."""
        since, passage = instant(asked.since_ns - _CLOCK_SKEW_NS), _URGENT_LOOKUP if asked.urgent else _LOOKUP
        rows = await self._client.trades(asked.account_id, since, passage)
        known = self._catalogue.instruments
        return tuple([fill_report(row, known[row.contract_id]) for row in rows if row.contract_id in known])

    async def not_reducing(self, terms: Terms, passage: Passage) -> str | None:
        """Why an order would do more than shrink the position that the broker shows now, or None."""
        rows = await self._client.positions(terms.account_id, passage)
        # Of its own contract alone: another row that cannot be read must not keep this one open.
        net = next((net_quantity(row) for row in rows if row.contract_id == terms.contract_id), 0)
        return beyond_flat(terms, net)

    async def _order(self, row: messages.Order, passage: Passage) -> OrderReport:
        return order_report(row, await self._catalogue.instrument(row.contract_id, passage))


def beyond_flat(terms: Terms, net: int) -> str | None:
    """Why an order would do more than shrink the position ``net`` (signed), or None."""
    if net * terms.side.sign < 0 and terms.quantity <= abs(net):
        return None
    return f"a {terms.side.value} of {terms.quantity} does not reduce the broker's position of {net:+d}"
