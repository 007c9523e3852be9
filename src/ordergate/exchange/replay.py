"""Recorded data as a market: the product's month that was active on the recording's first day.

PURE, but for ``read``. Other sizes of the product with the same tick go with it, so one recording drives ES and MES.
Every other contract, and the next month after a roll, walks.

Invariants:
1. A move applies every record since the move before it, once; ``Market.moved_ns`` says how far it has come, so a stored
   market goes on with the next record.
2. After the last record the market stands still.
3. Orders meet only what was quoted and traded while the exchange was open; before that the quotes are only shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ordergate.core.contracts import PRODUCT_BY_SYMBOL, PRODUCTS, active_month
from ordergate.exchange import hours
from ordergate.exchange.levels import walks_as
from ordergate.exchange.listing import Contract
from ordergate.exchange.market import Bar, Feed, Market, Moved, Print, bars_after
from ordergate.exchange.matching import Quote
from ordergate.exchange.recording import Recording
from ordergate.exchange.records import QuoteRecord, TradeRecord

# The session opens and closes on the hour, so it is the same throughout a shorter span whose ends are the same.
_HOUR_NS = 3_600_000_000_000


def recorded_contracts(at_ns: int, symbol: str = "ES") -> tuple[Contract, ...]:
    """The contracts that a recording of ``symbol`` which begins at ``at_ns`` drives."""
    day, recorded = hours.trading_day(at_ns), PRODUCT_BY_SYMBOL[symbol]
    products = [
        product
        for product in PRODUCTS
        if walks_as(product.symbol) == walks_as(symbol) and product.tick_size == recorded.tick_size
    ]
    return tuple(Contract(product, *active_month(product, day)) for product in products)


def read(path: Path, symbol: str) -> Recording:
    """The recording in a file of ``symbol``. Raises ``StartRefused``."""
    any_month = Contract(PRODUCT_BY_SYMBOL[symbol], 2000, 3)
    return Recording.read(path, any_month.ticks, symbol)


class Replay:
    """A ``Feed``; ``others`` moves what the recording does not."""

    def __init__(self, recording: Recording, others: Feed) -> None:
        self._recording = recording
        self._others = others
        self._contracts = recorded_contracts(recording.first_ns, recording.symbol)

    def opening(self, contract: Contract, now_ns: int, day: str) -> Market:
        """The market as the records up to ``now_ns`` have left it."""
        if contract not in self._contracts:
            return self._others.opening(contract, now_ns, day)
        first_ns = self._recording.first_ns
        first = next(self._recording.between(first_ns - 1, first_ns))
        bid, ask = (first.bid, first.ask) if isinstance(first, QuoteRecord) else (first.price, first.price)
        blank = Market(
            contract_id=contract.contract_id,
            moved_ns=first_ns - 1,
            number=0,
            fair=0,
            heat=1_000,
            bid=bid,
            ask=ask,
            bid_size=0,
            ask_size=0,
            last=bid,
            day=day,
            open=bid,
            high=bid,
            low=bid,
            settlement=bid,
        )
        return self.move(blank, contract, max(now_ns, first_ns), day, is_open=False).market

    def move(self, market: Market, contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        if contract not in self._contracts:
            return self._others.move(market, contract, now_ns, day, is_open=is_open)
        after_ns, prints, path = market.moved_ns, list[Print](), list[Quote]()
        is_uniform = now_ns - after_ns < _HOUR_NS and hours.is_open(contract.product, after_ns) == is_open
        quote, number, traded = market.quote, market.number, dict[int, int]()
        for record in self._recording.between(after_ns, now_ns):
            number += 1
            if isinstance(record, TradeRecord):
                prints.append(Print(record.side, record.price, record.quantity, record.at_ns))
                traded[record.price] = traded.get(record.price, 0) + record.quantity
                quote = msgspec.structs.replace(quote, last=record.price)
                continue
            quote = msgspec.structs.replace(
                quote, bid=record.bid, ask=record.ask, bid_size=record.bid_size, ask_size=record.ask_size
            )
            if is_open if is_uniform else hours.is_open(contract.product, record.at_ns):
                path.append(msgspec.structs.replace(quote, traded=tuple(traded.items())))
            traded.clear()
        if traded and hours.is_open(contract.product, prints[-1].at_ns):
            path.append(msgspec.structs.replace(quote, traded=tuple(traded.items())))
        minutes, bar = bars_after(market.bar, prints)
        after = msgspec.structs.replace(
            _counted(market, prints, day),
            moved_ns=max(now_ns, after_ns),
            number=number,
            # Where the next month of the product begins to walk.
            fair=(quote.bid + quote.ask) * 500,
            bid=quote.bid,
            ask=quote.ask,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            bar=bar,
        )
        return Moved(after, tuple(prints), tuple(path), minutes)

    def history(self, market: Market, contract: Contract) -> Sequence[Bar]:
        """None of what is recorded: nothing is invented beside it."""
        return () if contract in self._contracts else self._others.history(market, contract)


def _counted(market: Market, prints: Sequence[Print], day: str) -> Market:
    """The figures of the trading day after some trades. Its open is its first trade, not the last of the day before."""
    if market.day != day:
        last = market.last
        market = msgspec.structs.replace(market, day=day, open=last, high=last, low=last, settlement=last, volume=0)
    if not prints:
        return market
    prices = [trade.price for trade in prints]
    is_first = market.volume == 0
    return msgspec.structs.replace(
        market,
        last=prices[-1],
        open=prices[0] if is_first else market.open,
        high=max(prices) if is_first else max(market.high, *prices),
        low=min(prices) if is_first else min(market.low, *prices),
        volume=market.volume + sum(trade.quantity for trade in prints),
    )
