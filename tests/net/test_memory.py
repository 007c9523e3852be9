"""What the network in memory adds to the port's contract: time and order, on the virtual loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ordergate.errors import NotSent, OutcomeUnknown, SocketClosed
from ordergate.net.memory import FIRST_FREE_PORT, FRAMES_MAX, MemoryNetwork, MemoryServer
from ordergate.net.port import Handler, Request, Response, Upgrade, WebSocket
from tests.simulation.virtual_time import run

LATENCY_S = 0.25
LONG_S = 3_600.0


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def answer_ok(_request: Request) -> Response:
    return Response(200, b"ok")


async def serve(network: MemoryNetwork, handler: Handler = answer_ok, port: int = 0) -> MemoryServer:
    return await network.serve(handler, host="localhost", port=port)


async def echo_server(network: MemoryNetwork) -> MemoryServer:
    async def echo(socket: WebSocket) -> None:
        while (text := await socket.receive()) is not None:
            await socket.send(text)

    async def upgrade(_request: Request) -> Upgrade:
        return Upgrade(echo)

    return await serve(network, upgrade)


def test_free_ports_are_counted_from_20000() -> None:
    async def main() -> list[str]:
        network = MemoryNetwork()
        servers = [await serve(network), await serve(network, port=20_001), await serve(network)]
        return [server.url for server in servers]

    assert run(main()) == [f"http://localhost:{FIRST_FREE_PORT + number}" for number in range(3)]


def test_two_worlds_do_not_see_each_other() -> None:
    async def main() -> None:
        server = await serve(MemoryNetwork())
        with pytest.raises(NotSent):
            await MemoryNetwork().request("GET", server.url, timeout_s=LONG_S)

    run(main())


def test_a_url_without_a_port_means_that_of_its_scheme() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        await serve(network, port=443)
        assert (await network.request("GET", "https://api.topstepx.com/x", timeout_s=LONG_S)).status == 200
        with pytest.raises(NotSent):
            await network.request("GET", "http://api.topstepx.com/x", timeout_s=LONG_S)

    run(main())


def test_a_request_takes_the_latency_each_way() -> None:
    async def main() -> list[float]:
        arrived: list[float] = []

        async def answer(_request: Request) -> Response:
            arrived.append(now_s())
            await asyncio.sleep(1)
            return Response(200)

        network = MemoryNetwork(latency_s=LATENCY_S)
        server = await serve(network, answer)
        await network.request("GET", server.url, timeout_s=LONG_S)
        return [*arrived, now_s()]

    assert run(main()) == [LATENCY_S, LATENCY_S + 1 + LATENCY_S]


def test_a_request_that_times_out_on_its_way_is_not_sent_and_on_its_way_back_unknown() -> None:
    async def main() -> int:
        arrived_total = 0

        async def answer(_request: Request) -> Response:
            nonlocal arrived_total
            arrived_total += 1
            return Response(200)

        network = MemoryNetwork(latency_s=LATENCY_S)
        server = await serve(network, answer)
        with pytest.raises(NotSent):
            await network.request("GET", server.url, timeout_s=LATENCY_S / 2)
        with pytest.raises(NotSent):
            await network.connect(server.url, timeout_s=LATENCY_S / 2)
        await asyncio.sleep(1)
        assert arrived_total == 0
        with pytest.raises(OutcomeUnknown):
            await network.request("GET", server.url, timeout_s=LATENCY_S * 1.5)
        return arrived_total

    assert run(main()) == 1


def test_frames_take_the_latency_and_keep_their_order() -> None:
    async def main() -> list[tuple[float, str | None]]:
        network = MemoryNetwork(latency_s=LATENCY_S)
        socket = await network.connect((await echo_server(network)).url, timeout_s=LONG_S)
        began = now_s()
        await socket.send("a")
        await socket.send("b")
        await asyncio.sleep(0.1)
        await socket.send("c")
        received = []
        for _ in range(3):
            text = await socket.receive()
            received.append((round(now_s() - began, 6), text))
        return received

    assert run(main()) == [(2 * LATENCY_S, "a"), (2 * LATENCY_S, "b"), (2 * LATENCY_S + 0.1, "c")]


def test_a_receive_cancelled_while_a_frame_is_under_way_loses_nothing() -> None:
    async def main() -> str | None:
        network = MemoryNetwork(latency_s=LATENCY_S)
        socket = await network.connect((await echo_server(network)).url, timeout_s=LONG_S)
        await socket.send("a")
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.receive(), LATENCY_S / 20)
        return await socket.receive()

    assert run(main()) == "a"


def test_frames_under_way_arrive_before_the_end() -> None:
    async def main() -> list[str | None]:
        async def say(socket: WebSocket) -> None:
            await socket.send("a")
            await socket.send("b")

        async def upgrade(_request: Request) -> Upgrade:
            return Upgrade(say)

        network = MemoryNetwork(latency_s=LATENCY_S)
        socket = await network.connect((await serve(network, upgrade)).url, timeout_s=LONG_S)
        return [await socket.receive() for _ in range(3)]

    assert run(main()) == ["a", "b", None]


def test_frames_under_way_are_lost_when_sockets_are_dropped() -> None:
    async def main() -> str | None:
        network = MemoryNetwork(latency_s=LATENCY_S)
        server = await echo_server(network)
        socket = await network.connect(server.url, timeout_s=LONG_S)
        await socket.send("a")
        await asyncio.sleep(LATENCY_S * 1.5)
        server.drop_sockets()
        return await socket.receive()

    assert run(main()) is None


def test_a_sender_waits_when_its_peer_does_not_read_and_learns_that_it_left() -> None:
    async def main() -> int:
        sent_total = 0
        leave = asyncio.Event()

        async def deaf(_socket: WebSocket) -> None:
            await leave.wait()

        async def upgrade(_request: Request) -> Upgrade:
            return Upgrade(deaf)

        async def send_for_ever(socket: WebSocket) -> None:
            nonlocal sent_total
            while True:
                await socket.send("x")
                sent_total += 1

        network = MemoryNetwork()
        socket = await network.connect((await serve(network, upgrade)).url, timeout_s=LONG_S)
        sender = asyncio.create_task(send_for_ever(socket))
        await asyncio.sleep(1)
        assert not sender.done()
        leave.set()
        with pytest.raises(SocketClosed):
            await sender
        return sent_total

    assert run(main()) == FRAMES_MAX


def test_a_sender_that_waits_goes_on_when_its_peer_reads() -> None:
    async def main() -> int:
        received: list[str] = []

        async def collect(socket: WebSocket) -> None:
            await asyncio.sleep(1)
            while (text := await socket.receive()) is not None:
                received.append(text)

        async def upgrade(_request: Request) -> Upgrade:
            return Upgrade(collect)

        network = MemoryNetwork()
        server = await serve(network, upgrade)
        socket = await network.connect(server.url, timeout_s=LONG_S)
        for number in range(3 * FRAMES_MAX):
            await socket.send(str(number))
        await socket.close()
        await server.close()
        return len(received)

    assert run(main()) == 3 * FRAMES_MAX


def test_a_server_with_nothing_but_streams_and_listening_sockets_closes_at_once() -> None:
    async def main() -> float:
        async def never() -> AsyncIterator[bytes]:
            await asyncio.sleep(LONG_S)
            yield b""

        async def listen(socket: WebSocket) -> None:
            await socket.receive()

        async def answer(request: Request) -> Response | Upgrade:
            return Response(200, stream=never()) if request.path == "/stream" else Upgrade(listen)

        network = MemoryNetwork()
        server = await serve(network, answer)
        caller = asyncio.create_task(network.request("GET", f"{server.url}/stream", timeout_s=LONG_S))
        await network.connect(server.url, timeout_s=LONG_S)
        await asyncio.sleep(1)
        await server.close()
        with pytest.raises(OutcomeUnknown):
            await caller
        return now_s()

    assert run(main()) == 1


def test_closing_the_network_closes_its_clients_sockets() -> None:
    async def main() -> str | None:
        network = MemoryNetwork()
        socket = await network.connect((await echo_server(network)).url, timeout_s=LONG_S)
        await network.close()
        return await socket.receive()

    assert run(main()) is None


def test_the_same_traffic_is_the_same_every_time() -> None:
    async def main() -> list[tuple[float, str]]:
        log: list[tuple[float, str]] = []

        async def answer(request: Request) -> Response:
            log.append((now_s(), f"asked {request.path}"))
            await asyncio.sleep(len(request.path) % 3)
            return Response(200)

        network = MemoryNetwork(latency_s=LATENCY_S)
        server = await serve(network, answer)

        async def ask(path: str) -> None:
            await network.request("GET", f"{server.url}/{path}", timeout_s=LONG_S)
            log.append((now_s(), f"answered {path}"))

        await asyncio.gather(*(ask("x" * number) for number in range(20)))
        await server.close()
        return log

    assert run(main()) == run(main())
