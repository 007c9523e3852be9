"""What operators say on ``instance:control`` (wire notes, section 2.9, read 2026-11-22)."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

_OURS = ("AGGREGATOR", "ALL")


class Control(enum.Enum):
    """What an aggregator can be told. HEARTBEAT is known, and nothing is done about it."""

    SHUTDOWN = "SHUTDOWN"
    PAUSE = "PAUSE_PROCESSING"
    RESUME = "RESUME_PROCESSING"


class _Message(msgspec.Struct, frozen=True):
    target: Any = None
    command: Any = None


_message = msgspec.json.Decoder(_Message)


def control(message: bytes) -> Control | None:
    """What ``message`` tells an aggregator; None when it is for somebody else, or nothing that we know.

    Raises one of ``messages.UNREADABLE``.
    """
    said = _message.decode(message)
    if said.target not in _OURS or not isinstance(said.command, str):
        return None
    return next((known for known in Control if known.value == said.command), None)
