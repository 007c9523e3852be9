"""The figures of this release: the decision, the durable append beside a bare sync, and an order through the gate.

Each line is JSON. Run it on a quiet machine; a busy one makes the tails ten times worse with the same code.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tempfile
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from bench.figures import tell, timed, timed_await
from ordergate.bus.memory import MemoryBus
from ordergate.bus.port import Topic
from ordergate.clock import SystemClock
from ordergate.core.account import Group
from ordergate.core.commands import SubmitOrder
from ordergate.core.decide import decide
from ordergate.core.inputs import Input, Stamped, Started
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import AccountReport, BrokerSnapshot, InstrumentsReport, LinkReport, Quote, Report
from ordergate.engine.gate import Gate
from ordergate.journal.emergency import EmergencyFile
from ordergate.journal.port import Entry
from ordergate.journal.sqlite import SqliteJournal

MES = Instrument("CON.F.US.MES.Z26", "MES", "MESZ6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36"))
ACCOUNT = AccountReport(1001, "PRACTICE", Decimal(50_000), can_trade=True)
# Wide enough that every order of the bench passes every rule: a denial would be a shorter path.
WIDE = Limits(
    position_quantity_max=10**9,
    open_orders_max=10**9,
    daily_loss_usd_max=Decimal(10**12),
    risk_percent_max=Decimal(100),
)
BEGINNING = Started("bench000", "bench", "bench", WIDE)
ENTRY_BYTES = 600  # about an order-approved row


def opening(at_ns: int) -> list[Report]:
    """What makes an account tradable."""
    snapshot = BrokerSnapshot(ACCOUNT, 0, at_ns, (), (), ())
    return [InstrumentsReport((MES,)), LinkReport(up=True), snapshot, snapshot]


def order(name: str, limit_ticks: int = 19_000) -> SubmitOrder:
    return SubmitOrder(name, 1001, name, MES.contract_id, Side.BUY, 1, OrderType.LIMIT, limit_ticks)


def decisions() -> None:
    """``decide`` with every rule, at 0, 50 and 500 working orders."""
    at_ns = SystemClock().now_ns()
    quotes = {MES.contract_id: Quote(MES.contract_id, 20_000, 20_001, 20_000, at_ns)}
    group = Group()

    def take(given: Input) -> Group:
        return decide(group, Stamped(given, at_ns, at_ns, quotes)).group

    inputs: list[Input] = [BEGINNING, *opening(at_ns)]
    for given in inputs:
        group = take(given)
    for working in (0, 50, 500):
        while len(group.accounts[1001].orders) < working:
            group = take(order(f"w{len(group.accounts[1001].orders)}"))
        stamped = Stamped(order("probe"), at_ns, at_ns, quotes)
        tell("decide", timed(partial(decide, group, stamped), 2_000), working_orders=working)


def sync(folder: Path) -> None:
    """The raw limit of durability here: a write and a bare fsync."""
    file = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    row = bytes(ENTRY_BYTES)

    def write() -> None:
        os.write(file, row)
        os.fsync(file)

    tell("raw write and fsync", timed(write, 1_000))
    os.close(file)


async def appends(folder: Path) -> None:
    """One durable append of one event, from the loop's side."""
    journal = await SqliteJournal.open(folder / "append.db")
    seqs = itertools.count()

    async def append() -> None:
        entry = Entry("bench", 0, "order-approved", 1, b'{"x":"' + b"x" * ENTRY_BYTES + b'"}')
        await journal.append([entry], {"bench": next(seqs)})

    tell("durable append", await timed_await(append, 1_000))
    await journal.close()


async def through_the_gate(folder: Path) -> None:
    """From the command in the inbox to the signed order on the topic, durable in between, one at a time."""
    bus, clock = MemoryBus(), SystemClock()
    journal = await SqliteJournal.open(folder / "gate.db")
    gate = Gate(
        bus=bus,
        journal=journal,
        clock=clock,
        approval_key=b"k" * 32,
        started=BEGINNING,
        orders_max=1_000,
        emergency=EmergencyFile(folder / "emergency.jsonl"),
        step=lambda _step, _name: None,
    )
    approved = aiter(bus.consume(Topic.COMMANDS, "bench"))
    await gate.open()
    running = asyncio.create_task(gate.run())
    for report in opening(clock.now_ns()):
        await bus.send(Topic.REPORTS, msgspec.json.encode(report))
    names = itertools.count()

    async def send_one() -> None:
        quote = Quote(MES.contract_id, 20_000, 20_001, 20_000, clock.now_ns())
        bus.tell(MES.contract_id, msgspec.json.encode(quote))
        await gate.take(order(f"g{next(names)}"))
        await anext(approved)

    while not gate.group.accounts:
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    tell("order through the gate", await timed_await(send_one, 300))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await journal.close()
    bus.close()


def main() -> None:
    decisions()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sync(folder)
        asyncio.run(appends(folder))
        asyncio.run(through_the_gate(folder))


if __name__ == "__main__":
    main()
