"""What the aggregator role has around it, played by the process that measures: Redis, the page and the broker.

The aggregator is ``ordergate run --role aggregator``, a process of its own with its journal on disk; it knows nothing
of being measured. Orders reach it on the topic ``orders``, sealed, as the page's server sends them; what it approves is
read from ``commands``, and the broker's answers go out on ``reports``, as the connection manager does. An order has
arrived when its approval has been read, its seal opened and its text decoded.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path

import msgspec

from bench.decisions import ACCOUNT, BID, instrument
from ordergate.broker import approvals, challenge
from ordergate.broker.approvals import Approved, Introduce
from ordergate.bus.address import RedisAddress
from ordergate.bus.port import Bus, Topic
from ordergate.bus.redis import redis_bus
from ordergate.bus.sealed import Sealed
from ordergate.bus.topics import encode, news
from ordergate.clock import SystemClock
from ordergate.core.commands import Answer, Command, Leg, SubmitOrder
from ordergate.core.effects import Cancel, Place, RaiseEpoch, ReadSnapshot
from ordergate.core.instrument import QUANTITY_MAX
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    BrokerSnapshot,
    CancelOutcome,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    Quote,
    Report,
)
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from ordergate.roles import RECEIVERS
from ordergate.together import together

SYMBOL = "MES"
HOST = "127.0.0.1"
_KEY = "bench-" + "k" * 32
_CONSUMER = "connection-manager"
_QUOTE_S = 1.0
_READY_S = 30.0
_LOOK_S = 0.01
# Limits that no order of the bench reaches: a denial would be a shorter path. It is to run on a Sunday, too.
_WIDE = {
    "ALLOWED_INSTRUMENTS": SYMBOL,
    "MAX_POSITION_SIZE": str(QUANTITY_MAX),
    "MAX_OPEN_ORDERS": "10000",
    "MAX_DAILY_LOSS": "1000000000",
    "MAX_RISK_PERCENT": "100",
    "ORDERGATE_MAX_ORDER_SIZE": str(QUANTITY_MAX),
    "ORDERGATE_MAX_PRICE_DISTANCE_PERCENT": "1000",
    "ORDERGATE_TRADING_HOURS": "always",
}
# Orders that may wait: the documented 100 would refuse a burst, which is right, and not what a rate measures.
_QUEUE_MAX = "50000"

_orders: msgspec.json.Decoder[approvals.Order] = msgspec.json.Decoder(approvals.Order)
_encoder = msgspec.json.Encoder()


class FarSide:
    """The page and the connection manager of one aggregator.

    ``arrived`` has when each approved order was read, by tag, on ``perf_counter_ns``. While ``cancelling`` an order is
    reported cancelled as soon as it is accepted, so that few work at a time. ``epochs_ns`` has when each flatten was
    read, and ``answers`` what became of each command, while ``listen`` runs.
    """

    def __init__(self, bus: Bus) -> None:
        self.arrived: dict[str, int] = {}
        self.epochs_ns: list[int] = []
        self.answers: list[Answer] = []
        self.cancelling = True
        self._bus = bus
        self._commands = bus.consume(Topic.COMMANDS, _CONSUMER)
        self._exits = bus.consume(Topic.EXITS, _CONSUMER)
        self._instrument = instrument(SYMBOL, datetime.datetime.now(datetime.UTC).date())
        self._going: set[asyncio.Task[None]] = set()

    def send(self, command: Command) -> None:
        """Send ``command`` as the page does, after all that was sent before it."""
        self._go(self._bus.send(Topic.ORDERS, encode(command)))

    def order(self, number: int) -> SubmitOrder:
        """A limit order far below the market, without a bracket, so that an order is one approval and not three."""
        return SubmitOrder(
            request_id=f"BENCH/b-{number}",
            account_id=ACCOUNT.account_id,
            order_id=f"b-{number}",
            contract_id=self._instrument.contract_id,
            side=Side.BUY,
            quantity=1,
            order_type=OrderType.LIMIT,
            limit_ticks=BID - 100,
            stop=Leg.OFF,
            targets=Leg.OFF,
            instance_id="BENCH",
            fingerprint=f"{number:032}",
        )

    async def listen(self) -> None:
        """Keep the gate's answers, as the page does."""
        async for message in self._bus.consume(Topic.EVENTS, "web"):
            told = news(message)
            if isinstance(told, Answer):
                self.answers.append(told)

    async def quote(self) -> None:
        """Keep the market fresh."""
        while True:
            now_ns = time.time_ns()
            quote = Quote(self._instrument.contract_id, BID, BID + 1, BID, now_ns, now_ns)
            self._bus.tell(quote.contract_id, _encoder.encode(quote))
            await asyncio.sleep(_QUOTE_S)

    async def broker(self, lane: Topic) -> None:
        """Do what comes on ``lane``."""
        async for message in self._commands if lane is Topic.COMMANDS else self._exits:
            match _orders.decode(message):
                case Approved(effect=Place() as place):
                    self._placed(place)
                case Introduce():
                    self._report(InstrumentsReport((self._instrument,)))
                    self._report(ACCOUNT)
                    self._report(LinkReport(up=True))
                case ReadSnapshot(since_ns=since_ns):
                    self._report(BrokerSnapshot(ACCOUNT, since_ns, time.time_ns(), (), (), ()))
                case RaiseEpoch():
                    self.epochs_ns.append(time.perf_counter_ns())
                case Cancel(broker_order_id=broker_order_id):
                    self._report(CancelOutcome(ACCOUNT.account_id, broker_order_id, Outcome.DONE))
                case other:
                    raise AssertionError(f"the bench asks for nothing that needs {other}")

    def _placed(self, place: Place) -> None:
        """Accept an order, and report it cancelled right afterwards."""
        self.arrived[place.order_tag] = time.perf_counter_ns()
        terms, number = place.terms, len(self.arrived)
        self._report(PlaceOutcome(terms.account_id, place.order_tag, Outcome.DONE, number))
        row = OrderReport(
            account_id=terms.account_id,
            broker_order_id=number,
            order_tag=place.order_tag,
            contract_id=terms.contract_id,
            side=terms.side,
            order_type=terms.order_type,
            quantity=terms.quantity,
            limit_ticks=terms.limit_ticks,
            stop_ticks=terms.stop_ticks,
            state=OrderState.CANCELLED if self.cancelling else OrderState.OPEN,
            filled_quantity=0,
            created_ns=time.time_ns(),
        )
        self._report(row)

    def _report(self, report: Report) -> None:
        self._go(self._bus.send(Topic.REPORTS, _encoder.encode(report)))

    def _go(self, sending: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(sending)
        self._going.add(task)
        task.add_done_callback(self._going.discard)


async def proves(request: Request) -> Response:
    """The answer to the aggregator's challenge."""
    proof = challenge.Proof("", "sim", "bench", f"http://{HOST}", shadow=False, at_ns=SystemClock().now_ns())
    return challenge.answer(request.query, proof, _KEY.encode())


class Running:
    """An aggregator that takes orders, with ``far`` around it."""

    def __init__(self, far: FarSide, process: subprocess.Popen[bytes], journal: Path, redis: RedisAddress) -> None:
        self.far = far
        self.pid = process.pid
        self.journal = journal
        self.redis = redis
        self._process = process

    def stop(self) -> None:
        """End the aggregator in order; its journal can be read afterwards."""
        self._process.terminate()
        assert self._process.wait(_READY_S) == 0, f"the aggregator ended with {self._process.returncode}"


@contextlib.asynccontextmanager
async def aggregator(folder: Path, queue_max: str = _QUEUE_MAX) -> AsyncIterator[Running]:
    """A Redis, and an aggregator whose first comparison with the broker is done; both end with the block."""
    folder.mkdir()
    network = HttpNetwork()
    async with contextlib.AsyncExitStack() as stack:
        address = stack.enter_context(redis_server(folder))
        stack.push_async_callback(network.close)
        served = await network.serve(proves, host=HOST, port=0)
        stack.push_async_callback(served.close)
        bus = await stack.enter_async_context(sealed_bus(address))
        far = FarSide(bus)
        start = await stack.enter_async_context(together())
        for lane in (Topic.COMMANDS, Topic.EXITS):
            start(far.broker(lane), lane.value)
        start(far.quote(), "quotes")
        environment = os.environ | _WIDE
        environment |= {
            "CONNECTION_MANAGER_URL": served.url,
            "MAX_QUEUE_SIZE": queue_max,
            "ORDERGATE_APPROVAL_KEY": _KEY,
            "REDIS_URL": f"redis://{HOST}:{address.port}/0",
        }
        process = stack.enter_context(_started(folder, environment))
        await _ready(process, folder)
        yield Running(far, process, folder / "state" / "journal.db", address)


@contextlib.asynccontextmanager
async def sealed_bus(address: RedisAddress) -> AsyncIterator[Bus]:
    """A connection of this desk's own to the Redis there."""
    rng = random.Random(os.urandom(8))
    async with redis_bus(address, clock=SystemClock(), rng=rng, receivers=RECEIVERS) as bus:
        yield Sealed(bus, _KEY.encode(), lambda place: place.encode())


def redis_program() -> str | None:
    """The machine's own server."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[RedisAddress]:
    """A Redis of its own on loopback that keeps nothing on disk, as a desk's needs not: the journal is the record."""
    program = redis_program()
    assert program is not None, "asked before"
    with socket.socket() as found:
        found.bind((HOST, 0))
        port = found.getsockname()[1]
    options = ["--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", ""]
    with started([program, *options], folder / "redis.log") as process:
        while not _listens(port):
            assert process.poll() is None, (folder / "redis.log").read_text()
            time.sleep(_LOOK_S)
        yield RedisAddress(HOST, port)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
        return True
    return False


def _started(folder: Path, environment: dict[str, str]) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    files = ["--state-dir", str(folder / "state"), "--ready-file", str(folder / "ready.json")]
    words = [sys.executable, "-m", "ordergate", "run", "--role", "aggregator", "--aggregator-port", "0", *files]
    return started(words, folder / "aggregator.log", environment)


@contextlib.contextmanager
def started(
    words: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to end at the end of the block, and what it says in ``log``."""
    with log.open("wb") as said, subprocess.Popen(words, stdout=said, stderr=said, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


async def _ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    async with asyncio.timeout(_READY_S):
        while not (folder / "ready.json").exists():
            assert process.poll() is None, (folder / "aggregator.log").read_text()
            await asyncio.sleep(_LOOK_S)
