"""The simulated market of one contract: a random walk in integer ticks whose volatility comes in clusters. PURE.

A step is a quarter of a second of market. Between steps, while the exchange is closed and while the process is down,
the market stands still. A new market has a past: a day of minutes that end where it opens (``history``). A jump that is
too far makes the market pause for some seconds, as the exchange's velocity logic does (section 12.6).

Products of one index or metal in several sizes go the same way, and products of one kind a similar one
(``levels``); how far and how much depends on the time of day (``activity``).

Invariants:
1. All arithmetic is on integers, and the randomness of a step follows from (seed, product, number of the step): the
   same seed gives the same prices on every machine, and a stored ``Market`` continues as if it had never stopped.
2. bid < ask, sizes are at least 1, low <= last <= high, every trade is at the bid or the ask.
3. A price never leaves half to double of where the product starts, so a walk of weeks stays believable and positive.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from typing import Protocol

import msgspec

from ordergate.exchange.activity import activity
from ordergate.exchange.enums import OrderSide
from ordergate.exchange.levels import TOGETHER, Level, walks_as
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
# A step of so many usual ones makes the market pause, about once a day, for 2 to 10 s (section 12.6).
_PAUSE_DEVIATIONS, _PAUSE_S_MIN, _PAUSE_S_MAX = 15, 2, 10
_SECOND_NS = 1_000_000_000
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
    it opened; 0 for one that took over from another month or is recorded. ``behind`` is what a price behind the touch
    usually holds, ``resumes_ns`` the end of its last pause. An array in JSON: all markets are stored four times a
    second.
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
    behind: int = 0
    resumes_ns: int = 0

    @property
    def quote(self) -> Quote:
        """What orders meet, before any of them has taken something."""
        number = self.number if self.behind else 0
        return Quote(self.bid, self.ask, self.last, self.bid_size, self.ask_size, behind=self.behind, number=number)


class Moved(msgspec.Struct, frozen=True):
    """A market after its move, the trades of the move in their order, and the minutes that ended in it.

    ``path`` holds the quotes that orders met on the way, each with the trades since the one before it: only of the
    session, and empty if nothing came.
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
        rng = random.Random(f"{self._seed} level {walks_as(contract.product.symbol)}")
        fair = _fair(contract) * rng.randrange(990, 1011) // 1_000
        level = contract.level
        market = _quoted(contract.contract_id, now_ns, fair, level.touch_size, level.spread_ticks, day)
        return msgspec.structs.replace(market, began_ns=now_ns)

    def move(self, market: Market, contract: Contract, now_ns: int, day: str, *, is_open: bool) -> Moved:
        return step(market, contract, self._seed, now_ns, day) if is_open else Moved(market)

    def history(self, market: Market, contract: Contract) -> Sequence[Bar]:
        if not market.began_ns:
            return ()
        opening = self.opening(contract, market.began_ns, market.day)
        return _minutes_before(contract, self._seed, opening.last, market.began_ns - market.began_ns % _MINUTE_NS)


def rolled(market: Market, contract_id: str, now_ns: int, day: str) -> Market:
    """The market of the next month of a product: it starts where the month before stands."""
    return _quoted(contract_id, now_ns, market.fair, market.bid_size, market.ask - market.bid, day)


def step(market: Market, contract: Contract, seed: int, now_ns: int, day: str) -> Moved:
    """The market after one step."""
    level, start, now = contract.level, _fair(contract), activity(now_ns)
    shock, jump = _shock(seed, walks_as(contract.product.symbol), market.number)
    heat = _HEAT_BASE + market.heat * shock * shock * _HEAT_LAST // 1_000_000_000 + market.heat * _HEAT_KEPT // 1_000
    heat = min(max(heat, _HEAT_MIN), _HEAT_MAX)
    usual = _deviation(contract) * now.move // 1_000
    move = scaled(usual * shock * math.isqrt(market.heat * 1_000) * jump, 1_000_000)
    fair = min(max(market.fair + move, start // 2), start * 2)

    rng = random.Random(f"{seed} {contract.contract_id} {market.number}")
    spread = level.spread_ticks + (1 if heat > _HEAT_WIDENS else 0)
    bid = (fair - spread * 500) // 1_000
    ask = bid + spread
    bid_size, ask_size = (_touch_size(level, heat, rng) for _ in range(2))
    count = (rng.choice(_PRINTS) * now.volume + rng.randrange(1_000)) // 1_000
    prints = tuple(_print(bid, ask, bid_size, ask_size, shock, rng, now_ns) for _ in range(count))
    pauses = abs(move) > usual * _PAUSE_DEVIATIONS
    pause_s = rng.randint(_PAUSE_S_MIN, _PAUSE_S_MAX) if pauses else 0

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
        behind=level.touch_size,
        resumes_ns=now_ns + pause_s * _SECOND_NS if pauses else market.resumes_ns,
    )
    traded = tuple((trade.price, trade.quantity) for trade in prints)
    return Moved(after, prints, (msgspec.structs.replace(after.quote, traded=traded),), minutes)


@functools.lru_cache(maxsize=256)  # every size of a product, and every product of a kind, asks for the same
def _shock(seed: int, symbol: str, number: int) -> tuple[int, int]:
    """How far a product goes in a step, in thousandths of a standard deviation, and how many times that."""
    together = TOGETHER.get(symbol)
    own, jump = _drawn(seed, symbol, number)
    if together is None:
        return own, jump
    common, jump = _drawn(seed, together.name, number)
    rest = math.isqrt(1_000_000 - together.share**2)
    return scaled(common * together.share + own * rest, 1_000), jump


@functools.lru_cache(maxsize=256)
def _drawn(seed: int, name: str, number: int) -> tuple[int, int]:
    rng = random.Random(f"{seed} {name} {number}")
    shock = sum(rng.randrange(-1_000, 1_001) for _ in range(3))
    return shock, _JUMP_FACTOR if rng.randrange(_JUMP_ODDS) == 0 else 1


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


def scaled(value: int, over: int) -> int:
    """``value`` / ``over`` without its fraction: rounded down, every step would drift, and a day by a hundred ticks."""
    return value // over if value >= 0 else -(-value // over)


def _fair(contract: Contract) -> int:
    """A product's level in thousandths of a tick."""
    return int(contract.level.price / contract.product.tick_size) * 1_000


def _deviation(contract: Contract) -> int:
    """The standard deviation of a step in thousandths of a tick."""
    return int(_fair(contract) * contract.level.day_move) // _DAY_STEPS_ROOT


@functools.lru_cache(maxsize=8)  # a chart asks for the same again, and it takes some milliseconds
def _minutes_before(contract: Contract, seed: int, close: int, end_ns: int) -> tuple[Bar, ...]:
    """The minutes of a day before ``end_ns``, made from the last, which closes at ``close``, back to the first.

    Coarse: one move and one range a minute, no clusters.
    """
    rng = random.Random(f"{seed} {walks_as(contract.product.symbol)} history")
    deviation = _deviation(contract) * _MINUTE_STEPS_ROOT_TENTHS // 10
    volume = 4 * 60 * sum(_PRINTS) // len(_PRINTS) * (1 + contract.level.touch_size // 8)
    bars: list[Bar] = []
    fair = close * 1_000
    for number in range(1, HISTORY_MIN + 1):
        start_ns = end_ns - number * _MINUTE_NS
        then = activity(start_ns)
        shocks = [rng.randrange(-1_000, 1_001) for _ in range(5)]
        before = fair - scaled(deviation * then.move * sum(shocks[:3]), 1_000_000)
        start, end = before // 1_000, fair // 1_000
        above, below = (deviation * then.move * abs(shock) // 2_000_000_000 for shock in shocks[3:])
        high, low = max(start, end) + above, min(start, end) - below
        traded = volume * then.volume * (600 + abs(sum(shocks)) // 5) // 1_000_000
        bars.append(Bar(start_ns, start, high, low, end, max(1, traded)))
        fair = before
    return tuple(reversed(bars))


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
