"""The exchange's file: SQLite, one transaction for each turn, in the event loop.

WAL with ``synchronous=NORMAL``: what was committed survives the death of the process (kill -9), which is all that a
simulated exchange promises; a loss of power may take the last turns. No thread: a commit takes some tens of
microseconds, and a turn must not be told before it is stored.

Bodies are JSON, so a field with a default can be added without a migration; the columns beside them are what is
searched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec

from ordergate.errors import OrdergateError, StartRefused, StoreUnavailable
from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.market import Bar, Market
from ordergate.exchange.matching import Quote
from ordergate.exchange.orders import Order
from ordergate.exchange.store import MINUTE_NS, Changes, Counters, Stored

_FORMAT = 1

_SCHEMA = """
CREATE TABLE exchange (one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER, seed TEXT);
CREATE TABLE counters (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL);
CREATE TABLE markets (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL);
CREATE TABLE quotes (one INTEGER PRIMARY KEY CHECK (one = 1), body TEXT NOT NULL);
CREATE TABLE accounts (account_id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE positions (
    account_id INTEGER, contract_id TEXT, body TEXT NOT NULL, PRIMARY KEY (account_id, contract_id));
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, created_ns INTEGER NOT NULL, is_final INTEGER NOT NULL,
    tag TEXT, body TEXT NOT NULL);
CREATE INDEX orders_created ON orders (account_id, created_ns);
CREATE INDEX orders_going_on ON orders (order_id) WHERE NOT is_final;
CREATE UNIQUE INDEX orders_tag ON orders (account_id, tag) WHERE tag IS NOT NULL;
CREATE TABLE fills (
    fill_id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, at_ns INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX fills_at ON fills (account_id, at_ns);
CREATE TABLE bars (
    contract_id TEXT, start_ns INTEGER, body TEXT NOT NULL, PRIMARY KEY (contract_id, start_ns)) WITHOUT ROWID;
CREATE TABLE revoked (signature TEXT PRIMARY KEY, expires_s INTEGER NOT NULL) WITHOUT ROWID;
"""

# Not "INSERT OR REPLACE": that would delete another order that has the tag, instead of failing.
_PUT_ORDER = """
INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (order_id) DO UPDATE SET is_final = excluded.is_final, body = excluded.body
"""

_T = TypeVar("_T")


class SqliteStore:
    """A store in one file."""

    def __init__(self, path: Path, bars_kept_min: int) -> None:
        """Open or make the file. Raises ``StartRefused``."""
        self._path = path
        self._bars_kept_ns = bars_kept_min * MINUTE_NS
        with _translated(StartRefused, f"cannot use the exchange's file {path}"):
            self._connection = apsw.Connection(str(path))
            # Exclusive: a second exchange on the same file is refused, not mixed in.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            with self._connection:
                if not self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'exchange'").fetchone():
                    self._connection.execute(_SCHEMA)
                    self._connection.execute("INSERT INTO exchange VALUES (1, ?, NULL)", (_FORMAT,))

    def load(self, seed: int) -> Stored:
        with _translated(StartRefused, f"cannot read the exchange's file {self._path}"):
            file_format, before = next(self._connection.execute("SELECT format, seed FROM exchange"))
            if file_format != _FORMAT:
                raise StartRefused(f"{self._path} has format {file_format}, this version reads {_FORMAT}")
            self._connection.execute("UPDATE exchange SET seed = ? WHERE seed IS NULL", (str(seed),))
            counters = self._bodies(Counters, "SELECT body FROM counters")
            markets = self._bodies(tuple[Market, ...], "SELECT body FROM markets")
            quotes = self._bodies(dict[str, Quote], "SELECT body FROM quotes")
            positions = self._bodies(Position, "SELECT body FROM positions")
            return Stored(
                seed=None if before is None else int(before),
                counters=counters[0] if counters else Counters(),
                orders=tuple(self._bodies(Order, "SELECT body FROM orders WHERE NOT is_final")),
                positions=tuple(held for held in positions if held.net_quantity),
                accounts=tuple(self._bodies(Account, "SELECT body FROM accounts ORDER BY account_id")),
                markets=markets[0] if markets else (),
                quotes=quotes[0] if quotes else {},
            )

    def save(self, changes: Changes) -> None:
        with _translated(StoreUnavailable, f"cannot write {self._path}"), self._connection:
            self._put("counters", (1, _body(changes.counters)))
            for order in changes.orders:
                row = (order.order_id, order.account_id, order.created_ns, order.is_final, order.tag, _body(order))
                self._connection.execute(_PUT_ORDER, row)
            for fill in changes.fills:
                self._put("fills", (fill.fill_id, fill.account_id, fill.at_ns, _body(fill)))
            for held in changes.positions:
                self._put("positions", (held.account_id, held.contract_id, _body(held)))
            for account in changes.accounts:
                self._put("accounts", (account.account_id, _body(account)))
            if changes.markets is not None:
                self._put("markets", (1, _body(changes.markets)))
            if changes.quotes is not None:
                self._put("quotes", (1, _body(changes.quotes)))
            for contract_id, bar in changes.bars:
                self._put("bars", (contract_id, bar.start_ns, _body(bar)))
                oldest_ns = bar.start_ns - self._bars_kept_ns
                self._connection.execute(
                    "DELETE FROM bars WHERE contract_id = ? AND start_ns <= ?", (contract_id, oldest_ns)
                )

    def revoke(self, signature: str, expires_s: int, now_s: int) -> None:
        with _translated(StoreUnavailable, f"cannot write {self._path}"), self._connection:
            self._put("revoked", (signature, expires_s))
            self._connection.execute("DELETE FROM revoked WHERE expires_s <= ?", (now_s,))

    def is_revoked(self, signature: str) -> bool:
        return self._holds("SELECT 1 FROM revoked WHERE signature = ?", (signature,))

    def order(self, order_id: int) -> Order | None:
        found = self._read(Order, "SELECT body FROM orders WHERE order_id = ?", (order_id,))
        return found[0] if found else None

    def orders(self, account_id: int, start_ns: int, end_ns: int) -> list[Order]:
        query = "SELECT body FROM orders WHERE account_id = ? AND created_ns BETWEEN ? AND ? ORDER BY order_id"
        return self._read(Order, query, (account_id, start_ns, end_ns))

    def fills(self, account_id: int, start_ns: int, end_ns: int) -> list[Fill]:
        query = "SELECT body FROM fills WHERE account_id = ? AND at_ns BETWEEN ? AND ? ORDER BY fill_id DESC"
        return self._read(Fill, query, (account_id, start_ns, end_ns))

    def fill(self, fill_id: int) -> Fill | None:
        found = self._read(Fill, "SELECT body FROM fills WHERE fill_id = ?", (fill_id,))
        return found[0] if found else None

    def is_tag_used(self, account_id: int, tag: str) -> bool:
        return self._holds("SELECT 1 FROM orders WHERE account_id = ? AND tag = ?", (account_id, tag))

    def bars(self, contract_id: str, start_ns: int, end_ns: int) -> list[Bar]:
        query = "SELECT body FROM bars WHERE contract_id = ? AND start_ns >= ? AND start_ns < ? ORDER BY start_ns"
        return self._read(Bar, query, (contract_id, start_ns, end_ns))

    def close(self) -> None:
        with _translated(StoreUnavailable, f"cannot close {self._path}"):
            self._connection.close()

    def _put(self, table: str, row: tuple[object, ...]) -> None:
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608 - our own names

    def _holds(self, query: str, values: tuple[str | int, ...]) -> bool:
        with _translated(StoreUnavailable, f"cannot read {self._path}"):
            return self._connection.execute(query, values).fetchone() is not None

    def _read(self, of: type[_T], query: str, values: tuple[str | int, ...]) -> list[_T]:
        with _translated(StoreUnavailable, f"cannot read {self._path}"):
            return self._bodies(of, query, values)

    def _bodies(self, of: type[_T], query: str, values: tuple[str | int, ...] = ()) -> list[_T]:
        return [msgspec.json.decode(body, type=of) for (body,) in self._connection.execute(query, values)]


def _body(value: object) -> str:
    return msgspec.json.encode(value).decode()


@contextmanager
def _translated(to: type[OrdergateError], what: str) -> Iterator[None]:
    """SQLite's errors, and bodies that do not decode, as one of ours."""
    try:
        yield
    except (apsw.Error, msgspec.DecodeError) as error:
        raise to(f"{what}: {error}") from error
