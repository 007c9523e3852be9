"""The bus over Redis when things fail, against real servers: nothing is lost in silence, nothing is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace
from redis.backoff import NoBackoff
from redis.retry import Retry

from ordergate.bus import scripts
from ordergate.bus.address import RedisAddress
from ordergate.bus.port import Channel, Subscription, Topic
from ordergate.bus.redis import RedisBus, redis_bus
from ordergate.clock import SystemClock
from ordergate.errors import ConsumerReplaced, StartRefused
from tests.redis_line import RedisLine, redis_line
from tests.redis_server import RedisServer, running_redis

RECEIVERS = {Topic.COMMANDS: "connection-manager", Topic.REPORTS: "gate"}


@contextlib.asynccontextmanager
async def process(server: RedisServer, seed: int = 1, capacity: int = 10_000) -> AsyncIterator[RedisBus]:
    """The bus as one process of the desk has it."""
    clock, rng = SystemClock(), random.Random(seed)
    opened = redis_bus(server.address, clock=clock, rng=rng, receivers=RECEIVERS, capacity=capacity, answer_s=0.5)
    async with opened as bus:
        yield bus


async def take(messages: Subscription, count: int, within_s: float = 15) -> list[bytes]:
    async with asyncio.timeout(within_s):
        return [await anext(aiter(messages)) for _ in range(count)]


def numbered(start: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(start, end)]


async def test_what_is_sent_waits_for_a_receiver_that_has_yet_to_start(redis_server: RedisServer) -> None:
    async with process(redis_server) as sender:
        for message in numbered(0, 5):
            await sender.send(Topic.COMMANDS, message)
    async with process(redis_server) as receiver:
        assert await take(receiver.consume(Topic.COMMANDS, "connection-manager"), 5) == numbered(0, 5)


async def test_what_nobody_has_to_receive_is_not_there_for_one_who_comes_later(redis_server: RedisServer) -> None:
    async with process(redis_server) as sender, process(redis_server, 2) as gate:
        await sender.send(Topic.ORDERS, b"while it was dead")
        orders = gate.consume(Topic.ORDERS, "gate")
        await gate.send(Topic.EVENTS, b"in force")
        await sender.send(Topic.ORDERS, b"after its return")
        assert await take(orders, 1) == [b"after its return"]


DIES = """
import asyncio, os, random, signal, sys
from ordergate.bus import scripts
from ordergate.bus.address import RedisAddress
from ordergate.bus.port import Topic
from ordergate.bus.redis import redis_bus
from ordergate.clock import SystemClock

async def main():
    address = RedisAddress("127.0.0.1", int(sys.argv[1]))
    receivers = {Topic.COMMANDS: "connection-manager"}
    async with redis_bus(address, clock=SystemClock(), rng=random.Random(9), receivers=receivers) as bus:
        topic = Topic[sys.argv[2]]
        count = 0
        async for message in bus.consume(topic, sys.argv[3]):
            print(message.decode(), flush=True)
            count += 1
            waits = count == 2 and sys.argv[4]
            while waits and not os.path.exists(sys.argv[4]):
                await asyncio.sleep(0.01)
            if count == 3 or waits:
                os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def dying(
    server: RedisServer, topic: Topic, consumer: str, waits_for: Path | None = None
) -> asyncio.subprocess.Process:
    """A process that reads, and dies while it handles the third message, or the second once there is a file."""
    arguments = [sys.executable, "-c", DIES, str(server.port), topic.name, consumer, str(waits_for or "")]
    return await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)


async def test_what_a_killed_receiver_had_not_done_comes_first_and_in_order(redis_server: RedisServer) -> None:
    async with process(redis_server) as sender:
        for message in numbered(0, 6):
            await sender.send(Topic.COMMANDS, message)
        child = await dying(redis_server, Topic.COMMANDS, "connection-manager")
        handled = [line for line in (await child.communicate())[0].splitlines() if line.isdigit()]
        assert handled == numbered(0, 3)
        await sender.send(Topic.COMMANDS, b"6")
        async with process(redis_server, 2) as successor:
            commands = successor.consume(Topic.COMMANDS, "connection-manager")
            # The third was being handled when the process died; those before may not have been acknowledged yet.
            (first,) = await take(commands, 1)
            assert first in (b"0", b"1", b"2")
            assert await take(commands, 6 - int(first)) == numbered(int(first) + 1, 7)


async def test_one_who_follows_and_was_killed_is_begun_anew_by_its_successor(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate:
        child = await dying(redis_server, Topic.EVENTS, "web")
        while b"web" not in str(redis_server.ask("KEYS", "ordergate:events:owner:*")).encode():
            await asyncio.sleep(0.01)
        for message in numbered(0, 6):
            await gate.send(Topic.EVENTS, message)
        await child.communicate()
        async with process(redis_server, 2) as successor:
            events = successor.consume(Topic.EVENTS, "web")
            await successor.send(Topic.EVENTS, b"6")
            assert await take(events, 1) == [b"6"]


async def test_a_call_that_comes_after_a_later_one_does_nothing(redis_server: RedisServer) -> None:
    """As over a connection that its sender had given up."""
    async with process(redis_server):
        pass
    keys = ["ordergate:commands", "ordergate:commands:sent:1-1"]
    told = [0, 1, 10, "", "", "wake", "commands", "1-1"]
    with redis_server.client() as client:
        send = client.register_script(scripts.SEND)

        def call(number: int, *messages: bytes) -> Any:
            return send(keys=keys, args=[*told, number, *messages])[:2]

        assert call(2) == [b"sent", 0]
        assert call(3, b"a") == [b"sent", 1]
        assert call(1, b"a") == [b"late", 0]
        assert call(4, b"a") == [b"count", 1]
        assert client.xlen("ordergate:commands") == 1


async def test_of_two_who_consume_under_one_name_the_older_stops(redis_server: RedisServer) -> None:
    async with process(redis_server) as old, process(redis_server, 2) as new:
        first = old.consume(Topic.REPORTS, "gate")
        await old.send(Topic.REPORTS, b"1")
        assert await take(first, 1) == [b"1"]
        second = new.consume(Topic.REPORTS, "gate")
        for _ in range(3):
            await old.send(Topic.REPORTS, b"2")
        with pytest.raises(ConsumerReplaced, match="another process consumes reports as gate"):
            await take(first, 2)
        assert (await take(second, 3))[-1] == b"2"


@pytest.mark.parametrize("options", [(), ("--appendonly", "yes", "--appendfsync", "always")], ids=["memory", "disk"])
async def test_a_redis_that_is_killed_and_starts_again_loses_and_doubles_nothing(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with running_redis(tmp_path, *options) as server:
        async with process(server) as gate, process(server, 2) as manager:
            commands = manager.consume(Topic.COMMANDS, "connection-manager")
            for message in numbered(0, 5):
                await gate.send(Topic.COMMANDS, message)
            assert await take(commands, 2) == numbered(0, 2)
            server.kill()
            sending = [asyncio.create_task(gate.send(Topic.COMMANDS, message)) for message in numbered(5, 8)]
            await asyncio.sleep(0.2)
            server.start()
            assert await take(commands, 6) == numbered(2, 8)
            await asyncio.gather(*sending)
            await gate.send(Topic.COMMANDS, b"8")
            assert await take(commands, 1) == [b"8"]
            for bus in (gate, manager):
                assert bus.health.connected_since is not None
                assert bus.health.last_error


async def test_a_redis_that_is_flushed_loses_and_doubles_nothing_and_says_so(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        for message in numbered(0, 3):
            await gate.send(Topic.COMMANDS, message)
        redis_server.ask("FLUSHALL")
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        assert await take(commands, 3) == numbered(0, 3)
        redis_server.ask("FLUSHALL")
        for message in numbered(3, 6):
            await gate.send(Topic.COMMANDS, message)
        assert await take(commands, 3) == numbered(3, 6)
        assert gate.health.resent >= 3


async def test_what_is_unread_or_in_hand_when_redis_forgets_it_is_there_for_a_successor(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with process(redis_server) as gate:
        child = await dying(redis_server, Topic.COMMANDS, "connection-manager", tmp_path / "go")
        for message in numbered(0, 5):
            await gate.send(Topic.COMMANDS, message)
        assert child.stdout is not None
        while (await child.stdout.readline()).strip() != b"1":
            pass
        redis_server.ask("FLUSHALL")
        while gate.health.resent < 4:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)  # a look of the child's, so that it has what came again
        (tmp_path / "go").touch()
        await child.wait()
        async with process(redis_server, 2) as successor:
            commands = successor.consume(Topic.COMMANDS, "connection-manager")
            got = await take(commands, 4)
            while got[-1] != b"4":
                got += await take(commands, 1)
        assert got[-4:] == numbered(1, 5)


async def test_a_redis_without_memory_makes_senders_wait_and_loses_nothing(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        redis_server.ask("CONFIG", "SET", "maxmemory", "1")
        sending = asyncio.create_task(gate.send(Topic.COMMANDS, b"1"))
        await asyncio.sleep(0.3)
        assert not sending.done()
        assert "memory" in (gate.health.last_error or "")
        redis_server.ask("CONFIG", "SET", "maxmemory", "0")
        assert await take(commands, 1) == [b"1"]
        await sending


async def test_a_redis_that_stands_still_is_given_up_and_nothing_is_doubled_when_it_goes_on(
    redis_server: RedisServer,
) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        await gate.send(Topic.COMMANDS, b"0")
        redis_server.pause()
        sending = asyncio.create_task(gate.send(Topic.COMMANDS, b"1"))
        await asyncio.sleep(2.5)
        assert gate.health.connected_since is None
        redis_server.resume()
        await sending
        await gate.send(Topic.COMMANDS, b"2")
        assert await take(commands, 3) == numbered(0, 3)


@contextlib.asynccontextmanager
async def lossy(server: RedisServer) -> AsyncIterator[tuple[RedisLine, RedisBus]]:
    """A process behind a line that can lose answers."""
    clock, rng = SystemClock(), random.Random(5)
    async with (
        redis_line(server.address) as line,
        redis_bus(line.address, clock=clock, rng=rng, receivers=RECEIVERS, answer_s=0.5) as bus,
    ):
        yield line, bus


async def test_messages_whose_delivery_was_lost_come_again_before_any_later_one(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, lossy(redis_server) as (line, manager):
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        await gate.send(Topic.COMMANDS, b"message-0")
        assert await take(commands, 1) == [b"message-0"]
        line.loses = b"message-1"
        await gate.send(Topic.COMMANDS, b"message-1")
        while not line.lost:
            await asyncio.sleep(0.01)
        await gate.send(Topic.COMMANDS, b"message-2")
        assert await take(commands, 2) == [b"message-1", b"message-2"]


async def test_a_message_whose_acceptance_was_lost_is_there_once(redis_server: RedisServer) -> None:
    async with lossy(redis_server) as (line, gate), process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        line.loses = b"sent"
        for message in numbered(0, 3):
            await gate.send(Topic.COMMANDS, message)
        assert line.lost == 1
        assert await take(commands, 3) == numbered(0, 3)
        await gate.send(Topic.COMMANDS, b"3")
        assert await take(commands, 1) == [b"3"]


async def test_what_is_given_up_after_it_was_accepted_unheard_costs_the_next_one_nothing(
    redis_server: RedisServer,
) -> None:
    async with lossy(redis_server) as (line, gate), process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        line.loses = b"sent"
        given_up = asyncio.create_task(gate.send(Topic.COMMANDS, b"given up"))
        while not line.lost:
            await asyncio.sleep(0)
        given_up.cancel()
        await gate.send(Topic.COMMANDS, b"the next")
        assert await take(commands, 2) == [b"given up", b"the next"]


async def test_what_a_channel_may_have_lost_while_redis_was_away_is_counted(redis_server: RedisServer) -> None:
    async with process(redis_server) as bus:
        heard = bus.subscribe(Channel.ORDER_MANAGEMENT)
        bus.subscribe(Channel.MARKET_DATA)
        bus.subscribe(Channel.FILL_ENHANCED).close()
        redis_server.kill()
        publishing = asyncio.create_task(bus.publish(Channel.ORDER_MANAGEMENT, b"while away"))
        await asyncio.sleep(0.2)
        redis_server.start()
        async with asyncio.timeout(5):
            await publishing  # it raises nothing
        while bus.health.connected_since is None:
            await asyncio.sleep(0.01)
        await bus.publish(Channel.ORDER_MANAGEMENT, b"after")
        got = await take(heard, 1)
        if got == [b"while away"]:
            got = await take(heard, 1)
        assert got == [b"after"]
        assert bus.health.lost[Channel.ORDER_MANAGEMENT.value] >= 1
        assert bus.health.lost[Channel.MARKET_DATA.value] == 1
        assert Channel.FILL_ENHANCED.value not in bus.health.lost


async def test_quotes_are_there_again_after_a_flush(redis_server: RedisServer) -> None:
    async with process(redis_server) as manager:
        manager.tell("MES", b"1")
        while not redis_server.ask("HEXISTS", "ordergate:quotes", "MES"):
            await asyncio.sleep(0.01)
        redis_server.kill()
        manager.tell("MNQ", b"2")
        redis_server.start()
        while manager.health.connected_since is None:
            await asyncio.sleep(0.01)
        async with process(redis_server, 2) as gate:
            assert sorted(await take(gate.watch(), 2)) == [b"1", b"2"]


async def test_a_receiver_that_is_away_holds_up_no_more_than_a_full_stream(redis_server: RedisServer) -> None:
    async with process(redis_server, capacity=10) as gate:
        for message in numbered(0, 10):
            await gate.send(Topic.COMMANDS, message)
        eleventh = asyncio.create_task(gate.send(Topic.COMMANDS, b"10"))
        await asyncio.sleep(0.1)
        assert not eleventh.done()
        assert redis_server.ask("XLEN", "ordergate:commands") == 10
        async with process(redis_server, 2, capacity=10) as manager:
            assert await take(manager.consume(Topic.COMMANDS, "connection-manager"), 11) == numbered(0, 11)
            await eleventh


async def test_what_everybody_has_read_is_forgotten(redis_server: RedisServer) -> None:
    async with process(redis_server) as gate, process(redis_server, 2) as manager:
        commands = manager.consume(Topic.COMMANDS, "connection-manager")
        for message in numbered(0, 500):
            await gate.send(Topic.COMMANDS, message)
        await take(commands, 500)
        asking = asyncio.create_task(take(commands, 1))  # acknowledges the last
        async with asyncio.timeout(5):
            while redis_server.ask("XLEN", "ordergate:commands") != 0:
                await asyncio.sleep(0.01)
        asking.cancel()


@pytest.mark.parametrize("wrong", ["no server", "password", "db"])
async def test_a_redis_that_cannot_be_used_is_refused_in_words_without_the_password(
    redis_server: RedisServer, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = redis_server.address
    if wrong == "no server":
        redis_server.kill()
    elif wrong == "password":
        redis_server.ask("CONFIG", "SET", "requirepass", "the right one")
        address = replace(address, password="hunter2")
    else:
        address = replace(address, db=99)
    with pytest.raises(StartRefused) as refused:
        async with redis_bus(address, clock=SystemClock(), rng=random.Random(1), receivers={}):
            pass
    told = str(refused.value)
    assert told.startswith(f"Redis at redis://127.0.0.1:{redis_server.port}/")
    assert "correct REDIS_URL" in told
    assert "hunter2" not in told + "".join(capsys.readouterr())
    if wrong == "no server":
        redis_server.start()


async def test_a_redis_that_still_reads_its_file_is_waited_for(tmp_path: Path) -> None:
    slow = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    with running_redis(tmp_path, *slow, name="redis") as server:
        for number in range(40):
            server.ask("SET", f"kept:{number}", os.urandom(2048))
        server.ask("SAVE")
        server.kill()
        server.start()
        with (
            redis.Redis("127.0.0.1", server.port, retry=Retry(NoBackoff(), 0)) as early,
            pytest.raises(redis.exceptions.BusyLoadingError),
        ):
            early.get("kept:1")
        async with redis_bus(server.address, clock=SystemClock(), rng=random.Random(1), receivers=RECEIVERS) as bus:
            await bus.send(Topic.COMMANDS, b"1")
            assert await take(bus.consume(Topic.COMMANDS, "connection-manager"), 1) == [b"1"]


async def test_a_user_with_a_password_is_enough_and_no_more_than_its_own_keys(redis_server: RedisServer) -> None:
    redis_server.ask("ACL", "SETUSER", "desk", "on", ">hunter2", "~ordergate:*", "&*", "+@all", "-@dangerous")
    address = replace(redis_server.address, username="desk", password="hunter2")
    async with redis_bus(address, clock=SystemClock(), rng=random.Random(1), receivers=RECEIVERS) as bus:
        await bus.send(Topic.COMMANDS, b"1")
        assert await take(bus.consume(Topic.COMMANDS, "connection-manager"), 1) == [b"1"]


async def test_tls_with_a_certificate_that_is_known_and_not_with_another(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("this test needs openssl to make a certificate")
    made = {}
    for name in ("right", "wrong"):
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
        subprocess.run(  # noqa: ASYNC221 - nothing else runs
            [*command, "-keyout", key, "-out", certificate], check=True, capture_output=True
        )
        made[name] = certificate
    files = ["--tls-cert-file", str(made["right"]), "--tls-key-file", str(tmp_path / "right.key")]
    port = "{port}"
    with running_redis(
        tmp_path, "--tls-port", port, "--port", "0", "--tls-auth-clients", "no", *files, name="redis"
    ) as server:
        for name, certificate in made.items():
            address = RedisAddress("127.0.0.1", server.port, tls=True, certificates=str(certificate))
            bus = redis_bus(address, clock=SystemClock(), rng=random.Random(1), receivers=RECEIVERS)
            if name == "wrong":
                with pytest.raises(StartRefused, match=r"rediss://127.0.0.1.*certificate"):
                    await bus.__aenter__()
            else:
                async with bus as over_tls:
                    await over_tls.send(Topic.COMMANDS, b"1")
                    assert await take(over_tls.consume(Topic.COMMANDS, "connection-manager"), 1) == [b"1"]
