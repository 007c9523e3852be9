"""The simulated market of one contract: a random walk in integer ticks whose volatility comes in clusters. PURE.

A step is a quarter of a second of market. Between steps, and while the process is down, the market stands still.

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
from collections.abc import Callable

import msgspec

from ordergate.exchange.enums import OrderSide
from ordergate.exchange.levels import Level
from ordergate.exchange.listing import Contract

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


class Print(msgspec.Struct, frozen=True):
    """One trade of the market; ``side`` is the aggressor's."""

    side: OrderSide
    price: int
    quantity: int


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
    last price of the one before; ``bar`` is the minute under way. ``moved_ns`` is when it last moved. An array in JSON:
    all markets are stored four times a second.
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


# How markets move: from (market, its contract, now in nanoseconds UTC, trading date) to the market after one step and
# the trades of that step in their order. ``walk`` is the seeded one; a replay of recorded data is another.
Move = Callable[[Market, Contract, int, str], tuple[Market, tuple[Print, ...]]]


def walk(seed: int) -> Move:
    """The random walk of a seed."""

    def move(market: Market, contract: Contract, now_ns: int, day: str) -> tuple[Market, tuple[Print, ...]]:
        rng = random.Random(f"{seed} {market.contract_id} {market.number}")
        return step(market, contract, rng, now_ns, day)

    return move


def opening(contract: Contract, seed: int, now_ns: int, day: str) -> Market:
    """The market of a contract before its first step, up to 1 % away from the product's level."""
    rng = random.Random(f"{seed} {contract.contract_id} opening")
    fair = _fair(contract) * rng.randrange(990, 1011) // 1_000
    return _quoted(contract.contract_id, now_ns, fair, contract.level.touch_size, contract.level.spread_ticks, day)


def rolled(market: Market, contract_id: str, now_ns: int, day: str) -> Market:
    """The market of the next month of a product: it starts where the month before stands."""
    return _quoted(contract_id, now_ns, market.fair, market.bid_size, market.ask - market.bid, day)


def step(
    market: Market, contract: Contract, rng: random.Random, now_ns: int, day: str
) -> tuple[Market, tuple[Print, ...]]:
    """The market after one step, and the trades of that step in their order."""
    shock = sum(rng.randrange(-1_000, 1_001) for _ in range(3))  # thousandths of a standard deviation
    heat = _HEAT_BASE + market.heat * shock * shock * _HEAT_LAST // 1_000_000_000 + market.heat * _HEAT_KEPT // 1_000
    heat = min(max(heat, _HEAT_MIN), _HEAT_MAX)
    jump = _JUMP_FACTOR if rng.randrange(_JUMP_ODDS) == 0 else 1
    level, start = contract.level, _fair(contract)
    deviation = int(start * level.day_move) // _DAY_STEPS_ROOT
    move = deviation * shock * math.isqrt(market.heat * 1_000) * jump // 1_000_000
    fair = min(max(market.fair + move, start // 2), start * 2)

    spread = level.spread_ticks + (1 if heat > _HEAT_WIDENS else 0)
    bid = (fair - spread * 500) // 1_000
    ask = bid + spread
    bid_size, ask_size = (_touch_size(level, heat, rng) for _ in range(2))
    prints = tuple(_print(bid, ask, bid_size, ask_size, shock, rng) for _ in range(rng.choice(_PRINTS)))

    if market.day != day:
        last = market.last
        market = msgspec.structs.replace(market, day=day, open=last, high=last, low=last, settlement=last, volume=0)
    prices = [trade.price for trade in prints] or [market.last]
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
        bar=_bar_after(market.bar, prints, now_ns),
    )
    return after, prints


def _fair(contract: Contract) -> int:
    """A product's level in thousandths of a tick."""
    return int(contract.level.price / contract.product.tick_size) * 1_000


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


def _print(bid: int, ask: int, bid_size: int, ask_size: int, shock: int, rng: random.Random) -> Print:
    """One trade, more likely with the move than against it."""
    side = OrderSide.BID if rng.randrange(-2_500, 2_501) < shock else OrderSide.ASK
    price, size = (ask, ask_size) if side is OrderSide.BID else (bid, bid_size)
    return Print(side, price, 1 + rng.randrange(1 + size // 4))


def _bar_after(bar: Bar | None, prints: tuple[Print, ...], now_ns: int) -> Bar | None:
    """The minute under way after some trades; a minute without trades has no bar."""
    if not prints:
        return bar
    prices = [trade.price for trade in prints]
    volume = sum(trade.quantity for trade in prints)
    start_ns = now_ns - now_ns % _MINUTE_NS
    if bar is None or bar.start_ns != start_ns:
        return Bar(start_ns, prices[0], max(prices), min(prices), prices[-1], volume)
    return Bar(start_ns, bar.open, max(bar.high, *prices), min(bar.low, *prices), prices[-1], bar.volume + volume)
