"""What only real sockets can show of ``ordergate.net.http``: bytes on the wire, broken peers, aiohttp's own habits."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from ordergate.errors import NotSent, OutcomeUnknown, StartRefused, TransportError, UpgradeRefused
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Handler, Request, Response, RunningServer, Upgrade, WebSocket

LONG_S = 10.0  # never waited for where the test passes
SHORT_S = 0.05
KERNEL_BYTES_MAX = 32 * 0x100000  # more than its buffers take on loopback from a sender whose peer does not read

Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def network() -> AsyncIterator[HttpNetwork]:
    asyncio.get_running_loop().set_debug(True)
    network = HttpNetwork()
    yield network
    await network.close()


@asynccontextmanager
async def raw_server(serve: Connection) -> AsyncIterator[str]:
    """The host and port of a server that treats each connection as ``serve`` does, then closes it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went first
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def raw_client(server: RunningServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(LONG_S):
            yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def running(network: HttpNetwork, handler: Handler, body_bytes_max: int = 1_000) -> AsyncIterator[RunningServer]:
    server = await network.serve(handler, host="127.0.0.1", port=0, body_bytes_max=body_bytes_max)
    try:
        yield server
    finally:
        await server.close()


async def answer_ok(_request: Request) -> Response:
    return Response(200, b"ok")


# The client


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Encoding: gzip\r\n\r\nxxxx",
        b"garbage\r\n\r\n",
    ],
    ids=["nothing", "half a header", "short body", "short chunk", "bad chunk", "bad compression", "no HTTP"],
)
async def test_a_broken_answer_leaves_the_outcome_unknown(network: HttpNetwork, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with raw_server(serve) as address:
        with pytest.raises(OutcomeUnknown):
            await network.request("POST", f"http://{address}/", timeout_s=LONG_S)


async def test_an_answer_without_end_is_refused(network: HttpNetwork) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"100000\r\n" + bytes(0x100000) + b"\r\n")
            await writer.drain()

    async with raw_server(serve) as address:
        with pytest.raises(OutcomeUnknown, match="more than"):
            await network.request("POST", f"http://{address}/", timeout_s=LONG_S)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_nothing_is_sent_again_when_a_pooled_connection_turns_out_dead(network: HttpNetwork, method: str) -> None:
    """By itself aiohttp sends GET, PUT and DELETE again; and where that is refused, it would look like never sent."""
    requests_total = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests_total
        await reader.readuntil(b"\r\n\r\n")
        requests_total += 1
        if requests_total == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            requests_total += 1

    async with raw_server(serve) as address:
        url = f"http://{address}/"
        assert (await network.request(method, url, timeout_s=LONG_S)).status == 200
        with pytest.raises(OutcomeUnknown):
            await network.request(method, url, timeout_s=LONG_S)
    assert requests_total == 2


async def test_connections_are_pooled(network: HttpNetwork) -> None:
    connections_total = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections_total
        connections_total += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with raw_server(serve) as address:
        for _ in range(5):
            await network.request("POST", f"http://{address}/", timeout_s=LONG_S)
    assert connections_total == 1


async def test_a_connection_that_is_not_established_in_time_means_not_sent(network: HttpNetwork) -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()  # the TLS greeting, which is never answered

    async with raw_server(serve) as address:
        with pytest.raises(NotSent):
            await network.request("POST", f"https://{address}/", timeout_s=SHORT_S)
        with pytest.raises(NotSent):
            await network.connect(f"wss://{address}/", timeout_s=SHORT_S)


async def test_a_failed_tls_handshake_means_not_sent(network: HttpNetwork) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(serve) as address:
        with pytest.raises(NotSent):
            await network.request("POST", f"https://{address}/", timeout_s=LONG_S)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/", "ftp://127.0.0.1/", "http:///nowhere", "nonsense"])
async def test_a_host_that_does_not_exist_means_not_sent(network: HttpNetwork, url: str) -> None:
    with pytest.raises(NotSent):
        await network.request("POST", url, timeout_s=LONG_S)


async def test_a_failure_after_a_refused_one_is_judged_by_itself(network: HttpNetwork) -> None:
    """The facts of one attempt must not colour the next."""

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(serve) as address:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await network.request("POST", f"http://{address}/", timeout_s=LONG_S)
            with pytest.raises(NotSent):
                await network.request("POST", "http://127.0.0.1:1/", timeout_s=LONG_S)


async def test_no_error_shows_the_query(network: HttpNetwork) -> None:
    """Tokens travel in query strings."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"garbage\r\n\r\n")

    async def refuse(_request: Request) -> Response:
        return Response(401)

    query = "hub?access_token=secret"
    shown: list[str] = []
    async with raw_server(serve) as address, running(network, refuse) as server:
        for url in (f"http://{address}/{query}", f"http://127.0.0.1:1/{query}", f"nonsense://{query}"):
            with pytest.raises(TransportError) as failed:
                await network.request("POST", url, timeout_s=LONG_S)
            shown.extend(traceback.format_exception(failed.value))
        for url in (f"http://{address}/{query}", f"http://127.0.0.1:1/{query}", f"{server.url}/{query}"):
            with pytest.raises(TransportError) as failed:
                await network.connect(url, timeout_s=LONG_S)
            shown.extend(traceback.format_exception(failed.value))
    assert shown
    assert "secret" not in "".join(shown)


async def test_closing_is_bounded_when_the_server_talks_and_does_not_listen(network: HttpNetwork) -> None:
    """By itself aiohttp waits for the server's agreement anew after every frame."""

    async def talk(socket: WebSocket) -> None:
        while True:
            await socket.send("tick")
            await asyncio.sleep(0.01)

    async def upgrade(_request: Request) -> Upgrade:
        return Upgrade(talk)

    async with running(network, upgrade) as server:
        socket = await network.connect(server.url, timeout_s=LONG_S)
        async with asyncio.timeout(2):
            await socket.close()


async def test_a_websocket_redirect_is_not_followed(network: HttpNetwork) -> None:
    paths: list[str] = []

    async def redirect(request: Request) -> Response:
        paths.append(request.path)
        return Response(307, headers={"Location": "/elsewhere"})

    async with running(network, redirect) as server:
        with pytest.raises(UpgradeRefused) as refused:
            await network.connect(f"{server.url}/hub", timeout_s=LONG_S)
    assert (refused.value.status, paths) == (307, ["/hub"])


# The server


async def test_an_item_of_a_stream_is_on_the_wire_before_the_next_is_asked_for(network: HttpNetwork) -> None:
    asked, closed = asyncio.Semaphore(0), asyncio.Event()

    async def items() -> AsyncIterator[bytes]:
        try:
            for number in range(1_000_000):
                await asked.acquire()
                yield b"data: %d\n\n" % number
        finally:
            closed.set()

    async def answer(_request: Request) -> Response:
        return Response(200, headers={"Content-Type": "text/event-stream"}, stream=items())

    async with running(network, answer) as server:
        async with raw_client(server) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")  # before there is any item
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            for number in range(3):
                asked.release()
                assert b"data: %d\n" % number in await reader.readuntil(b"\n\n\r\n")
        async with asyncio.timeout(LONG_S):  # the client is gone; the stream waits for ever, and is closed all the same
            await closed.wait()


@pytest.mark.parametrize("header", [b"Content-Length: 1000000000000", b"Transfer-Encoding: chunked"])
async def test_an_upload_without_end_is_answered_413_and_cut(network: HttpNetwork, header: bytes) -> None:
    async with running(network, answer_ok) as server, raw_client(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        sent = 0
        while not answer.done():
            writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            await asyncio.wait({answer}, timeout=0.001)
            sent += 0x10000
        assert (await answer).startswith(b"HTTP/1.1 413 ")
        with suppress(ConnectionError):
            while sent < KERNEL_BYTES_MAX:
                writer.write(bytes(0x100000))
                await writer.drain()
                sent += 0x100000
    assert sent < KERNEL_BYTES_MAX


async def test_an_upload_that_announces_too_much_is_answered_before_it_comes(network: HttpNetwork) -> None:
    async with running(network, answer_ok) as server, raw_client(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")


async def test_a_refused_upload_is_not_cut_before_its_sender_can_have_read_why(network: HttpNetwork) -> None:
    """A connection that is closed with bytes unread is reset, and on some systems the answer is lost with it."""
    async with running(network, answer_ok) as server, raw_client(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n{}")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), SHORT_S)


async def test_a_request_on_a_pooled_connection_is_not_handled_while_the_server_closes(network: HttpNetwork) -> None:
    handled: list[str] = []
    pooling, slow = asyncio.Barrier(2), asyncio.Event()

    async def answer(request: Request) -> Response:
        handled.append(request.path)
        if request.path == "/pool":
            await pooling.wait()  # two at once, so that two connections are pooled
        if request.path == "/slow":
            slow.set()
            await asyncio.sleep(SHORT_S)
        return Response(200)

    async with running(network, answer) as server:
        pool = (network.request("GET", f"{server.url}/pool", timeout_s=LONG_S) for _ in range(2))
        await asyncio.gather(*pool)
        caller = asyncio.ensure_future(network.request("GET", f"{server.url}/slow", timeout_s=LONG_S))
        await slow.wait()
        closing = asyncio.ensure_future(server.close())
        await asyncio.sleep(0)
        with pytest.raises(OutcomeUnknown):
            await network.request("GET", f"{server.url}/late", timeout_s=LONG_S)
        await closing
        assert (await caller).status == 200
    assert handled == ["/pool", "/pool", "/slow"]


async def test_a_compressed_body_is_not_unpacked(network: HttpNetwork) -> None:
    """Else a thousand bytes could become a million."""
    seen: list[bytes] = []

    async def answer(request: Request) -> Response:
        seen.append(request.body)
        return Response(200)

    async with running(network, answer) as server:
        await network.request(
            "POST", server.url, headers={"Content-Encoding": "deflate"}, body=b"packed", timeout_s=LONG_S
        )
    assert seen == [b"packed"]


async def test_a_broken_upload_is_not_handled_and_the_server_goes_on(network: HttpNetwork) -> None:
    seen: list[Request] = []

    async def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200)

    async with running(network, answer) as server:
        for upload in (
            b"Content-Length: 10\r\n\r\nabc",
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"nonsense\r\n\r\n",
        ):
            async with raw_client(server) as (reader, writer):
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + upload)
                writer.write_eof()
                assert b" 200 " not in await reader.read()
        assert seen == []
        assert (await network.request("GET", server.url, timeout_s=LONG_S)).status == 200


async def test_repeated_headers_are_joined(network: HttpNetwork) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, request.headers["x-a"].encode())

    async with running(network, answer) as server, raw_client(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\n1, 2")


async def test_a_websocket_frame_that_is_not_text_or_too_large_ends_the_connection(network: HttpNetwork) -> None:
    ended = asyncio.Semaphore(0)

    async def listen(socket: WebSocket) -> None:
        assert await socket.receive() is None
        assert await socket.receive() is None
        ended.release()

    async def upgrade(_request: Request) -> Upgrade:
        return Upgrade(listen)

    greeting = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    binary = b"\x82\x81\0\0\0\0x" + b"\x81\x81\0\0\0\0y"  # and a text after it
    too_large = b"\x81\xff" + (8 * 1_048_576).to_bytes(8, "big") + b"\0\0\0\0"
    async with running(network, upgrade) as server:
        for frame in (binary, too_large):
            async with raw_client(server) as (reader, writer):
                writer.write(greeting)
                assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
                writer.write(frame)
                await ended.acquire()
                assert await reader.read()  # a close frame, and then the end


async def test_an_address_that_cannot_be_had_is_refused_with_a_reason(network: HttpNetwork) -> None:
    with pytest.raises(StartRefused, match=r"192\.0\.2\.1"):  # reserved for documentation: no machine has it
        await network.serve(answer_ok, host="192.0.2.1", port=0)


async def test_the_url_of_an_ipv6_server_has_brackets(network: HttpNetwork) -> None:
    server = await network.serve(answer_ok, host="::1", port=0)
    try:
        assert server.url.startswith("http://[::1]:")
        assert (await network.request("GET", server.url, timeout_s=LONG_S)).status == 200
    finally:
        await server.close()


async def test_a_client_that_sends_ten_megabytes_before_it_reads_gets_its_413(network: HttpNetwork) -> None:
    async with running(network, answer_ok) as server, raw_client(server) as (reader, writer):
        body = bytes(10_000_000)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
