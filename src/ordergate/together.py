"""Tasks beside a block."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

from ordergate.errors import StartRefused

Start = Callable[[Coroutine[object, object, None], str], None]
"""Starts a task of that name."""


@contextlib.asynccontextmanager
async def together() -> AsyncIterator[Start]:
    """The tasks that are started end with the block, and one that fails ends it.

    A part may find only when it runs that it cannot: that is one ``StartRefused``, like every other refusal to start.
    """
    running: list[asyncio.Task[None]] = []
    try:
        async with asyncio.TaskGroup() as group:

            def start(work: Coroutine[object, object, None], name: str) -> None:
                running.append(group.create_task(work, name=name))

            try:
                yield start
            finally:
                for task in running:
                    task.cancel()
    except BaseExceptionGroup as failed:
        refused, rest = failed.split(StartRefused)
        if refused is None or rest is not None:
            raise
        raise StartRefused("\n".join(str(error) for error in _leaves(refused))) from None


def _leaves(group: BaseExceptionGroup[StartRefused]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
