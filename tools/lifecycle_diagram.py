"""Draws ``docs/order-lifecycle.svg`` from the lifecycle table: ``python tools/lifecycle_diagram.py``.

A matrix and not boxes with arrows: the table has some seventy rows, and every one of them is in the picture.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from ordergate.core.order import LIVE, TRANSITIONS, Status, Trigger

TARGET = Path(__file__).resolve().parent.parent / "docs" / "order-lifecycle.svg"

_COLUMN, _ROW = 104, 46
_LEFT, _TOP = 206, 160
_CHIP_WIDTH, _CHIP_HEIGHT = 92, 26
_INK, _PALE, _RULE, _PAPER = "#1f2933", "#7b8794", "#e4e7eb", "#ffffff"
_FONT = "system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"
_OWN = (Trigger.WANT_CANCEL,)

# Fill and ink of each status: warm while it may still fill, cool when it is over.
_COLOURS = {
    Status.APPROVED: ("#fff3c4", "#8d2b0b"),
    Status.WORKING: ("#fadb5f", "#513c06"),
    Status.IN_DOUBT: ("#ffbdbd", "#8a041a"),
    Status.FILLED: ("#bde6cf", "#0c4f33"),
    Status.CANCELLED: ("#d9e2ec", "#243b53"),
    Status.EXPIRED: ("#cfe0f5", "#1b4b82"),
    Status.REJECTED: ("#e6dcf6", "#4c2889"),
    Status.NOT_SENT: ("#e8e6e1", "#504a40"),
    Status.DENIED: ("#e8e6e1", "#504a40"),
}


def drawing() -> str:
    """The picture as SVG."""
    statuses = sorted(Status, key=lambda status: status not in LIVE)
    triggers = list(Trigger)
    width = _LEFT + _COLUMN * len(triggers) + 24
    height = _TOP + _ROW * len(statuses) + 96
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{_FONT}">',
        "<title>The life of an order</title>",
        f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>',
        _text(24, 40, "The life of an order", size=22, weight=600),
        _text(24, 64, "Row: where an order stands. Column: what happens to it. Cell: where it stands then.", ink=_PALE),
    ]
    parts += _heads(triggers)
    for number, status in enumerate(statuses):
        parts += _line(number, status, triggers, width)
    parts += _legend(_TOP + _ROW * len(statuses) + 40)
    return "\n".join([*parts, "</svg>", ""])


def _heads(triggers: list[Trigger]) -> list[str]:
    """The names of what happens, and whose step it is."""
    own = sum(1 for trigger in triggers if trigger in _OWN)
    groups = [(0, own, "our own step"), (own, len(triggers), "what the broker says")]
    parts = []
    for first, last, name in groups:
        left, right = _LEFT + first * _COLUMN + 6, _LEFT + last * _COLUMN - 6
        parts.append(_text((left + right) / 2, 100, name, size=12, ink=_PALE, middle=True))
        parts.append(f'<path d="M{left} 108H{right}" stroke="{_PALE}" stroke-width="1"/>')
    for number, trigger in enumerate(triggers):
        x = _LEFT + number * _COLUMN + _COLUMN / 2
        word, _, rest = trigger.value.partition(" ")
        for place, words in enumerate([word, rest]):
            parts.append(_text(x, _TOP - 26 + 16 * place, words, size=13, weight=600, middle=True))
    return parts


def _line(number: int, status: Status, triggers: list[Trigger], width: int) -> list[str]:
    """One status: its name, and where everything that can happen leads from it."""
    top = _TOP + number * _ROW
    middle = top + _ROW / 2
    live = "still counts" if status in LIVE else "over"
    parts = [
        f'<path d="M24 {top}H{width - 24}" stroke="{_RULE}"/>',
        _chip(24 + _CHIP_WIDTH / 2, middle, status, bold=True),
        _text(24 + _CHIP_WIDTH + 10, middle + 4, live, size=11, ink=_PALE),
    ]
    for column, trigger in enumerate(triggers):
        x = _LEFT + column * _COLUMN + _COLUMN / 2
        after = TRANSITIONS.get((status, trigger))
        if after is None:
            mark = "\u00d7" if trigger in _OWN else "?"
            parts.append(_text(x, middle + 4, mark, size=12, ink="#9aa5b1", middle=True))
        elif after is status:
            parts.append(_text(x, middle + 4, "stays", size=12, ink=_PALE, middle=True))
        else:
            parts.append(_chip(x, middle, after))
    return parts


def _legend(top: int) -> list[str]:
    lines = [
        "? no row: called an unexpected broker fact; new risk waits until the books have been compared.",
        "\u00d7 no row: a programmer's error, raised.",
        "A denied order never left: nothing can happen to it. Quantities, not statuses, tell how much of it filled.",
        "Drawn from TRANSITIONS in src/ordergate/core/order.py by tools/lifecycle_diagram.py.",
    ]
    return [_text(24, top + 20 * number, line, size=12, ink=_PALE) for number, line in enumerate(lines)]


def _chip(x: float, y: float, status: Status, *, bold: bool = False) -> str:
    fill, ink = _COLOURS[status]
    left, top = x - _CHIP_WIDTH / 2, y - _CHIP_HEIGHT / 2
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{_CHIP_WIDTH}" height="{_CHIP_HEIGHT}" rx="6" fill="{fill}"/>'
        + _text(x, y + 4.5, status.value, size=13, ink=ink, weight=700 if bold else 500, middle=True)
    )


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 14,
    ink: str = _INK,
    weight: int = 400,
    middle: bool = False,
) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    heavy = f' font-weight="{weight}"' if weight != 400 else ""  # noqa: PLR2004 - the normal weight
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{ink}"{heavy}{anchor}>{escape(words)}</text>'


if __name__ == "__main__":
    TARGET.write_text(drawing(), encoding="utf-8", newline="\n")
