"""The SignalR JSON hub protocol, both ends, without I/O.

Text goes in, events come out; messages go in, text to write comes out. Sockets, timers and reconnection are the
caller's: this module never waits, never reads a clock and never raises on what a peer sent.

Sources: ProjectX API notes, sections 8.1 and 8.2, 2026-11-22; the public SignalR hub protocol.

Invariants:
1. However the peer's text is split into frames or joined, the events are the same.
2. Whatever arrives, ``receive`` returns: what is not SignalR becomes one ``Malformed``, after which nothing follows.
3. At most ``RECORD_CHARS_MAX`` characters wait for their separator.
4. A completion answers only an invocation that carries an id.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from ordergate.errors import IllegalTransition, SocketClosed

RECORD_SEPARATOR = "\x1e"
# No ProjectX message comes near this: a quote is 300 characters, a depth batch some thousand (notes, section 8.5).
RECORD_CHARS_MAX = 1_048_576

# ASP.NET Core defaults, not measured on ProjectX (notes, section 8.2). Both ends ping, and both give up on silence.
PING_INTERVAL_S = 15.0
SERVER_TIMEOUT_S = 30.0
HANDSHAKE_TIMEOUT_S = 15.0

# Prices and money are JSON numbers on this wire (notes, section 5).
_encoder = msgspec.json.Encoder(decimal_format="number")


class Invocation(msgspec.Struct, frozen=True, tag_field="type", tag=1, rename="camel", omit_defaults=True):
    """A call of ``target``. ``arguments`` is the JSON array as it stands on the wire; with an id, an answer is due."""

    target: str
    arguments: msgspec.Raw
    invocation_id: str | None = None


class StreamItem(msgspec.Struct, frozen=True, tag_field="type", tag=2, rename="camel"):
    """One item of a stream that a ``StreamInvocation`` asked for."""

    invocation_id: str
    item: msgspec.Raw


class Completion(msgspec.Struct, frozen=True, tag_field="type", tag=3, rename="camel", omit_defaults=True):
    """The answer to an invocation: a result, an error, or neither where the method returns nothing."""

    invocation_id: str
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: str | None = None


class StreamInvocation(msgspec.Struct, frozen=True, tag_field="type", tag=4, rename="camel"):
    """A call whose answer is a stream of items."""

    invocation_id: str
    target: str
    arguments: msgspec.Raw


class CancelInvocation(msgspec.Struct, frozen=True, tag_field="type", tag=5, rename="camel"):
    """The end of interest in a stream."""

    invocation_id: str


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag=6):
    """A sign of life."""


class Close(msgspec.Struct, frozen=True, tag_field="type", tag=7, rename="camel", omit_defaults=True):
    """The peer's last message. ``allow_reconnect`` false: a client should not come back by itself."""

    error: str | None = None
    allow_reconnect: bool = False


Message = Invocation | StreamItem | Completion | StreamInvocation | CancelInvocation | Ping | Close


class HandshakeRequest(msgspec.Struct, frozen=True):
    """The client's first record."""

    protocol: str
    version: int


class HandshakeResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server's first record; refused where ``error`` is given."""

    error: str | None = None
    type: int | msgspec.UnsetType = msgspec.UNSET  # present only when a server skips the handshake, which is malformed


class Malformed(msgspec.Struct, frozen=True):
    """What arrived is not SignalR; the connection is of no further use. ``reason`` quotes nothing that was sent."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """A well-formed message of a type this module does not know, such as 8 Ack and 9 Sequence."""

    type: int


ClientEvent = HandshakeResponse | Message | Malformed
ServerEvent = HandshakeRequest | Message | Malformed

_message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_unknown_decoder = msgspec.json.Decoder(Unknown)
_KNOWN_TYPES = range(1, 8)


def encode(message: Message | HandshakeRequest | HandshakeResponse) -> str:
    """One record with its separator, ready for a text frame."""
    return _encoder.encode(message).decode() + RECORD_SEPARATOR


def decode(record: str) -> Message | Unknown | Malformed:
    """The message in one record, given without its separator."""
    try:
        return _message_decoder.decode(record)
    except (ValueError, RecursionError):  # msgspec's errors and UnicodeEncodeError are ValueErrors
        pass
    try:
        unknown = _unknown_decoder.decode(record)
    except (ValueError, RecursionError):
        return Malformed("not a hub message")
    return Malformed(f"bad message of type {unknown.type}") if unknown.type in _KNOWN_TYPES else unknown


def invocation(target: str, *arguments: object, invocation_id: str | None = None) -> Invocation:
    """An ``Invocation`` of Python values; a Decimal is written as a JSON number."""
    return Invocation(target, msgspec.Raw(_encoder.encode(arguments)), invocation_id)


def negotiation(requested_version: str | None, connection_id: str, connection_token: str) -> bytes:
    """The body that answers ``POST .../negotiate``; ``requested_version`` is the query's ``negotiateVersion``.

    Without a version the answer is version 0, which has no token: its clients connect with ``id=connection_id``,
    those of version 1 with ``id=connection_token`` (notes, section 8.1).
    """
    answer: dict[str, object] = {"negotiateVersion": 0, "connectionId": connection_id}
    if requested_version not in {None, "", "0"}:
        answer |= {"negotiateVersion": 1, "connectionToken": connection_token}
    # Binary is what the real service lists; ``ServerProtocol`` refuses it at the handshake.
    answer["availableTransports"] = [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
    return _encoder.encode(answer)


class State(enum.Enum):
    """Where a connection is. ``CLOSED`` is reached by a refused handshake, a ``Close`` either way, or ``Malformed``."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


class _Records:
    """Cuts text into records, wherever the frames begin and end."""

    def __init__(self) -> None:
        self._waiting: list[str] = []  # joined once, so that a record in many frames costs its length, not its square
        self._waiting_chars = 0

    def feed(self, text: str) -> list[str | Malformed]:
        """The records that ``text`` completes, without separators; ``Malformed`` in place of one that is too long."""
        records: list[str | Malformed] = []
        *ends, rest = text.split(RECORD_SEPARATOR)
        for end in ends:
            self._wait(end)
            records.append(self._take())
        self._wait(rest)
        if self._waiting_chars > RECORD_CHARS_MAX:
            records.append(self._take())
        return records

    def _wait(self, part: str) -> None:
        self._waiting.append(part)
        self._waiting_chars += len(part)

    def _take(self) -> str | Malformed:
        record = "".join(self._waiting)
        self._waiting, self._waiting_chars = [], 0
        return Malformed("record too long") if len(record) > RECORD_CHARS_MAX else record


_Greeting = TypeVar("_Greeting", bound=HandshakeRequest | HandshakeResponse)


class _Protocol(Generic[_Greeting]):
    """What both ends share: the order of records, the state, the count of unknown messages."""

    def __init__(self, greeting: Callable[[str], _Greeting | Malformed]) -> None:
        self.state = State.HANDSHAKE
        self.unknown_total = 0
        self._records = _Records()
        self._greeting = greeting
        self._greeted = False

    def receive(self, text: str) -> list[_Greeting | Message | Malformed]:
        """The events in ``text``, in order; none after the one that closed the connection."""
        events: list[_Greeting | Message | Malformed] = []
        for record in self._records.feed(text):
            if self.state is State.CLOSED:
                break
            event = self._event(record)
            if isinstance(event, Unknown):
                self.unknown_total += 1
                continue
            events.append(event)
            match event:
                case HandshakeResponse(error=None):
                    self.state = State.OPEN
                case HandshakeResponse() | Close() | Malformed():
                    self.state = State.CLOSED
        return events

    def send(self, message: Message) -> str:
        """The text to write. Raises ``SocketClosed`` after the end, ``IllegalTransition`` before the handshake."""
        if self.state is State.HANDSHAKE:
            raise IllegalTransition(f"{type(message).__name__} before the SignalR handshake")
        if self.state is State.CLOSED:
            raise SocketClosed("the SignalR connection has ended")
        if isinstance(message, Close):
            self.state = State.CLOSED
        return encode(message)

    def _event(self, record: str | Malformed) -> _Greeting | Message | Unknown | Malformed:
        if isinstance(record, Malformed):
            return record
        if self._greeted:
            return decode(record)
        self._greeted = True
        return self._greeting(record)


class ClientProtocol(_Protocol[HandshakeResponse]):
    """The end that connects. Write ``handshake()`` first; ``receive`` then begins with a ``HandshakeResponse``."""

    def __init__(self) -> None:
        super().__init__(_handshake_response)
        self._invocations_total = 0

    def handshake(self) -> str:
        """The first text to write."""
        return encode(HandshakeRequest("json", 1))

    def invoke(self, target: str, *arguments: object) -> tuple[str, str]:
        """An invocation that asks for an answer: its id, which the ``Completion`` will carry, and the text to write."""
        self._invocations_total += 1
        invocation_id = str(self._invocations_total)
        return invocation_id, self.send(invocation(target, *arguments, invocation_id=invocation_id))


class ServerProtocol(_Protocol[HandshakeRequest]):
    """The end that is connected to. ``receive`` begins with a ``HandshakeRequest``; answer it with ``accept``.

    Messages may follow the request in the same frame, before it is accepted.
    """

    def __init__(self) -> None:
        super().__init__(_handshake_request)

    def accept(self, request: HandshakeRequest) -> str:
        """The answer to write: a refusal, after which ``state`` is CLOSED, unless JSON up to version 1 is asked for.

        Version 0 too, as ASP.NET Core takes it: signalrcore 1.0.2 asks for it unless it has negotiated version 1.
        """
        error = None
        if request.protocol != "json":
            error = f"The protocol '{request.protocol}' is not supported."
        elif not 0 <= request.version <= 1:
            error = f"Version {request.version} of the 'json' protocol is not supported."
        if self.state is State.HANDSHAKE:  # not where a Close came in the same frame
            self.state = State.OPEN if error is None else State.CLOSED
        return encode(HandshakeResponse(error))

    def complete(self, call: Invocation, result: object = msgspec.UNSET, *, error: str | None = None) -> str | None:
        """The text that answers ``call``, or None where none is due: a call without an id wants no answer.

        Raises as ``send`` does.
        """
        if call.invocation_id is None:
            return None
        raw = msgspec.UNSET if result is msgspec.UNSET else msgspec.Raw(_encoder.encode(result))
        return self.send(Completion(call.invocation_id, raw, error))


def _handshake_response(record: str) -> HandshakeResponse | Malformed:
    try:
        response = msgspec.json.decode(record, type=HandshakeResponse)
    except (ValueError, RecursionError):
        return Malformed("not a handshake response")
    return response if response.type is msgspec.UNSET else Malformed("a message before the handshake response")


def _handshake_request(record: str) -> HandshakeRequest | Malformed:
    try:
        return msgspec.json.decode(record, type=HandshakeRequest)
    except (ValueError, RecursionError):
        return Malformed("not a handshake request")
