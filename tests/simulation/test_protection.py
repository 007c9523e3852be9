"""An hour of ten accounts on a bad line: no position is uncovered for longer than promised without an alarm naming it.

What is covered is read from the exchange's own books (``cover``), at every change of them; what the line itself keeps
from the gate (``faulty_line``) is not held against it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.core.limits import Limits, OnDailyLoss
from ordergate.exchange.enums import OrderType
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Handler, Request, Response
from tests.simulation.cover import Gap, Key, WatchedStore
from tests.simulation.desk import MICROS, SimulatedDesk, simulated
from tests.simulation.faulty_line import MARKET_HUB, USER_HUB, FaultyLine
from tests.simulation.virtual_time import run

ACCOUNTS = 10
HOUR_S, SETTLE_S = 3_600, 60
# PROTECT_WITHIN_NS, in words of its own, and how often this looks.
BOUND_S, LOOK_S = 2.0, 0.1
NAMING = {"UNPROTECTED", "PROTECTION_FAILED"}
# Wide, so that the crowd trades to the end: the limits have tests of their own.
LIMITS = Limits(
    allowed_symbols=MICROS,
    order_quantity_max=8,
    position_quantity_max=16,
    open_orders_max=100,
    daily_loss_usd_max=Decimal(1_000_000),
    risk_percent_max=Decimal(100),
    on_daily_loss=OnDailyLoss.KEEP,
)


class OpenNetwork(MemoryNetwork):
    """A network whose streams can be read while they run."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[str, Handler] = {}

    async def serve(self, handler: Handler, **where: Any) -> Any:
        server = await super().serve(handler, **where)
        self._handlers[server.url] = handler
        return server

    async def stream(self, origin: str, path: str) -> AsyncIterator[bytes]:
        answer = await self._handlers[origin](Request("GET", path, headers={"host": origin.removeprefix("http://")}))
        assert isinstance(answer, Response)
        assert answer.stream is not None
        async for message in answer.stream:
            yield message


class Hour:
    """The desk, the crowd that trades on it, the person at the broker, and who watches."""

    def __init__(
        self, seed: int, desk: SimulatedDesk, network: OpenNetwork, line: FaultyLine, store: WatchedStore
    ) -> None:
        self.alarms: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.reports = 0
        self._seed = seed
        self._desk, self._network, self._line, self._store = desk, network, line, store
        self._rng = random.Random(seed)
        self._alarm_s: dict[tuple[int, str], float] = {}
        self._symbols: dict[str, str] = {}
        self._orders = 0
        self._told: dict[Key, float] = {}

    async def run(self, seconds: float) -> None:
        await asyncio.sleep(SETTLE_S)  # the start has used up the requests of a minute
        self._symbols = {row["contractId"]: row["symbol"] for row in await self._desk.get("/api/instruments/active")}
        work = [self._listen(), self._trade(), self._meddle(), self._cut(USER_HUB, 240), self._cut(MARKET_HUB, 600)]
        tasks = [asyncio.create_task(part) for part in work]
        try:
            self._line.on = True
            await self._watch(seconds, tasks)
            self._line.on = False
            for task in tasks[1:]:
                task.cancel()
            self._line.cut(USER_HUB, 1)  # what was lost on it is heard when the line comes back
            await self._desk.post("/api/cancel-all", {"accountId": "all"})
            await self._watch(SETTLE_S, tasks[:1])
            await self._check_rest()
        finally:
            for task in tasks:
                task.cancel()

    # Who watches.

    async def _watch(self, seconds: float, tasks: list[asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + seconds
        while loop.time() < end_s:
            await asyncio.sleep(LOOK_S)
            for task in tasks:
                if task.done():
                    task.result()
            for key, gap in list(self._store.gaps.items()):
                await self._judge(key, gap)

    async def _judge(self, key: Key, gap: Gap) -> None:
        """A gap beyond the bound has an alarm that names it: told since it began, or still standing on the page."""
        now_s = asyncio.get_running_loop().time()
        since_s = max(gap.began_s, self._line.deaf_s(key[0]))
        if now_s - since_s <= BOUND_S + LOOK_S or self._told.get(key) == gap.began_s:
            return
        named_s = self._alarm_s.get((key[0], self._symbols[key[1]]))
        if named_s is None or named_s < gap.began_s:
            rows = await self._desk.get("/api/positions")
            found = [row for row in rows if (row["accountId"], row["contractId"]) == key]
            stands = [row for row in found if row["protection"] and row["protection"]["state"] == "unprotected"]
            assert (named_s is not None and stands) or self._store.gaps.get(key) is not gap, (
                f"seed {self._seed}: at {now_s:.3f} s {key} has had {gap.uncovered} contracts uncovered since "
                f"{gap.began_s:.3f} s, to be heard since {since_s:.3f} s, and no alarm names it: {found}"
            )
        self._told[key] = gap.began_s
        self.reports += 1

    async def _check_rest(self) -> None:
        seed, store = self._seed, self._store
        assert store.gaps == {}, f"seed {seed}: uncovered at rest: {store.gaps}"
        for key, net in store.net.items():
            stops, limits = store.closing(key, OrderType.STOP), store.closing(key, OrderType.LIMIT)
            assert stops == abs(net), f"seed {seed}: {key} is {net:+d} at rest, with stops for {stops}"
            assert limits <= abs(net), f"seed {seed}: {key} is {net:+d} at rest, with targets for {limits}"
            working = store.working.get(key, {}).values()
            wrong = [order for order in working if net * order.side.sign > 0 or order.type is OrderType.MARKET]
            assert not wrong, f"seed {seed}: {key} is {net:+d} at rest, with {wrong}"
        rows = {(row["accountId"], row["contractId"]): row for row in await self._desk.get("/api/positions")}
        held = {key: net for key, net in store.net.items() if net}
        assert {key: row["netPosition"] for key, row in rows.items()} == held, f"seed {seed}"
        assert all(row["protected"] for row in rows.values()), f"seed {seed}"

    async def _listen(self) -> None:
        async for message in self._network.stream(str(self._desk.at.web), "/api/events"):
            if b"\nevent: alarm\n" not in message:
                continue
            alarm = msgspec.json.decode(message.partition(b"\ndata: ")[2])
            self.alarms[alarm["code"]] += 1
            if alarm["code"] in NAMING:
                named = alarm["accountId"], alarm["instrument"]
                self._alarm_s[named] = asyncio.get_running_loop().time()

    # Who trades, who meddles, what breaks.

    async def _trade(self) -> None:
        rng, desk = self._rng, self._desk
        while True:
            await asyncio.sleep(rng.uniform(1.0, 9.0))
            account, symbol, what = rng.choice(desk.at.account_ids), rng.choice(MICROS), rng.random()
            held = [row for row in await desk.get("/api/positions") if row["accountId"] == account]
            row = rng.choice(held) if held else None
            if what < 0.60 or row is None:
                symbol = row["symbol"] if row is not None and what < 0.30 else symbol  # a scale-in, or a flip
                asked = desk.post("/api/order", self._order(await desk.get("/api/prices"), account, symbol))
            elif what < 0.80:
                size = {"quantity": rng.randint(1, abs(row["netPosition"])), "closeType": "partial"}
                asked = desk.post("/api/close-position", {"accountId": account, "instrument": row["symbol"]} | size)
            elif what < 0.92:
                asked = desk.post("/api/close-position", {"accountId": account, "instrument": row["symbol"]})
            else:
                asked = desk.post("/api/flatten", {"accountId": account})
            status, answer = await asked
            self.answers["OK" if status == 200 else str(answer.get("code") or status)] += 1

    def _order(self, prices: Any, account: int, symbol: str) -> dict[str, Any]:
        rng, quote = self._rng, prices[symbol]
        self._orders += 1
        side, quantity = rng.choice(["BUY", "SELL"]), rng.randint(1, 8)
        body = {"instrument": symbol, "side": side, "quantity": quantity, "accountId": account}
        body |= {"orderId": f"hour-{self._orders}", "bracket": self._bracket(quantity)}
        if rng.random() < 0.3:
            body |= {"orderType": "LIMIT", "limitPrice": quote["bid"] if side == "BUY" else quote["ask"]}
        return body

    def _bracket(self, quantity: int) -> dict[str, Any]:
        rng = self._rng
        count = rng.randint(0, min(3, quantity))
        targets: list[dict[str, int]] = [{"ticks": rng.randint(8, 60), "quantity": 1} for _ in range(count)]
        if targets:
            del targets[-1]["quantity"]
        bracket: dict[str, Any] = {"stop": {"ticks": rng.randint(15, 60)}, "targets": targets}
        if rng.random() < 0.3:
            bracket["breakeven"] = {"trigger": rng.randint(5, 20), "offset": rng.randint(0, 4)}
        if rng.random() < 0.3:
            bracket["trail"] = {"distance": rng.randint(15, 40), "step": rng.randint(1, 4)}
        return bracket

    async def _meddle(self) -> None:
        """Somebody at the broker cancels, drags and resizes stops."""
        rng, desk, store = self._rng, self._desk, self._store
        while True:
            await asyncio.sleep(rng.uniform(5, 55))
            stops = [stop for key in store.net for stop in store.stops(key)]
            if not stops:
                continue
            stop, what = rng.choice(stops), rng.random()
            named = {"accountId": stop.account_id, "orderId": stop.order_id}
            assert stop.stop_ticks is not None
            if what < 0.5:
                await desk.venue("Order/cancel", **named)
            elif what < 0.75 and stop.leaves > 1:
                await desk.venue("Order/modify", **named, size=stop.quantity - 1)
            else:
                price = next(
                    float(row["stopPrice"])
                    for row in (await desk.venue("Order/searchOpen", accountId=stop.account_id))["orders"]
                    if row["id"] == stop.order_id
                )
                nearer = price + stop.side.sign * -price / 5_000
                await desk.venue("Order/modify", **named, stopPrice=nearer)

    async def _cut(self, hub: str, mean_s: float) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / mean_s))
            self._line.cut(hub, self._rng.uniform(0.2, 6.0))


async def session(seed: int, seconds: float) -> str:
    """Figures of an hour, in a line."""
    network, store = OpenNetwork(), WatchedStore(1_500)
    line = FaultyLine(network, random.Random(seed))
    async with simulated(seed, limits=LIMITS, network=network, line=line, store=store, account_count=ACCOUNTS) as desk:
        hour = Hour(seed, desk, network, line, store)
        await hour.run(seconds)
    return figures(seed, hour, line, store)


def figures(seed: int, hour: Hour, line: FaultyLine, store: WatchedStore) -> str:
    lengths = sorted(store.fill_lengths_s)
    assert lengths, "nothing filled"
    p50, p99 = (lengths[-(-len(lengths) * percent // 100) - 1] for percent in (50, 99))
    others = max(store.other_lengths_s, default=0.0)
    faults = dict(sorted(line.seen.items()))
    return (
        f"seed {seed}: fill to stop resting {len(lengths)} times, p50 {p50:.3f} s, p99 {p99:.3f} s, worst "
        f"{lengths[-1]:.3f} s; {len(store.other_lengths_s)} other gaps, worst {others:.3f} "
        f"s; {hour.reports} beyond the bound, all named; alarms {dict(hour.alarms)}; answers {dict(hour.answers)}; "
        f"faults {faults}"
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(1, 6))
def test_an_hour_of_faults_leaves_no_position_uncovered_beyond_the_bound_without_an_alarm_naming_it(seed: int) -> None:
    print(run(session(seed, HOUR_S)))  # noqa: T201 - the figures
