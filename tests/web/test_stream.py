"""Invariants of ``web/stream``: one numbering, bounded clients, a heartbeat."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from ordergate.errors import InputRefused
from ordergate.web.stream import CLIENTS_MAX, EVENTS_WAITING_MAX, HEARTBEAT_S, Client, Stream
from tests.simulation.virtual_time import run
from tests.web.page import events, exact


class Row(msgspec.Struct):
    """Stands for any row."""

    message: str = "two\nlines"


ALARM = Row()


async def next_event(client: Client) -> tuple[int, str, object]:
    while not (found := events(await anext(client))):
        pass
    return found[0]


def test_clients_that_come_at_different_times_see_the_same_numbers() -> None:
    async def main() -> None:
        stream = Stream()
        early = stream.listen()
        stream.tell("alarm", ALARM)
        late = stream.listen()
        stream.tell("alarm", ALARM)
        assert [(await next_event(early))[0] for _ in range(2)] == [1, 2]
        assert (await next_event(late))[0] == 2

    run(main())


def test_an_event_is_one_block_of_id_name_and_one_line_of_json() -> None:
    async def main() -> None:
        stream = Stream()
        client = stream.listen()
        stream.tell("alarm", ALARM)
        assert await anext(client) == b":\n\n"
        message = await anext(client)
        *head, data, end = message.decode().split("\n", 3)
        assert (head, end) == (["id: 1", "event: alarm"], "\n")
        assert exact(data.removeprefix("data: "))["message"] == "two\nlines"

    run(main())


def test_a_client_hears_a_comment_at_once_and_every_second_among_events_too() -> None:
    async def main() -> None:
        stream, loop = Stream(), asyncio.get_running_loop()
        client = stream.listen()

        async def chatter() -> None:
            while True:
                stream.tell("alarm", ALARM)
                await asyncio.sleep(0.25)

        talking = asyncio.create_task(chatter())
        beats: list[float] = []
        while len(beats) < 4:
            if await anext(client) == b":\n\n":
                beats.append(loop.time())
        talking.cancel()
        assert beats == pytest.approx([0, HEARTBEAT_S, 2 * HEARTBEAT_S, 3 * HEARTBEAT_S], abs=0.01)

    run(main())


def test_a_silent_stream_beats_too() -> None:
    async def main() -> None:
        client, loop = Stream().listen(), asyncio.get_running_loop()
        assert [await anext(client) for _ in range(3)] == [b":\n\n"] * 3
        assert loop.time() == pytest.approx(2 * HEARTBEAT_S, abs=0.01)

    run(main())


def test_a_client_that_does_not_read_is_let_go_and_the_others_miss_nothing() -> None:
    async def main() -> None:
        stream = Stream()
        slow, quick = stream.listen(), stream.listen()
        for number in range(1, EVENTS_WAITING_MAX + 2):
            stream.tell("alarm", ALARM)
            assert (await next_event(quick))[0] == number
        assert slow.closed
        assert [message async for message in slow] == []
        assert not quick.closed

    run(main())


def test_a_client_that_has_gone_makes_room_and_more_than_the_bound_are_refused() -> None:
    async def main() -> None:
        stream = Stream()
        clients = [stream.listen() for _ in range(CLIENTS_MAX)]
        with pytest.raises(InputRefused) as caught:
            stream.listen()
        assert caught.value.code == "TOO_MANY_CLIENTS"
        await clients[0].aclose()
        stream.listen()

    run(main())


def test_closing_the_stream_ends_a_client_that_waits() -> None:
    async def main() -> None:
        stream = Stream()
        client = stream.listen()
        reading = asyncio.ensure_future(collect(client))
        await asyncio.sleep(0.1)
        stream.close()
        assert await reading == [b":\n\n"]

    run(main())


async def collect(client: Client) -> list[bytes]:
    return [message async for message in client]
