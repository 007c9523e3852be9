"""One client of a hub, as the hub sees it: what it subscribed to, and what waits to be written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ordergate.net import signalr

Key = tuple[str, int | str]

# The empty text: write what is before it, then stop.
END = ""
# As clients print it: "Server returned an error on close: Connection closed with an error." (section 8.2).
CLOSED = "Connection closed with an error."


class Connection:
    """One client of one hub."""

    def __init__(self, hub: str, user_name: str, messages_max: int) -> None:
        self.hub = hub
        self.user_name = user_name
        self.protocol = signalr.ServerProtocol()
        self.outbox: asyncio.Queue[str] = asyncio.Queue(messages_max)
        self.ended = asyncio.Event()
        self.is_mute = False
        self.is_greeted = False
        self.subscriptions: dict[Key, None] = {}

    def send(self, text: str) -> None:
        """Queue a message; a client that does not keep up is dropped."""
        try:
            self.outbox.put_nowait(text)
        except asyncio.QueueFull:
            self.ended.set()


def tell(subscribers: Mapping[Connection, None], target: str, *arguments: object) -> None:
    """Queue one event for each of its subscribers; it is encoded once."""
    text = signalr.encode(signalr.invocation(target, *arguments))
    for connection in subscribers:
        if connection.protocol.state is signalr.State.OPEN:
            connection.send(text)


def end(connection: Connection, last: signalr.Close) -> None:
    """Tell a client that has shaken hands, whatever it has sent since, and end its connection."""
    if connection.is_greeted:
        connection.send(signalr.encode(last))
    connection.send(END)
