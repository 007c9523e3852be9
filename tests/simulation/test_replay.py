"""Two real hours of ES, played to the whole desk: a seeded trader, and money that is counted again from the fills."""

from __future__ import annotations

import asyncio
import csv
import datetime
import gzip
import os
import random
from collections import Counter, deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.core.sessions import CHICAGO
from ordergate.exchange import replay
from ordergate.exchange.settings import Hours
from tests.simulation.desk import SimulatedDesk, simulated
from tests.simulation.virtual_time import run

SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
FILE = SHARED / "es-2023-12-25-open.csv.gz"
real_data = pytest.mark.skipif(not FILE.exists(), reason=f"the real market data is not there: {FILE}")

SYMBOLS = ("ES", "MES")
CONTRACTS = {"ES": "CON.F.US.EP.H24", "MES": "CON.F.US.MES.H24"}
POINT_USD = {"CON.F.US.EP.H24": Decimal(50), "CON.F.US.MES.H24": Decimal(5)}
# Wide, so that the trader trades to the end: the limits have tests of their own.
LIMITS = Limits(
    allowed_symbols=SYMBOLS,
    daily_loss_usd_max=Decimal(1_000_000),
    risk_percent_max=Decimal(100),
    on_daily_loss=OnDailyLoss.KEEP,
)
CENT = Decimal("0.01")
START_USD = Decimal(50_000)
OPEN = datetime.datetime(2023, 12, 25, 17, tzinfo=CHICAGO)
EVER = {"startTimestamp": "2023-01-01T00:00:00Z"}


class Trader:
    """Places orders of every kind through the page's API, cancels, closes and flattens. ``answers`` counts codes."""

    def __init__(self, desk: SimulatedDesk, seed: int) -> None:
        self.answers: Counter[str] = Counter()
        self._desk = desk
        self._rng = random.Random(seed)
        self._orders = 0

    async def trade(self, seconds: float, pause_s: float) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while loop.time() < end_s:
            await asyncio.sleep(min(self._rng.uniform(0.1, 2 * pause_s), end_s - loop.time()))
            await self._act()

    async def _act(self) -> None:
        rng, desk = self._rng, self._desk
        account, symbol, what = rng.choice(desk.at.account_ids), rng.choice(SYMBOLS), rng.random()
        if what < 0.7:
            status, answer = await desk.post("/api/order", self._order(await desk.get("/api/prices"), account, symbol))
        elif what < 0.8:
            rows = [row for row in await desk.get("/api/orders") if row["status"] in ("WORKING", "PARTIALLY_FILLED")]
            if not rows:
                return
            status, answer = await desk.post("/api/cancel-order", {"orderId": rng.choice(rows)["orderId"]})
        elif what < 0.97:
            status, answer = await desk.post("/api/close-position", {"accountId": account, "instrument": symbol})
        else:
            status, answer = await desk.post("/api/flatten", {"accountId": account})
        self.answers["OK" if status == 200 else told(answer)] += 1

    def _order(self, prices: Any, account: int, symbol: str) -> dict[str, Any]:
        rng, quote = self._rng, prices[symbol]
        self._orders += 1
        side, kind = rng.choice(["BUY", "SELL"]), rng.choice(["MARKET", "LIMIT", "STOP"])
        body = {"instrument": symbol, "side": side, "quantity": rng.randint(1, 5), "accountId": account}
        body |= {"orderId": f"replay-{self._orders}"}
        if kind == "MARKET":
            return body
        near, far = (quote["bid"], quote["ask"]) if side == "BUY" else (quote["ask"], quote["bid"])
        sign = 1 if side == "BUY" else -1
        away = rng.randint(1, 8) * 0.25 * sign
        price = {"LIMIT": {"limitPrice": near - away}, "STOP": {"stopPrice": far + away}}[kind]
        return body | {"orderType": kind} | price


def recorded_bars() -> dict[str, tuple[Decimal, Decimal, Decimal, Decimal, int]]:
    """Open, high, low, close and volume of every minute that has trades in the file, by its instant."""
    minutes: dict[str, list[tuple[Decimal, int]]] = {}
    with gzip.open(FILE, "rt") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "trade":
                at = datetime.datetime.fromtimestamp(int(row["ts_ns"]) // 60_000_000_000 * 60, datetime.UTC)
                minutes.setdefault(at.isoformat(), []).append((Decimal(row["price"]), int(row["size"])))
    return {
        at: (trades[0][0], max(trades)[0], min(trades)[0], trades[-1][0], sum(size for _, size in trades))
        for at, trades in minutes.items()
    }


def counted_usd(trades: list[dict[str, Any]]) -> tuple[Decimal, dict[str, int]]:
    """What fills (oldest first) have earned after fees, first in, first out; and what is still held."""
    open_lots: dict[str, deque[tuple[int, Decimal]]] = {}
    earned = Decimal(0)
    for trade in trades:
        lots, price = open_lots.setdefault(trade["contractId"], deque()), Decimal(trade["price"])
        earned -= Decimal(trade["fees"]) + Decimal(trade["commissions"])
        for _ in range(trade["size"]):
            sign = 1 if trade["side"] == 0 else -1
            if lots and lots[0][0] != sign:
                held, entry = lots.popleft()
                earned += held * (price - entry) * POINT_USD[trade["contractId"]]
            else:
                lots.append((sign, price))
    return earned, {name: sum(sign for sign, _ in lots) for name, lots in open_lots.items() if lots}


def told(answer: dict[str, Any]) -> str:
    """The code of a refusal. A market that is closed is mostly not quoted either, which is told before it."""
    codes = [breach["code"] for breach in answer["breaches"]]
    return "OUTSIDE_TRADING_HOURS" if "OUTSIDE_TRADING_HOURS" in codes else str(answer["code"])


async def before_the_open(desk: SimulatedDesk, trader: Trader) -> None:
    """The gate denies new risk; an order that goes around it is rejected; Christmas belongs to the next trade date."""
    assert {row["tradingDay"] for row in await desk.get("/api/accounts")} == {"2023-12-26"}
    for kind in ({}, {"orderType": "LIMIT", "limitPrice": 4_700}, {"orderType": "STOP", "stopPrice": 4_900}):
        order = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": desk.at.account_ids[0], **kind}
        status, answer = await desk.post("/api/order", order)
        assert (status, told(answer)) == (422, "OUTSIDE_TRADING_HOURS"), answer
    order = {"accountId": desk.at.account_ids[0], "contractId": CONTRACTS["MES"], "type": 2, "side": 0, "size": 1}
    answer = await desk.venue("Order/place", **order)
    assert (answer["success"], answer["errorCode"]) == (False, 2)
    assert answer["errorMessage"].startswith("Trading is currently unavailable.")
    await trader.trade(3_000, 100)
    assert set(trader.answers) <= {"OUTSIDE_TRADING_HOURS", "UNKNOWN_POSITION", "OK"}  # OK: a flatten of nothing
    assert trader.answers["OUTSIDE_TRADING_HOURS"] > 10
    assert await desk.get("/api/positions") == []


async def add_up(desk: SimulatedDesk) -> int:
    """The exchange's balances are what its fills have earned, and the gate's are the same; how many fills there are."""
    accounts = {row["id"]: row for row in (await desk.venue("Account/search", onlyActiveAccounts=False))["accounts"]}
    rows, state, count = {row["accountId"]: row for row in await desk.get("/api/accounts")}, await desk.state(), 0
    for account_id in desk.at.account_ids:
        trades = (await desk.venue("Trade/search", accountId=account_id, **EVER))["trades"][::-1]
        earned, held = counted_usd(trades)
        assert held == {}
        assert accounts[account_id]["balance"] == START_USD + earned
        assert Decimal(str(rows[account_id]["balance"])) == START_USD + earned
        assert Decimal(str(rows[account_id]["equity"])) == START_USD + earned
        # Our own books, fill by fill: the same but for what the broker rounds off the part of a position it closes.
        assert abs(Decimal(str(rows[account_id]["dayPnl"])) - earned) < CENT
        assert abs(state.accounts[account_id].day.realized_usd - earned) < CENT
        count += len(trades)
    return count


async def session(seed: int, quote_interval_ms: int) -> Counter[str]:
    """The whole file, from before the open to its end; the answers that the trader got."""
    recording = replay.read(FILE, "ES")
    async with simulated(
        seed,
        recording=recording,
        limits=LIMITS,
        symbols=SYMBOLS,
        quote_interval_ms=quote_interval_ms,
        hours=Hours.EXCHANGE,
    ) as desk:
        loop = asyncio.get_running_loop()
        open_s = (OPEN.timestamp() * 1_000_000_000 - recording.first_ns) / 1_000_000_000
        trader = Trader(desk, seed)
        await before_the_open(desk, trader)
        await asyncio.sleep(open_s + 1 - loop.time())
        assert {row["tradingDay"] for row in await desk.get("/api/accounts")} == {"2023-12-26"}
        for _ in range(3):
            await trader.trade(1_150, 6)
            await flat(desk)
            assert await add_up(desk) > 20
        await asyncio.sleep((recording.last_ns - recording.first_ns) / 1_000_000_000 + 10 - loop.time())
        bars = await desk.venue(
            "History/retrieveBars",
            contractId=CONTRACTS["ES"],
            live=False,
            startTime="2023-12-25T20:00:00Z",
            endTime="2023-12-26T01:00:00Z",
            unit=2,
            unitNumber=1,
            limit=1_000,
            includePartialBar=True,
        )
        told = {bar["t"]: (bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]) for bar in bars["bars"]}
        assert told == recorded_bars()
        # The recording is over: nothing is quoted any more, and without a fresh quote nothing new is sent.
        order = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": desk.at.account_ids[0]}
        status, answer = await desk.post("/api/order", order)
        assert (status, answer["code"]) == (422, "NO_REFERENCE_PRICE")
        return trader.answers


async def flat(desk: SimulatedDesk) -> None:
    await desk.post("/api/flatten", {"accountId": "all"})
    async with asyncio.timeout(60):
        while await desk.get("/api/positions"):
            await asyncio.sleep(0.5)
    await asyncio.sleep(2)


@real_data
@pytest.mark.slow
@pytest.mark.timeout(100)
@pytest.mark.parametrize(("seed", "quote_interval_ms"), [(1, 1_000), *((seed, 250) for seed in range(1, 12))])
def test_two_real_hours_are_traded_without_an_error_and_to_the_cent(seed: int, quote_interval_ms: int) -> None:
    with structlog.testing.capture_logs() as lines:
        answers = run(session(seed, quote_interval_ms))
    # What the trader asks of a position that has just gone is refused, which is told and is his to know.
    troubles = [line["event"] for line in lines if line["log_level"] not in ("debug", "info")]
    assert set(troubles) <= {"command refused"}
    assert [line["event"] for line in lines].count("the recording has ended: its contracts stand still") == 1
    assert answers["OK"] > 150


def test_the_trader_counts_as_it_should() -> None:
    def fill(side: int, size: int, price: str) -> dict[str, Any]:
        return {
            "contractId": CONTRACTS["MES"],
            "side": side,
            "size": size,
            "price": Decimal(price),
            "fees": Decimal("0.36") * size,
            "commissions": Decimal(0),
        }

    earned, held = counted_usd([fill(0, 2, "4800"), fill(1, 3, "4801"), fill(0, 1, "4800.5")])
    assert (earned, held) == (Decimal("12.5") - Decimal("0.36") * 6, {})
    assert counted_usd([fill(1, 1, "4800")])[1] == {CONTRACTS["MES"]: -1}
