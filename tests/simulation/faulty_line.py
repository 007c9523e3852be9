"""A line between the gate and the exchange on which everything goes wrong that can, by one seed.

Requests are refused, turned away (429), lost on the way there or back, or late; rows of the user hub are lost one by
one, or come late together; both hubs are cut off. ``deaf_s`` says what the line itself keeps from the gate, so that
nobody is blamed for what could not be known.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from ordergate.errors import NotSent, OutcomeUnknown
from ordergate.net.memory import MemoryNetwork, MemorySocket
from ordergate.net.port import TOO_LARGE, Handler, Response, RunningServer, WebSocket
from ordergate.net.signalr import RECORD_SEPARATOR

USER_HUB, MARKET_HUB = "/hubs/user", "/hubs/market"
PING = '{"type":6}' + RECORD_SEPARATOR
# A final refusal of each: rejected (ProjectX API notes, section 4, 2026-11-22).
REFUSALS = {"Order/place": 2, "Order/modify": 3, "Order/cancel": 3}
SNAPSHOT_BEGINS, SNAPSHOT_ENDS = "Position/searchOpen", "Trade/search"
READINGS = (SNAPSHOT_BEGINS, "Account/search", "Order/searchOpen", "Order/search", SNAPSHOT_ENDS)
ORDER_FAULTS = ("refused", "turned away", "not sent", "lost", "answer lost", "late", "answer late", "bad gateway")
# Of requests for orders, of readings, of hub rows, of hub frames.
ORDER_FAULT, READING_FAULT, ROW_LOST, FRAME_LATE = 0.06, 0.003, 0.01, 0.02
_ROWS = {"GatewayUserOrder", "GatewayUserTrade", "GatewayUserPosition", "GatewayUserAccount"}


class FaultyLine:
    """A ``Network`` for the gate; whoever uses ``network`` beside it has a good line. Faults begin with ``on``."""

    def __init__(self, network: MemoryNetwork, rng: random.Random) -> None:
        self.on = False
        self.seen: Counter[str] = Counter()
        self._network = network
        self._rng = rng
        self._sockets: dict[str, MemorySocket] = {}
        self._down_until_s: dict[str, float] = {}
        self._held_until_s = 0.0
        # Counted, not timed: much happens at one instant of virtual time.
        self._count = 0
        self._unheard: dict[int, int] = {}
        self._reconnected = 0
        self._begun: dict[asyncio.Task[Any] | None, int] = {}
        self._read: dict[int, int] = {}
        self._heard_s: dict[int, float] = {}

    def deaf_s(self, account_id: int) -> float:
        """Until when the line has kept something of the account from the gate; infinite while it does."""
        if self._is_deaf(account_id) or USER_HUB in self._down_until_s:
            return float("inf")
        return max(self._held_until_s, self._heard_s.get(account_id, 0.0))

    def cut(self, hub: str, seconds: float) -> None:
        """Cut a hub's connection; no new one for ``seconds``."""
        self.seen[f"{hub} cut"] += 1
        self._down_until_s[hub] = asyncio.get_running_loop().time() + seconds
        socket = self._sockets.pop(hub, None)
        if socket is not None:
            socket.sever()

    async def serve(
        self,
        handler: Handler,
        *,
        host: str,
        port: int,
        body_bytes_max: int = 1_048_576,
        too_large: Response = TOO_LARGE,
    ) -> RunningServer:
        return await self._network.serve(
            handler, host=host, port=port, body_bytes_max=body_bytes_max, too_large=too_large
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        endpoint = url.partition("/api/")[2]

        async def sent() -> Response:
            return await self._network.request(method, url, headers=headers, body=body, timeout_s=timeout_s)

        if endpoint in REFUSALS and self._strikes(ORDER_FAULT):
            return await self._order_fault(endpoint, timeout_s, sent)
        if endpoint in READINGS:
            return await self._reading(endpoint, msgspec.json.decode(body).get("accountId"), sent)
        return await sent()

    async def connect(self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float) -> WebSocket:
        hub = next((name for name in (USER_HUB, MARKET_HUB) if name in url), None)
        if hub is not None and asyncio.get_running_loop().time() < self._down_until_s.get(hub, 0.0):
            raise NotSent(f"{hub}: the line is down")
        socket = await self._network.connect(url, headers=headers, timeout_s=timeout_s)
        if hub is None:
            return socket
        self._sockets[hub] = socket
        if hub == MARKET_HUB:
            return socket
        self._down_until_s.pop(hub, None)
        self._reconnected = self._counted()
        return FaultySocket(socket, self)

    async def close(self) -> None:
        await self._network.close()

    def arriving(self, text: str) -> tuple[str, float]:
        """What is left of a frame of the user hub, and by how many seconds it is late."""
        if not self.on or not any(name in text for name in _ROWS):
            return text, 0.0
        kept = [record for record in text.split(RECORD_SEPARATOR) if record and not self._is_lost(record)]
        late_s = 0.0
        if self._strikes(FRAME_LATE):
            self.seen["frame late"] += 1
            late_s = self._rng.uniform(0.05, 3.0)
            self._held_until_s = asyncio.get_running_loop().time() + late_s
        return "".join(record + RECORD_SEPARATOR for record in kept) or PING, late_s

    def _is_lost(self, record: str) -> bool:
        if not self._strikes(ROW_LOST):
            return False
        told = msgspec.json.decode(record)
        if told.get("target") not in _ROWS:
            return False
        self.seen[f"{told['target']} lost"] += 1
        row = told["arguments"][0]["data"]
        self._unheard[row["id"] if told["target"] == "GatewayUserAccount" else row["accountId"]] = self._counted()
        return True

    async def _order_fault(self, endpoint: str, timeout_s: float, sent: Any) -> Response:
        fault = self._rng.choice(ORDER_FAULTS)
        wait_s = self._rng.uniform(0.1, timeout_s)
        self.seen[f"{endpoint} {fault}"] += 1
        match fault:
            case "refused":
                text = {"success": False, "errorCode": REFUSALS[endpoint], "errorMessage": "not today"}
                return Response(200, msgspec.json.encode(text))
            case "turned away":
                return Response(429, b"", {"retry-after": "1"})
            case "not sent":
                raise NotSent(f"{endpoint}: the line is down")
            case "lost":
                await asyncio.sleep(wait_s)
                raise OutcomeUnknown(f"{endpoint}: lost on the way there")
            case "late":
                await asyncio.sleep(wait_s / 2)
                return await sent()  # type: ignore[no-any-return]
        answer: Response = await sent()
        if fault == "bad gateway":
            return Response(502)
        await asyncio.sleep(wait_s / (1 if fault == "answer lost" else 2))
        if fault == "answer lost":
            raise OutcomeUnknown(f"{endpoint}: lost on the way back")
        return answer

    async def _reading(self, endpoint: str, account_id: int | None, sent: Any) -> Response:
        """One snapshot is five readings by one task, in this order; it tells all that there was when it began."""
        task = asyncio.current_task()
        if endpoint == SNAPSHOT_BEGINS:
            self._begun[task] = self._counted()
        if self._strikes(READING_FAULT):
            self.seen["reading lost"] += 1
            await asyncio.sleep(self._rng.uniform(0.1, 2.0))
            raise OutcomeUnknown(f"{endpoint}: lost")
        answer: Response = await sent()
        begun = self._begun.pop(task, None) if endpoint == SNAPSHOT_ENDS else None
        if begun is not None and account_id is not None:
            was_deaf = self._is_deaf(account_id)
            self._read[account_id] = max(begun, self._read.get(account_id, 0))
            if was_deaf and not self._is_deaf(account_id):
                self._heard_s[account_id] = asyncio.get_running_loop().time()
        return answer

    def _is_deaf(self, account_id: int) -> bool:
        read = self._read.get(account_id, 0)
        return max(self._unheard.get(account_id, 0), self._reconnected) > read

    def _strikes(self, chance: float) -> bool:
        return self.on and self._rng.random() < chance

    def _counted(self) -> int:
        self._count += 1
        return self._count


class FaultySocket:
    """The gate's end of the user hub."""

    def __init__(self, socket: MemorySocket, line: FaultyLine) -> None:
        self._socket = socket
        self._line = line

    async def send(self, text: str) -> None:
        await self._socket.send(text)

    async def receive(self) -> str | None:
        text = await self._socket.receive()
        if text is None:
            return None
        text, late_s = self._line.arriving(text)
        if late_s:
            await asyncio.sleep(late_s)
        return text

    async def close(self) -> None:
        await self._socket.close()
