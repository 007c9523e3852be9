"""The simulated market of one contract: a random walk in integer ticks whose volatility comes in clusters. PURE.

A step is a quarter of a second of market. Between steps, while the exchange is closed and while the process is down,
the market stands still. A new market has a past: a day of minutes that end where it opens (``history``).

Invariants:
1. All arithmetic is on integers, and the randomness of a step follows from (seed, contract, number of the step): the
   same seed gives the same prices on every machine, and a stored ``Market`` continues as if it had never stopped.
2. bid < ask, sizes are at least 1, low <= last <= high, every trade is at the bid or the ask.
3. A price never leaves half to double of where the product starts, so a walk of weeks stays believable and positive.

Thin: contracts move independently, with no pattern over the day.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Protocol

import msgspec

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.levels import Level
from ordergate.exchange.listing import Contract
from ordergate.exchange.matching import Quote

# Steps of a quarter second in a trading day of 23 hours: 331,200. A day's move is this root times that of a step.
_DAY_STEPS_ROOT = 575
# How volatility clusters (a GARCH(1,1) with mean 1, in thousandths): a persistent part, a part from the last move.
_HEAT_BASE, _HEAT_LAST, _HEAT_KEPT = 30, 80, 890
_HEAT_MIN, _HEAT_MAX = 200, 9_000
_HEAT_WIDENS = 2_500  # above it the spread is one tick wider
# About every quarter of an hour the market jumps, so that stops are gapped over.
_JUMP_ODDS, _JUMP_FACTOR = 4_000, 6
_PRINTS = (0, 1, 1, 1, 2, 3)  # how many trades a step has
_MINUTE_NS = 60_000_000_000
_MINUTE_STEPS_ROOT_TENTHS = 155  # of its 240 steps, times ten
# The past of a new market: a trading day of 23 hours.
HISTORY_MIN = 1_380


class Print(msgspec.Struct, frozen=True):
    """One trade of the market; ``side`` is the aggressor's."""

    side: OrderSide
    price: int
    quantity: int
    at_ns: int


class Bar(msgspec.Struct, frozen=True, array_like=True):
    """The trades of one minute that begins at ``start_ns``, prices in ticks."""

    start_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int


class Market(msgspec.Struct, frozen=True, array_like=True):
    """One contract's market, in ticks.

    ``number`` counts its steps, ``fair`` is the price behind the quotes in thousandths of a tick, ``heat`` its variance
    in thousandths of the normal. ``open`` to ``volume`` are of the trading day ``day`` (ISO date), ``settlement`` the
    last price of the one before; ``bar`` is the minute under way. ``moved_ns`` is when it last moved, ``began_ns`` when
    it opened; 0 for one that took over from another month or is recorded. An array in JSON: all markets are stored four
    times a second.
    """

    contract_id: str
    moved_ns: int
    number: int
    fair: int
    heat: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int
    last: int
    day: str
    open: int
    high: int
    low: int
    settlement: int
    volume: int = 0
    bar: Bar | None = None
    began_ns: int = 0

    @property
    def quote(self) -> Quote:
        """What orders meet, before any of them has taken something."""
        return Quote(self.bid, self.ask, self.last, self.bid_size, self.ask_size)


class Moved(msgspec.Struct, frozen=True):
    """A market after its move, the trades of the move in their order, and the minutes that ended in it.

    ``path`` holds the quotes that orders met on the way, each with the range of the trades since the one before it:
    only of the session, and empty if nothing came.
    """

    market: Market
    prints: tuple[Print, ...] = ()
    path: tuple[Quote, ...] = ()
    minutes: tuple[Bar, ...] = ()


class Feed(Protocol):
    """Where markets come from. ``Walk`` is the seeded one; ``replay`` plays recorded data."""

    def opening(self, contract: Contract, now_ns: int, day: str) -> Market:
        """The market of a contract before its first move."""
        ...

    def move(self, market: Market, contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        """The market at ``now_ns`` of trading date ``day``; ``market`` itself where nothing moves."""
        ...

    def history(self, market: Market, contract: Contract) -> Sequence[Bar]:
        """The minutes before the market began, oldest first."""
        ...


class Walk:
    """The random walk of a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def opening(self, contract: Contract, now_ns: int, day: str) -> Market:
        """Up to 1 % away from the product's level."""
        rng = random.Random(f"{self._seed} {contract.contract_id} opening")
        fair = _fair(contract) * rng.randrange(990, 1011) // 1_000
        market = _quoted(
            contract.contract_id, now_ns, fair, contract.level.touch_size, contract.level.spread_ticks, day
        )
        return msgspec.structs.replace(market, began_ns=now_ns)

    def move(self, market: Market, contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        if not is_open:
            return Moved(market)
        rng = random.Random(f"{self._seed} {market.contract_id} {market.number}")
        return step(market, contract, rng, now_ns, day)

    def history(self, market: Market, contract: Contract) -> Sequence[Bar]:
        if not market.began_ns:
            return ()
        opening = self.opening(contract, market.began_ns, market.day)
        rng = random.Random(f"{self._seed} {contract.contract_id} history")
        return _minutes_before(contract, rng, opening.last, market.began_ns - market.began_ns % _MINUTE_NS)


def rolled(market: Market, contract_id: str, now_ns: int, day: str) -> Market:
    """The market of the next month of a product: it starts where the month before stands."""
    return _quoted(contract_id, now_ns, market.fair, market.bid_size, market.ask - market.bid, day)


def step(market: Market, contract: Contract, rng: random.Random, now_ns: int, day: str) -> Moved:
    """The market after one step."""
    shock = sum(rng.randrange(-1_000, 1_001) for _ in range(3))  # thousandths of a standard deviation
    heat = _HEAT_BASE + market.heat * shock * shock * _HEAT_LAST // 1_000_000_000 + market.heat * _HEAT_KEPT // 1_000
    heat = min(max(heat, _HEAT_MIN), _HEAT_MAX)
    jump = _JUMP_FACTOR if rng.randrange(_JUMP_ODDS) == 0 else 1
    level, start = contract.level, _fair(contract)
    deviation = _deviation(contract)
    move = deviation * shock * math.isqrt(market.heat * 1_000) * jump // 1_000_000
    fair = min(max(market.fair + move, start // 2), start * 2)

    spread = level.spread_ticks + (1 if heat > _HEAT_WIDENS else 0)
    bid = (fair - spread * 500) // 1_000
    ask = bid + spread
    bid_size, ask_size = (_touch_size(level, heat, rng) for _ in range(2))
    prints = tuple(_print(bid, ask, bid_size, ask_size, shock, rng, now_ns) for _ in range(rng.choice(_PRINTS)))

    if market.day != day:
        last = market.last
        market = msgspec.structs.replace(market, day=day, open=last, high=last, low=last, settlement=last, volume=0)
    prices = [trade.price for trade in prints] or [market.last]
    minutes, bar = bars_after(market.bar, prints)
    after = msgspec.structs.replace(
        market,
        moved_ns=now_ns,
        number=market.number + 1,
        fair=fair,
        heat=heat,
        bid=bid,
        ask=ask,
        bid_size=bid_size,
        ask_size=ask_size,
        last=prices[-1],
        high=max(market.high, *prices),
        low=min(market.low, *prices),
        volume=market.volume + sum(trade.quantity for trade in prints),
        bar=bar,
    )
    low, high = (min(prices), max(prices)) if prints else (None, None)
    return Moved(after, prints, (msgspec.structs.replace(after.quote, low=low, high=high),), minutes)


def bars_after(bar: Bar | None, prints: Sequence[Print]) -> tuple[tuple[Bar, ...], Bar | None]:
    """The minutes that some trades end, and the one under way after them; a minute without trades has no bar."""
    ended: list[Bar] = []
    for trade in prints:
        start_ns, price = trade.at_ns - trade.at_ns % _MINUTE_NS, trade.price
        if bar is None or bar.start_ns != start_ns:
            ended += [] if bar is None else [bar]
            bar = Bar(start_ns, price, price, price, price, trade.quantity)
        else:
            volume = bar.volume + trade.quantity
            bar = Bar(start_ns, bar.open, max(bar.high, price), min(bar.low, price), price, volume)
    return tuple(ended), bar


def _fair(contract: Contract) -> int:
    """A product's level in thousandths of a tick."""
    return int(contract.level.price / contract.product.tick_size) * 1_000


def _deviation(contract: Contract) -> int:
    """The standard deviation of a step in thousandths of a tick."""
    return int(_fair(contract) * contract.level.day_move) // _DAY_STEPS_ROOT


def _minutes_before(contract: Contract, rng: random.Random, close: int, end_ns: int) -> list[Bar]:
    """The minutes of a day before ``end_ns``, made from the last, which closes at ``close``, back to the first.

    Coarse: one move and one range a minute, no clusters.
    """
    deviation = _deviation(contract) * _MINUTE_STEPS_ROOT_TENTHS // 10
    volume = 4 * 60 * sum(_PRINTS) // len(_PRINTS) * (1 + contract.level.touch_size // 8)
    bars: list[Bar] = []
    fair = close * 1_000
    for number in range(1, HISTORY_MIN + 1):
        shocks = [rng.randrange(-1_000, 1_001) for _ in range(5)]
        before = fair - deviation * sum(shocks[:3]) // 1_000
        start, end = before // 1_000, fair // 1_000
        above, below = (deviation * abs(shock) // 2_000_000 for shock in shocks[3:])
        high, low = max(start, end) + above, min(start, end) - below
        traded = volume * (600 + abs(sum(shocks)) // 5) // 1_000
        bars.append(Bar(end_ns - number * _MINUTE_NS, start, high, low, end, max(1, traded)))
        fair = before
    return bars[::-1]


def _quoted(contract_id: str, now_ns: int, fair: int, touch_size: int, spread: int, day: str) -> Market:
    bid = (fair - spread * 500) // 1_000
    return Market(
        contract_id=contract_id,
        moved_ns=now_ns,
        number=0,
        fair=fair,
        heat=1_000,
        bid=bid,
        ask=bid + spread,
        bid_size=touch_size,
        ask_size=touch_size,
        last=bid,
        day=day,
        open=bid,
        high=bid,
        low=bid,
        settlement=bid,
    )


def _touch_size(level: Level, heat: int, rng: random.Random) -> int:
    """Contracts at one touch: the hotter the market, the fewer."""
    return max(1, level.touch_size * rng.randrange(300, 1_701) // math.isqrt(heat * 1_000))


def _print(bid: int, ask: int, bid_size: int, ask_size: int, shock: int, rng: random.Random, now_ns: int) -> Print:
    """One trade, more likely with the move than against it."""
    side = OrderSide.BID if rng.randrange(-2_500, 2_501) < shock else OrderSide.ASK
    price, size = (ask, ask_size) if side is OrderSide.BID else (bid, bid_size)
    return Print(side, price, 1 + rng.randrange(1 + size // 4), now_ns)
