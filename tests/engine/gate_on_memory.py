"""A gate on memory adapters, fed by hand: no broker, no sockets, real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from ordergate.broker.approvals import Approved, Introduce
from ordergate.broker.approvals import Order as Ordered
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.bus.topics import News, news
from ordergate.clock import Clock, SystemClock
from ordergate.core.commands import Answer, SubmitOrder
from ordergate.core.effects import Effect, Place
from ordergate.core.inputs import Started
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    Quote,
    Report,
)
from ordergate.engine.gate import Gate
from ordergate.errors import JournalUnavailable
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry

MES = Instrument("CON.F.US.MES.Z26", "MES", "MESZ6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36"))
ACCOUNT = 1001
KEY = b"k" * 32


class Notes:
    """The emergency file, in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)


class SetClock(SystemClock):
    """The machine's clock, and ``ahead_ns``."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


class FullDisk(MemoryJournal):
    """A journal whose disk fills when told to."""

    full = False

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        if self.full:
            raise JournalUnavailable("no space left on device")
        await super().append(entries, expected)


class Bench:
    """What the gate sends, and ways to speak to it."""

    def __init__(self, gate: Gate, bus: MemoryBus, clock: Clock) -> None:
        self.gate, self.bus, self.clock = gate, bus, clock
        self.answers: dict[str, Answer] = {}
        self.told: list[News] = []
        self.sent: dict[Topic, list[Effect]] = {Topic.COMMANDS: [], Topic.EXITS: []}

    async def watch_events(self) -> None:
        async for message in self.bus.consume(Topic.EVENTS, "bench"):
            told = news(message)
            self.told.append(told)
            if isinstance(told, Answer):
                self.answers[told.request_id] = told

    async def watch_lane(self, topic: Topic) -> None:
        async for message in self.bus.consume(topic, "bench"):
            order: Ordered = msgspec.json.decode(message, type=Ordered)
            if not isinstance(order, Introduce):
                self.sent[topic].append(order.effect if isinstance(order, Approved) else order)

    async def report(self, report: Report) -> None:
        await self.bus.send(Topic.REPORTS, msgspec.json.encode(report))

    async def buy(self, quantity: int, order_id: str) -> Answer:
        command = SubmitOrder(
            f"ask-{order_id}", ACCOUNT, order_id, MES.contract_id, Side.BUY, quantity, OrderType.MARKET
        )
        await self.gate.take(command)
        return await self.answer(command.request_id)

    async def filled(self, quantity: int, order_id: str) -> None:
        """Buy, and have the broker accept and fill it."""
        assert (await self.buy(quantity, order_id)).ok
        place = await self.placed(Topic.COMMANDS)
        number = 7_000 + len(self.sent[Topic.COMMANDS])
        await self.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, number))
        fill = FillReport(
            ACCOUNT,
            number,
            number,
            MES.contract_id,
            Side.BUY,
            quantity,
            20_001,
            MES.fee_usd,
            None,
            voided=False,
            at_ns=self.clock.now_ns(),
        )
        await self.report(fill)
        await self.placed(Topic.EXITS)

    async def placed(self, topic: Topic) -> Place:
        """The newest order that was sent there, once there is one."""
        async with asyncio.timeout(5):
            while not [effect for effect in self.sent[topic] if isinstance(effect, Place)]:
                await asyncio.sleep(0)
        return next(effect for effect in reversed(self.sent[topic]) if isinstance(effect, Place))

    async def answer(self, request_id: str) -> Answer:
        async with asyncio.timeout(5):
            while request_id not in self.answers:
                await asyncio.sleep(0)
        return self.answers[request_id]

    async def adopt(self, account_id: int = ACCOUNT) -> None:
        """An account of 50,000 USD, flat, with a live link and a fresh quote."""
        account = AccountReport(account_id, "PRACTICE-1", Decimal(50_000), can_trade=True)
        await self.report(InstrumentsReport((MES,)))
        await self.report(LinkReport(up=True))
        for _ in range(2):
            await self.report(BrokerSnapshot(account, 0, self.clock.now_ns(), (), (), ()))
        quote = Quote(MES.contract_id, 20_000, 20_001, 20_000, self.clock.now_ns())
        self.bus.tell(MES.contract_id, msgspec.json.encode(quote))
        async with asyncio.timeout(5):
            while not self.gate.group.accounts.get(account_id):
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def bench(
    journal: MemoryJournal,
    notes: Notes | None = None,
    orders_max: int = 100,
    clock: Clock | None = None,
    modes: Modes | None = None,
    delay_s: float = 0,
) -> AsyncIterator[Bench]:
    """A running gate on ``journal``."""
    bus, clock = MemoryBus(), clock or SystemClock()
    gate = Gate(
        bus=bus,
        journal=journal,
        clock=clock,
        approval_key=KEY,
        started=Started("aaaaaaaa", "sim", "practice", Limits(), modes=modes or Modes()),
        orders_max=orders_max,
        delay_s=delay_s,
        emergency=notes or Notes(),
        step=lambda _step, _name: None,
    )
    made = Bench(gate, bus, clock)
    await gate.open()
    async with asyncio.TaskGroup() as group:
        parts = [gate.run(), made.watch_events(), made.watch_lane(Topic.COMMANDS), made.watch_lane(Topic.EXITS)]
        tasks = [group.create_task(part) for part in parts]
        await asyncio.sleep(0)
        yield made
        for task in tasks:
            task.cancel()
    bus.close()


async def show_stop(desk: Bench) -> None:
    """The broker shows the stop open."""
    stop = await desk.placed(Topic.EXITS)
    terms = stop.terms
    row = OrderReport(
        account_id=ACCOUNT,
        broker_order_id=7_900,
        order_tag=stop.order_tag,
        contract_id=terms.contract_id,
        side=terms.side,
        order_type=terms.order_type,
        quantity=terms.quantity,
        limit_ticks=terms.limit_ticks,
        stop_ticks=terms.stop_ticks,
        state=OrderState.OPEN,
        filled_quantity=0,
        created_ns=desk.clock.now_ns(),
    )
    await desk.report(row)
