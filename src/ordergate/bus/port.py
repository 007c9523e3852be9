"""The bus: how the parts reach each other, in one process or over Redis.

Four kinds of traffic, told apart by what may be lost:
- a *topic* is lossless and ordered (``orders``, ``commands``, ``exits``, ``reports``, ``events``); a full consumer
  makes the sender wait;
- a *channel* is one of the documented pub/sub channels that existing clients speak; over Redis it may lose messages;
- a *reply* goes out on a channel that the asker has named, and that nobody here listens to; it may be lost, too;
- *quotes* keep only the newest message of each key.

Invariants:
1. A topic's messages reach each consumer once, in the order sent.
2. ``consume``, ``subscribe`` and ``watch`` are in force when they return, before anything is awaited.
3. A message on the bus is data, never permission.
4. What a stranger names as his reply channel is never one that any part of the system reads.
"""

from __future__ import annotations

import enum
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from ordergate.errors import InputRefused


class Topic(enum.Enum):
    """The lossless topics. ``COMMANDS`` carries new risk, ``EXITS`` all else that is asked of the broker."""

    ORDERS = "orders"
    COMMANDS = "commands"
    EXITS = "exits"
    REPORTS = "reports"
    EVENTS = "events"


class Channel(enum.Enum):
    """The documented pub/sub channels (wire notes, section 2)."""

    ORDER_MANAGEMENT = "order:management"
    AGGREGATOR_ORDERS = "aggregator:orders"
    AGGREGATOR_REQUESTS = "aggregator:requests"
    MARKET_DATA = "aggregator:market-data"
    POSITION_UPDATES = "aggregator:position-updates"
    AGGREGATOR_STATUS = "aggregator:status"
    INSTANCE_CONTROL = "instance:control"
    FILL_ENHANCED = "fill:enhanced"
    # What an original connection manager tells; we only listen (``dialect.hints``).
    BROKER_MARKET_DATA = "market:data"
    BROKER_USER_DATA = "user:data"
    BROKER_FILLS = "connection-manager:fills"


# The reply channels that the shipped clients name have a word, or a word, a colon and their request id (wire notes,
# section 2.3). Longer ones, and other characters, are nobody's.
_REPLY_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
# First words of the channels that somebody acts upon (wire notes, section 2), and of our own keys.
_TAKEN = frozenset(
    (
        *("accounts", "aggregator", "connection-manager", "fill", "fills", "historical", "instance", "market", "order"),
        *("ordergate", "positions", "prices", "system", "user"),
        *(topic.value for topic in Topic),
    )
)


def checked_reply_channel(name: str) -> str:
    """``name`` if replies may go there. Raises ``InputRefused``.

    Were it one that somebody acts upon, whoever asks could make us say there what he may not say himself.
    """
    if _REPLY_CHANNEL.fullmatch(name) is None:
        message = "responseChannel must be 1 to 200 of A-Z a-z 0-9 . _ : / -"
        raise InputRefused("BAD_RESPONSE_CHANNEL", message, "responseChannel")
    if name.partition(":")[0].lower() in _TAKEN:
        raise InputRefused("BAD_RESPONSE_CHANNEL", f"{name} is not a channel for replies", "responseChannel")
    return name


class BusHealth(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of the server behind a bus; ``connected_since`` is null while it is not connected.

    ``lost`` counts, by channel or topic, how often messages may have been lost: a channel was disconnected while it had
    subscribers, or a message was dropped; a topic was forgotten by the server, with what dead senders had sent.
    ``resent`` is how many messages the server had forgotten unread, and was given again; ``unsealed`` counts those that
    somebody without the desk's key had written.
    """

    server: str
    connected_since: str | None
    last_error: str | None
    lost: Mapping[str, int]
    resent: int
    unsealed: Mapping[str, int] = {}


class Subscription(Protocol):
    """Messages for one consumer. Ends when closed; who stops reading must close it, for senders wait for it."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None:
        """End the iteration after what is already queued has been taken."""
        ...


class Bus(Protocol):
    """See the module. ``health`` is None where no server is behind it."""

    @property
    def health(self) -> BusHealth | None: ...

    async def send(self, topic: Topic, *messages: bytes) -> None:
        """Put ``messages`` on a lossless topic, in their order; waits while a consumer is full.

        One that is cancelled while it waits has sent none, or the first of several.
        """
        ...

    def consume(self, topic: Topic, consumer: str) -> Subscription:
        """Everything sent on ``topic`` from now on, for the consumer of that name, which has it open once at a time."""
        ...

    async def publish(self, channel: Channel, message: bytes) -> None:
        """Tell whoever listens on a documented channel, the publisher's own subscriptions included."""
        ...

    def subscribe(self, channel: Channel) -> Subscription:
        """Everything published on ``channel`` from now on."""
        ...

    async def say(self, said: Sequence[tuple[Channel | str, bytes]]) -> None:
        """Publish each in this order: on a documented channel, or as a reply.

        Whoever listens on a channel hears what is replied there: one that an asker named, and that
        ``checked_reply_channel`` has passed.
        """
        ...

    def tell(self, key: str, message: bytes) -> None:
        """Replace the latest quote of ``key``. Never waits."""
        ...

    def watch(self) -> Subscription:
        """The latest quote of every key that has one, then each change; unread older ones are replaced."""
        ...

    def close(self) -> None:
        """End every subscription."""
        ...
