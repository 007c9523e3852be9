"""What a server of the public SignalR specification does, frame by frame, over real sockets.

Sources: HubProtocol.md and TransportProtocols.md of the aspnetcore repository, 2026-11-23.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ordergate.net.port import WebSocket
from tests.exchange.support import Client

END = "\x1e"
SHAKE = '{"protocol":"json","version":1}' + END
CALL = '{"type":1,"invocationId":"7","target":"SubscribeAccounts","arguments":[]}' + END
DONE = {"type": 3, "invocationId": "7"}
PING = '{"type":6}' + END


async def connected(client: Client, hub: str = "user") -> WebSocket:
    return await client.network.connect(f"{client.url}/hubs/{hub}?access_token={client.token}", timeout_s=5)


async def records(socket: WebSocket, count: int) -> list[Any]:
    """The next records, whole, however they are joined into frames; pings left out."""
    found: list[Any] = []
    text = ""
    while len(found) < count:
        frame = await socket.receive()
        assert frame is not None, f"closed after {found}"
        text += frame
        *whole, text = text.split(END)
        found += [record for each in whole if (record := json.loads(each)) != {"type": 6}]
    assert text == "", "a frame ends with a record"
    return found


async def is_closed(socket: WebSocket) -> bool:
    """Whether the server says no more than a close, and closes."""
    while (frame := await socket.receive()) is not None:
        for record in frame.split(END)[:-1]:
            assert json.loads(record).get("type") == 7 or "error" in json.loads(record), record
    return True


@pytest.mark.parametrize(
    "frames",
    [
        [SHAKE, CALL],
        [SHAKE + CALL],
        [*(SHAKE + CALL)],
        [SHAKE[:10], SHAKE[10:] + CALL[:5], CALL[5:]],
        [SHAKE + PING + CALL],
        ['{"version":1,"protocol":"json","more":true}' + END + CALL],
    ],
    ids=["two frames", "joined", "a character each", "split", "a ping between", "members it does not know"],
)
async def test_records_may_be_joined_and_split_in_any_way(client: Client, frames: list[str]) -> None:
    socket = await connected(client)
    for frame in frames:
        await socket.send(frame)
    assert await records(socket, 2) == [{}, DONE]
    await socket.close()


@pytest.mark.parametrize(
    "ignored",
    [
        {"type": 6},
        {"type": 2, "invocationId": "1", "item": 1},
        {"type": 3, "invocationId": "1", "result": 1},
        {"type": 5, "invocationId": "1"},
        {"type": 8, "sequenceId": 1},
        {"type": 9, "sequenceId": 1},
        {"type": 42, "anything": [None]},
    ],
    ids=["Ping", "StreamItem", "Completion", "CancelInvocation", "Ack", "Sequence", "of a later version"],
)
async def test_what_needs_no_answer_gets_none_and_the_connection_lives(client: Client, ignored: object) -> None:
    socket = await connected(client)
    await socket.send(SHAKE + json.dumps(ignored) + END + CALL)
    assert await records(socket, 2) == [{}, DONE]
    await socket.close()


@pytest.mark.parametrize(
    ("hub", "call", "answer"),
    [
        ("user", {"target": "SubscribeAccounts", "arguments": []}, {}),
        ("user", {"target": "subscribeORDERS", "arguments": [1001], "headers": {"a": "b"}}, {}),
        ("user", {"target": "SubscribeOrders", "arguments": [1001], "streamIds": []}, {}),
        ("market", {"target": "SubscribeContractTrades", "arguments": ["nothing"]}, {}),
        ("user", {"target": "Nothing", "arguments": []}, {"error": "Unknown hub method 'Nothing'"}),
        (
            "market",
            {"target": "SubscribeAccounts", "arguments": []},
            {"error": "Unknown hub method 'SubscribeAccounts'"},
        ),
        ("user", {"target": "SubscribeOrders", "arguments": []}, {"error": ...}),
        ("user", {"target": "SubscribeOrders", "arguments": ["a"]}, {"error": ...}),
        ("user", {"target": "SubscribeOrders", "arguments": [1, 2]}, {"error": ...}),
    ],
)
async def test_an_invocation_with_an_id_is_completed_once_with_a_result_or_an_error(
    client: Client, hub: str, call: dict[str, object], answer: dict[str, object]
) -> None:
    socket = await connected(client, hub)
    await socket.send(SHAKE + json.dumps({"type": 1, "invocationId": "x y"} | call) + END)
    _, completion = await records(socket, 2)
    assert (completion.pop("type"), completion.pop("invocationId")) == (3, "x y")
    assert completion.pop("result", None) is None
    assert set(completion) == set(answer)
    assert answer.get("error", ...) in (..., completion.get("error"))
    await socket.send('{"type":1,"target":"Nothing","arguments":[]}' + END + CALL)
    assert [record["invocationId"] for record in await records(socket, 1)] == ["7"]
    await socket.close()


async def test_a_stream_invocation_of_what_does_not_stream_is_completed_with_an_error(client: Client) -> None:
    socket = await connected(client)
    await socket.send(SHAKE + '{"type":4,"invocationId":"1","target":"SubscribeAccounts","arguments":[]}' + END + CALL)
    _, refused, done = await records(socket, 3)
    assert (refused["type"], refused["invocationId"], "error" in refused) == (3, "1", True)
    assert done == DONE
    await socket.close()


@pytest.mark.parametrize(
    "record",
    [
        "no json",
        "[]",
        '{"type":"1"}',
        '{"type":1,"target":"SubscribeAccounts"}',
        '{"type":1,"arguments":[]}',
        '{"type":1,"target":7,"arguments":[]}',
        '{"target":"SubscribeAccounts","arguments":[]}',
    ],
)
async def test_what_is_malformed_ends_the_connection_with_a_close(client: Client, record: str) -> None:
    socket = await connected(client)
    await socket.send(SHAKE + record + END + CALL)
    assert await records(socket, 2) == [{}, {"type": 7, "error": "Connection closed with an error."}]
    assert await is_closed(socket)


@pytest.mark.parametrize(
    "first",
    [
        CALL,
        PING,
        "no json" + END,
        '{"protocol":"messagepack","version":1}' + END,
        '{"protocol":"json","version":2}' + END,
    ],
    ids=["an invocation", "a ping", "no JSON", "another protocol", "a later version"],
)
async def test_without_a_handshake_that_it_understands_the_server_refuses_and_closes(
    client: Client, first: str
) -> None:
    socket = await connected(client)
    await socket.send(first)
    assert await is_closed(socket)


async def test_a_close_of_the_client_ends_the_connection(client: Client) -> None:
    socket = await connected(client)
    await socket.send(SHAKE + '{"type":7}' + END + CALL)
    assert await records(socket, 1) == [{}]
    assert await is_closed(socket)


@pytest.mark.parametrize("version", [None, "0", "1"])
async def test_negotiation_gives_what_its_version_says_and_either_id_connects(
    client: Client, version: str | None
) -> None:
    query = "" if version is None else f"&negotiateVersion={version}"
    url = f"{client.url}/hubs/user/negotiate?access_token={client.token}{query}"
    answer = json.loads((await client.network.request("POST", url, timeout_s=5)).body)
    assert answer["negotiateVersion"] == int(version or 0)
    assert ("connectionToken" in answer) is (version == "1")
    [transport] = answer["availableTransports"]
    assert transport == {"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}
    for name in ("connectionId", "connectionToken"):
        if name in answer:
            at = f"{client.url}/hubs/user?id={answer[name]}&access_token={client.token}"
            socket = await client.network.connect(at, timeout_s=5)
            await socket.send(SHAKE + CALL)
            assert await records(socket, 2) == [{}, DONE]
            await socket.close()
    assert (await client.network.request("GET", url, timeout_s=5)).status == 405
