"""What the hubs say, as reports and quotes.

Invariants:
1. Whatever cannot be read is reported as ``Unreadable``; nothing is dropped in silence.
2. An order's row that was overtaken by a later one on its way says nothing any more.
3. A quote holds only what was said on this connection: after a gap an old side is never shown as fresh.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog

from ordergate.broker.projectx import messages, translate
from ordergate.broker.projectx.catalogue import Catalogue
from ordergate.broker.projectx.rest import Passage
from ordergate.clock import Clock
from ordergate.core.instrument import Instrument
from ordergate.core.reports import Quote, Report, Unreadable
from ordergate.errors import InputRefused, TransportError

# A fact of the broker's on a contract we never met: it must be described before the fact can be told. All that the hub
# says of others waits behind it, and a fact that cannot be told is read with the next snapshot: so not for long.
_ASKING = Passage(exits=False, wait_s=1.0)

# Rows overtake each other within moments; a day's orders are fewer.
ORDERS_KEPT = 10_000

Publish = Callable[[Report], Awaitable[None]]

_Row = TypeVar("_Row")
_log = structlog.get_logger(part="hubs")


class UserFeed:
    """Events of the user hub."""

    def __init__(self, catalogue: Catalogue, publish: Publish) -> None:
        self._catalogue = catalogue
        self._publish = publish
        self._updated: dict[int, int] = {}  # the time on the newest row of an order, by its id

    async def heard(self, target: str, arguments: msgspec.Raw) -> None:
        """Publish what one event says."""
        try:
            rows = [
                row for argument in _decoded(arguments, tuple[msgspec.Raw, ...]) for row in messages.hub_rows(argument)
            ]
        except InputRefused as error:
            await self._publish(Unreadable(0, f"{target}: {error.message}"))
            return
        for row in rows:
            await self._told(target, row)

    async def _told(self, target: str, row: msgspec.Raw) -> None:
        account_id = 0
        try:
            match target:
                case "GatewayUserAccount":
                    account = _decoded(row, messages.Account)
                    account_id = account.id
                    report: Report = translate.account_report(account)
                case "GatewayUserOrder":
                    order = _decoded(row, messages.Order)
                    account_id = order.account_id
                    if self._is_overtaken(order):
                        _log.debug("a row was overtaken", order_id=order.id)
                        return
                    report = translate.order_report(order, await self._catalogue.instrument(order.contract_id, _ASKING))
                case "GatewayUserPosition":
                    position = _decoded(row, messages.Position)
                    account_id = position.account_id
                    instrument = await self._catalogue.instrument(position.contract_id, _ASKING)
                    report = translate.position_report(position, instrument)
                case "GatewayUserTrade":
                    trade = _decoded(row, messages.Trade)
                    account_id = trade.account_id
                    report = translate.fill_report(trade, await self._catalogue.instrument(trade.contract_id, _ASKING))
                case _:
                    _log.debug("an event of no use", target=target)
                    return
        except (InputRefused, TransportError) as error:
            report = Unreadable(account_id, f"{target}: {error}")
        await self._publish(report)

    def _is_overtaken(self, row: messages.Order) -> bool:
        at_ns, newest_ns = translate.said_ns(row.update_timestamp), self._updated.pop(row.id, 0)
        self._updated[row.id] = max(at_ns, newest_ns)
        if len(self._updated) > ORDERS_KEPT:
            del self._updated[next(iter(self._updated))]
        return 0 < at_ns < newest_ns


class MarketFeed:
    """Events of the market hub. ``tell`` gets each merged quote."""

    def __init__(self, catalogue: Catalogue, clock: Clock, publish: Publish, tell: Callable[[Quote], None]) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._publish = publish
        self._tell = tell
        self._quotes: dict[str, Quote] = {}
        self._unreadable: set[str] = set()

    def forget(self) -> None:
        """The connection was lost."""
        self._quotes.clear()

    async def heard(self, target: str, arguments: msgspec.Raw) -> None:
        """Merge what one event says. Prints and depth are not asked for."""
        if target != "GatewayQuote":
            return
        contract_id = ""
        try:
            contract_id, data = _decoded(arguments, tuple[str, msgspec.Raw])
            instrument = self._instrument(contract_id)
            for row in messages.hub_rows(data):
                said = _decoded(row, messages.Quote)
                merged = translate.merged_quote(self._quotes.get(contract_id), said, instrument, self._clock.now_ns())
                self._quotes[contract_id] = merged
                self._tell(merged)
                self._unreadable.discard(contract_id)
        except InputRefused as error:
            if contract_id not in self._unreadable:  # a feed that has gone bad says so 40 times a second
                self._unreadable.add(contract_id)
                await self._publish(Unreadable(0, f"{target}: {error.message}"))

    def _instrument(self, contract_id: str) -> Instrument:
        known = self._catalogue.instruments.get(contract_id)
        if known is None:
            raise InputRefused("UNKNOWN_CONTRACT", f"a quote of contract {contract_id[:64]}, which nobody asked for")
        return known


def _decoded(raw: msgspec.Raw, kind: type[_Row]) -> _Row:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputRefused("UNREADABLE_ROW", str(error)) from error
