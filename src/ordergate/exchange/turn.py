"""The changes of one request or one market step: stored first, then true, then told.

A ``Turn`` sees the book as it was plus its own changes; nobody else sees them before they are stored. If storing fails,
nothing has happened.

Invariants:
1. ``Book`` changes only in ``Turn.commit``, after the store has taken the same changes.
2. ``events`` hold every change that subscribers are told, in the order in which it happened.
"""

from __future__ import annotations

import msgspec

from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.market import Bar, Market, Moved, Print
from ordergate.exchange.matching import Quote
from ordergate.exchange.orders import Order
from ordergate.exchange.store import Changes, Store, Stored


class Tick(msgspec.Struct, frozen=True):
    """One step of one contract's market, and the trades in it."""

    before: Market
    after: Market
    prints: tuple[Print, ...]


Event = Order | Fill | Position | Account | Tick


class Book:
    """What the venue knows: accounts, positions that are not flat, orders that are not final, markets.

    Orders and positions stand in the order of their ids, before a restart as after it.
    ``quotes`` are what orders meet: they follow from the markets, less what orders have taken since the last step.
    """

    def __init__(self, stored: Stored) -> None:
        self.seed = stored.seed
        self.accounts = {account.account_id: account for account in stored.accounts}
        positions = sorted(stored.positions, key=lambda held: held.position_id)
        self.positions = {(held.account_id, held.contract_id): held for held in positions}
        self.orders = {order.order_id: order for order in sorted(stored.orders, key=lambda order: order.order_id)}
        self.markets = {market.contract_id: market for market in stored.markets}
        self.quotes = {contract_id: market.quote for contract_id, market in self.markets.items()}
        self.quotes |= dict(stored.quotes)
        self.counters = stored.counters


class Turn:
    """See the module."""

    def __init__(self, book: Book) -> None:
        self.events: list[Event] = []
        self._book = book
        self._orders: dict[int, Order] = {}
        self._fills: list[Fill] = []
        self._positions: dict[tuple[int, str], Position] = {}
        self._accounts: dict[int, Account] = {}
        self._counters = book.counters
        self._quotes: dict[str, Quote] = {}
        self._markets: dict[str, Market] | None = None
        self._bars: list[tuple[str, Bar]] = []

    def order(self, order_id: int) -> Order | None:
        """An order that was not final when the turn began, as it is now."""
        return self._orders.get(order_id) or self._book.orders.get(order_id)

    def account(self, account_id: int) -> Account:
        """An account as it is now."""
        return self._accounts.get(account_id) or self._book.accounts[account_id]

    def position(self, account_id: int, contract_id: str) -> Position | None:
        """A position as it is now; None where none has been held since the book's position was flat."""
        key = (account_id, contract_id)
        return self._positions.get(key) or self._book.positions.get(key)

    def order_ids(self, count: int) -> int:
        """The first of ``count`` consecutive new order ids."""
        first = self._counters.order_id + 1
        self._counters = msgspec.structs.replace(self._counters, order_id=first + count - 1)
        return first

    def fill_id(self) -> int:
        """A new fill id."""
        self._counters = msgspec.structs.replace(self._counters, fill_id=self._counters.fill_id + 1)
        return self._counters.fill_id

    def position_id(self) -> int:
        """A new position id."""
        self._counters = msgspec.structs.replace(self._counters, position_id=self._counters.position_id + 1)
        return self._counters.position_id

    def put_order(self, order: Order) -> None:
        """Change or add an order, and tell it."""
        self._orders[order.order_id] = order
        self.events.append(order)

    def put_quietly(self, order: Order) -> None:
        """Change an order in a way that nobody is told."""
        self._orders[order.order_id] = order

    def add_fill(self, fill: Fill) -> None:
        """Add a fill, and tell it."""
        self._fills.append(fill)
        self.events.append(fill)

    def put_position(self, position: Position) -> None:
        """Change or add a position, and tell it."""
        self._positions[(position.account_id, position.contract_id)] = position
        self.events.append(position)

    def put_account(self, account: Account) -> None:
        """Change or add an account, and tell it."""
        self._accounts[account.account_id] = account
        self.events.append(account)

    def market(self, contract_id: str) -> Market:
        """A market as it is now."""
        return (self._markets or self._book.markets)[contract_id]

    def quote(self, contract_id: str) -> Quote:
        """The quote of a contract that has a market, as it is now."""
        return self._quotes.get(contract_id) or self._book.quotes[contract_id]

    def put_quote(self, contract_id: str, quote: Quote) -> None:
        """Change what orders meet."""
        self._quotes[contract_id] = quote

    def put_markets(self, markets: dict[str, Market]) -> None:
        """Replace all markets: contracts that are not among them have none from now on."""
        self._markets = markets

    def move_market(self, before: Market, moved: Moved) -> None:
        """Move one market, and tell it. Minutes that ended are kept as bars."""
        after = moved.market
        self._markets = self._markets or dict(self._book.markets)
        self._markets[after.contract_id] = after
        # Without a new quote nobody has put in again what orders have taken.
        if moved.path or before.quote != after.quote:
            self._quotes[after.contract_id] = after.quote
        self._bars += [(after.contract_id, bar) for bar in moved.minutes]
        self.events.append(Tick(before, after, moved.prints))

    def commit(self, store: Store) -> None:
        """Store the changes, then make them true. Raises ``StoreUnavailable``, and then nothing has happened."""
        book = self._book
        markets = book.markets if self._markets is None else self._markets
        quotes = book.quotes | self._quotes
        quotes = {name: quotes.get(name) or market.quote for name, market in markets.items()}
        taken = _taken(quotes)
        orders = sorted(self._orders.values(), key=lambda order: order.order_id)
        store.save(
            Changes(
                counters=self._counters,
                orders=tuple(orders),
                fills=tuple(self._fills),
                positions=tuple(self._positions.values()),
                accounts=tuple(self._accounts.values()),
                markets=None if self._markets is None else tuple(markets.values()),
                quotes=None if taken == _taken(book.quotes) else taken,
                bars=tuple(self._bars),
            )
        )
        book.counters = self._counters
        book.accounts |= self._accounts
        book.markets = markets
        book.quotes = quotes
        for order in orders:
            if order.is_final:
                book.orders.pop(order.order_id, None)
            else:
                book.orders[order.order_id] = order
        for key, position in self._positions.items():
            if position.net_quantity:
                book.positions[key] = position
            else:
                book.positions.pop(key, None)


def _taken(quotes: dict[str, Quote]) -> dict[str, Quote]:
    """Those from which orders have taken something: the rest follow from their markets."""
    return {contract_id: quote for contract_id, quote in quotes.items() if quote.bid_taken or quote.ask_taken}
