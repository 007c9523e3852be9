"""Waiting for the gate's answer."""

from __future__ import annotations

import asyncio

from ordergate.bus.waiting import Waiting
from ordergate.core.commands import Answer, CancelAll, Command


async def test_two_who_wait_by_one_id_end_one_with_the_answer_and_one_undecided() -> None:
    async def take(command: Command) -> None:
        assert command.request_id == "same"

    waiting = Waiting(take)
    first = asyncio.create_task(waiting.ask(CancelAll("same"), 0.01))
    second = asyncio.create_task(waiting.ask(CancelAll("same"), 5))
    assert (await first).code == "UNDECIDED"
    waiting.answered(Answer("nobody", ok=True))
    waiting.answered(Answer("same", ok=True))
    waiting.answered(Answer("same", ok=True))
    assert (await second).ok
