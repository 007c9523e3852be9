"""Where the parts of a desk are, and asking them over HTTP as any client does.

Silence is an answer: what does not answer is told with its address and the reason, and never raises.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from ordergate.errors import NotSent, StartRefused, TransportError
from ordergate.net.port import Network
from ordergate.settings import Settings

# A part on this machine answers within milliseconds; a person waits for all of them together.
ANSWER_S = 2.0
_LOOPBACK = "http://127.0.0.1"
_DEFAULTS = Settings()
_JSON = {"content-type": "application/json"}

_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Written(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a ready file: where a desk is, and the login of a simulated broker."""

    web: str | None = None
    connection_manager: str | None = None
    aggregator: str | None = None
    gateway: str | None = None
    user_name: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Written({self.web!r}, {self.gateway!r})"


class Places(msgspec.Struct, frozen=True):
    """The origins of the three parts."""

    page: str
    gate: str
    connection_manager: str


class Answer(msgspec.Struct, frozen=True):
    """What a part answered. ``status`` 0: nothing did, and ``failure`` says why. ``body`` is None for what is no JSON.

    ``refused``: nothing listens there. ``took_ms`` is from the question to the whole answer, ``date`` its header.
    """

    url: str
    status: int = 0
    body: Any = None
    raw: bytes = b""
    failure: str = ""
    refused: bool = False
    took_ms: float = 0.0
    date: str = ""


def read_ready_file(path: Path | None) -> Written:
    """The ready file, or nothing where none is named or none stands there: the desk may have ended in order.

    Raises ``StartRefused`` for a file that is none.
    """
    if path is None:
        return Written()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Written)
    except FileNotFoundError:
        return Written()
    except (OSError, msgspec.DecodeError) as error:
        raise StartRefused(f"the ready file {path} cannot be read: {error}") from error


def places(settings: Settings, written: Written) -> Places:
    """Where the ready file says; else where the settings say: an address that was changed, else a port of this machine.

    The addresses are those by which separate roles find each other; a desk in one process has only the ports.
    """
    page, manager = settings.manual_trading_server_url, settings.connection_manager_url
    if page == _DEFAULTS.manual_trading_server_url:
        page = f"{_LOOPBACK}:{settings.web_port}"
    if manager == _DEFAULTS.connection_manager_url:
        manager = f"{_LOOPBACK}:{settings.connection_manager_port}"
    return Places(
        page=written.web or page,
        gate=written.aggregator or f"{_LOOPBACK}:{settings.aggregator_port}",
        connection_manager=written.connection_manager or manager,
    )


async def ask(network: Network, method: str, url: str, body: object = None, timeout_s: float = ANSWER_S) -> Answer:
    """One question."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    data = b"" if body is None else msgspec.json.encode(body)
    try:
        found = await network.request(
            method, url, headers=None if body is None else _JSON, body=data, timeout_s=timeout_s
        )
    except TransportError as error:
        took_s = loop.time() - began_s
        refused = isinstance(error, NotSent) and took_s < timeout_s
        silent = f"no answer within {timeout_s:g} s" if took_s >= timeout_s else "it breaks off"
        failure = "nothing listens there" if refused else silent
        return Answer(url, failure=failure, refused=refused, took_ms=took_s * 1_000)
    took_ms = (loop.time() - began_s) * 1_000
    try:
        decoded = _decoder.decode(found.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        decoded = None
    date = found.headers.get("date", "")
    return Answer(url, found.status, decoded, found.body, took_ms=took_ms, date=date)
