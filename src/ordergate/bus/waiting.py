"""Answers of the gate to those who wait for them, by the id of what was asked.

Invariant: whoever waits is registered before the question leaves, so no answer can be missed. Of two who wait by the
same id the later one is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ordergate.core.commands import Answer, Command


class Waiting:
    """``take`` queues a command at the gate."""

    def __init__(self, take: Callable[[Command], Awaitable[None]]) -> None:
        self._take = take
        self._waiters: dict[str, asyncio.Future[Answer]] = {}

    async def ask(self, command: Command, timeout_s: float) -> Answer:
        """The gate's answer, or UNDECIDED after ``timeout_s``: it may be decided later."""
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiters[command.request_id] = waiter
        try:
            async with asyncio.timeout(timeout_s):
                await self._take(command)
                return await waiter
        except TimeoutError:
            message = "the gate has not answered in time; it may still act on this: ask again, or look at the orders"
            return Answer(command.request_id, ok=False, code="UNDECIDED", message=message)
        finally:
            if self._waiters.get(command.request_id) is waiter:
                del self._waiters[command.request_id]

    def answered(self, answer: Answer) -> None:
        """Hand on an answer that has come."""
        waiter = self._waiters.get(answer.request_id)
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)
