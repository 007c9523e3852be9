"""The whole desk, exchange included, on a virtual clock and without sockets, under one seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec

from ordergate import app
from ordergate.bus.memory import MemoryBus
from ordergate.core.account import Group
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.desk import Books, Ports
from ordergate.engine.recovery import recover
from ordergate.exchange.recording import Recording
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.exchange.variants import Variant
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Network
from ordergate.settings import Settings
from tests.simulation.virtual_time import START_NS, VirtualClock

_exact = msgspec.json.Decoder(float_hook=Decimal)
MICROS = ("MGC", "MNQ", "MES", "MCL", "M2K", "MYM")


class NoEmergency:
    """A simulation's journal does not fail by itself: a note here is a defect."""

    def note(self, entry: Entry) -> None:
        raise AssertionError(f"{entry.kind} went to the emergency file")


class SimulatedDesk:
    """``at`` is what the ready file would say."""

    def __init__(self, network: MemoryNetwork, journal: MemoryJournal, at: app.Ready) -> None:
        self.network = network
        self.journal = journal
        self.at = at
        self._token = ""

    async def get(self, path: str) -> Any:
        answer = await self.network.request("GET", f"{self.at.web}{path}", timeout_s=10)
        assert answer.status == 200, (path, answer)
        return msgspec.json.decode(answer.body)

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        data = msgspec.json.encode(body)
        answer = await self.network.request("POST", f"{self.at.web}{path}", headers=headers, body=data, timeout_s=10)
        return answer.status, msgspec.json.decode(answer.body)

    async def venue(self, path: str, **body: object) -> Any:
        """A call at the exchange itself, as another client with the same login makes it."""
        headers = {"content-type": "application/json"}
        if path != "Auth/loginKey":
            if not self._token:
                login = await self.venue("Auth/loginKey", userName=self.at.user_name, apiKey=self.at.api_key)
                self._token = login["token"]
            headers["authorization"] = f"Bearer {self._token}"
        url, data = f"{self.at.gateway}/api/{path}", msgspec.json.encode(body)
        answer = await self.network.request("POST", url, headers=headers, body=data, timeout_s=10)
        assert answer.status == 200, (path, answer)
        return _exact.decode(answer.body)

    async def state(self) -> Group:
        """The gate's state, folded again from its journal."""
        return (await recover(self.journal))[0]


@contextlib.asynccontextmanager
async def simulated(
    seed: int,
    *,
    recording: Recording | None = None,
    limits: Limits | None = None,
    symbols: tuple[str, ...] = MICROS,
    quote_interval_ms: int = 1_000,
    network: MemoryNetwork | None = None,
    line: Network | None = None,
    store: MemoryStore | None = None,
    modes: Modes | None = None,
    native: bool = False,
    **exchange: Any,
) -> AsyncIterator[SimulatedDesk]:
    """A ready desk. Everything that is random follows from ``seed``; a recording brings its own time.

    ``line`` is the network as the desk has it, ``network`` as the test has it.
    """
    network, journal = network or MemoryNetwork(), MemoryJournal()
    start_ns = START_NS if recording is None else recording.first_ns
    # What a test asks at the exchange itself does not count against the desk.
    exchange = {"variants": (Variant.LIMITS_BY_TOKEN,)} | exchange
    venue = ExchangeSettings(seed=seed, symbols=symbols, quote_interval_ms=quote_interval_ms, **exchange)
    settings = Settings(
        web_port=0,
        connection_manager_port=0,
        aggregator_port=0,
        gateway_port=0,
        exchange=venue,
        limits=limits or Limits(allowed_symbols=symbols),
        modes=modes or Modes(),
        bracket_mode=BracketMode.AUTO_OCO if native else BracketMode.UNKNOWN,
    )
    ports = Ports(
        bus=MemoryBus(),
        network=line or network,
        clock=VirtualClock(asyncio.get_running_loop(), start_ns),
        rng=random.Random(seed),
        approval_key=b"k" * 32,
        step=lambda _step, _name: None,
        stop=lambda: None,
    )
    books = Books(journal, NoEmergency(), "aaaaaaaa")
    async with app.demo_desk(
        settings, ports, books, MemoryJournal(), store or MemoryStore(venue.bars_kept_min), recording
    ) as at:
        yield SimulatedDesk(network, journal, at)
