"""The gate, as the web part knows it: a copy of its state kept from topics, the quotes, and answers to what was asked.

It must never decide anything, and never act on its copy where the gate would have to judge.

Invariants:
1. Whoever waits for an answer is registered before the question leaves, so no answer can be missed.
2. An answer is handed on after every event that came before it has been shown.
3. While the copy has a gap, the gate is silent or nobody follows it any more, there is no copy: ``group`` is None.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ordergate.bus.follower import SILENT_S, Follower
from ordergate.bus.port import Bus, Subscription, Topic
from ordergate.bus.topics import Alive, Happened, State, news
from ordergate.clock import Clock
from ordergate.core.account import Group
from ordergate.core.commands import Answer
from ordergate.core.reports import Quote
from ordergate.telemetry import logger
from ordergate.web.board import Board
from ordergate.web.stream import Stream

# A price is shown at most four times a second (design, section 3: the rate at which they are marked).
MARK_GAP_S = 0.25
# The gate may start after us; what was sent before it listens is lost.
ASK_AGAIN_S = 1.0

_log = logger("web")
_quote = msgspec.json.Decoder(Quote)


class Mirror:
    """See the module. It mirrors while ``run`` runs."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._follower = Follower(bus)
        self._latest: dict[str, Quote] = {}
        self._shown: dict[str, Quote] = {}
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._moved = asyncio.Event()
        self.stream = Stream()
        self.board = Board(self.stream)

    @property
    def group(self) -> Group | None:
        """The gate's state; None before it was told, and while something of it is missing."""
        return self._follower.group

    @property
    def unknown(self) -> str:
        """Why there is no copy, where there is none."""
        if self._follower.silent:
            return f"the gate has not been heard for {SILENT_S:.0f} s or more; try again in a moment"
        return "the gate's state is not known; try again in a moment"

    @property
    def quotes(self) -> dict[str, Quote]:
        """The latest quotes, by contract."""
        return dict(self._latest)

    async def run(self) -> None:
        """Follow the gate until cancelled."""
        # In force before anything is awaited, so that the state asked for next has no gap before it.
        told = self._bus.consume(Topic.EVENTS, "web")
        quotes = self._bus.watch()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(told), name="web: events")
                tasks.create_task(self._read_quotes(quotes), name="web: quotes")
                tasks.create_task(self._ask(), name="web: state")
                tasks.create_task(self._mark_regularly(), name="web: marks")
        finally:
            told.close()
            quotes.close()
            self._follower.group = None
            self.stream.close()

    async def ask(self, request_id: str, send: Callable[[], Awaitable[None]], deadline: float) -> Answer:
        """The answer to what ``send`` sends, or UNDECIDED at the loop's time ``deadline``: it may be decided later."""
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = waiter
        try:
            async with asyncio.timeout_at(deadline):
                await send()
                return await waiter
        except TimeoutError:
            message = "the gate has not answered in time; it may still act on this: ask again, or look at the orders"
            if self._follower.silent:
                message = "the gate is not heard and has not answered; to get out now, use the broker's page or phone"
            return Answer(request_id, ok=False, code="UNDECIDED", message=message)
        finally:
            del self._answers[request_id]

    async def until(self, holds: Callable[[Group], bool], deadline: float) -> bool:
        """Whether the state comes to be one of which ``holds`` is true before the loop's time ``deadline``."""
        try:
            async with asyncio.timeout_at(deadline):
                while self.group is None or not holds(self.group):
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self, messages: Subscription) -> None:
        async for message in messages:
            told = news(message)
            if isinstance(told, Answer):
                waiter = self._answers.get(told.request_id)
                if waiter is not None and not waiter.done():
                    waiter.set_result(told)
                continue
            followed = await self._follower.follow(told)
            if isinstance(told, Alive):
                self.board.trouble(told.trouble)
            elif followed:
                self._show(told)
                self._moved.set()
                self._moved = asyncio.Event()

    def _show(self, told: Happened | State) -> None:
        group, now_ns = self.group, self._clock.now_ns()
        assert group is not None, "it was just followed"
        if isinstance(told, State):
            self.board.show(group, now_ns)
            self._mark()
            return
        self.board.follow(group, told.event, now_ns)

    async def _read_quotes(self, messages: Subscription) -> None:
        async for message in messages:
            quote = _quote.decode(message)
            self._latest[quote.contract_id] = quote
            if quote.contract_id not in self._shown:
                self._shown[quote.contract_id] = quote
                self._mark()

    async def _ask(self) -> None:
        while True:
            if self._follower.give_up():
                _log.error("the gate is silent: nothing is shown until it is heard again")
                self.stream.start_anew()
            if self.group is None:
                await self._follower.ask()
            await asyncio.sleep(ASK_AGAIN_S)

    async def _mark_regularly(self) -> None:
        while True:
            self._shown = dict(self._latest)
            self._mark()
            await asyncio.sleep(MARK_GAP_S)

    def _mark(self) -> None:
        if self.group is not None:
            self.board.mark(self._shown, self._clock.now_ns())
