"""The unread messages of one subscription: a reader that always finds another one lets all else run."""

from __future__ import annotations

import asyncio

from ordergate.bus.mailbox import AT_ONCE_MAX, Mailbox


async def test_a_reader_that_always_finds_another_message_lets_all_else_run() -> None:
    mailbox = Mailbox(asyncio.Event(), {str(number): b"x" for number in range(10 * AT_ONCE_MAX)})
    mailbox.close()
    read = ran = 0

    async def run() -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(run())
    async for _ in mailbox:
        read += 1
    other.cancel()
    assert read == 10 * AT_ONCE_MAX
    assert ran >= 9


async def test_a_reader_that_is_cancelled_while_it_lets_others_run_has_taken_no_message_with_it() -> None:
    mailbox = Mailbox(asyncio.Event(), {str(number): b"x" for number in range(AT_ONCE_MAX + 1)})
    messages = aiter(mailbox)
    for _ in range(AT_ONCE_MAX):
        await anext(messages)
    reading = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    assert mailbox.unread == 1
