"""The contract of ``ordergate.net.port``, for both adapters. Numbers in docstrings are the port's invariants.

The HTTP adapter runs on real sockets and with asyncio's debug mode on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol

import pytest
from structlog.testing import capture_logs

from ordergate.errors import NotSent, OutcomeUnknown, PortInUse, SocketClosed, UpgradeRefused
from ordergate.net.http import HttpNetwork
from ordergate.net.memory import MemoryNetwork
from ordergate.net.port import Handler, Network, Request, Response, RunningServer, Upgrade, WebSocket

LONG_S = 10.0  # never waited for where the test passes
SHORT_S = 0.25  # long enough to connect on a machine whose cores are taken


class Serve(Protocol):
    """Starts a server that the test's end closes."""

    async def __call__(self, handler: Handler, *, body_bytes_max: int = 1_048_576) -> RunningServer: ...


@pytest.fixture(params=[MemoryNetwork, HttpNetwork], ids=["memory", "http"])
async def network(request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    asyncio.get_running_loop().set_debug(request.param is HttpNetwork)
    network: Network = request.param()
    yield network
    await network.close()


@pytest.fixture
async def serve(network: Network) -> AsyncIterator[Serve]:
    servers: list[RunningServer] = []

    async def start(handler: Handler, *, body_bytes_max: int = 1_048_576) -> RunningServer:
        servers.append(await network.serve(handler, host="127.0.0.1", port=0, body_bytes_max=body_bytes_max))
        return servers[-1]

    yield start
    for server in servers:
        await server.close()


async def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of ``work``, which a broken adapter may never finish."""
    async with asyncio.timeout(LONG_S):
        return await work


async def answer_ok(_request: Request) -> Response:
    return Response(200, b"ok")


def socket_handler(use: Callable[[WebSocket], Awaitable[None]]) -> Handler:
    async def upgrade(_request: Request) -> Upgrade:
        return Upgrade(use)

    return upgrade


async def echo(socket: WebSocket) -> None:
    while (text := await socket.receive()) is not None:
        await socket.send(text)


# Requests and answers


async def test_a_request_reaches_the_handler_and_its_answer_comes_back(network: Network, serve: Serve) -> None:
    seen: list[Request] = []

    async def answer(request: Request) -> Response:
        seen.append(request)
        return Response(201, b"made", {"X-Order": "7"})

    server = await serve(answer)
    response = await network.request(
        "POST",
        f"{server.url}/api/Order/pl%C3%A4ce%20it?a=1&b=x%20y&a=2&empty=",
        headers={"Authorization": "Bearer t", "X-Twice": "1"},
        body=b"{}",
        timeout_s=LONG_S,
    )
    assert (response.status, response.body, response.headers["x-order"]) == (201, b"made", "7")
    [request] = seen
    assert (request.method, request.path, request.body) == ("POST", "/api/Order/pläce it", b"{}")
    assert request.query == {"a": "1", "b": "x y", "empty": ""}
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert all(name == name.lower() for name in request.headers)


async def test_a_request_without_a_path_is_for_the_root(network: Network, serve: Serve) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, f"{request.method} {request.path}".encode())

    server = await serve(answer)
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).body == b"GET /"


async def test_many_requests_are_answered_each_with_its_own(network: Network, serve: Serve) -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(200, request.body)

    server = await serve(answer)
    bodies = [str(number).encode() for number in range(50)]
    responses = await asyncio.gather(
        *(network.request("POST", server.url, body=body, timeout_s=LONG_S) for body in bodies)
    )
    assert [response.body for response in responses] == bodies


async def test_a_redirect_is_an_answer_like_others(network: Network, serve: Serve) -> None:
    async def answer(request: Request) -> Response:
        assert request.path == "/"
        return Response(307, headers={"Location": "/elsewhere"})

    server = await serve(answer)
    assert (await network.request("POST", server.url, body=b"{}", timeout_s=LONG_S)).status == 307


async def test_a_body_over_the_bound_is_answered_413_and_not_handled(network: Network, serve: Serve) -> None:
    """Invariant 3."""
    handled: list[int] = []

    async def answer(request: Request) -> Response:
        handled.append(len(request.body))
        return Response(200)

    server = await serve(answer, body_bytes_max=1_000)
    at_bound = await network.request("POST", server.url, body=b"x" * 1_000, timeout_s=LONG_S)
    over = await network.request("POST", server.url, body=b"x" * 1_001, timeout_s=LONG_S)
    far_over = await network.request("POST", server.url, body=b"x" * 1_000_000, timeout_s=LONG_S)
    after = await network.request("POST", server.url, body=b"x", timeout_s=LONG_S)
    assert [response.status for response in (at_bound, over, far_over, after)] == [200, 413, 413, 200]
    assert handled == [1_000, 1]


async def test_a_handler_that_raises_is_answered_500_and_the_server_goes_on(network: Network, serve: Serve) -> None:
    """Invariant 4."""

    async def answer(request: Request) -> Response:
        if request.path == "/broken":
            raise ZeroDivisionError
        return Response(200)

    server = await serve(answer)
    with capture_logs() as logs:
        broken = await network.request("POST", f"{server.url}/broken?access_token=secret", timeout_s=LONG_S)
    assert (broken.status, broken.body) == (500, b"{}")
    assert [(line["log_level"], line["request"]) for line in logs] == [("error", "POST /broken")]
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).status == 200


async def test_an_upgrade_for_an_ordinary_request_is_answered_400(network: Network, serve: Serve) -> None:
    server = await serve(socket_handler(echo))
    response = await network.request("GET", server.url, timeout_s=LONG_S)
    assert (response.status, response.body) == (400, b"{}")


# How a request fails


async def test_a_request_that_nobody_listens_for_is_not_sent(network: Network, serve: Serve) -> None:
    """Invariant 1."""
    server = await serve(answer_ok)
    await server.close()
    with pytest.raises(NotSent):
        await network.request("POST", server.url, timeout_s=LONG_S)
    with pytest.raises(NotSent):
        await network.connect(server.url, timeout_s=LONG_S)


async def test_a_timeout_after_the_request_left_has_an_unknown_outcome_and_the_handler_goes_on(
    network: Network, serve: Serve
) -> None:
    """Invariant 2: the peer may have acted on it, and here it does."""
    timed_out, acted = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request) -> Response:
        await timed_out.wait()
        await asyncio.sleep(SHORT_S)  # by now the adapter has seen the peer go
        acted.set()
        return Response(200)

    server = await serve(answer)
    with pytest.raises(OutcomeUnknown):
        await network.request("POST", server.url, timeout_s=SHORT_S)
    timed_out.set()
    await at_once(acted.wait())


async def test_a_caller_that_is_cancelled_does_not_cancel_the_handler(network: Network, serve: Serve) -> None:
    arrived, acted = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request) -> Response:
        arrived.set()
        await asyncio.sleep(SHORT_S)
        acted.set()
        return Response(200)

    server = await serve(answer)
    caller = asyncio.ensure_future(network.request("POST", server.url, timeout_s=LONG_S))
    await at_once(arrived.wait())
    caller.cancel()
    await asyncio.wait({caller})
    assert caller.cancelled()
    await at_once(acted.wait())


async def test_a_server_that_closes_during_a_request_leaves_the_outcome_unknown(network: Network, serve: Serve) -> None:
    """Invariant 2."""
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request) -> Response:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Response(200)

    server = await serve(answer)
    caller = asyncio.ensure_future(network.request("POST", server.url, timeout_s=LONG_S))
    await at_once(arrived.wait())
    await server.close()
    assert cancelled.is_set()
    with pytest.raises(OutcomeUnknown):
        await at_once(asyncio.wait_for(caller, LONG_S))


async def test_a_server_that_closes_lets_a_handler_finish_and_takes_no_more(network: Network, serve: Serve) -> None:
    arrived = asyncio.Event()

    async def answer(_request: Request) -> Response:
        arrived.set()
        await asyncio.sleep(SHORT_S)
        return Response(200, b"done")

    server = await serve(answer)
    caller = asyncio.ensure_future(network.request("POST", server.url, timeout_s=LONG_S))
    await at_once(arrived.wait())
    closing = asyncio.ensure_future(server.close())
    await asyncio.sleep(0)
    with pytest.raises(NotSent):
        await network.request("POST", server.url, timeout_s=LONG_S)
    await closing
    assert (await at_once(asyncio.wait_for(caller, LONG_S))).body == b"done"


# Streams


class Subscription:
    """An endless stream that is open from the start, unlike a generator. It waits ``pause_s`` before each item."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.closed = asyncio.Event()
        self._pause_s = pause_s

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(self._pause_s)
        return b"item\n"

    async def aclose(self) -> None:
        self.closed.set()

    async def generate(self) -> AsyncIterator[bytes]:
        """The same as a generator, which takes a moment to tidy up."""
        try:
            async for item in self:
                yield item
        finally:
            await asyncio.sleep(0.01)
            await self.aclose()


async def test_a_stream_is_delivered_in_order_and_closed(network: Network, serve: Serve) -> None:
    closed = asyncio.Event()

    async def items() -> AsyncIterator[bytes]:
        try:
            for number in range(4):
                yield b"%d\n" % number
        finally:
            closed.set()

    async def answer(_request: Request) -> Response:
        return Response(200, headers={"Content-Type": "text/event-stream"}, stream=items())

    server = await serve(answer)
    response = await network.request("GET", server.url, timeout_s=LONG_S)
    assert (response.body, response.headers["content-type"]) == (b"0\n1\n2\n3\n", "text/event-stream")
    await at_once(closed.wait())


async def test_an_empty_item_does_not_end_a_stream(network: Network, serve: Serve) -> None:
    async def items() -> AsyncIterator[bytes]:
        for item in (b"", b"a", b"", b"b"):
            yield item

    async def answer(_request: Request) -> Response:
        return Response(200, stream=items())

    server = await serve(answer)
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).body == b"ab"


@pytest.mark.parametrize("pause_s", [0, 0.01, LONG_S], ids=["busy", "writing", "waiting"])
@pytest.mark.parametrize("is_generator", [True, False], ids=["generator", "iterator"])
async def test_a_stream_is_closed_quietly_when_its_peer_goes(
    network: Network, serve: Serve, pause_s: float, *, is_generator: bool
) -> None:
    subscription = Subscription(pause_s)

    async def answer(_request: Request) -> Response:
        return Response(200, stream=subscription.generate() if is_generator else subscription)

    server = await serve(answer)
    with capture_logs() as logs:
        with pytest.raises(OutcomeUnknown):
            await network.request("GET", server.url, timeout_s=SHORT_S)
        await at_once(subscription.closed.wait())
        await server.close()
    assert logs == []


async def test_a_stream_whose_peer_left_before_it_began_is_closed(network: Network, serve: Serve) -> None:
    subscription, timed_out = Subscription(), asyncio.Event()

    async def answer(_request: Request) -> Response:
        await timed_out.wait()
        await asyncio.sleep(SHORT_S)
        return Response(200, stream=subscription)

    server = await serve(answer)
    with pytest.raises(OutcomeUnknown):
        await network.request("GET", server.url, timeout_s=SHORT_S)
    timed_out.set()
    await at_once(subscription.closed.wait())


async def test_a_stream_that_refuses_an_upgrade_is_closed(network: Network, serve: Serve) -> None:
    subscription = Subscription()

    async def answer(_request: Request) -> Response:
        return Response(401, stream=subscription)

    server = await serve(answer)
    with pytest.raises(UpgradeRefused):
        await network.connect(server.url, timeout_s=LONG_S)
    await at_once(subscription.closed.wait())


async def test_a_stream_that_fails_leaves_the_outcome_unknown_and_is_logged(network: Network, serve: Serve) -> None:
    async def items() -> AsyncIterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    async def answer(_request: Request) -> Response:
        return Response(200, stream=items())

    server = await serve(answer)
    with capture_logs() as logs, pytest.raises(OutcomeUnknown):
        await network.request("GET", server.url, timeout_s=LONG_S)
    assert [line["log_level"] for line in logs] == ["error"]


# WebSockets


async def test_a_websocket_carries_text_both_ways_in_order(network: Network, serve: Serve) -> None:
    server = await serve(socket_handler(echo))
    socket = await network.connect(f"{server.url}/hubs/user", timeout_s=LONG_S)
    sent = [f"{number} £\x1e\n" for number in range(100)] + ["x" * 1_000_000]
    for text in sent:
        await socket.send(text)
    assert [await at_once(socket.receive()) for _ in sent] == sent
    await socket.close()


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_the_handler_of_an_upgrade_sees_the_request(network: Network, serve: Serve, scheme: str) -> None:
    seen: list[Request] = []

    async def upgrade(request: Request) -> Upgrade:
        seen.append(request)
        return Upgrade(echo)

    server = await serve(upgrade)
    url = server.url.replace("http", scheme)
    socket = await network.connect(f"{url}/hubs/user?id=5", headers={"Authorization": "Bearer t"}, timeout_s=LONG_S)
    await socket.close()
    [request] = seen
    assert (request.method, request.path, request.query) == ("GET", "/hubs/user", {"id": "5"})
    assert (request.headers["authorization"], request.headers["upgrade"]) == ("Bearer t", "websocket")


async def test_after_the_client_closes_the_server_receives_what_was_sent_and_then_none(
    network: Network, serve: Serve
) -> None:
    received: list[str | None] = []
    done = asyncio.Event()

    async def collect(socket: WebSocket) -> None:
        while (text := await socket.receive()) is not None:
            received.append(text)
        received.extend([None, *[await socket.receive() for _ in range(6)]])
        with pytest.raises(SocketClosed):
            await socket.send("too late")
        done.set()

    server = await serve(socket_handler(collect))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    await socket.send("a")
    await socket.send("b")
    await socket.close()
    await at_once(done.wait())
    assert received == ["a", "b", *[None] * 7]


async def test_after_the_server_closes_the_client_receives_what_was_sent_and_then_none(
    network: Network, serve: Serve
) -> None:
    async def say(socket: WebSocket) -> None:
        await socket.send("a")
        await socket.send("b")

    server = await serve(socket_handler(say))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    assert [await at_once(socket.receive()) for _ in range(7)] == ["a", "b", None, None, None, None, None]
    with pytest.raises(SocketClosed):
        await socket.send("too late")


async def test_closing_twice_is_harmless_and_ends_a_waiting_receive(network: Network, serve: Serve) -> None:
    server = await serve(socket_handler(echo))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    waiting = asyncio.ensure_future(socket.receive())
    await asyncio.sleep(0)
    await socket.close()
    await socket.close()
    assert await at_once(asyncio.wait_for(waiting, LONG_S)) is None
    assert await socket.receive() is None
    with pytest.raises(SocketClosed):
        await socket.send("too late")


async def test_whoever_closes_receives_nothing_more(network: Network, serve: Serve) -> None:
    async def say(socket: WebSocket) -> None:
        await socket.send("a")
        await socket.send("b")
        await socket.receive()

    server = await serve(socket_handler(say))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    assert await at_once(socket.receive()) == "a"
    await socket.close()
    assert await at_once(socket.receive()) is None


async def test_a_receive_that_is_cancelled_loses_nothing(network: Network, serve: Serve) -> None:
    go_on = asyncio.Event()

    async def say(socket: WebSocket) -> None:
        await go_on.wait()
        await socket.send("a")
        await socket.receive()

    server = await serve(socket_handler(say))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.receive(), SHORT_S)
    go_on.set()
    assert await at_once(socket.receive()) == "a"
    await socket.close()


async def test_an_upgrade_can_be_refused_with_a_status(network: Network, serve: Serve) -> None:
    async def refuse(request: Request) -> Response:
        return Response(int(request.path[1:]), b"no")

    server = await serve(refuse)
    for status in (200, 302, 401, 503):
        with pytest.raises(UpgradeRefused) as refused:
            await network.connect(f"{server.url}/{status}", timeout_s=LONG_S)
        assert refused.value.status == status


async def test_a_handler_that_raises_refuses_the_upgrade_with_500(network: Network, serve: Serve) -> None:
    async def fail(_request: Request) -> Response:
        raise ZeroDivisionError

    server = await serve(fail)
    with pytest.raises(UpgradeRefused) as refused, capture_logs():
        await network.connect(server.url, timeout_s=LONG_S)
    assert refused.value.status == 500


async def test_an_upgrade_without_an_answer_in_time_has_an_unknown_outcome(network: Network, serve: Serve) -> None:
    async def wait(_request: Request) -> Response:
        await asyncio.Event().wait()
        return Response(200)

    server = await serve(wait)
    with pytest.raises(OutcomeUnknown):
        await network.connect(server.url, timeout_s=SHORT_S)


async def test_a_websocket_whose_service_raises_is_closed_and_logged(network: Network, serve: Serve) -> None:
    async def fail(_socket: WebSocket) -> None:
        raise ZeroDivisionError

    server = await serve(socket_handler(fail))
    with capture_logs() as logs:
        socket = await network.connect(f"{server.url}/hub?access_token=secret", timeout_s=LONG_S)
        assert await at_once(socket.receive()) is None
        await server.close()  # by then its line is written
    assert [(line["log_level"], line["request"]) for line in logs] == [("error", "WebSocket /hub")]


async def test_a_service_that_sends_to_a_peer_that_has_gone_ends_quietly(network: Network, serve: Serve) -> None:
    ended = asyncio.Event()

    async def tick(socket: WebSocket) -> None:
        try:
            while True:
                await socket.send("tick")
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    server = await serve(socket_handler(tick))
    with capture_logs() as logs:
        socket = await network.connect(server.url, timeout_s=LONG_S)
        assert await at_once(socket.receive()) == "tick"
        await socket.close()
        await at_once(ended.wait())
    assert logs == []


# Servers


async def test_a_port_in_use_is_named_with_what_to_do(network: Network, serve: Serve) -> None:
    server = await serve(answer_ok)
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(PortInUse, match=rf"\b{port}\b.*(stop|choose)"):
        await network.serve(answer_ok, host="127.0.0.1", port=port)
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).body == b"ok"


async def test_a_port_is_free_again_after_its_server_closed(network: Network, serve: Serve) -> None:
    server = await serve(answer_ok)
    port = int(server.url.rpartition(":")[2])
    await server.close()
    again = await network.serve(answer_ok, host="127.0.0.1", port=port)
    assert (await network.request("GET", again.url, timeout_s=LONG_S)).body == b"ok"
    await again.close()


async def test_a_server_closes_in_2_s_with_streams_sockets_and_handlers_open(network: Network, serve: Serve) -> None:
    subscription = Subscription(LONG_S)
    arrived: asyncio.Queue[str] = asyncio.Queue()

    async def deaf(_socket: WebSocket) -> None:
        await asyncio.Event().wait()  # neither sends nor receives

    async def answer(request: Request) -> Response | Upgrade:
        arrived.put_nowait(request.path)
        match request.path:
            case "/stream":
                return Response(200, stream=subscription)
            case "/echo":
                return Upgrade(echo)
            case "/deaf":
                return Upgrade(deaf)
        await asyncio.Event().wait()
        return Response(200)

    server = await serve(answer)
    requests = [
        asyncio.ensure_future(network.request("GET", f"{server.url}/{path}", timeout_s=LONG_S))
        for path in ("stream", "handler")
    ]
    sockets = [await network.connect(f"{server.url}/{path}", timeout_s=LONG_S) for path in ("echo", "deaf")]
    for _ in range(4):
        await at_once(arrived.get())
    async with asyncio.timeout(2):
        await server.close()
    await at_once(subscription.closed.wait())
    outcomes = await at_once(asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), LONG_S))
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, OutcomeUnknown]
    assert [await at_once(socket.receive()) for socket in sockets] == [None, None]
    await server.close()  # once more is harmless


async def test_what_a_handler_begins_while_its_server_closes_ends_at_once(network: Network, serve: Serve) -> None:
    arrived = asyncio.Semaphore(0)
    subscription = Subscription(LONG_S)
    served: list[WebSocket] = []

    async def keep(socket: WebSocket) -> None:
        served.append(socket)
        await asyncio.Event().wait()

    async def answer(request: Request) -> Response | Upgrade:
        arrived.release()
        await asyncio.sleep(SHORT_S)
        return Upgrade(keep) if request.path == "/socket" else Response(200, stream=subscription)

    server = await serve(answer)
    streaming = asyncio.ensure_future(network.request("GET", server.url, timeout_s=LONG_S))
    connecting = asyncio.ensure_future(network.connect(f"{server.url}/socket", timeout_s=LONG_S))
    for _ in range(2):
        await at_once(arrived.acquire())
    await server.close()
    await at_once(subscription.closed.wait())
    with pytest.raises(OutcomeUnknown):
        await at_once(asyncio.wait_for(streaming, LONG_S))
    socket = await at_once(asyncio.wait_for(connecting, LONG_S))
    assert await at_once(socket.receive()) is None
    assert served == []


async def test_a_service_ends_orderly_when_its_server_closes(network: Network, serve: Serve) -> None:
    began, tidied = asyncio.Event(), asyncio.Event()

    async def tidy(socket: WebSocket) -> None:
        began.set()
        assert await socket.receive() is None
        await asyncio.sleep(SHORT_S)
        tidied.set()

    server = await serve(socket_handler(tidy))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    await at_once(began.wait())
    await server.close()
    assert tidied.is_set()
    await socket.close()


async def test_sockets_can_be_dropped_and_the_server_goes_on(serve: Serve, network: Network) -> None:
    """For fault tests; not part of the port."""
    ended = asyncio.Event()

    async def until_the_end(socket: WebSocket) -> None:
        while await socket.receive() is not None:
            pass
        ended.set()

    server = await serve(socket_handler(until_the_end))
    socket = await network.connect(server.url, timeout_s=LONG_S)
    server.drop_sockets()
    assert await at_once(socket.receive()) is None
    await at_once(ended.wait())
    again = await network.connect(server.url, timeout_s=LONG_S)
    await again.send("a")
    await again.close()


async def test_a_network_that_was_closed_can_be_used_again(network: Network, serve: Serve) -> None:
    server = await serve(answer_ok)
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).body == b"ok"
    await network.close()
    await network.close()
    assert (await network.request("GET", server.url, timeout_s=LONG_S)).body == b"ok"
