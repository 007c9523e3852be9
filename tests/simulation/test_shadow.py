"""A session on paper: gate, brackets and money work as at the exchange, and nothing arrives there."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ordergate.core import events as e
from ordergate.core.modes import Modes
from ordergate.journal.chain import digest
from ordergate.journal.codec import decode
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Handler, Request, Response, Upgrade
from tests.simulation.desk import SimulatedDesk, simulated
from tests.simulation.test_desk import CENT, trade, uncovered
from tests.simulation.virtual_time import run

# What the gate says of a broker whose books it cannot follow.
AT_ODDS = (e.UnexpectedBrokerFact, e.PositionDoubted, e.PositionCorrected, e.OrderNotSent, e.BalanceMoved)
READS = ("/api/auth/", "/api/account/search", "/api/contract/", "/api/history/", "/hubs/")


class WatchedNetwork(MemoryNetwork):
    """A network that counts what arrives at its first server, the exchange, and only reads there."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.others: list[str] = []
        self._servers_total = 0

    async def serve(self, handler: Handler, **where: Any) -> Any:
        self._servers_total += 1
        return await super().serve(self._watched(handler) if self._servers_total == 1 else handler, **where)

    def _watched(self, exchange: Handler) -> Handler:
        async def answer(request: Request) -> Response | Upgrade:
            path = request.path.casefold()
            if path.startswith(READS):
                self.reads += 1
            else:
                self.others.append(path)
            return await exchange(request)

        return answer


async def session(seed: int, seconds: float, *, native: bool) -> str:
    """The journal's digest, after a session from ready to flat."""
    network = WatchedNetwork()
    async with simulated(seed, network=network, modes=Modes(shadow=True), native=native) as desk:
        assert await trade(desk, random.Random(seed), seconds) > 10
        await asyncio.sleep(15)
        for account in (await desk.state()).accounts.values():
            assert uncovered(account) == []
            assert (account.unexplained, len(account.held)) == ("", 0)
        await desk.post("/api/flatten", {"accountId": "all"})
        await asyncio.sleep(15)
        assert await desk.get("/api/positions") == []
        for account in (await desk.state()).accounts.values():
            assert not [order.order_id for order in account.orders.values() if order.live]
            assert abs(account.day.balance_usd + account.day.realized_usd - account.balance_usd) < CENT
        events = [decode(row.kind, row.version, row.body) async for row in desk.journal.read()]
        assert [event for event in events if isinstance(event, AT_ODDS)] == []
        assert len([event for event in events if isinstance(event, e.FillApplied)]) > 10
        assert (network.others, network.reads > 0) == ([], True)
        assert await exchanges_own(desk) == []
        return await digest(desk.journal)


async def exchanges_own(desk: SimulatedDesk) -> list[Any]:
    """Every order that the exchange ever had."""
    found = []
    for account_id in desk.at.account_ids:
        answer = await desk.venue("Order/search", accountId=account_id, startTimestamp="2020-01-01T00:00:00Z")
        found += answer["orders"]
    return found


@pytest.mark.timeout(100)
@pytest.mark.parametrize("native", [False, True])
def test_five_minutes_on_paper_keep_every_invariant_and_write_nothing(native: bool) -> None:  # noqa: FBT001
    run(session(3, 300, native=native))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(11, 16))
@pytest.mark.parametrize("native", [False, True])
def test_another_seed_is_another_hour_on_paper(seed: int, native: bool) -> None:  # noqa: FBT001
    run(session(seed, 3_600, native=native))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_journal_on_paper() -> None:
    assert run(session(5, 300, native=False)) == run(session(5, 300, native=False))
