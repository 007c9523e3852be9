"""The API key from the operating system's keyring: the real library, and a keyring of the test's own."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator

import keyring
import pytest
import structlog
from keyring.backend import KeyringBackend
from keyring.backends import fail

from ordergate.app import broker_settings
from ordergate.clock import SystemClock
from ordergate.console import commands
from ordergate.console.places import Written
from ordergate.errors import StartRefused
from ordergate.keychain import SERVICE, api_key
from ordergate.settings import Broker, Settings
from ordergate.telemetry import configure, logger

Put = Callable[[KeyringBackend], None]
WANTED = Broker("https://api.example.com", "https://u.example.com", "https://m.example.com", "you", keyring=True)


# What the library takes on a machine that has no keyring.
NONE = fail.Keyring()  # type: ignore[no-untyped-call]


class Kept(KeyringBackend):
    """A keyring that holds what it was given until the test ends."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def put() -> Iterator[Put]:
    """Puts another keyring in the place of the machine's."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged during the test."""
    stream = io.StringIO()
    configure("info", json_lines=True, stream=stream, clock=SystemClock())
    yield stream
    structlog.reset_defaults()


def test_the_key_is_read_for_the_login_and_stands_in_no_log(put: Put, log: io.StringIO) -> None:
    put(Kept())
    keyring.set_password(SERVICE, "you", "from-the-keyring")
    assert broker_settings(Settings(broker=WANTED)).credentials.api_key == "from-the-keyring"
    logger("test").info("the key is from-the-keyring")
    assert "the key is" in log.getvalue()
    assert "from-the-keyring" not in log.getvalue()


def test_what_is_missing_is_said_with_what_to_do(put: Put) -> None:
    put(Kept())
    with pytest.raises(StartRefused, match="the keyring has no key of 'you': `keyring set ordergate you` asks for it"):
        api_key(WANTED)
    put(NONE)
    with pytest.raises(StartRefused, match="the keyring cannot be read: "):
        api_key(WANTED)


def test_two_keys_are_one_too_many_and_without_the_switch_no_keyring_is_asked(put: Put) -> None:
    put(NONE)
    with pytest.raises(StartRefused, match="leave out one of them"):
        api_key(Broker(user_name="you", api_key="x", keyring=True))
    assert api_key(Broker(user_name="you", api_key="x")) == "x"
    assert api_key(Broker(user_name="you")) is None
    assert api_key(Broker(keyring=True)) is None


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(StartRefused, match=r"pip install 'ordergate\[keyring\]'"):
        api_key(WANTED)


def test_the_commands_read_it_from_there_too(put: Put) -> None:
    put(Kept())
    keyring.set_password(SERVICE, "you", "from-the-keyring")
    login = commands._login(Settings(broker=WANTED), Written())  # noqa: SLF001 - what flatten --direct logs in with
    assert login is not None
    assert login.credentials.api_key == "from-the-keyring"
