"""Snapshots and look-ups: what the broker shows of an account, read over REST.

Invariants:
1. A reading is complete or it raises: a page that failed, or a row that cannot be read, is never taken for absence.
2. In a snapshot positions are read first and fills last. It began when its first request left, not when it was asked.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

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
from ordergate.core.effects import LookUp, ReadSnapshot
from ordergate.core.order import Terms
from ordergate.core.reports import BrokerSnapshot, FillReport, OrderReport, PositionReport
from ordergate.errors import InputRefused

# The broker dates orders by its own clock. A minute more than asked for costs nothing, tags being unique, and keeps a
# clock that is off from hiding the very order that is looked for.
_CLOCK_SKEW_NS = 60_000_000_000

# Long enough for a full window of the request limit to pass; whoever asks for a reading asks again if it fails.
SNAPSHOT = Passage(exits=True, wait_s=60.0)
# In doubt counts against the trader until it is resolved, so these may use the reserve.
_LOOKUP = Passage(exits=True, wait_s=10.0)


class Reader:
    """Reads one login's accounts. Every method raises ``TransportError``, ``BrokerRefused`` or ``InputRefused``."""

    def __init__(self, client: Client, catalogue: Catalogue, clock: Clock) -> None:
        self._client = client
        self._catalogue = catalogue
        self._clock = clock

    async def snapshot(self, asked: ReadSnapshot, begins: Callable[[], None]) -> BrokerSnapshot:
        """All that the broker shows of the account. ``begins`` is called when the first request leaves."""
        started_ns = self._clock.now_ns()

        def leaving() -> None:
            nonlocal started_ns
            started_ns = self._clock.now_ns()
            begins()

        since = instant(asked.since_ns)
        positions = await self.positions(asked.account_id, replace(SNAPSHOT, leaving=leaving))
        account = await account_row(self._client, asked.account_id, SNAPSHOT)
        # Both lists: the first lacks what is done and suspended legs, the second what is older. It is the later word.
        orders = {row.id: row for row in await self._client.open_orders(asked.account_id, SNAPSHOT)}
        orders |= {row.id: row for row in await self._client.orders(asked.account_id, since, SNAPSHOT)}
        fills = await self._client.trades(asked.account_id, since, SNAPSHOT)
        return BrokerSnapshot(
            account=account_report(account),
            since_ns=asked.since_ns,
            started_ns=started_ns,
            positions=positions,
            orders=tuple([await self._order(orders[order_id]) for order_id in sorted(orders)]),
            fills=tuple(
                [fill_report(row, await self._catalogue.instrument(row.contract_id, SNAPSHOT)) for row in fills]
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
        since = instant(asked.since_ns - _CLOCK_SKEW_NS)
        rows = {row.id: row for row in await self._client.open_orders(asked.account_id, _LOOKUP)}
        rows |= {row.id: row for row in await self._client.orders(asked.account_id, since, _LOOKUP)}
        found = [row for row in rows.values() if row.custom_tag == asked.order_tag]
        if not found:
            return None
        return await self._order(min(found, key=lambda row: (row.status == messages.OrderStatus.REJECTED, row.id)))

    async def fills_since(self, asked: LookUp) -> tuple[FillReport, ...]:
        """What has filled since then in contracts that are known: an order may be among them before it is in a list."""
        rows = await self._client.trades(asked.account_id, instant(asked.since_ns - _CLOCK_SKEW_NS), _LOOKUP)
        known = self._catalogue.instruments
        return tuple([fill_report(row, known[row.contract_id]) for row in rows if row.contract_id in known])

    async def not_reducing(self, terms: Terms, passage: Passage) -> str | None:
        """Why an order would do more than shrink the position that the broker shows now, or None."""
        rows = await self._client.positions(terms.account_id, passage)
        # Of its own contract alone: another row that cannot be read must not keep this one open.
        net = next((net_quantity(row) for row in rows if row.contract_id == terms.contract_id), 0)
        return beyond_flat(terms, net)

    async def _order(self, row: messages.Order) -> OrderReport:
        return order_report(row, await self._catalogue.instrument(row.contract_id, _LOOKUP))


async def account_row(client: Client, account_id: int, passage: Passage) -> messages.Account:
    """The broker's row of an account, whether it is active or not. Raises as ``Reader``."""
    rows = await client.accounts(passage, only_active=False)
    found = next((row for row in rows if row.id == account_id), None)
    if found is None:
        raise InputRefused("UNKNOWN_ACCOUNT", f"the broker lists no account {account_id}", "accountId")
    return found


def beyond_flat(terms: Terms, net: int) -> str | None:
    """Why an order would do more than shrink the position ``net`` (signed), or None."""
    if net * terms.side.sign < 0 and terms.quantity <= abs(net):
        return None
    return f"a {terms.side.value} of {terms.quantity} does not reduce the broker's position of {net:+d}"
