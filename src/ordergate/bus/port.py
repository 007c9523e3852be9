"""The bus: how the parts reach each other, in one process or over Redis.

Three kinds of traffic, told apart by what may be lost:
- a *topic* is lossless and ordered (``orders``, ``commands``, ``exits``, ``reports``, ``events``); a full consumer
  makes the sender wait;
- a *channel* is one of the documented pub/sub channels that existing clients speak; over Redis it may lose messages;
- *quotes* keep only the newest message of each key.

Invariants:
1. A topic's messages reach each consumer once, in the order sent.
2. ``consume``, ``subscribe`` and ``watch`` are in force when they return, before anything is awaited.
3. A message on the bus is data, never permission.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from typing import Protocol


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
    MARKET_DATA = "aggregator:market-data"
    FILL_ENHANCED = "fill:enhanced"


class Subscription(Protocol):
    """Messages for one consumer. Ends when closed; who stops reading must close it, for senders wait for it."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None:
        """End the iteration after what is already queued has been taken."""
        ...


class Bus(Protocol):
    """See the module."""

    async def send(self, topic: Topic, message: bytes) -> None:
        """Put ``message`` on a lossless topic; waits while a consumer is full."""
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

    def tell(self, key: str, message: bytes) -> None:
        """Replace the latest quote of ``key``. Never waits."""
        ...

    def watch(self) -> Subscription:
        """The latest quote of every key that has one, then each change; unread older ones are replaced."""
        ...

    def close(self) -> None:
        """End every subscription."""
        ...
