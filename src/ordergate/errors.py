"""Every exception of the project, as one tree.

OrdergateError
├── StartRefused            the process cannot start as asked; one line for the person, exit code 2
│   └── PortInUse           another program listens there
├── InputRefused            input at an edge is not an order, a price, a symbol...; code and field
├── TransportError          the network
│   ├── NotSent             the peer has not acted and will not: safe to try again
│   │   ├── NoRoom          our own count of the broker's request limit leaves no room; it has not left
│   │   └── TurnedAway      the peer answered that it did not act (HTTP 401, 429)
│   ├── OutcomeUnknown      the peer may have acted: never resend, ask
│   ├── UpgradeRefused      a WebSocket was refused with an HTTP status
│   └── SocketClosed        the WebSocket is closed
├── BrokerRefused           the broker answered, and said no
├── JournalError            the record
│   ├── JournalUnavailable  an append did not become durable
│   ├── SequenceConflict    a second writer wrote this book
│   └── JournalDamaged      the chain of hashes does not hold, or a row is of a newer version
├── BusError                the bus between processes
│   ├── BusUnavailable      Redis failed, or does not answer; what was asked of it may have happened
│   │   └── BusStarting     Redis reads what it had kept, and did nothing yet
│   ├── ConsumerReplaced    another process consumes under this name now: stop
│   └── MessageTooLarge     a message is too large to travel, and has not
├── StoreUnavailable        the simulated exchange's file: a change did not become durable and has not happened
└── IllegalTransition       a programmer's error: our own step is not in the lifecycle table

A denied order is none of these: it is an event with evidence.
"""

from __future__ import annotations


class OrdergateError(Exception):
    """The root."""


class StartRefused(OrdergateError):
    """The process cannot start as asked. The message says what is wrong, where, and what to do."""


class PortInUse(StartRefused):
    """Another program listens on the port."""


class InputRefused(OrdergateError):
    """Input at an edge was refused before it became a command.

    ``code`` is stable and upper-case, ``field`` is the path of the value, or None for the whole.
    """

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class TransportError(OrdergateError):
    """The network failed."""


class NotSent(TransportError):
    """The peer has not acted on the request and will not: no byte of it can have arrived, or it was turned away."""


class NoRoom(NotSent):
    """The request did not leave: the broker's request limit is used up. Says nothing of how well the broker is seen."""


class TurnedAway(NotSent):
    """The peer answered with an HTTP status that comes before any action."""

    def __init__(self, endpoint: str, status: int) -> None:
        super().__init__(f"{endpoint}: turned away with HTTP status {status}")
        self.status = status


class OutcomeUnknown(TransportError):
    """The request may have reached the peer; what it did is not known."""


class UpgradeRefused(TransportError):
    """The peer answered a WebSocket upgrade with an HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"WebSocket refused with HTTP status {status}")
        self.status = status


class SocketClosed(TransportError):
    """The WebSocket is closed."""


class BrokerRefused(OrdergateError):
    """The broker answered and refused. ``code`` is the endpoint's own errorCode (see projectx/messages)."""

    def __init__(self, endpoint: str, code: int, message: str | None) -> None:
        super().__init__(f"{endpoint} refused with code {code}: {message or 'no text'}")
        self.endpoint = endpoint
        self.code = code
        self.text = message or ""


class JournalError(OrdergateError):
    """The record failed."""


class JournalUnavailable(JournalError):
    """An append did not become durable. Nothing of the batch may be acted on."""


class SequenceConflict(JournalError):
    """Another writer has written this book."""


class JournalDamaged(JournalError):
    """The chain of hashes does not hold, or a row cannot be read by this version."""


class BusError(OrdergateError):
    """The bus between processes failed."""


class BusUnavailable(BusError):
    """Redis failed or does not answer. What was asked may have happened or not; only who asked can repeat it."""


class BusStarting(BusUnavailable):
    """Redis reads its file, as after a start, and did nothing of what was asked. It will answer by itself."""


class ConsumerReplaced(BusError):
    """Another process has begun to consume under this name. This one must stop: two would share the messages."""


class MessageTooLarge(BusError):
    """The message is larger than the bus carries; it has reached no one."""


class StoreUnavailable(OrdergateError):
    """The simulated exchange could not store a change. The change has not happened; nobody was told of it."""


class IllegalTransition(OrdergateError):
    """Our own step is not in the lifecycle table: a programmer's error."""
