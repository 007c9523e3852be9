"""The state directory: one process, one venue and login, and secrets that stay secret."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordergate.errors import StartRefused
from ordergate.state_dir import Holder, StateDir

VENUE = "topstepx trader@example.com"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parent" / "state"


@pytest.fixture
def state(path: Path) -> Iterator[StateDir]:
    state = open_state(path)
    yield state
    state.release()


def open_state(path: Path, venue: str = VENUE, seed: int = 1) -> StateDir:
    state = StateDir.open(random.Random(seed).randbytes, path)
    try:
        state.serve(venue)
    except StartRefused:
        state.release()
        raise
    return state


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_this_user_only(path: Path, state: StateDir) -> None:
    assert mode_of(path) == 0o700
    assert (path / "venue").read_text() == VENUE + "\n"
    assert [state.journal, state.used_approvals, state.exchange] == [
        path / "journal.db",
        path / "connection-manager.db",
        path / "exchange.db",
    ]


def test_its_place_is_the_platforms_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    state = StateDir.open(random.Random(1).randbytes)
    state.release()
    assert state.path.name == "ordergate"
    assert state.path.is_relative_to(tmp_path)


def test_a_second_holder_is_refused_and_told_who_is_first(path: Path, state: StateDir) -> None:
    del state
    with pytest.raises(StartRefused) as refused:
        open_state(path)
    assert str(refused.value) == (
        f"another ordergate (process {os.getpid()}) uses the state directory {path} as aggregator: "
        "stop it, or name another with --state-dir"
    )


def test_a_holder_without_a_name_is_refused_all_the_same(path: Path, state: StateDir) -> None:
    del state
    (path / "lock.aggregator").write_text("")
    with pytest.raises(StartRefused, match=r"another ordergate uses"):
        open_state(path)


def test_a_released_directory_is_free(path: Path) -> None:
    for _ in range(2):
        open_state(path).release()


HOLD = """
import random, sys
from pathlib import Path
from ordergate.state_dir import StateDir
state = StateDir.open(random.Random(1).randbytes, Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


async def test_kill_9_frees_the_directory(path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLD,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout
    assert await child.stdout.readline() == b"held\n"
    with pytest.raises(StartRefused, match=rf"another ordergate \(process {child.pid}\)"):
        open_state(path)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    open_state(path).release()
    assert (path / "lock.aggregator").read_text() == f"{os.getpid()}\n"


def test_a_directory_of_another_venue_or_login_is_refused_and_let_go(path: Path) -> None:
    open_state(path).release()
    with pytest.raises(StartRefused, match=r"was made for 'topstepx trader@example.com' and cannot serve 'demo demo'"):
        open_state(path, "demo demo")
    open_state(path).release()


@pytest.mark.parametrize("place", ["file", "file/state"])
def test_a_place_that_cannot_hold_it_is_refused_in_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused) as refused:
        open_state(tmp_path / place)
    assert str(refused.value).startswith(f"the state directory {tmp_path / place} cannot be used: ")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_written_is_refused(path: Path, state: StateDir) -> None:
    for name in ("install-id", "approval.key"):
        (path / f"{name}.{os.getpid()}").mkdir()
    with pytest.raises(StartRefused, match=f"the state directory {path} cannot be used"):
        state.install_id()
    with pytest.raises(StartRefused, match=f"the state directory {path} cannot be used"):
        state.approval_key(None)


def test_the_install_id_is_made_once(path: Path) -> None:
    found = []
    for seed in (1, 2):
        state = open_state(path, seed=seed)
        found += [state.install_id(), state.install_id()]
        state.release()
    assert found == [found[0]] * 4
    assert len(found[0]) == 8
    assert set(found[0]) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert (path / "install-id").read_text() == found[0] + "\n"


def test_two_installations_have_two_ids(tmp_path: Path) -> None:
    first, second = open_state(tmp_path / "1", seed=1), open_state(tmp_path / "2", seed=2)
    assert first.install_id() != second.install_id()
    first.release()
    second.release()


@pytest.mark.parametrize("content", ["", "ABCDEFGH\n", "abcdefg\n", "abcdefgh2\n"])
def test_a_damaged_install_id_is_refused(path: Path, state: StateDir, content: str) -> None:
    (path / "install-id").write_text(content)
    with pytest.raises(StartRefused, match="does not hold an install id"):
        state.install_id()


def test_the_approval_key_is_made_once_for_this_user_only(path: Path) -> None:
    found = []
    for seed in (1, 2):
        state = open_state(path, seed=seed)
        found.append(state.approval_key(None))
        state.release()
    assert found[0] == found[1]
    assert len(bytes.fromhex(found[0].decode())) == 32
    assert mode_of(path / "approval.key") == 0o600


def test_the_key_in_the_environment_wins_and_nothing_is_written(path: Path, state: StateDir) -> None:
    assert state.approval_key("k" * 32) == b"k" * 32
    assert not (path / "approval.key").exists()


def test_the_file_s_content_is_the_same_key_in_the_environment(path: Path, state: StateDir) -> None:
    made = state.approval_key(None)
    assert state.approval_key((path / "approval.key").read_text()) == made


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_read_is_refused(path: Path, state: StateDir, mode: int) -> None:
    state.approval_key(None)
    (path / "approval.key").chmod(mode)
    with pytest.raises(
        StartRefused, match=rf"approval.key can be read by other users \(mode {mode:o}\): run chmod 600"
    ):
        state.approval_key(None)


def test_a_key_that_is_too_short_is_refused_without_being_shown(path: Path, state: StateDir) -> None:
    (path / "approval.key").write_text("hunter2\n")
    (path / "approval.key").chmod(0o600)
    for given, source in ((None, str(path / "approval.key")), ("", "ORDERGATE_APPROVAL_KEY"), ("hunter2", "ORDERGATE")):
        with pytest.raises(StartRefused, match=source) as refused:
            state.approval_key(given)
        assert "hunter2" not in str(refused.value)


def test_a_start_that_was_killed_while_it_wrote_is_made_good(path: Path, state: StateDir) -> None:
    (path / f"approval.key.{os.getpid()}").write_text("half a k")
    assert len(state.approval_key(None)) == 64
    locks = [f"lock.{holder.value}" for holder in Holder]
    assert sorted(found.name for found in path.iterdir()) == sorted(["approval.key", "venue", *locks])


def test_each_role_is_held_by_one_process_and_all_share_the_key(path: Path) -> None:
    def opened(*holders: Holder) -> StateDir:
        return StateDir.open(random.Random(holders[0].value).randbytes, path, holders)

    aggregator, manager = opened(Holder.AGGREGATOR), opened(Holder.CONNECTION_MANAGER)
    for state in (aggregator, manager):
        state.serve(VENUE)
    assert aggregator.approval_key(None) == manager.approval_key(None)
    with pytest.raises(StartRefused, match="as connection-manager: stop it"):
        opened(Holder.CONNECTION_MANAGER)
    with pytest.raises(StartRefused, match="as aggregator: stop it"):
        open_state(path)
    manager.release()
    opened(Holder.CONNECTION_MANAGER).release()
    aggregator.release()


MAKE_THE_KEY = """
import random, sys
from pathlib import Path
from ordergate.state_dir import Holder, StateDir

def bytes_in_turn(count):
    print("making", flush=True)
    sys.stdin.readline()
    return random.Random(sys.argv[2]).randbytes(count)

state = StateDir.open(bytes_in_turn, Path(sys.argv[1]), [Holder(sys.argv[2])])
print(state.approval_key(None).decode(), flush=True)
"""


async def test_two_roles_that_start_at_once_make_one_key(path: Path) -> None:
    async def maker(holder: Holder) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            MAKE_THE_KEY,
            str(path),
            holder.value,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    makers = [await maker(Holder.AGGREGATOR), await maker(Holder.CONNECTION_MANAGER)]
    for each in makers:
        assert each.stdout
        assert await each.stdout.readline() == b"making\n"  # both have seen that there is none
    made = [(await each.communicate(b"\n"))[0] for each in makers]
    assert made[0] == made[1]
    assert len(made[0]) == 65
