"""``instance:control`` and the ``AGGREGATOR_STATUS`` that answers it, told every 30 seconds too.

A pause is a restriction and taken from anybody; it is the gate's (``core/pause``), and so is the answer to its end.

Invariants:
1. What is said here loosens nothing but a pause that was said on the bus. A lockout, a limit, a halt and a pause from
   the page stay as they are.
2. HEALTHY is only said while new risk can be taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ordergate.bus import announcements as told
from ordergate.bus import messages
from ordergate.bus.control import Control, control
from ordergate.bus.port import Channel, Subscription
from ordergate.bus.waiting import Waiting
from ordergate.clock import Clock
from ordergate.core import pause
from ordergate.core.account import Group
from ordergate.core.commands import SetPaused
from ordergate.core.events import Door, TradingState
from ordergate.dialect.outbox import Outbox
from ordergate.telemetry import logger

# Wire notes, section 2.9.
HEARTBEAT_S = 30.0
# As long as the page waits for an answer of the gate; a SHUTDOWN behind it waits no longer.
_ANSWER_WAIT_S = 2.0

_log = logger("control")


class Controlling:
    """``stop`` begins an orderly stop; ``enforcing`` is the gate's own word; ``counts`` are (received, errors)."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbox: Outbox,
        waiting: Waiting,
        group: Callable[[], Group | None],
        enforcing: Callable[[], bool],
        stop: Callable[[], None],
        channels: tuple[Channel, ...],
        counts: Callable[[], tuple[int, int]],
    ) -> None:
        self._clock = clock
        self._outbox = outbox
        self._waiting = waiting
        self._group = group
        self._enforcing = enforcing
        self._stop = stop
        self._channels = channels
        self._counts = counts
        self._began_s = asyncio.get_running_loop().time()
        self._asked = 0

    async def run(self, heard: Subscription) -> None:
        """Obey and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(), name="dialect: heartbeat")
            tasks.create_task(self._obey(heard), name="dialect: control")

    async def _beat(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(HEARTBEAT_S)

    async def _obey(self, heard: Subscription) -> None:
        async for message in heard:
            if len(message) > messages.BYTES_MAX:
                continue
            try:
                said = control(message)
            except messages.UNREADABLE as error:
                _log.warning("not a control message", error=str(error))
                continue
            if said is not None:
                await self._act(said)

    async def _act(self, said: Control) -> None:
        refusal = "" if said is Control.SHUTDOWN else await self._set_paused(on=said is Control.PAUSE)
        _log.warning("told on the bus", command=said.value, refused=refusal)
        self._tell(f"{said.value} refused: {refusal}" if refusal else "")
        if said is Control.SHUTDOWN:
            self._stop()

    async def _set_paused(self, *, on: bool) -> str:
        """Ask the gate; why it was not done, empty where it was."""
        self._asked += 1
        request_id = f"control-{self._clock.now_ns()}-{self._asked}"
        answer = await self._waiting.ask(SetPaused(request_id, on, Door.BUS), _ANSWER_WAIT_S)
        return "" if answer.ok else f"{answer.code}: {answer.message}"

    def _tell(self, note: str = "") -> None:
        uptime_ms = round((asyncio.get_running_loop().time() - self._began_s) * 1_000)
        received, errors = self._counts()
        stats = told.MessageStats(received, self._outbox.sent, errors + self._outbox.dropped)
        status, reason = self._status()
        names = tuple(channel.value for channel in self._channels)
        details = told.StatusDetails(uptime_ms, stats, names, note or reason)
        message = told.AggregatorStatus(status=status, details=details, uptime=uptime_ms, message_stats=stats)
        self._outbox.say(Channel.AGGREGATOR_STATUS, message)

    def _status(self) -> tuple[str, str]:
        group = self._group()
        if group is None:
            return "DEGRADED", "the gate's state is not known"
        if group.paused_by is not None:
            return "PAUSED", pause.told(group)
        if not self._enforcing():
            return "DEGRADED", "the gate does not enforce"
        if not group.link_up:
            return "DEGRADED", group.link_reason
        for account in group.accounts.values():
            if account.trading_state is not TradingState.ACTIVE or account.locked_until_ns:
                return "DEGRADED", f"account {account.account_id} takes no new risk"
        return "HEALTHY", ""
