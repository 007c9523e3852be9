"""What the web part shows: the rows as they were last told, and the events that made them so.

Invariants:
1. After every call the rows are those of ``views.rows``; what time alone has changed (a quote that grew old) is shown
   by the next ``mark``.
2. Every difference is one event, told in the step that shows it: the rows are true at the stream's number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.market import Market
from ordergate.core.reports import Quote
from ordergate.web import views
from ordergate.web.alarm_rows import alarm_rows
from ordergate.web.legs import legs_of
from ordergate.web.rows import AccountRow, AlarmRow, DeskRow, FillRow, InstrumentRow, OrderRow, PositionRow, PriceRow
from ordergate.web.stream import Stream

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=msgspec.Struct)


class Snapshot(msgspec.Struct, frozen=True):
    """Everything, true at event ``number``: no later event is in it and no earlier one is missing."""

    number: int
    desk: DeskRow
    accounts: list[AccountRow]
    positions: list[PositionRow]
    orders: list[OrderRow]
    fills: list[FillRow]
    instruments: list[InstrumentRow]
    prices: dict[str, PriceRow]
    alarms: list[AlarmRow]


class Board:
    """The rows of everything. ``show`` comes first."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._group = Group()
        self._quotes: dict[str, Quote] = {}
        self._trouble = ""
        self._accounts: dict[int, AccountRow] = {}
        self._positions: dict[tuple[int, str], PositionRow] = {}
        self._orders: dict[tuple[int, str], OrderRow] = {}  # the oldest first
        self._fills: dict[tuple[int, int], FillRow] = {}  # the oldest first
        self._instruments: dict[str, InstrumentRow] = {}
        self._desk: dict[None, DeskRow] = {}  # the one there is
        self._prices: dict[str, PriceRow] = {}  # of age 0
        self._alarms: dict[str, AlarmRow] = {}  # the open ones
        # Leg ids by account and entry: the state can be asked for a leg's entry, but not for an entry's finished legs.
        self._legs: dict[tuple[int, str], dict[str, None]] = {}

    def show(self, group: Group, now_ns: int) -> None:
        """Show a whole state. If it lacks rows that are shown, clients begin anew."""
        self._group = group
        self._legs = {entry: {leg.order_id: None for leg in legs} for entry, legs in legs_of(group).items()}
        rows = views.rows(group, self._quotes, now_ns, self._trouble)
        if (
            self._accounts.keys() - rows.accounts
            or self._orders.keys() - rows.orders
            or self._fills.keys() - rows.fills
            or self._instruments.keys() - rows.instruments
            or self._prices.keys() - rows.prices
        ):
            self._desk, self._instruments = {None: rows.desk}, dict(rows.instruments)
            self._accounts, self._positions = dict(rows.accounts), dict(rows.positions)
            self._orders, self._fills, self._prices = dict(rows.orders), dict(rows.fills), dict(rows.prices)
            self._alarms = dict(rows.alarms)
            self._stream.start_anew()
            return
        self._update("desk", self._desk, {None: rows.desk})
        self._update("instrument", self._instruments, rows.instruments)
        self._update("order", self._orders, rows.orders)
        self._update("fill", self._fills, rows.fills)
        self._show_positions(group.accounts.values(), now_ns)
        self._update("account", self._accounts, rows.accounts)
        self._show_prices(rows.prices, now_ns)
        self._show_alarms()

    def follow(self, group: Group, event: e.Event, now_ns: int) -> None:
        """Show the state after ``event``, which is the one after the state that is shown."""
        account = group.accounts.get(event.account_id)
        if account is None or isinstance(event, e.TradingDayOpened):
            self.show(group, now_ns)
            return
        self._group = group
        self._show_order(account, _named(account, event))
        if isinstance(event, e.FillApplied | e.FillBusted):
            self._show_fill(account, event.fill_id)
        self._show_positions([account], now_ns)
        self._show_accounts([account], now_ns)
        self._show_alarms()

    def mark(self, quotes: Mapping[str, Quote], now_ns: int) -> None:
        """Show the latest quotes, and what they make of positions and accounts."""
        self._quotes = dict(quotes)
        self._show_prices(views.price_rows(self._group, self._quotes), now_ns)
        accounts = self._group.accounts.values()
        self._show_positions(accounts, now_ns)
        self._show_accounts(accounts, now_ns)

    def trouble(self, text: str) -> None:
        """Show what is wrong with the gate itself; empty = nothing."""
        self._trouble = text
        if self._desk:
            self._update("desk", self._desk, {None: replace(self._desk[None], trouble=text)})

    def accounts(self) -> list[AccountRow]:
        """By id, which is the order of their making, whichever the broker told first."""
        return [row for _, row in sorted(self._accounts.items())]

    def positions(self) -> list[PositionRow]:
        return list(self._positions.values())

    def orders(self) -> list[OrderRow]:
        """The newest first."""
        return list(reversed(self._orders.values()))

    def fills(self) -> list[FillRow]:
        """The newest first."""
        return list(reversed(self._fills.values()))

    def alarms(self) -> list[AlarmRow]:
        """The newest first."""
        return sorted(self._alarms.values(), key=lambda row: row.number, reverse=True)

    def prices(self, now_ns: int) -> dict[str, PriceRow]:
        """By symbol, with their age at ``now_ns``."""
        return {symbol: views.aged(row, now_ns) for symbol, row in self._prices.items()}

    def snapshot(self, now_ns: int) -> Snapshot:
        return Snapshot(
            number=self._stream.number,
            desk=self._desk[None],
            accounts=self.accounts(),
            positions=self.positions(),
            orders=self.orders(),
            fills=self.fills(),
            instruments=list(self._instruments.values()),
            prices=self.prices(now_ns),
            alarms=self.alarms(),
        )

    def _show_order(self, account: Account, order_id: str | None) -> None:
        """An order, or the entry of a leg."""
        order = account.order(order_id)
        if order is not None and order.is_leg and order.parent_id is not None:
            self._legs.setdefault((account.account_id, order.parent_id), {})[order.order_id] = None
            order = account.order(order.parent_id)
        if order is None or not views.is_listed(order):
            return
        key = (account.account_id, order.order_id)
        legs = [leg for name in self._legs.get(key, ()) if (leg := account.order(name)) is not None]
        self._update("order", self._orders, {key: views.order_row(self._group, order, legs)})

    def _show_fill(self, account: Account, fill_id: int) -> None:
        fill = account.fills[fill_id]
        if views.is_of_today(account, fill):
            row = views.fill_row(self._group, account, fill)
            self._update("fill", self._fills, {(account.account_id, fill_id): row})

    def _show_positions(self, accounts: Iterable[Account], now_ns: int) -> None:
        market = Market(self._quotes, now_ns)
        for account in accounts:
            shown = [name for account_id, name in self._positions if account_id == account.account_id]
            for contract_id in dict.fromkeys((*shown, *account.positions)) if account.adopted else ():
                key = (account.account_id, contract_id)
                row = views.position_row(self._group, account, contract_id, market)
                self._update("position", self._positions, {key: row})
                if row.net_position == 0:
                    del self._positions[key]

    def _show_accounts(self, accounts: Iterable[Account], now_ns: int) -> None:
        market = Market(self._quotes, now_ns)
        for account in accounts:
            if account.adopted:
                row = views.account_row(self._group, account, market)
                self._update("account", self._accounts, {account.account_id: row})

    def _show_alarms(self) -> None:
        if not (self._alarms or self._group.alarms):
            return
        rows = alarm_rows(self._group)
        for gone in [name for name in self._alarms if name not in rows]:
            self._stream.tell("alarm", replace(self._alarms.pop(gone), open=False))
        self._update("alarm", self._alarms, rows)

    def _show_prices(self, rows: Mapping[str, PriceRow], now_ns: int) -> None:
        """As ``_update``; but what is kept has no age, and what is told has the age it is told at."""
        for symbol, row in rows.items():
            if self._prices.get(symbol) != row:
                self._prices[symbol] = row
                self._stream.tell("price", views.aged(row, now_ns))

    def _update(self, name: str, shown: dict[K, R], rows: Mapping[K, R]) -> None:
        for key, row in rows.items():
            if shown.get(key) != row:
                shown[key] = row
                self._stream.tell(name, row)


def _named(account: Account, event: e.Event) -> str | None:
    """The order that ``event`` is about. No event changes what a row shows of any other order."""
    match event:
        case e.OrderApproved() | e.OrderDenied() | e.OrderWithdrawn() | e.ExternalOrderSeen():
            return event.order.order_id
        case e.FillBusted():
            return account.fills[event.fill_id].order_id
        case _:
            return getattr(event, "order_id", None)
