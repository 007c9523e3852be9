"""A file of recorded quotes and trades, or of minutes, held as compact integers.

CSV, compressed where its name ends in ``.gz``. Of minutes: ``timestamp_utc`` ("2024-01-01 23:01:00"), ``open``,
``high``, ``low``, ``close`` in points, ``volume`` in contracts; ``recorded_bars`` makes quotes and trades of them. Of
quotes and trades: ``ts_ns`` the exchange's time in nanoseconds UTC, never going
back; ``kind`` quote or trade; ``bid``, ``bid_size``, ``ask``, ``ask_size`` of a quote, both empty on a side where
nobody is; ``price``, ``size``, ``aggressor`` (buy, sell, or empty for an auction) of a trade. Prices are in points,
sizes in contracts. A quote may be crossed, as before an open.

Invariants:
1. What is wrong with a file is a ``StartRefused`` that names the line: nothing is skipped, rounded or guessed.
2. A record takes 29 bytes of memory, and there are no more than ``RECORDS_MAX``.
"""

from __future__ import annotations

import bisect
import csv
import datetime
import gzip
import hashlib
import re
import zlib
from array import array
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO

from ordergate.errors import StartRefused
from ordergate.exchange import recorded_bars
from ordergate.exchange.enums import OrderSide
from ordergate.exchange.levels import LEVELS
from ordergate.exchange.market import Bar
from ordergate.exchange.records import QuoteRecord, Record, TradeRecord

BAR_COLUMNS = ("timestamp_utc", "open", "high", "low", "close", "volume")
COLUMNS = ("ts_ns", "kind", "bid", "bid_size", "ask", "ask_size", "price", "size", "aggressor")
# 120 MB: more than a busy day of a liquid future has in changes of its best prices. UNVERIFIED: count them in a file of
# one.
RECORDS_MAX = 4_000_000
# As wide as the columns that hold them.
_INT_MAX = 2**31 - 1
# Contract ids have two digits of the year.
_FIRST_NS, _END_NS = (
    int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()) * 1_000_000_000 for year in (2000, 2100)
)
# An auction has no aggressor, and the API's message has no word for that: it is told as a buy. UNVERIFIED.
_AGGRESSORS = {"buy": OrderSide.BID, "sell": OrderSide.ASK, "": OrderSide.BID}
_QUOTE, _BUY, _SELL = 0, 1, 2


class Recording:
    """The records of one file, at least one. Made by ``read``; ``name`` is the file's, ``symbol`` the product's."""

    def __init__(self, name: str, symbol: str) -> None:
        self.name = name
        self.symbol = symbol
        self._at_ns = array("q")
        self._kind = array("b")
        self._columns = tuple(array("i") for _ in range(4))

    @classmethod
    def read(cls, path: Path, ticks: Callable[[Decimal], int | None], symbol: str = "ES") -> Recording:
        """The records of a file of ``symbol``; ``ticks`` is None for a price off the grid. Raises ``StartRefused``."""
        line = 0
        try:
            recording = cls(path.name, symbol)
            reader = _Reader(recording, ticks)
            with _opened(path) as text:
                for line, row in enumerate(csv.reader(text, strict=True), start=1):  # noqa: B007 - named by the error
                    reader.take(row)
            reader.finish()
        except OSError as error:
            # A damaged archive is one of these too, without an errno.
            raise StartRefused(f"the recording {path} cannot be read: {error.strerror or error}") from error
        except (EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
            raise StartRefused(f"the recording {path} cannot be read after line {line}: {error}") from error
        except ValueError as error:
            raise StartRefused(f"the recording {path}, line {line}: {error}") from error
        return recording

    @property
    def first_ns(self) -> int:
        """The instant of the first record."""
        return self._at_ns[0]

    @property
    def last_ns(self) -> int:
        """The instant of the last record."""
        return self._at_ns[-1]

    @property
    def digest(self) -> str:
        """Eight characters that tell its records from any other's."""
        whole = hashlib.sha256()
        for column in (self._at_ns, self._kind, *self._columns):
            whole.update(column.tobytes())
        return whole.hexdigest()[:8]

    def between(self, after_ns: int, until_ns: int) -> Iterator[Record]:
        """The records in (after, until], in the file's order."""
        first = bisect.bisect_right(self._at_ns, after_ns)
        for index in range(first, bisect.bisect_right(self._at_ns, until_ns, lo=first)):
            at_ns, kind = self._at_ns[index], self._kind[index]
            one, two, three, four = (column[index] for column in self._columns)
            if kind == _QUOTE:
                yield QuoteRecord(at_ns, one, two, three, four)
            else:
                yield TradeRecord(at_ns, OrderSide.BID if kind == _BUY else OrderSide.ASK, one, two)

    def append(self, record: Record) -> None:
        """Add the next record; only while the file is read."""
        self._at_ns.append(record.at_ns)
        if isinstance(record, QuoteRecord):
            values, kind = (record.bid, record.bid_size, record.ask, record.ask_size), _QUOTE
        else:
            values, kind = (record.price, record.quantity, 0, 0), _BUY if record.side is OrderSide.BID else _SELL
        self._kind.append(kind)
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def __len__(self) -> int:
        return len(self._at_ns)


class _Reader:
    """Rows to records. Every method raises ``ValueError`` saying what is wrong with the row."""

    def __init__(self, recording: Recording, ticks: Callable[[Decimal], int | None]) -> None:
        self._recording = recording
        self._ticks = ticks
        self._known: dict[str, int] = {}
        self._columns: tuple[str, ...] = ()
        self._touches: tuple[int, int] | None = None

    def take(self, row: list[str]) -> None:
        if not self._columns:
            if tuple(row) not in (COLUMNS, BAR_COLUMNS):
                wanted = f"{','.join(COLUMNS)}, or {','.join(BAR_COLUMNS)}"
                raise ValueError(f"the first line must name the columns {wanted}")
            self._columns = tuple(row)
            return
        if len(row) != len(self._columns):
            raise ValueError(f"{len(row)} columns instead of {len(self._columns)}")
        if len(self._recording) >= RECORDS_MAX:
            raise ValueError(f"more than {RECORDS_MAX:,} records")
        if self._columns == BAR_COLUMNS:
            self._take_bar(*row)
        else:
            self._take_record(row)

    def _take_bar(self, timestamp: str, *rest: str) -> None:
        start_ns = _minute_ns(timestamp)
        if len(self._recording) and start_ns <= self._recording.last_ns:
            raise ValueError(f"timestamp_utc {timestamp} is not after that of the line above")
        first, high, low, last = (self._price(*each) for each in zip(BAR_COLUMNS[1:5], rest[:4], strict=True))
        bar = Bar(start_ns, first, high, low, last, _whole("volume", rest[4], 1))
        for record in recorded_bars.records(bar, LEVELS[self._recording.symbol]):
            self._recording.append(record)

    def _take_record(self, row: list[str]) -> None:
        ts_ns, kind, *rest = row
        at_ns = _whole("ts_ns", ts_ns, _FIRST_NS, _END_NS)
        if len(self._recording) and at_ns < self._recording.last_ns:
            raise ValueError(f"ts_ns {ts_ns} is before that of the line above")
        quote, trade = rest[:4], rest[4:]
        if kind == "quote" and not any(trade):
            self._recording.append(self._quote(at_ns, *quote))
        elif kind == "trade" and not any(quote):
            self._recording.append(self._trade(at_ns, *trade))
        elif kind in ("quote", "trade"):
            raise ValueError(f"a {kind} with values of the other kind")
        else:
            raise ValueError(f"kind {kind[:40]!r} is neither quote nor trade")

    def finish(self) -> None:
        if not len(self._recording):
            raise ValueError("there is no record")

    def _quote(self, at_ns: int, bid: str, bid_size: str, ask: str, ask_size: str) -> QuoteRecord:
        sizes = [_whole(name, size or "0") for name, size in (("bid_size", bid_size), ("ask_size", ask_size))]
        for name, price, size in (("bid", bid, sizes[0]), ("ask", ask, sizes[1])):
            if bool(price) != bool(size):
                raise ValueError(f"the {name} has a price or a size without the other")
        if not any(sizes):
            raise ValueError("a quote of neither side")
        # A side without a price keeps its last, and in the very first quote takes the other side's.
        before = self._touches or (self._price("ask", ask) if ask else None, self._price("bid", bid) if bid else None)
        bids = self._price("bid", bid) if bid else before[0]
        asks = self._price("ask", ask) if ask else before[1]
        assert bids is not None, "one side has a price"
        assert asks is not None, "one side has a price"
        self._touches = (bids, asks)
        return QuoteRecord(at_ns, bids, sizes[0], asks, sizes[1])

    def _trade(self, at_ns: int, price: str, size: str, aggressor: str) -> TradeRecord:
        if aggressor not in _AGGRESSORS:
            raise ValueError(f"aggressor {aggressor[:40]!r} is neither buy nor sell nor empty")
        return TradeRecord(at_ns, _AGGRESSORS[aggressor], self._price("price", price), _whole("size", size, 1))

    def _price(self, name: str, text: str) -> int:
        found = self._known.get(text)
        if found is None:
            try:
                found = self._ticks(Decimal(text))
            except ArithmeticError:  # no number, or none that can be compared
                found = None
            if found is None or abs(found) > _INT_MAX:
                raise ValueError(f"{name} {text[:40]!r} is no price on the grid of ticks")
            self._known[text] = found
        return found


def _whole(name: str, text: str, low: int = 0, high: int = _INT_MAX) -> int:
    # int() takes signs, underscores, blanks and digits of every script.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_END_NS)) and low <= int(text) <= high):
        raise ValueError(f"{name} {text[:40]!r} is not a whole number from {low} to {high}")
    return int(text)


def _minute_ns(text: str) -> int:
    """The instant of a minute as "2024-01-01 23:01:00"."""
    if re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:00", text, re.ASCII) is None:
        raise ValueError(f"timestamp_utc {text[:40]!r} is no minute as 2024-01-01 23:01:00")
    return round(datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000_000


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
