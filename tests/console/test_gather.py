"""What ``doctor`` asks, each question by itself."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import pytest

if sys.platform != "win32":
    import fcntl

from ordergate.bus.redis import redis_bus
from ordergate.clock import SystemClock
from ordergate.console import gather
from ordergate.console.facts import ClockFacts, JournalFacts, RedisFacts
from ordergate.console.places import Answer
from ordergate.console.sleeping import of_linux, of_pmset, of_powercfg
from ordergate.errors import JournalUnavailable
from ordergate.journal.port import Entry
from ordergate.journal.sqlite import SqliteJournal
from ordergate.settings import Redis
from ordergate.state_dir import Holder, StateDir
from tests.redis_server import RedisServer, running_redis

SECOND_NS = 1_000_000_000
MONDAY_NS = 1_795_446_000 * SECOND_NS  # 2026-11-23 15:00 UTC


async def facts_of(server: RedisServer) -> RedisFacts:
    found = await gather.redis(Redis(host="127.0.0.1", port=server.port), SystemClock())
    assert isinstance(found, RedisFacts), found
    return found


async def test_our_own_connections_are_known_where_redis_keeps_the_names_of_libraries(tmp_path: Path) -> None:
    with running_redis(tmp_path, name="valkey") as server:
        async with redis_bus(server.address, clock=SystemClock(), rng=random.Random(1), receivers={}):
            with server.client() as stranger:
                stranger.client_setname("bot-7")
                found = await facts_of(server)
        assert not isinstance(found.clients, str)
        ours = [client for client in found.clients if client.library.startswith("ordergate")]
        assert found.listeners == sum(1 for client in ours if client.channels) == 1
        assert [client.name for client in found.clients if client not in ours] == ["bot-7"]
        assert found.open_to_all
        assert abs(found.ahead_ms) < 1_000


async def test_an_older_redis_names_no_libraries_and_counts_the_listeners(tmp_path: Path) -> None:
    with running_redis(tmp_path, name="redis") as server:
        async with redis_bus(server.address, clock=SystemClock(), rng=random.Random(1), receivers={}):
            found = await facts_of(server)
        assert found.listeners == 1
        assert not isinstance(found.clients, str)
        with server.client() as client:
            version = tuple(map(int, client.info("server")["redis_version"].split(".")))
        # From 7.2 on it does.
        assert any(client.library for client in found.clients) is (version >= (7, 2))


async def test_a_redis_that_is_silent_is_given_up_after_two_seconds(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        server.pause()
        found = await gather.bounded(gather.redis(Redis(host="127.0.0.1", port=server.port), SystemClock()))
        server.resume()
    assert isinstance(found, str)


@pytest.mark.parametrize(
    ("asked_s", "heard_s", "low_ms", "high_ms"),
    [(0.0, 0.0, 0.0, 1_000.0), (0.4, 0.6, -600.0, 600.0), (-5.0, -4.9, 4_900.0, 6_000.0)],
)
def test_a_date_tells_a_clock_to_within_its_second_and_the_round_trip(
    asked_s: float, heard_s: float, low_ms: float, high_ms: float
) -> None:
    answer = Answer("", 200, took_ms=7.0, date="Mon, 23 Nov 2026 15:00:00 GMT")
    asked_ns, heard_ns = MONDAY_NS + round(asked_s * SECOND_NS), MONDAY_NS + round(heard_s * SECOND_NS)
    assert gather.date_told(answer, asked_ns, heard_ns) == ClockFacts(low_ms, high_ms, 7.0)


def test_an_answer_without_a_date_tells_no_clock() -> None:
    assert gather.date_told(Answer("", 200), 0, 0) == "its answer has no Date"


async def test_the_journal_is_read_beside_who_writes_it_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    writer = await SqliteJournal.open(path)
    row = Entry("a", MONDAY_NS, "sample", 1, b"{}")
    await writer.append([row, row], {"a": 0})
    found = await gather.journal(path, SqliteJournal.open_to_read)
    assert found == JournalFacts(path, 2, is_whole=True, writable=True)
    await writer.append([row], {"a": 2})
    found = await gather.journal(path, SqliteJournal.open_to_read)
    assert isinstance(found, JournalFacts)
    assert found.rows == 3
    reader = await SqliteJournal.open_to_read(path)
    with pytest.raises(JournalUnavailable):
        await reader.append([row], {"a": 3})
    await reader.close()
    await writer.close()


async def test_a_journal_that_is_another_programs_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"SQLite? No." * 100)
    assert await gather.journal(path, SqliteJournal.open_to_read) == f"{path} is not an ordergate journal"
    assert path.read_bytes() == b"SQLite? No." * 100


def test_the_state_directory_is_looked_at_and_neither_made_nor_taken(tmp_path: Path) -> None:
    path = tmp_path / "none" / "state"
    found = gather.state(path)
    assert (found.exists, found.mode, found.held) == (False, None, {})
    assert found.free_bytes > 0
    assert list(tmp_path.iterdir()) == []
    gate = StateDir.open(os.urandom, path, [Holder.AGGREGATOR])
    key = gate.approval_key(None)
    found = gather.state(path)
    assert found.held == {Holder.AGGREGATOR: str(os.getpid())}
    if sys.platform != "win32":
        assert (found.mode, found.key_mode) == (0o700, 0o600)
    assert gather.approval_key(path, None) == key
    assert gather.approval_key(path, "from-the-environment") == b"from-the-environment"
    gate.release()
    assert gather.state(path).held == {}
    if sys.platform != "win32":
        # Two who look at once do not take each other for a gate.
        with (path / "lock.aggregator").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            assert gather.state(path).held == {}
    # What was looked at can be taken.
    StateDir.open(os.urandom, path, [Holder.AGGREGATOR]).release()


def test_options_that_cannot_be_read_are_told_and_no_others_are_named(tmp_path: Path) -> None:
    file = tmp_path / "options.json"
    assert gather.options(None) == (None, False)
    for text in ("[]", "{", '{"noSuchOption": 1}'):
        file.write_text(text)
        said, _ = gather.options(file)
        assert isinstance(said, str), text
    file.write_text(
        json.dumps({"shadow_mode": False, "aggregator_config": {"sltp_config": {"tick_sizes": {"MES": 0.25}}}})
    )
    assert gather.options(file) == ((), True)


@pytest.mark.parametrize(
    ("masked", "gnome", "logind", "sleeps"),
    [
        ("masked\nmasked\n", ["", ""], "", False),
        ("static\nstatic\n", ["'nothing'\n", "'nothing'\n"], "#IdleAction=suspend\n", False),
        ("static\nstatic\n", ["'nothing'\n", "'suspend'\n"], "", True),
        ("static\nmasked\n", ["", ""], "[Login]\nIdleAction=suspend\n", True),
        ("", ["", ""], "", None),
    ],
)
def test_linux_is_read_by_systemd_and_gnome(masked: str, gnome: list[str], logind: str, sleeps: bool | None) -> None:  # noqa: FBT001
    assert of_linux(masked, gnome, logind).sleeps is sleeps


@pytest.mark.parametrize(
    ("printed", "sleeps"),
    [
        (" standby 1\n sleep                0 (sleep prevented by caffeinate)\n disksleep 10\n", False),
        (" disksleep            10\n sleep                1 (sleep prevented by powerd)\n", True),
        ("", None),
    ],
)
def test_macos_is_read_by_pmset(printed: str, sleeps: bool | None) -> None:  # noqa: FBT001
    assert of_pmset(printed).sleeps is sleeps


@pytest.mark.parametrize(
    ("printed", "sleeps"),
    [
        ("AC: 0x00000000\nDC: 0x00000000\n", False),
        ("Max: 0xffffffff\nAC: 0x00000000\nDC: 0x00000384\n", True),
        ("", None),
    ],
)
def test_windows_is_read_by_powercfg(printed: str, sleeps: bool | None) -> None:  # noqa: FBT001
    assert of_powercfg(printed).sleeps is sleeps
