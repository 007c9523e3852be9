"""An existing client, and a gate on memory adapters behind the interception that it speaks to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from ordergate.bus.brackets import BracketAsk, BreakevenAsk, Preset, StopAsk, TargetAsk
from ordergate.bus.messages import UNREADABLE
from ordergate.bus.port import Channel, Topic
from ordergate.clock import Clock
from ordergate.core.commands import Command
from ordergate.core.effects import Place
from ordergate.core.modes import Modes
from ordergate.core.order import Side
from ordergate.core.reports import FillReport, OrderReport, OrderState, Outcome, PlaceOutcome
from ordergate.interception import Interception
from ordergate.journal.memory import MemoryJournal
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, bench

ORDER = {
    "instanceId": "MANUAL_TRADING_V2",
    "orderId": "manual-1755777000000-ab12cd34e",
    "accountId": ACCOUNT,
    "instrument": "MES",
    "side": "BUY",
    "quantity": 2,
    "orderType": "MARKET",
    "stopLossPoints": 5,
    "takeProfitPoints": 10,
}

# Without a word about its bracket.
BARE = {name: value for name, value in ORDER.items() if not name.endswith("Points")}
PRESETS = (
    Preset(
        "scalp",
        BracketAsk(stop=StopAsk(ticks=8), targets=(TargetAsk(ticks=8, quantity=1),), breakeven=BreakevenAsk(trigger=4)),
    ),
)


class Client:
    """An existing client: publishes, and reads every documented channel. ``stops`` counts the orderly stops.

    Commands wait while ``taking`` is not set.
    """

    def __init__(self, desk: Bench) -> None:
        self.desk = desk
        self.heard: dict[Channel, list[Any]] = {channel: [] for channel in Channel}
        self.stops = 0
        self.taking = asyncio.Event()
        self.taking.set()
        self.asked = 0

    async def listen(self, channel: Channel) -> None:
        async for message in self.desk.bus.subscribe(channel):
            with contextlib.suppress(*UNREADABLE):
                self.heard[channel].append(msgspec.json.decode(message))

    async def publish(self, channel: Channel, message: object) -> None:
        encoded = message if isinstance(message, bytes) else msgspec.json.encode(message)
        await self.desk.bus.publish(channel, encoded)

    async def say(self, kind: str, payload: dict[str, Any]) -> None:
        now_ms = self.desk.clock.now_ns() // 1_000_000
        await self.publish(Channel.ORDER_MANAGEMENT, {"type": kind, "payload": {"timestamp": now_ms} | payload})

    async def manual_order(self, order: dict[str, Any], kind: str = "MANUAL_ORDER") -> None:
        """As the shipped page says it (wire notes, section 2.2)."""
        now_ms = self.desk.clock.now_ns() // 1_000_000
        message = {"type": kind, "source": "manual-trading-v2", "timestamp": "2026-11-23T15:00:00.000Z"}
        await self.publish(Channel.AGGREGATOR_ORDERS, message | {"order": {"timestamp": now_ms} | order})

    async def request(self, kind: str, **fields: Any) -> Any:
        """Ask, and wait for the answer."""
        self.asked += 1
        channel = f"test-response:{self.asked}"
        replies = self.desk.bus.listen(channel)
        await self.ask(kind, channel, **fields)
        async with asyncio.timeout(5):
            return msgspec.json.decode(await anext(aiter(replies)))

    async def ask(self, kind: str, channel: str, **fields: Any) -> None:
        """Ask without waiting."""
        said = {"type": kind, "requestId": f"request-{self.asked}", "responseChannel": channel, "timestamp": 1}
        await self.publish(Channel.AGGREGATOR_REQUESTS, said | fields)

    def known(self) -> list[str]:
        """The orders that the gate has in its books."""
        account = self.desk.gate.group.accounts[ACCOUNT]
        return [*account.orders, *account.done.keys()]

    def messages(self, kind: str, channel: Channel = Channel.ORDER_MANAGEMENT) -> list[Any]:
        """All messages of this type so far."""
        return [message for message in self.heard[channel] if isinstance(message, dict) and message.get("type") == kind]

    async def until(self, kind: str, count: int = 1, channel: Channel = Channel.ORDER_MANAGEMENT) -> list[Any]:
        """The messages of this type, once there are so many."""
        async with asyncio.timeout(5):
            while len(self.messages(kind, channel)) < count:
                await asyncio.sleep(0)
        return self.messages(kind, channel)

    async def told(self, kind: str, channel: Channel = Channel.ORDER_MANAGEMENT) -> Any:
        """The payload of the first message of this type."""
        return (await self.until(kind, 1, channel))[0]["payload"]

    async def quiet(self) -> None:
        """Give everybody every chance to say something more."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def hold(self, quantity: int = 2, **said: Any) -> Place:
        """Buy at the market and have it filled at 5000.25."""
        await self.say("PLACE_ORDER", ORDER | {"quantity": quantity} | said)
        place = await placed(self)
        await self.desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 3_400_000_001))
        await self.fill(3_400_000_001, Side.BUY, quantity, fill_id=1)
        await self.told("ORDER_FILLED", Channel.MARKET_DATA)
        return place

    async def fill(
        self, broker_order_id: int, side: Side, quantity: int, *, fill_id: int, price_ticks: int = 20_001
    ) -> None:
        await self.desk.report(
            FillReport(
                account_id=ACCOUNT,
                fill_id=fill_id,
                broker_order_id=broker_order_id,
                contract_id=MES.contract_id,
                side=side,
                quantity=quantity,
                price_ticks=price_ticks,
                fee_usd=MES.fee_usd * quantity,
                pnl_usd=None,
                voided=False,
                at_ns=self.desk.clock.now_ns(),
            )
        )

    async def rest_legs(self, count: int = 2) -> list[Place]:
        """Let the broker take the legs as they are sent, as 3,400,000,100 and on, and show them open."""
        async with asyncio.timeout(5):
            for number in range(count):
                while len(self.legs()) <= number:
                    await asyncio.sleep(0)
                leg, broker_order_id = self.legs()[number], 3_400_000_100 + number
                await self.desk.report(PlaceOutcome(ACCOUNT, leg.order_tag, Outcome.DONE, broker_order_id))
                await self.desk.report(shown(leg, broker_order_id, self.desk.clock.now_ns()))
        return self.legs()

    def legs(self) -> list[Place]:
        """The stops and targets that were sent."""
        return [effect for effect in self.desk.sent[Topic.EXITS] if isinstance(effect, Place)]


def shown(place: Place, broker_order_id: int, now_ns: int) -> OrderReport:
    """An order as the broker shows it while it is open."""
    terms = place.terms
    return OrderReport(
        account_id=ACCOUNT,
        broker_order_id=broker_order_id,
        order_tag=place.order_tag,
        contract_id=terms.contract_id,
        side=terms.side,
        order_type=terms.order_type,
        quantity=terms.quantity,
        limit_ticks=terms.limit_ticks,
        stop_ticks=terms.stop_ticks,
        state=OrderState.OPEN,
        filled_quantity=0,
        created_ns=now_ns,
    )


@contextlib.asynccontextmanager
async def intercepted(clock: Clock | None = None, modes: Modes | None = None) -> AsyncIterator[Client]:
    async with bench(MemoryJournal(), clock=clock, modes=modes) as desk, asyncio.TaskGroup() as group:
        await desk.adopt()
        client = Client(desk)

        def stop() -> None:
            client.stops += 1

        async def take(command: Command) -> None:
            await client.taking.wait()
            await desk.gate.take(command)

        interception = Interception(
            bus=desk.bus,
            clock=desk.clock,
            told=desk.gate.follow(),
            take=take,
            refuse=desk.gate.refuse,
            state=lambda: desk.gate.group,
            presets=PRESETS,
            step=lambda _step, _name: None,
            enforcing=lambda: desk.gate.enforcing,
            stop=stop,
            took=desk.gate.metrics.took,
        )
        parts = [interception.run(), *(client.listen(channel) for channel in Channel)]
        tasks = [group.create_task(part) for part in parts]
        await asyncio.sleep(0)
        yield client
        for task in tasks:
            task.cancel()


async def placed(client: Client, count: int = 1) -> Place:
    """The last of so many entries that were sent."""
    async with asyncio.timeout(5):
        while len(client.desk.sent[Topic.COMMANDS]) < count:
            await asyncio.sleep(0)
    effect = client.desk.sent[Topic.COMMANDS][count - 1]
    assert isinstance(effect, Place)
    return effect
