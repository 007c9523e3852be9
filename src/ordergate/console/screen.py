"""What a terminal shows: lines, tables, progress, and one question. The only module here that draws.

What it draws goes to stdout, progress and questions to stderr, so that a script reads answers only. A text of somebody
else's (a broker's reason, a client's order id) stays on its line, whatever characters it has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

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


def say(text: str = "") -> None:
    """One line of the answer."""
    _console().print(Text(one_line(text)), soft_wrap=True)


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


def _console() -> Console:
    width = None if sys.stdout.isatty() else _WIDE
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _cell(value: object) -> Text:
    text = "-" if value is None else one_line(str(value))
    return Text(text, style=_STYLES.get(text.partition(" ")[0].rstrip(",:"), ""))
