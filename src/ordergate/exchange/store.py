"""The port of the exchange's file, and its twin in memory. ``sqlite`` is the file.

Invariants, of every store:
1. ``save`` is atomic: after it returns all changes survive a kill of the process; after ``StoreUnavailable`` none are
   there.
2. ``load`` gives back what ``save`` was given, order by order, digit by digit.
3. A tag that was ever saved on an order of an account stays used, also by a rejected order (section 9, row 7).
4. Of each contract no more than ``bars_kept_min`` minutes of bars are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.market import Bar, Market
from ordergate.exchange.matching import Quote
from ordergate.exchange.orders import Order

MINUTE_NS = 60_000_000_000


class Counters(msgspec.Struct, frozen=True):
    """The last id given of each kind. Starts are of the size seen on the live service (section 5)."""

    order_id: int = 3_400_000_000
    fill_id: int = 3_000_000_000
    position_id: int = 500_000_000


class Stored(msgspec.Struct, frozen=True):
    """What a venue needs to go on: orders that are not final, positions that are not flat, accounts, markets, quotes.

    ``seed`` is that of the exchange that made the file, None for a new one. ``quotes`` are those from which orders have
    taken something, by contract id.
    """

    seed: int | None = None
    counters: Counters = Counters()
    orders: tuple[Order, ...] = ()
    positions: tuple[Position, ...] = ()
    accounts: tuple[Account, ...] = ()
    markets: tuple[Market, ...] = ()
    quotes: Mapping[str, Quote] = {}


class Changes(msgspec.Struct, frozen=True):
    """What one turn changed; ``bars`` are (contract id, finished bar).

    ``markets``, where given, are all of them, and ``quotes`` all from which orders have taken something.
    """

    counters: Counters
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    positions: tuple[Position, ...] = ()
    accounts: tuple[Account, ...] = ()
    markets: tuple[Market, ...] | None = None
    quotes: Mapping[str, Quote] | None = None
    bars: tuple[tuple[str, Bar], ...] = ()


class Store(Protocol):
    """See the module. Synchronous: every call is short and made from the event loop."""

    def load(self, seed: int) -> Stored:
        """All that goes on; a new file takes ``seed`` as its own. Raises ``StartRefused`` if it cannot be read."""
        ...

    def save(self, changes: Changes) -> None:
        """Write one turn. Raises ``StoreUnavailable``."""
        ...

    def revoke(self, signature: str, expires_s: int, now_s: int) -> None:
        """Remember a logged-out token by its signature, and forget those that expired. Raises ``StoreUnavailable``."""
        ...

    def is_revoked(self, signature: str) -> bool:
        """Whether a token that has not expired was logged out."""
        ...

    def order(self, order_id: int) -> Order | None:
        """One order of any status."""
        ...

    def orders(self, account_id: int, start_ns: int, end_ns: int) -> list[Order]:
        """Orders of any status created in [start, end], oldest first."""
        ...

    def fills(self, account_id: int, start_ns: int, end_ns: int) -> list[Fill]:
        """Fills in [start, end], newest first."""
        ...

    def fill(self, fill_id: int) -> Fill | None:
        """One fill."""
        ...

    def is_tag_used(self, account_id: int, tag: str) -> bool:
        """Whether an order of the account ever had this tag."""
        ...

    def bars(self, contract_id: str, start_ns: int, end_ns: int) -> list[Bar]:
        """Finished minutes that begin in [start, end), oldest first."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class MemoryStore:
    """A store that forgets with the process: for tests, simulation, and ``exchange`` without a state directory."""

    def __init__(self, bars_kept_min: int) -> None:
        self._bars_kept_ns = bars_kept_min * MINUTE_NS
        self._seed: int | None = None
        self._counters = Counters()
        self._orders: dict[int, Order] = {}
        self._tags: dict[tuple[int, str], int] = {}
        self._fills: dict[int, Fill] = {}
        self._positions: dict[tuple[int, str], Position] = {}
        self._accounts: dict[int, Account] = {}
        self._markets: tuple[Market, ...] = ()
        self._quotes: Mapping[str, Quote] = {}
        self._bars: dict[str, list[Bar]] = {}
        self._revoked: dict[str, int] = {}

    def load(self, seed: int) -> Stored:
        before, self._seed = self._seed, seed if self._seed is None else self._seed
        return Stored(
            seed=before,
            counters=self._counters,
            orders=tuple(order for order in self._orders.values() if not order.is_final),
            positions=tuple(held for held in self._positions.values() if held.net_quantity),
            accounts=tuple(self._accounts.values()),
            markets=self._markets,
            quotes=self._quotes,
        )

    def save(self, changes: Changes) -> None:
        self._counters = changes.counters
        for order in changes.orders:
            self._orders[order.order_id] = order
            if order.tag is not None:
                self._tags[(order.account_id, order.tag)] = order.order_id
        self._fills |= {fill.fill_id: fill for fill in changes.fills}
        self._positions |= {(held.account_id, held.contract_id): held for held in changes.positions}
        self._accounts |= {account.account_id: account for account in changes.accounts}
        if changes.markets is not None:
            self._markets = changes.markets
        if changes.quotes is not None:
            self._quotes = changes.quotes
        for contract_id, bar in changes.bars:
            kept = self._bars.setdefault(contract_id, [])
            kept.append(bar)
            while kept[0].start_ns <= bar.start_ns - self._bars_kept_ns:
                del kept[0]

    def revoke(self, signature: str, expires_s: int, now_s: int) -> None:
        self._revoked[signature] = expires_s
        self._revoked = {kept: expiry for kept, expiry in self._revoked.items() if expiry > now_s}

    def is_revoked(self, signature: str) -> bool:
        return signature in self._revoked

    def order(self, order_id: int) -> Order | None:
        return self._orders.get(order_id)

    def orders(self, account_id: int, start_ns: int, end_ns: int) -> list[Order]:
        found = sorted(self._orders.values(), key=lambda order: order.order_id)
        return [order for order in found if order.account_id == account_id and start_ns <= order.created_ns <= end_ns]

    def fills(self, account_id: int, start_ns: int, end_ns: int) -> list[Fill]:
        return [
            fill
            for fill in reversed(self._fills.values())
            if fill.account_id == account_id and start_ns <= fill.at_ns <= end_ns
        ]

    def fill(self, fill_id: int) -> Fill | None:
        return self._fills.get(fill_id)

    def is_tag_used(self, account_id: int, tag: str) -> bool:
        return (account_id, tag) in self._tags

    def bars(self, contract_id: str, start_ns: int, end_ns: int) -> list[Bar]:
        return [bar for bar in self._bars.get(contract_id, []) if start_ns <= bar.start_ns < end_ns]

    def close(self) -> None:
        pass
