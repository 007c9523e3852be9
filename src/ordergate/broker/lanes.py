"""A sender lane: the messages of one topic, carried out side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ordergate.bus.port import Subscription

# Enough for a flatten of a handful of contracts at once; more would only wait in the broker's request limit.
WIDTH = 8


async def lane(messages: Subscription, act: Callable[[bytes], Awaitable[None]]) -> None:
    """Act on each message, up to ``WIDTH`` at once, begun in the order sent; until the subscription is closed."""
    slots = asyncio.Semaphore(WIDTH)

    async def one(message: bytes) -> None:
        try:
            await act(message)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as tasks:
        async for message in messages:
            await slots.acquire()
            tasks.create_task(one(message))
