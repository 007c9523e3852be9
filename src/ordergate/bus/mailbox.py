"""The unread messages of one subscription, inside this process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping

# A reader that always finds another message lets all else run after so many: some 1 ms.
AT_ONCE_MAX = 16


class Mailbox:
    """The unread messages of one subscription by key, in the order of the keys' arrival.

    A message whose key is still unread replaces it and keeps its place, so a busy key cannot starve the others. On a
    lane every message has a key of its own. ``room`` is set when a message was taken, or none will be any more.
    """

    def __init__(self, room: asyncio.Event, unread: Mapping[str, bytes]) -> None:
        self._unread: OrderedDict[int | str, bytes] = OrderedDict(unread)
        self._arrived = asyncio.Event()
        self._room = room
        self._at_once = 0
        self.closed = False

    @property
    def unread(self) -> int:
        return len(self._unread)

    def put(self, key: int | str, message: bytes) -> None:
        self._unread[key] = message
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._at_once += 1
        if self._at_once > AT_ONCE_MAX:
            self._at_once = 0
            await asyncio.sleep(0)
        while not self._unread:
            if self.closed:
                raise StopAsyncIteration
            self._at_once = 0
            self._arrived.clear()
            await self._arrived.wait()
        _, message = self._unread.popitem(last=False)
        self._room.set()
        return message

    def close(self) -> None:
        self.closed = True
        self._arrived.set()
        self._room.set()


def still_open(mailboxes: list[Mailbox]) -> list[Mailbox]:
    return [mailbox for mailbox in mailboxes if not mailbox.closed]
