"""Logs, and the named steps of an order's path.

The journal is the record; a log line is derived and may be lost. It must never show a secret, and never stop the
process.

Invariants:
1. A value whose key is named like a secret is replaced, at any depth.
2. A text given to ``conceal`` stands in no line: not in a value, an event, an address or a traceback.
3. A stream that is gone loses the line, and nothing else.
4. Trouble that repeats does not fill a disk (``repeats``).
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import functools
import json
import logging
import re
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from ordergate.clock import Clock
from ordergate.repeats import Repeats

REDACTED = "[redacted]"

# The steps of an order's path in flow order. Each is told when it is done, but "order sent", which is told before the
# request can have left: a process that stops there has an order in doubt.
STEPS: tuple[str, ...] = (
    "asked",
    "published",
    "intercepted",
    "decided",
    "recorded",
    "approved",
    "command received",
    "approval recorded",
    "order sent",
    "order answered",
    "report published",
    "answered",
)

Step = Callable[[str, str], None]
"""Told one of ``STEPS``, and the id of the order, empty where a step is of none."""


def log_step(step: str, name: str) -> None:
    """The ``Step`` of every day: a debug line."""
    _steps().debug(step, order=name)


def logger(part: str) -> FilteringBoundLogger:
    """The logger of a part, which every line of it names."""
    return cast("FilteringBoundLogger", structlog.get_logger(part=part))


def conceal(secret: str) -> None:
    """Never log this text from now on, nor as Python, JSON or a URL escape it."""
    if secret:
        forms = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe="")}
        _concealed.update(dict.fromkeys(sorted(forms)))


def configure(level: str, *, json_lines: bool, stream: TextIO, clock: Clock, libraries: bool = True) -> None:
    """Log to ``stream`` from ``level`` (debug, info, warn, error) on, for a person or as one JSON object a line.

    What ``libraries`` say through ``logging`` goes the same way, from warnings on; not inside somebody's own program.
    """
    lines, repeats = _Lines(stream), Repeats()
    renderer: structlog.typing.Processor
    if json_lines:
        renderer = structlog.processors.JSONRenderer(default=str)
    else:
        # On Windows colours need a package more.
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty() and sys.platform != "win32")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _stamped(clock),
            # Here and not by the renderer, whose tracebacks show the values of local variables.
            structlog.processors.format_exc_info,
            _redact_named,
            _written(repeats, renderer, clock),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
    )
    _steps.cache_clear()

    def write_rest() -> None:
        held_back = repeats.rest()
        if held_back:
            lines.write(_text(renderer, held_back))

    atexit.register(write_rest)
    if libraries:
        logging.basicConfig(level=logging.WARNING, handlers=[_Forwarded()], force=True)


@functools.cache
def _steps() -> FilteringBoundLogger:
    """Bound once, until ``configure`` binds it anew: at ten steps an order, binding costs more than all else here."""
    return logger("step").bind()


_concealed: dict[str, None] = {}  # a set that keeps its order
# What a line begins with, for the eye that reads many.
_HEAD = ("timestamp", "level", "part", "event")
_NAMED_LIKE_A_SECRET = re.compile(r"token|api_?key|authori[sz]ation|signature|passw|secret|cookie", re.IGNORECASE)


def _stamped(clock: Clock) -> structlog.typing.Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        second, rest_ns = divmod(clock.now_ns(), 1_000_000_000)
        event["timestamp"] = f"{_second(second)}.{rest_ns // 1_000_000:03}+00:00"
        return event

    return stamp


@functools.lru_cache(1)
def _second(second: int) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _redact_named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    head = {name: event.pop(name) for name in _HEAD if name in event}
    return {**head, **cast("EventDict", _redacted(event))}


@functools.lru_cache(1_000)
def _is_secret(name: str) -> bool:
    return _NAMED_LIKE_A_SECRET.search(name) is not None


def _redacted(value: object) -> object:
    match value:
        case str() | int() | float() | None:
            return value  # as nearly all are; the rest of this is ten times as dear
        case msgspec.Struct():
            return _redacted(msgspec.structs.asdict(value))
        case Mapping():
            return {str(key): REDACTED if _is_secret(str(key)) else _redacted(item) for key, item in value.items()}
        case list() | tuple():
            return [_redacted(item) for item in value]
        case _:
            return value


def _written(repeats: Repeats, renderer: structlog.typing.Processor, clock: Clock) -> structlog.typing.Processor:
    """The last of the processors: what it gives is what is written now."""

    def write(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        let = repeats.let(event, clock.now_ns())
        if not let:
            raise structlog.DropEvent
        return _text(renderer, let)

    return write


def _text(renderer: structlog.typing.Processor, events: list[EventDict]) -> str:
    """Finished lines, into which nothing can slip any more."""
    text = "\n".join(str(renderer(None, event["level"], event)) for event in events)
    # The longest first: a secret may be a part of another.
    for secret in sorted(_concealed, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


class _Lines:
    """What structlog writes to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        # ValueError: the stream is closed, or cannot write a character.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = write


class _Forwarded(logging.Handler):
    """What libraries log through ``logging``."""

    def emit(self, record: logging.LogRecord) -> None:
        # structlog knows only the five levels.
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        logger(record.name).log(level, record.getMessage(), exc_info=record.exc_info)
