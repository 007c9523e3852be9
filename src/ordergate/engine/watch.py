"""Whether the connection manager at its address is ours and alive, asked by a gate that is another process.

It must never take silence, or somebody else's voice, for a link that is up.

Invariants:
1. No live gate begins before a proof has come (``found``); one on paper waits for it.
2. While a proof is missing the link is told down. When one comes again the connection manager is asked to introduce
   itself anew, and tells how its own link is.
"""

from __future__ import annotations

import asyncio
import random

import msgspec

from ordergate.broker.approvals import Introduce
from ordergate.broker.challenge import PATH, Proof, proven
from ordergate.bus.port import Bus, Topic
from ordergate.clock import Clock
from ordergate.core.reports import LinkReport
from ordergate.errors import StartRefused, TransportError
from ordergate.net.port import Network
from ordergate.telemetry import logger

# A connection manager that has died is noticed after this and one time-out at most.
ASK_S = 1.0

_log = logger("watch")
_encoder = msgspec.json.Encoder()


class Watch:
    """``url`` is the connection manager's origin; ``shadow`` the mode of the gate that asks."""

    def __init__(
        self,
        *,
        bus: Bus,
        network: Network,
        clock: Clock,
        rng: random.Random,
        approval_key: bytes,
        url: str,
        timeout_s: float,
        shadow: bool,
    ) -> None:
        self._bus = bus
        self._network = network
        self._clock = clock
        self._rng = rng
        self._key = approval_key
        self._url = url
        self._timeout_s = timeout_s
        self._shadow = shadow
        self._served: tuple[str, str, str] | None = None

    async def found(self) -> Proof:
        """Whom it serves. A live gate raises ``StartRefused`` where it does not prove itself; one on paper waits."""
        told = ""
        while True:
            asked = await self._ask()
            if isinstance(asked, Proof):
                self._served = _served(asked)
                return asked
            text = f"the connection manager at {self._url} does not prove that it is ours: {asked}"
            if not self._shadow:
                hint = "start it first (ordergate run --role connection-manager), or correct CONNECTION_MANAGER_URL"
                raise StartRefused(f"{text}. {hint[0].upper()}{hint[1:]}")
            if text != told:
                _log.warning("waiting", reason=text)
                told = text
            await asyncio.sleep(ASK_S)

    async def run(self) -> None:
        """Tell each loss, and ask for an introduction after it; until cancelled. ``found`` comes first."""
        fault: str | None = "not asked yet"
        while True:
            asked = await self._ask()
            if isinstance(asked, str):
                if asked != fault:
                    _log.error("the connection manager is lost", reason=asked)
                    report = LinkReport(up=False, reason=f"connection manager: {asked}")
                    await self._bus.send(Topic.REPORTS, _encoder.encode(report))
                fault = asked
            elif fault is not None:
                fault = None
                await self._bus.send(Topic.EXITS, _encoder.encode(Introduce()))
            await asyncio.sleep(ASK_S)

    async def _ask(self) -> Proof | str:
        """The proof, or why there is none."""
        nonce, asked_ns = self._rng.randbytes(16).hex(), self._clock.now_ns()
        try:
            url = f"{self._url}{PATH}?nonce={nonce}"
            answer = await self._network.request("GET", url, timeout_s=self._timeout_s)
        except TransportError as error:
            return f"it does not answer ({error})"
        found = proven(answer.body, nonce, self._key, asked_ns, self._clock.now_ns())
        if isinstance(found, str):
            return found
        if found.shadow is not self._shadow:
            theirs, ours = ("shadow", "live") if found.shadow else ("live", "shadow")
            return f"it is in {theirs} mode and this gate in {ours} mode: give both the same SHADOW_MODE"
        if self._served not in (None, _served(found)):
            return f"it serves {found.login} at {found.gateway_url} now, another broker or login than before"
        return found


def _served(proof: Proof) -> tuple[str, str, str]:
    return proof.venue, proof.login, proof.gateway_url
