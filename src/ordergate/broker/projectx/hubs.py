"""One SignalR hub, kept connected and subscribed for as long as the program runs.

Must never put a token into a log or a reason: the hub's URL carries it.

Invariants:
1. ``changed(None)`` is called only after every wanted subscription was confirmed on this connection.
2. Every end of a connection is told with its reason, and the next one subscribes to everything again.
3. A connection that has been silent for ``SERVER_TIMEOUT_S`` is dead, whatever the socket says; and so is one over
   which only pings come for ``QUIET_S`` while events must.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import quote

import msgspec
import structlog

from ordergate.broker.projectx.backoff import MAX_S, Backoff
from ordergate.broker.projectx.session import Session
from ordergate.errors import BrokerRefused, NotSent, SocketClosed, TransportError, UpgradeRefused
from ordergate.net import signalr
from ordergate.net.port import Network, WebSocket

# Sent when the session is invalidated: a login elsewhere, expiry, maintenance (ProjectX API notes, section 8.5).
_LOGOUT = "GatewayLogout"
LOGGED_OUT = (
    "the broker logged this session out: another program or window may use this login, or the broker is in maintenance"
)

# Much longer than any pause of a market that has several contracts (ProjectX API notes, section 12.6: 2 to 10 s).
QUIET_S = 90.0
_LOOK_S = 5.0

Heard = Callable[[str, msgspec.Raw], Awaitable[None]]
Changed = Callable[[str | None], Awaitable[None]]

_log = structlog.get_logger(part="hubs")


class Hub:
    """One hub. ``heard`` gets each event's name and its arguments, in order; ``changed`` None or why it was lost.

    ``event_s`` is when the last event came, by the running loop; None before the first. Pings are no events.
    ``expects`` says whether events must be coming now.
    """

    def __init__(
        self,
        *,
        name: str,
        url: str,
        network: Network,
        session: Session,
        rng: random.Random,
        heard: Heard,
        changed: Changed,
        expects: Callable[[], bool],
        connect_timeout_s: float,
    ) -> None:
        self._name = name
        self._url = url
        self._network = network
        self._session = session
        self._backoff = Backoff(rng)
        self.event_s: float | None = None
        self._heard = heard
        self._changed = changed
        self._expects = expects
        self._connect_timeout_s = connect_timeout_s
        self._wanted: dict[tuple[str, int | str | None], None] = {}
        self._connection: _Connection | None = None
        self._distrust = ""

    @property
    def subscriptions(self) -> int:
        """How many are wanted."""
        return len(self._wanted)

    def distrust(self, reason: str) -> None:
        """It does not say what it should: connect anew."""
        self._distrust = reason

    async def want(self, method: str, argument: int | str | None = None) -> None:
        """Subscribe now and at every reconnection; wanting twice is harmless."""
        if (method, argument) in self._wanted:
            return
        self._wanted[method, argument] = None
        if self._connection is not None:
            with contextlib.suppress(SocketClosed):  # the next connection subscribes to it
                await self._connection.subscribe(method, argument)

    async def run(self) -> None:
        """Connect, listen, reconnect; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            reason = await self._connected()
            _log.warning("hub lost", hub=self._name, reason=reason)
            await self._changed(reason)
            if loop.time() - began_s > MAX_S:  # two programs that log each other out must not spin
                self._backoff.reset()
            await asyncio.sleep(self._backoff.delay_s())

    async def _connected(self) -> str:
        """One connection from its login to its end; why it ended."""
        try:
            token = await self._session.token()
            socket = await self._open(token)
        except (TransportError, BrokerRefused) as error:
            return str(error)
        connection = _Connection(socket, self._event)
        pings = asyncio.create_task(connection.ping())
        try:
            async with asyncio.timeout(signalr.HANDSHAKE_TIMEOUT_S):
                await connection.greet()
                self._connection = connection
                for method, argument in tuple(self._wanted):
                    await connection.subscribe(method, argument)
                await connection.confirmed()
            _log.info("hub subscribed", hub=self._name, subscriptions=len(self._wanted))
            await self._changed(None)
            await self._listen(connection)
        except TimeoutError:
            return f"no subscription within {signalr.HANDSHAKE_TIMEOUT_S:.0f} s"
        except SocketClosed as error:
            if connection.logged_out:
                self._session.refused(token)
            return str(error)
        finally:
            self._connection = None
            pings.cancel()
            await asyncio.gather(pings, return_exceptions=True)
            await socket.close()

    async def _listen(self, connection: _Connection) -> NoReturn:
        """Raises ``SocketClosed`` when the connection has ended, or says nothing of what it should."""
        loop = asyncio.get_running_loop()
        expected_s, self._distrust = loop.time(), ""
        listening = asyncio.create_task(connection.listen())
        try:
            while True:
                await asyncio.wait({listening}, timeout=_LOOK_S)
                if listening.done():
                    listening.result()
                if self._distrust:
                    raise SocketClosed(self._distrust)
                if not self._expects():
                    expected_s = loop.time()
                if loop.time() - max(expected_s, self.event_s or expected_s) > QUIET_S:
                    raise SocketClosed(f"nothing but pings for {QUIET_S:.0f} s, while the market is open")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _event(self, target: str, arguments: msgspec.Raw) -> None:
        self.event_s = asyncio.get_running_loop().time()
        await self._heard(target, arguments)

    async def _open(self, token: str) -> WebSocket:
        """Raises ``NotSent``; its text never quotes the transport's, which may quote the URL."""
        url = f"{self._url}?access_token={quote(token, safe='')}"
        try:
            return await self._network.connect(url, timeout_s=self._connect_timeout_s)
        except UpgradeRefused as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._session.refused(token)
            raise NotSent(f"refused with HTTP status {error.status}") from None
        except TransportError:
            raise NotSent("cannot be reached") from None


class _Connection:
    """One connection. Every method raises ``SocketClosed`` with the reason once it has ended."""

    def __init__(self, socket: WebSocket, heard: Heard) -> None:
        self.logged_out = False
        self._socket = socket
        self._heard = heard
        self._protocol = signalr.ClientProtocol()
        self._greeted = False
        self._unconfirmed: dict[str, str] = {}

    async def greet(self) -> None:
        await self._socket.send(self._protocol.handshake())
        while not self._greeted:
            await self._receive()

    async def subscribe(self, method: str, argument: int | str | None) -> None:
        arguments = () if argument is None else (argument,)
        invocation_id, text = self._protocol.invoke(method, *arguments)
        self._unconfirmed[invocation_id] = method
        await self._socket.send(text)

    async def confirmed(self) -> None:
        while self._unconfirmed:
            await self._receive()

    async def listen(self) -> NoReturn:
        while True:
            await self._receive()

    async def ping(self) -> None:
        with contextlib.suppress(SocketClosed):
            while True:
                await asyncio.sleep(signalr.PING_INTERVAL_S)
                if self._protocol.state is signalr.State.OPEN:
                    await self._socket.send(self._protocol.send(signalr.Ping()))

    async def _receive(self) -> None:
        """Take in one frame. Only the wait for it counts as silence, not the time that ``heard`` takes."""
        try:
            async with asyncio.timeout(signalr.SERVER_TIMEOUT_S):
                text = await self._socket.receive()
        except TimeoutError:
            raise SocketClosed(f"silent for {signalr.SERVER_TIMEOUT_S:.0f} s") from None
        if text is None:
            raise SocketClosed("closed by the broker")
        for event in self._protocol.receive(text):
            await self._event(event)

    async def _event(self, event: signalr.ClientEvent) -> None:
        match event:
            case signalr.HandshakeResponse(error=None):
                self._greeted = True
            case signalr.HandshakeResponse():
                raise SocketClosed(f"handshake refused: {event.error}")
            case signalr.Invocation(target=target) if target == _LOGOUT:
                self.logged_out = True
                raise SocketClosed(LOGGED_OUT)
            case signalr.Invocation():
                await self._heard(event.target, event.arguments)
            case signalr.Completion():
                method = self._unconfirmed.pop(event.invocation_id, "unknown call")
                if event.error is not None:
                    raise SocketClosed(f"{method} refused: {event.error}")
            case signalr.Close():
                raise SocketClosed(event.error or "closed by the broker")
            case signalr.Malformed():
                raise SocketClosed(event.reason)
            case _:
                pass  # pings; streams are never asked for
