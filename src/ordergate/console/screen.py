"""What a terminal shows: lines, tables, progress, and one question. The only module here that draws.

What it draws goes to stdout, progress and questions to stderr, so that a script reads answers only. A text of somebody
else's (a broker's reason, a client's order id) stays on its line, whatever characters it has.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ordergate.setting_kinds import one_line

# Where nobody looks at it (a pipe, a file), no column is cut.
_WIDE = 240
_STYLES = {
    "healthy": "green", "active": "green", "OK": "green", "protected": "green",
    "degraded": "yellow", "reducing": "yellow", "warning": "yellow", "WARN": "yellow", "UNKNOWN": "yellow",
    "unreachable": "bold red", "halted": "bold red", "locked": "yellow", "critical": "bold red", "UNSAFE": "bold red",
    "unprotected": "bold red", "IN_DOUBT": "bold red",
}  # fmt: skip

_encoder = msgspec.json.Encoder(decimal_format="number")


def say(text: str = "", kind: str = "") -> None:
    """One line of the answer, in the colour of its kind."""
    _console().print(Text(one_line(text), style=_STYLES.get(kind, "")), soft_wrap=True)


def say_json(value: object) -> None:
    """The answer as JSON, indented; money and prices are JSON numbers."""
    sys.stdout.write(msgspec.json.format(_encoder.encode(value), indent=2).decode() + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; None is told as ``-``: it is not known, or there is none. Columns with a ``#`` are numbers."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(Text(column.removeprefix("#")), justify="right" if column.startswith("#") else "left")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    _console().print(drawn)


def progress(text: str) -> None:
    """A line on what is under way, which is no part of the answer."""
    print(one_line(text), file=sys.stderr, flush=True)


def confirmed(question: str) -> bool | None:
    """Whether a person at the terminal says yes; None where there is none to ask."""
    if not sys.stdin.isatty():
        return None
    print(f"{one_line(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


class Waiting:
    """What is waited for, on one line that is gone when there is nothing; only for a person who watches."""

    def __init__(self) -> None:
        self._names: list[str] = []

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[None]:
        self._names.append(name)
        self._draw()
        try:
            yield
        finally:
            self._names.remove(name)
            self._draw()

    def _draw(self) -> None:
        if sys.stderr.isatty():
            names = ", ".join(dict.fromkeys(self._names))
            print(f"\r\x1b[K{f'waiting for {names}' if names else ''}", end="", file=sys.stderr, flush=True)


def _console() -> Console:
    width = None if sys.stdout.isatty() else _WIDE
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: object) -> Text:
    text = "-" if value is None else one_line(str(value))
    return Text(text, style=_STYLES.get(text.partition(" ")[0].rstrip(",:"), ""))
