"""The gate's watch over a connection manager that is another process: whose it is, and whether it lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from msgspec.structs import replace

from ordergate.broker import challenge
from ordergate.broker.approvals import Introduce, Order
from ordergate.broker.challenge import Proof
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.core.reports import LinkReport, Report
from ordergate.engine.watch import Watch
from ordergate.errors import StartRefused
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Request, Response, RunningServer
from tests.simulation.virtual_time import VirtualClock, run

KEY = b"k" * 32


class Bench:
    """A watch between a bus and a connection manager that can be stopped and started, in virtual time."""

    def __init__(self, *, shadow: bool = False) -> None:
        self.network = MemoryNetwork()
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.bus = MemoryBus()
        self.proof = Proof("", "sim", "trader", "http://broker", shadow=False, at_ns=0)
        self.key = KEY
        self.replayed: Response | None = None
        self.asked = 0
        self.takes_s = 0.0
        self.told: list[LinkReport | Introduce] = []
        self.watch = Watch(
            bus=self.bus,
            network=self.network,
            clock=self.clock,
            rng=random.Random(1),
            approval_key=KEY,
            url="http://127.0.0.1:7500",
            timeout_s=2.0,
            shadow=shadow,
        )
        self._server: RunningServer | None = None

    async def start(self) -> None:
        self._server = await self.network.serve(self._answer, host="127.0.0.1", port=7500)

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.close()

    async def _answer(self, request: Request) -> Response:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        proof = replace(self.proof, at_ns=self.clock.now_ns() + self.proof.at_ns)
        return self.replayed or challenge.answer(request.query, proof, self.key)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        reports, exits = self.bus.consume(Topic.REPORTS, "test"), self.bus.consume(Topic.EXITS, "test")

        async def listen() -> None:
            async for message in reports:
                told = msgspec.json.decode(message, type=Report)
                assert isinstance(told, LinkReport)
                self.told.append(told)

        async def obey() -> None:
            async for message in exits:
                order = msgspec.json.decode(message, type=Order)
                assert isinstance(order, Introduce)
                self.told.append(order)

        tasks = [asyncio.create_task(work) for work in (listen(), obey(), self.watch.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def test_a_live_gate_is_not_started_without_a_connection_manager_that_proves_itself() -> None:
    async def main() -> None:
        bench = Bench()
        with pytest.raises(StartRefused, match=r"127.0.0.1:7500 does not prove that it is ours: it does not answer"):
            await bench.watch.found()
        await bench.start()
        assert (await bench.watch.found()).login == "trader"

    run(main())


@pytest.mark.parametrize(
    ("key", "shadow", "apart_ns", "reason"),
    [
        (b"another key" * 3, False, 0, "it has another approval key"),
        (KEY, True, 0, "it is in shadow mode and this gate in live mode"),
        (KEY, False, 3_000_000_000, r"its clock is \+3.0 s from ours"),
        (KEY, False, -3_000_000_000, r"its clock is -3.0 s from ours"),
    ],
)
def test_one_that_is_not_ours_is_named_with_what_to_do(
    key: bytes,
    shadow: bool,  # noqa: FBT001 - a parameter of the test
    apart_ns: int,
    reason: str,
) -> None:
    async def main() -> None:
        bench = Bench()
        bench.key, bench.proof = key, replace(bench.proof, shadow=shadow, at_ns=apart_ns)
        await bench.start()
        with pytest.raises(StartRefused, match=reason):
            await bench.watch.found()

    run(main())


def test_a_gate_on_paper_waits_for_its_connection_manager_and_takes_no_live_one() -> None:
    async def main() -> None:
        bench = Bench(shadow=True)
        finding = asyncio.create_task(bench.watch.found())
        await asyncio.sleep(5)
        await bench.start()
        await asyncio.sleep(5)
        assert bench.asked
        assert not finding.done()
        bench.proof = replace(bench.proof, shadow=True)
        assert (await finding).shadow

    run(main())


def test_the_connection_manager_is_asked_to_introduce_itself_at_the_start_and_after_each_loss() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.start()
        await bench.watch.found()
        async with bench.watching():
            await asyncio.sleep(10)
            assert bench.told == [Introduce()]
            await bench.stop()
            await asyncio.sleep(10)
            assert len(bench.told) == 2
            lost = bench.told[1]
            assert isinstance(lost, LinkReport)
            assert not lost.up
            assert lost.reason.startswith("connection manager: it does not answer")
            await bench.start()
            await asyncio.sleep(3)
            assert bench.told[2:] == [Introduce()]

    run(main())


def test_an_old_proof_of_the_right_one_is_a_loss() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.start()
        await bench.watch.found()
        bench.replayed = challenge.answer({"nonce": "0" * 32}, replace(bench.proof, at_ns=bench.clock.now_ns()), KEY)
        async with bench.watching():
            await asyncio.sleep(3)
        assert bench.told == [LinkReport(up=False, reason="connection manager: it answers another challenge")]

    run(main())


def test_one_that_takes_longer_than_it_may_is_a_loss() -> None:
    async def main() -> None:
        bench = Bench()
        await bench.start()
        await bench.watch.found()
        bench.takes_s = 2.5
        async with bench.watching():
            await asyncio.sleep(5)
        lost = bench.told[0]
        assert isinstance(lost, LinkReport)
        assert "it does not answer" in lost.reason

    run(main())


@pytest.mark.parametrize("change", [{"venue": "projectx"}, {"login": "nobody"}, {"gateway_url": "http://other"}])
def test_one_of_another_broker_or_login_is_a_loss(change: dict[str, str]) -> None:
    async def main() -> None:
        bench = Bench()
        await bench.start()
        await bench.watch.found()
        bench.proof = replace(bench.proof, **change)
        async with bench.watching():
            await asyncio.sleep(3)
        (lost,) = bench.told
        assert isinstance(lost, LinkReport)
        assert "now, another broker or login than before" in lost.reason

    run(main())
