"""The SignalR protocol. Numbers in names' docstrings are the invariants of ``ordergate.net.signalr``."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import IllegalTransition, SocketClosed
from ordergate.net import signalr
from ordergate.net.signalr import (
    RECORD_CHARS_MAX,
    RECORD_SEPARATOR,
    CancelInvocation,
    ClientProtocol,
    Close,
    Completion,
    HandshakeRequest,
    HandshakeResponse,
    Invocation,
    Malformed,
    Message,
    Ping,
    ServerProtocol,
    State,
    StreamInvocation,
    StreamItem,
    encode,
)

HANDSHAKE = '{"protocol":"json","version":1}\x1e'


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def open_client() -> ClientProtocol:
    client = ClientProtocol()
    assert client.receive("{}\x1e") == [HandshakeResponse()]
    return client


def open_server() -> ServerProtocol:
    server = ServerProtocol()
    [request] = server.receive(HANDSHAKE)
    assert isinstance(request, HandshakeRequest)
    assert server.accept(request) == "{}\x1e"
    return server


# Any text without lone surrogates, which UTF-8 cannot carry; separators and control characters included.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
raws = json_values.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
arrays = st.lists(json_values, max_size=3).map(lambda values: msgspec.Raw(msgspec.json.encode(values)))
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Invocation, target=texts, arguments=arrays, invocation_id=st.none() | ids),
    st.builds(StreamItem, invocation_id=ids, item=raws),
    st.builds(Completion, invocation_id=ids, result=raws | st.just(msgspec.UNSET), error=st.none() | texts),
    st.builds(StreamInvocation, invocation_id=ids, target=texts, arguments=arrays),
    st.builds(CancelInvocation, invocation_id=ids),
    st.just(Ping()),
)


@st.composite
def framed(draw: st.DrawFn, text: str) -> list[str]:
    """``text`` cut into frames at any places, empty frames included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(st.data(), st.lists(messages, max_size=6))
def test_any_split_or_join_of_frames_gives_the_messages_that_were_sent(
    data: st.DataObject, sent: list[Message]
) -> None:
    """Invariant 1, and the round trip of every message."""
    text = "{}\x1e" + "".join(map(encode, sent))
    client = ClientProtocol()
    received = [event for frame in data.draw(framed(text)) for event in client.receive(frame)]
    assert received == [HandshakeResponse(), *sent]


@given(st.data(), st.lists(st.sampled_from([*'{}[]":,\x1e\ud800e1 ', "type", "6", '{"type":6}\x1e', '{"type":9}\x1e'])))
def test_nothing_a_peer_sends_raises_and_the_split_does_not_matter(data: st.DataObject, parts: list[str]) -> None:
    """Invariants 1 and 2, for text that is not SignalR."""
    text = "".join(parts)
    for opening, make in ((HANDSHAKE, ServerProtocol), ("{}\x1e", ClientProtocol), ("", ServerProtocol)):
        whole, split = make(), make()
        at_once = whole.receive(opening + text)
        in_frames = [event for frame in data.draw(framed(opening + text)) for event in split.receive(frame)]
        assert at_once == in_frames
        assert (whole.state, whole.unknown_total) == (split.state, split.unknown_total)


def test_a_client_is_open_after_the_handshake_and_ids_its_invocations() -> None:
    client, server = ClientProtocol(), ServerProtocol()
    [request] = server.receive(client.handshake())
    assert request == HandshakeRequest("json", 1)
    assert client.receive(server.accept(request)) == [HandshakeResponse()]
    assert (client.state, server.state) == (State.OPEN, State.OPEN)
    ids_and_texts = [client.invoke("SubscribeOrders", 101), client.invoke("SubscribeTrades", 101)]
    assert [invocation_id for invocation_id, _ in ids_and_texts] == ["1", "2"]
    calls = server.receive("".join(text for _, text in ids_and_texts))
    assert calls == [
        Invocation("SubscribeOrders", raw("[101]"), "1"),
        Invocation("SubscribeTrades", raw("[101]"), "2"),
    ]


def test_a_completion_answers_only_a_call_with_an_id() -> None:
    """Invariant 4."""
    server = open_server()
    assert server.complete(Invocation("SubscribeAccounts", raw("[]"))) is None
    with_id = Invocation("SubscribeAccounts", raw("[]"), "7")
    assert server.complete(with_id) == '{"type":3,"invocationId":"7"}\x1e'
    assert server.complete(with_id, None) == '{"type":3,"invocationId":"7","result":null}\x1e'
    assert server.complete(with_id, {"a": 1}) == '{"type":3,"invocationId":"7","result":{"a":1}}\x1e'
    assert server.complete(with_id, error="no") == '{"type":3,"invocationId":"7","error":"no"}\x1e'


def test_a_completion_with_null_result_differs_from_one_without() -> None:
    client = open_client()
    assert client.receive('{"type":3,"invocationId":"1","result":null}\x1e{"type":3,"invocationId":"2"}\x1e') == [
        Completion("1", raw("null")),
        Completion("2"),
    ]


def test_arguments_stay_as_they_stand_on_the_wire() -> None:
    [event] = open_client().receive(
        '{"type":1,"target":"GatewayQuote","arguments":["C", {"lastPrice": 6335.250000000}]}\x1e'
    )
    assert isinstance(event, Invocation)
    assert bytes(event.arguments) == b'["C", {"lastPrice": 6335.250000000}]'


def test_prices_are_written_as_json_numbers() -> None:
    text = encode(signalr.invocation("GatewayQuote", "C", {"lastPrice": Decimal("29423.25")}))
    assert text == '{"type":1,"target":"GatewayQuote","arguments":["C",{"lastPrice":29423.25}]}\x1e'


def test_a_separator_inside_a_string_is_escaped() -> None:
    text = encode(signalr.invocation("Say", RECORD_SEPARATOR))
    assert text.count(RECORD_SEPARATOR) == 1


def test_unknown_types_are_skipped_and_counted() -> None:
    client = open_client()
    assert client.receive('{"type":8,"sequenceId":3}\x1e{"type":9}\x1e{"type":6}\x1e') == [Ping()]
    assert client.unknown_total == 2


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"type":"6"}',
        '{"type":1,"target":"T"}',
        '{"type":3}',
        '{"type":6}{"type":6}',
        '{"type":1,"target":"T","arguments":' + "[" * 100_000 + "}",
        '{"type":1,"target":"\ud800","arguments":[]}',
    ],
)
def test_a_malformed_message_ends_the_connection_after_those_before_it(record: str) -> None:
    """Invariant 2."""
    client = open_client()
    events = client.receive('{"type":6}\x1e' + record + '\x1e{"type":6}\x1e')
    assert events[0] == Ping()
    assert isinstance(events[1], Malformed)
    assert len(events) == 2
    assert client.state is State.CLOSED
    assert client.receive('{"type":6}\x1e') == []


def test_a_malformed_message_is_not_quoted() -> None:
    [_, event] = ClientProtocol().receive('{}\x1e{"type":1,"target":"secret"}\x1e')
    assert event == Malformed("bad message of type 1")


@pytest.mark.parametrize("frame_chars", [1, 1000, 3 * RECORD_CHARS_MAX])
def test_a_record_without_end_is_refused(frame_chars: int) -> None:
    """Invariant 3; in frames of one character it also shows that the cost is not the square of the length."""
    client = open_client()
    endless = "x" * (RECORD_CHARS_MAX + 1)
    events = [
        event
        for start in range(0, len(endless), frame_chars)
        for event in client.receive(endless[start : start + frame_chars])
    ]
    assert events == [Malformed("record too long")]


def test_a_record_of_the_greatest_length_passes() -> None:
    empty = encode(signalr.invocation("T", ""))
    longest = encode(signalr.invocation("T", "x" * (RECORD_CHARS_MAX - len(empty) + 1)))
    assert len(longest) == RECORD_CHARS_MAX + 1  # and its separator
    [event] = open_client().receive(longest)
    assert isinstance(event, Invocation)


def test_a_refused_handshake_closes() -> None:
    client = ClientProtocol()
    assert client.receive('{"error":"no"}\x1e{"type":6}\x1e') == [HandshakeResponse("no")]
    assert client.state is State.CLOSED


@pytest.mark.parametrize("record", ['{"type":6}', "[]", "null", '{"error":5}'])
def test_a_server_that_skips_the_handshake_is_malformed(record: str) -> None:
    client = ClientProtocol()
    [event] = client.receive(record + RECORD_SEPARATOR)
    assert isinstance(event, Malformed)


@pytest.mark.parametrize("record", ['{"type":6}', "{}", '{"protocol":"json"}', '{"protocol":"json","version":"1"}'])
def test_a_client_that_skips_the_handshake_is_malformed(record: str) -> None:
    server = ServerProtocol()
    [event] = server.receive(record + RECORD_SEPARATOR)
    assert isinstance(event, Malformed)


@pytest.mark.parametrize("version", [0, 1])
def test_json_of_version_1_and_below_is_accepted(version: int) -> None:
    server = ServerProtocol()
    [event] = server.receive(encode(HandshakeRequest("json", version)))
    assert isinstance(event, HandshakeRequest)
    assert json.loads(server.accept(event).removesuffix(RECORD_SEPARATOR)) == {}
    assert server.state is State.OPEN


@pytest.mark.parametrize(
    "request_", [HandshakeRequest("messagepack", 1), HandshakeRequest("json", 2), HandshakeRequest("json", -1)]
)
def test_another_protocol_or_version_is_refused(request_: HandshakeRequest) -> None:
    server = ServerProtocol()
    [event] = server.receive(encode(request_))
    assert event == request_
    answer = server.accept(request_)
    assert "error" in json.loads(answer.removesuffix(RECORD_SEPARATOR))
    assert server.state is State.CLOSED


def test_messages_may_follow_the_handshake_in_one_frame() -> None:
    server = ServerProtocol()
    assert server.receive(HANDSHAKE + '{"type":6}\x1e') == [HandshakeRequest("json", 1), Ping()]


def test_a_close_in_the_handshake_frame_is_not_undone_by_accepting() -> None:
    server = ServerProtocol()
    [request, close] = server.receive(HANDSHAKE + '{"type":7}\x1e')
    assert isinstance(request, HandshakeRequest)
    assert close == Close()
    server.accept(request)
    assert server.state is State.CLOSED


def test_nothing_follows_a_close() -> None:
    client = open_client()
    assert client.receive('{"type":7,"error":"bye","allowReconnect":true}\x1e{"type":6}\x1e') == [
        Close("bye", allow_reconnect=True)
    ]
    with pytest.raises(SocketClosed):
        client.send(Ping())


def test_sending_a_close_ends_our_side_too() -> None:
    server = open_server()
    assert server.send(Close("Server timeout")) == '{"type":7,"error":"Server timeout"}\x1e'
    with pytest.raises(SocketClosed):
        server.send(Ping())


def test_sending_before_the_handshake_is_a_programmers_error() -> None:
    with pytest.raises(IllegalTransition):
        ClientProtocol().invoke("SubscribeAccounts")


@pytest.mark.parametrize("requested", [None, "", "0"])
def test_negotiation_without_a_version_has_no_token(requested: str | None) -> None:
    answer = json.loads(signalr.negotiation(requested, "an-id", "a-token"))
    assert answer["negotiateVersion"] == 0
    assert answer["connectionId"] == "an-id"
    assert "connectionToken" not in answer


def test_negotiation_of_version_1_has_both_ids_and_one_transport() -> None:
    answer = json.loads(signalr.negotiation("1", "an-id", "a-token"))
    assert answer == {
        "negotiateVersion": 1,
        "connectionId": "an-id",
        "connectionToken": "a-token",
        "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
    }
