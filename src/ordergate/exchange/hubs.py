"""The two SignalR hubs: who is subscribed to what, and what they are told (section 8).

Framing is ``net.signalr``; sockets are ``net.port``. One ``Hubs`` serves both hubs: a user hub's topics are accounts,
orders, positions and trades, a market hub's are quotes, trades and depth of a contract.

Invariants:
1. ``publish`` never waits: a client whose outbox is full is dropped, the others go on.
2. Nothing is replayed: a subscription sees what is published after it, on this connection only. UNVERIFIED. A market
   is told whole first: its quote, and its depth after a reset.
3. A completion answers exactly the calls that carry an id; an unknown method is answered, and the connection lives.
4. What a fault makes of events, their store does not know: only what is told changes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

import msgspec

from ordergate.errors import SocketClosed
from ordergate.exchange import listing, wire
from ordergate.exchange.accounts import Account, Fill, Position
from ordergate.exchange.connection import CLOSED, END, Connection, Key, end, tell
from ordergate.exchange.faults import EVENTS, Faults, Kind
from ordergate.exchange.market import Market
from ordergate.exchange.models import OrderModel
from ordergate.exchange.orders import Order
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.turn import Event, Tick
from ordergate.exchange.variants import Variant
from ordergate.net import signalr
from ordergate.net.port import Request, Response, Upgrade, WebSocket

# Messages that wait are sent in one frame, as the protocol allows; not more, so that a frame stays small.
_FRAME_MESSAGES_MAX = 64
# What one connection may subscribe to, so that a client cannot fill the memory; the real bound is not known.
_SUBSCRIPTIONS_MAX = 1_000
# A client that takes longer than this for what was written to it last is gone.
_FLUSH_S = 1.0
# Negotiated ids that have not connected yet are remembered up to this number.
_NEGOTIATED_MAX = 1_000

# The docs' sample data for ``action`` (section 8.4); its meaning is not documented: 1 and 2 by what was seen live.
_CREATED, _UPDATED, _REMOVED = 0, 1, 2

_SHUFFLE, _SLOW = frozenset({Kind.SHUFFLE}), frozenset({Kind.SLOW})
# What each event is told as; of a market's step those that it may be.
_NAMES: Sequence[tuple[type, str]] = (
    (Order, "GatewayUserOrder"),
    (Fill, "GatewayUserTrade"),
    (Position, "GatewayUserPosition"),
    (Account, "GatewayUserAccount"),
    (Tick, "GatewayQuote"),
)


class Topic(msgspec.Struct, frozen=True):
    """What a pair of methods subscribes to: ``Subscribe`` + ``method``. ``of`` is the type of its one argument."""

    name: str
    of: type[int | str] | None


USER_HUB, MARKET_HUB = "/hubs/user", "/hubs/market"
_TOPICS: Mapping[str, Mapping[str, Topic]] = {
    USER_HUB: {
        "accounts": Topic("accounts", None),
        "orders": Topic("orders", int),
        "positions": Topic("positions", int),
        "trades": Topic("fills", int),
    },
    MARKET_HUB: {
        "contractquotes": Topic("quotes", str),
        "contracttrades": Topic("prints", str),
        "contractmarketdepth": Topic("depth", str),
    },
}
_SUBSCRIBE, _UNSUBSCRIBE = "subscribe", "unsubscribe"


class Hubs:
    """See the module. ``standing`` gives what there is of a topic, ``owner_of`` whose an account is."""

    def __init__(
        self,
        settings: ExchangeSettings,
        faults: Faults,
        standing: Callable[[Key], Sequence[Event | Market]],
        owner_of: Callable[[int], str | None],
    ) -> None:
        self._settings = settings
        self._variants = settings.variants
        self._faults = faults
        self._connections: dict[Connection, None] = {}
        self._standing = standing
        self._owner_of = owner_of
        self._subscribers: dict[Key, dict[Connection, None]] = {}
        self._negotiated: dict[str, None] = {}
        self._negotiations_total = 0

    def negotiate(self, request: Request) -> Response:
        """The answer to ``POST .../negotiate`` of a client with a valid token."""
        self._negotiations_total += 1
        ids = [self._id(kind) for kind in ("connection", "token")]
        for connection_id in ids:
            self._negotiated[connection_id] = None
        while len(self._negotiated) > _NEGOTIATED_MAX:
            del self._negotiated[next(iter(self._negotiated))]
        body = signalr.negotiation(request.query.get("negotiateVersion"), *ids)
        return Response(200, body, {"Content-Type": "application/json"})

    def connect(self, hub: str, request: Request, user_name: str, left_s: float) -> Response | Upgrade:
        """The answer to a WebSocket request of a user whose token is valid for ``left_s`` more seconds.

        404 for an id that was never negotiated.
        """
        connection_id = request.query.get("id")
        if connection_id is not None and connection_id not in self._negotiated:
            return Response(404)

        async def serve(socket: WebSocket) -> None:
            connection = Connection(hub, user_name, self._settings.outbox_messages_max)
            if Variant.EXPIRY_ENDS_SOCKETS in self._variants:
                expiry = asyncio.get_running_loop().call_later(left_s, connection.ended.set)
                await self._serve(connection, socket)
                expiry.cancel()
            else:
                await self._serve(connection, socket)

        return Upgrade(serve)

    def publish(self, events: Sequence[Event]) -> None:
        """Tell subscribers what has happened, in its order, or in that of a fault."""
        if not self._faults.standing:
            for event in events:
                self._tell(event)
            return
        for event in self._shuffled(events):
            names = (name for kind, name in _NAMES if isinstance(event, kind))
            fault = next(filter(None, (self._faults.strike(EVENTS, name) for name in names)), None)
            if fault is not None and fault.kind is Kind.LATE:
                asyncio.get_running_loop().call_later(fault.ms / 1_000, self._tell, event)
            elif fault is None or fault.kind is Kind.DOUBLE:
                for _ in range(1 if fault is None else 2):
                    self._tell(event)

    def end(self) -> None:
        """End every connection without a word."""
        for connection in self._connections:
            connection.ended.set()

    def close(self, *, reconnect: bool) -> int:
        """Tell Close on every connection, and end it; how many there were."""
        for connection in self._connections:
            end(connection, signalr.Close(CLOSED, allow_reconnect=reconnect))
        return len(self._connections)

    def mute(self) -> int:
        """Let nothing more go over the connections that there are, which stay open; how many there are."""
        for connection in self._connections:
            connection.is_mute = True
        return len(self._connections)

    def logout(self, user_name: str | None = None) -> int:
        """Tell GatewayLogout on every connection, or a user's, and end it; how many. UNVERIFIED: that it is ended."""
        ended = {each: None for each in self._connections if user_name in (None, each.user_name)}
        tell(ended, "GatewayLogout", "logged out")
        for connection in ended:
            connection.send(END)
        return len(ended)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Those that there are, oldest first."""
        return tuple(self._connections)

    def _shuffled(self, events: Sequence[Event]) -> list[Event]:
        """The events, where a fault strikes with what each fill tells in another order."""
        told = list(events)
        for place in [place for place, event in enumerate(told) if isinstance(event, Fill)]:
            if self._faults.strike(_SHUFFLE, "GatewayUserTrade"):
                of_fill = slice(place - 1, place + 3)  # order, trade, position, account
                told[of_fill] = self._faults.shuffled(told[of_fill])
        return told

    def _tell(self, event: Event) -> None:
        for key, target, arguments in self._messages(event, self._subscribers):
            tell(self._subscribers[key], target, *arguments)

    def _messages(self, event: Event | Market, wanted: Container[Key]) -> Iterator[tuple[Key, str, tuple[object, ...]]]:
        """What is told of an event to whom, target and arguments; only of topics that are wanted."""
        key: Key
        match event:
            case Tick() | Market():
                yield from self._market_messages(event, wanted)
            case Order() if (key := ("orders", event.account_id)) in wanted:
                order = wire.order_model(event, listing.known_contract(event.contract_id), wire.HUB_DIGITS)
                if event.bracket_ticks is not None and Variant.CHILDREN_TRAIL in self._variants:
                    order = wire.with_trail(order, event.bracket_ticks, listing.known_contract(event.contract_id))
                ended = event.is_final and Variant.ORDERS_REMOVED in self._variants
                yield key, "GatewayUserOrder", (self._wrapped(_REMOVED if ended else _UPDATED, order),)
            case Fill() if (key := ("fills", event.account_id)) in wanted:
                contract, commission_usd = listing.known_contract(event.contract_id), self._settings.commission_usd
                trade = wire.trade_model(event, contract, wire.HUB_DIGITS, commission_usd)
                yield key, "GatewayUserTrade", (self._wrapped(_CREATED, trade),)
            case Position() if (key := ("positions", event.account_id)) in wanted:
                held = wire.position_model(event, listing.known_contract(event.contract_id), wire.HUB_DIGITS)
                yield key, "GatewayUserPosition", (self._wrapped(_UPDATED if event.net_quantity else _REMOVED, held),)
            case Account() if (key := ("accounts", event.user_name)) in wanted:
                row = wire.account_model(event, self._settings.variants)
                yield key, "GatewayUserAccount", (self._wrapped(_UPDATED, row),)

    def _market_messages(
        self, event: Tick | Market, wanted: Container[Key]
    ) -> Iterator[tuple[Key, str, tuple[object, ...]]]:
        """A step, or all that there is of a market."""
        contract_id = event.after.contract_id if isinstance(event, Tick) else event.contract_id
        contract = listing.known_contract(contract_id)
        if (key := ("quotes", contract_id)) in wanted:
            quote = wire.quote_changes(event, contract) if isinstance(event, Tick) else wire.quote(event, contract)
            if quote is not None:
                yield key, "GatewayQuote", (contract_id, quote)
        if isinstance(event, Tick) and event.prints and (key := ("prints", contract_id)) in wanted:
            yield key, "GatewayTrade", (contract_id, wire.prints(event, contract))
        if (key := ("depth", contract_id)) in wanted:
            by_change = Variant.DEPTH_CHANGES in self._variants
            levels = (
                wire.depth(event, contract, by_change=by_change)
                if isinstance(event, Tick)
                else wire.whole_depth(event, contract)
            )
            if levels:
                yield key, "GatewayDepth", (contract_id, levels)

    def _wrapped(self, action: int, model: msgspec.Struct) -> dict[str, object]:
        """An event of the user hub as it is told (section 8.4)."""
        data = wire.without_nulls(model)
        is_bare = Variant.ORDERS_WRAPPED in self._variants and not isinstance(model, OrderModel)
        return data if is_bare or Variant.BARE_EVENTS in self._variants else {"action": action, "data": data}

    async def _serve(self, connection: Connection, socket: WebSocket) -> None:
        """Read and write until the client leaves, falls silent or does not keep up."""
        reader = asyncio.create_task(self._read(connection, socket))
        writer = asyncio.create_task(self._write(connection, socket))
        ended = asyncio.create_task(connection.ended.wait())
        tasks = [reader, writer, ended]
        self._connections[connection] = None
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                connection.send(END)
                await asyncio.wait([writer], timeout=_FLUSH_S)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            del self._connections[connection]
            for key in connection.subscriptions:
                self._forget(connection, key)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, connection: Connection, socket: WebSocket) -> None:
        """Take the client's messages until it closes or is silent for too long."""
        protocol = connection.protocol
        while protocol.state is not signalr.State.CLOSED:
            is_open = protocol.state is signalr.State.OPEN
            patience_s = self._settings.client_timeout_s if is_open else self._settings.handshake_timeout_s
            try:
                async with asyncio.timeout(patience_s):
                    text = await socket.receive()
            except TimeoutError:
                if connection.is_mute:
                    continue
                return
            if text is None:
                return
            for event in protocol.receive(text):
                self._take(connection, event)

    async def _write(self, connection: Connection, socket: WebSocket) -> None:
        """Write what is queued, up to the end mark, and a ping when there has been nothing to write."""
        outbox = connection.outbox
        while True:
            try:
                async with asyncio.timeout(self._settings.ping_interval_s):
                    texts = [await outbox.get()]
            except TimeoutError:
                texts = [signalr.encode(signalr.Ping())]
            while len(texts) < _FRAME_MESSAGES_MAX and not outbox.empty():
                texts.append(outbox.get_nowait())
            slow = self._faults.strike(_SLOW, connection.hub)
            if slow is not None:
                await asyncio.sleep(slow.ms / 1_000)
            try:
                if any(texts) and not connection.is_mute:
                    await socket.send("".join(texts))
            except SocketClosed:
                return
            if END in texts:
                return

    def _take(self, connection: Connection, event: signalr.ServerEvent) -> None:
        """Act on one message of a client. Anything but a call needs no answer."""
        match event:
            case signalr.HandshakeRequest():
                connection.is_greeted = True
                connection.send(connection.protocol.accept(event))
            case signalr.Invocation():
                error = self._call(connection, event)
                text = connection.protocol.complete(event, error=error)
                if text is not None:
                    connection.send(text)
            case signalr.StreamInvocation():
                # No method streams. UNVERIFIED wording.
                error = (
                    f"The client attempted to invoke the non-streaming '{event.target}' method with a streaming call."
                )
                connection.send(connection.protocol.send(signalr.Completion(event.invocation_id, error=error)))

            case signalr.Malformed() if connection.is_greeted:
                end(connection, signalr.Close(CLOSED))

    def _call(self, connection: Connection, call: signalr.Invocation) -> str | None:
        """Carry out one call; the error's text, or None. Method names are matched without case (section 8.2)."""
        method = call.target.casefold()
        verb = _UNSUBSCRIBE if method.startswith(_UNSUBSCRIBE) else _SUBSCRIBE
        topic = _TOPICS[connection.hub].get(method.removeprefix(verb)) if method.startswith(verb) else None
        if topic is None:
            return f"Unknown hub method '{call.target}'"
        try:
            arguments = msgspec.json.decode(call.arguments, type=list[int | str])
        except msgspec.DecodeError:
            return f"Failed to invoke '{call.target}' due to an error on the server."
        if len(arguments) != (topic.of is not None) or not all(type(value) is topic.of for value in arguments):
            return f"Failed to invoke '{call.target}' due to an error on the server."
        key: Key = (topic.name, arguments[0] if arguments else connection.user_name)
        if verb == _UNSUBSCRIBE:
            connection.subscriptions.pop(key, None)
            self._forget(connection, key)
            return None
        if len(connection.subscriptions) >= _SUBSCRIPTIONS_MAX:
            return f"Failed to invoke '{call.target}' due to an error on the server."
        # UNVERIFIED: that of another user's account, as of one that there is not, nothing is told.
        if topic.of is int and self._owner_of(int(key[1])) != connection.user_name:
            return None
        connection.subscriptions[key] = None
        self._subscribers.setdefault(key, {})[connection] = None
        if connection.hub == MARKET_HUB or Variant.HUB_SNAPSHOTS in self._variants:
            for event in self._standing(key):
                for _, target, told in self._messages(event, {key}):
                    tell({connection: None}, target, *told)
        return None

    def _forget(self, connection: Connection, key: Key) -> None:
        subscribers = self._subscribers.get(key, {})
        subscribers.pop(connection, None)
        if not subscribers:
            self._subscribers.pop(key, None)

    def _id(self, kind: str) -> str:
        """A new id, the same in every run: 22 characters, as ASP.NET Core makes them."""
        name = f"{self._settings.seed} {kind} {self._negotiations_total}"
        return hashlib.sha256(name.encode()).hexdigest()[:22]
