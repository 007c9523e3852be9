"""Server-sent events: one numbering for all clients, a bounded queue for each.

A client that starts, or starts again, listens first and then asks for the snapshot: the events after the snapshot's
number are what it applies. Nothing is sent again, so ``Last-Event-ID`` is not looked at.

Invariants:
1. Events are numbered 1, 2, 3 ... for the life of the process; every client sees every number from its first one on.
2. A client that does not keep up is let go, never waited for. So is every client when rows have gone without an event
   that says so; the number moves on, as the rows of the old number are no longer told.
3. A client hears something at least every ``HEARTBEAT_S``, and a comment line that often even among events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

import msgspec

from ordergate.errors import InputRefused
from ordergate.web.replies import encode

HEARTBEAT_S = 1.0
# Some 700 bytes an event: a stalled client holds below 1 MB before it is let go.
EVENTS_WAITING_MAX = 1_000
# Pages and scripts of one desk. An open page is one client.
CLIENTS_MAX = 64
_HEARTBEAT = b":\n\n"


class Stream:
    """The numbered events, and who listens. ``number`` is that of the last event."""

    def __init__(self) -> None:
        self.number = 0
        self._clients: list[Client] = []

    def tell(self, name: str, row: msgspec.Struct) -> None:
        """Send ``row`` as the event ``name`` to every client."""
        self.number += 1
        message = b"id: %d\nevent: %s\ndata: %s\n\n" % (self.number, name.encode(), encode(row))
        for client in self._clients:
            client.put(message)
        self._clients = [client for client in self._clients if not client.closed]

    def listen(self) -> Client:
        """A new client: every event from now on. Raises ``InputRefused`` when there are too many."""
        self._clients = [client for client in self._clients if not client.closed]
        if len(self._clients) >= CLIENTS_MAX:
            raise InputRefused("TOO_MANY_CLIENTS", f"{CLIENTS_MAX} clients listen already; close some")
        client = Client()
        self._clients.append(client)
        return client

    def start_anew(self) -> None:
        """Let every client go: it comes back and begins from a snapshot."""
        self.number += 1
        self.close()

    def close(self) -> None:
        """End every client's events."""
        for client in self._clients:
            client.close()
        self._clients = []


class Client:
    """One listener: an iterator of what to write to it."""

    def __init__(self) -> None:
        self.closed = False
        self._waiting: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._beat_at = 0.0

    def put(self, message: bytes) -> None:
        if len(self._waiting) >= EVENTS_WAITING_MAX:
            self.close()
            return
        self._waiting.append(message)
        self._changed.set()

    def close(self) -> None:
        """End at once: what waits is dropped, as it would be followed by a gap."""
        self.closed = True
        self._waiting.clear()
        self._changed.set()

    def __aiter__(self) -> Client:
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        while not self.closed:
            # The first beat is at once: it tells the client that from here on it misses nothing.
            if loop.time() >= self._beat_at:
                self._beat_at = loop.time() + HEARTBEAT_S
                return _HEARTBEAT
            if self._waiting:
                return self._waiting.popleft()
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._beat_at):
                    await self._changed.wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The peer has gone."""
        self.close()
