"""The endpoints that only read: accounts, contracts, bars, orders, positions, trades (section 5)."""

from __future__ import annotations

import sys

from ordergate.clock import Clock
from ordergate.exchange import bars, listing, wire
from ordergate.exchange.enums import BarCode, BarUnit, ContractByIdCode, OrderByIdCode, SearchCode
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar
from ordergate.exchange.models import (
    AccountRequest,
    AccountSearchRequest,
    AccountsResponse,
    BarsRequest,
    BarsResponse,
    ContractByIdRequest,
    ContractResponse,
    ContractsAvailableRequest,
    ContractSearchRequest,
    ContractsResponse,
    OrderQueryRequest,
    OrderQueryResponse,
    OrderRequest,
    OrderResponse,
    OrderSearchRequest,
    OrdersResponse,
    PositionsResponse,
    TradeSearchRequest,
    TradesResponse,
)
from ordergate.exchange.orders import Order
from ordergate.exchange.requests import Malformed
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MINUTE_NS, Store
from ordergate.exchange.tape import Tape
from ordergate.exchange.variants import Variant
from ordergate.exchange.venue import Venue

PAGE_DEFAULT, PAGE_MAX = 100, 1_000  # orders of one page of Order/v2/query
BARS_MAX = 20_000  # bars of one call (section 5.3)
# UNVERIFIED: the vendor's own bound of unitNumber; ours keeps dates inside the calendar.
UNIT_NUMBER_MAX = 1_000
_BAR_UNITS = range(BarUnit.SECOND, BarUnit.TICK + 1)
_EVER_NS = 2**63 - 1


class Enquiries:
    """Each method answers one endpoint."""

    def __init__(self, settings: ExchangeSettings, venue: Venue, store: Store, tape: Tape, clock: Clock) -> None:
        self._settings = settings
        self._rows_max = PAGE_DEFAULT if Variant.SHORT_PAGES in settings.variants else sys.maxsize
        self._venue = venue
        self._store = store
        self._tape = tape
        self._clock = clock

    def accounts(self, asked: AccountSearchRequest, user_name: str) -> AccountsResponse:
        """Account/search: those of a user."""
        found = [account for account in self._venue.book.accounts.values() if account.user_name == user_name]
        shown = [account for account in found if account.can_trade or not asked.only_active_accounts]
        rows = [wire.account_model(item, self._settings.variants) for item in shown]
        return AccountsResponse(accounts=rows, success=True, error_code=0)

    def contracts(self, asked: ContractSearchRequest) -> ContractsResponse:
        """Contract/search among the active contracts."""
        found = listing.search(self._subscribed(live=asked.live), asked.search_text or "")
        return _contracts(found)

    def available(self, asked: ContractsAvailableRequest) -> ContractsResponse:
        """Contract/available: one active contract of each product."""
        return _contracts(self._subscribed(live=asked.live))

    def contract(self, asked: ContractByIdRequest) -> ContractResponse:
        """Contract/searchById: also of months that are not active."""
        contract = listing.contract_of(asked.contract_id)
        if contract is None:
            return ContractResponse(contract=None, success=False, error_code=ContractByIdCode.CONTRACT_NOT_FOUND)
        model = wire.contract_model(contract, is_active=asked.contract_id in self._venue.listed)
        return ContractResponse(contract=model, success=True, error_code=0)

    def bars(self, asked: BarsRequest) -> BarsResponse:
        """History/retrieveBars: newest first, those nearest the end if there are more than ``limit``."""
        contract = listing.contract_of(asked.contract_id)
        start_ns = _instant_ns(asked.start_time, "startTime")
        end_ns = _instant_ns(asked.end_time, "endTime")
        code = _bar_code(asked, contract)
        if contract is None or code is not BarCode.SUCCESS:
            return BarsResponse(bars=[], success=False, error_code=code)
        # No live subscription, as in _subscribed.
        found = [] if asked.live else self._bars(asked, BarUnit(asked.unit), start_ns, end_ns)
        newest = found[: -asked.limit - 1 : -1]
        return BarsResponse(bars=[wire.bar_model(bar, contract) for bar in newest], success=True, error_code=0)

    def _bars(self, asked: BarsRequest, unit: BarUnit, start_ns: int, end_ns: int) -> list[Bar]:
        """Those that begin in [start, end), oldest first."""
        now_ns, partial = self._clock.now_ns(), asked.include_partial_bar
        if unit in (BarUnit.SECOND, BarUnit.TICK):
            found = self._tape.bars(asked.contract_id, unit, asked.unit_number, now_ns, partial=partial)
            return [bar for bar in found if start_ns <= bar.start_ns < end_ns]
        kept_ns = now_ns - self._settings.bars_kept_min * MINUTE_NS
        past = self._venue.history(asked.contract_id)
        # Beyond the end too: a bar that begins before it is told whole, as whoever asks later is told it.
        minutes = [bar for bar in past if bar.start_ns >= max(start_ns, kept_ns)]
        minutes += self._store.bars(asked.contract_id, start_ns, now_ns + 1)
        market = self._venue.book.markets.get(asked.contract_id)
        if market is not None and market.bar is not None and market.bar.start_ns >= start_ns:
            minutes.append(market.bar)
        found = bars.aggregated(minutes, unit, asked.unit_number)
        found = [bar for bar in found if start_ns <= bar.start_ns < end_ns]
        if found and not partial and found[-1].start_ns == bars.bar_start_ns(now_ns, unit, asked.unit_number):
            del found[-1]
        return found

    def orders(self, asked: OrderSearchRequest) -> OrdersResponse:
        """Order/search: every status, by the time of creation."""
        start_ns = _instant_ns(asked.start_timestamp, "startTimestamp")
        end_ns = _EVER_NS if asked.end_timestamp is None else _instant_ns(asked.end_timestamp, "endTimestamp")
        return self._orders(asked.account_id, self._store.orders(asked.account_id, start_ns, end_ns)[-self._rows_max :])

    def query(self, asked: OrderQueryRequest) -> OrderQueryResponse:
        """Order/v2/query. UNVERIFIED: the page of 100, its bounds, and that an offset counts orders."""
        wanted = asked.filter
        for name, value, least, most in (
            ("pageSize", asked.page_size, 1, PAGE_MAX),
            ("pageOffset", asked.page_offset, 0, 2**31 - 1),
            ("sortBy", asked.sort_by, 0, 1),
            ("sortDirection", asked.sort_direction, 0, 1),
        ):
            if value is not None and not least <= value <= most:
                raise Malformed(f"$.{name}", f"The value must be from {least} to {most}.")
        after_ns = 0 if wanted.created_after is None else _instant_ns(wanted.created_after, "filter.createdAfter")
        before_ns = (
            _EVER_NS if wanted.created_before is None else _instant_ns(wanted.created_before, "filter.createdBefore")
        )
        found = [
            order
            for order in self._store.orders(wanted.account_id, after_ns, before_ns)
            if (not wanted.statuses or order.status in wanted.statuses)
            and wanted.contract_id in (None, order.contract_id)
        ]
        found.sort(key=lambda order: order.order_id if asked.sort_by else order.created_ns)
        if asked.sort_direction:
            found.reverse()
        start = asked.page_offset or 0
        page = self._orders(wanted.account_id, found[start : start + (asked.page_size or PAGE_DEFAULT)])
        return OrderQueryResponse(
            orders=page.orders,
            total_count=len(found) if asked.include_total_count and page.success else None,
            success=page.success,
            error_code=page.error_code,
        )

    def open_orders(self, asked: AccountRequest) -> OrdersResponse:
        """Order/searchOpen: status Open only, so no suspended bracket child (section 5.4)."""
        orders = self._venue.book.orders.values()
        return self._orders(
            asked.account_id, [order for order in orders if order.account_id == asked.account_id and order.is_open]
        )

    def order(self, asked: OrderRequest) -> OrderResponse:
        """Order/searchById."""
        order = self._store.order(asked.order_id)
        if order is None or order.account_id != asked.account_id:
            return OrderResponse(order=None, success=False, error_code=OrderByIdCode.ORDER_NOT_FOUND)
        model = wire.order_model(order, listing.known_contract(order.contract_id), wire.REST_DIGITS)
        return OrderResponse(order=model, success=True, error_code=0)

    def positions(self, asked: AccountRequest) -> PositionsResponse:
        """Position/searchOpen: one net row of each contract."""
        if asked.account_id not in self._venue.book.accounts:
            return PositionsResponse(positions=[], success=False, error_code=SearchCode.ACCOUNT_NOT_FOUND)
        models = [
            wire.position_model(held, listing.known_contract(held.contract_id), wire.REST_DIGITS)
            for held in self._venue.book.positions.values()
            if held.account_id == asked.account_id
        ]
        return PositionsResponse(positions=models, success=True, error_code=0)

    def trades(self, asked: TradeSearchRequest) -> TradesResponse:
        """Trade/search: fills, newest first."""
        start_ns = 0 if asked.start_timestamp is None else _instant_ns(asked.start_timestamp, "startTimestamp")
        end_ns = _EVER_NS if asked.end_timestamp is None else _instant_ns(asked.end_timestamp, "endTimestamp")
        if asked.account_id not in self._venue.book.accounts:
            return TradesResponse(trades=[], success=False, error_code=SearchCode.ACCOUNT_NOT_FOUND)
        found = self._store.fills(asked.account_id, start_ns, end_ns)[: self._rows_max]
        models = [
            wire.trade_model(
                fill, listing.known_contract(fill.contract_id), wire.REST_DIGITS, self._settings.commission_usd
            )
            for fill in found
        ]
        return TradesResponse(trades=models, success=True, error_code=0)

    def _orders(self, account_id: int, orders: list[Order]) -> OrdersResponse:
        if account_id not in self._venue.book.accounts:
            return OrdersResponse(orders=[], success=False, error_code=SearchCode.ACCOUNT_NOT_FOUND)
        models = [
            wire.order_model(order, listing.known_contract(order.contract_id), wire.REST_DIGITS) for order in orders
        ]
        return OrdersResponse(orders=models, success=True, error_code=0)

    def _subscribed(self, *, live: bool) -> list[Contract]:
        """Active contracts of a data subscription; a practice user has none to live data.

        UNVERIFIED; project-x-py asks again with ``live: false`` when ``true`` finds nothing (section 5.2).
        """
        return [] if live else list(self._venue.listed.values())


def _contracts(found: list[Contract]) -> ContractsResponse:
    models = [wire.contract_model(contract, is_active=True) for contract in found]
    return ContractsResponse(contracts=models, success=True, error_code=0)


def _bar_code(asked: BarsRequest, contract: Contract | None) -> BarCode:
    if contract is None:
        return BarCode.CONTRACT_NOT_FOUND
    if asked.unit not in _BAR_UNITS:
        return BarCode.UNIT_INVALID
    if not 1 <= asked.unit_number <= UNIT_NUMBER_MAX:
        return BarCode.UNIT_NUMBER_INVALID
    return BarCode.SUCCESS if 1 <= asked.limit <= BARS_MAX else BarCode.LIMIT_INVALID


def _instant_ns(text: str, member: str) -> int:
    """An instant of a request. Raises ``Malformed``."""
    try:
        return wire.instant_ns(text)
    except ValueError as error:
        path = f"$.{member}"
        raise Malformed(path, "The JSON value could not be converted to System.DateTime.") from error
