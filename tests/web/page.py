"""What a page does with the stream: takes a snapshot, applies the events after it. Numbers are read exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from ordergate.web.replies import encode
from ordergate.web.stream import Client, Stream

Event = tuple[int, str, dict[str, Any]]
NAMES = ("desk", "account", "position", "order", "fill", "instrument", "alarm", "price")


def exact(data: bytes | str) -> Any:
    """JSON with its numbers as they are written."""
    return json.loads(data, parse_float=Decimal)


def events(text: bytes) -> list[Event]:
    """The events among what a server wrote; comments are left out."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((int(fields["id"]), fields["event"], exact(fields["data"])))
    return found


async def heard(client: Client, stream: Stream, after: int) -> list[Event]:
    """The events that wait for ``client``, up to the stream's number."""
    found: list[Event] = []
    while (found[-1][0] if found else after) < stream.number:
        found += events(await anext(client))
    return found


class Page:
    """Rows by name and key, as the documentation of the stream tells a page to keep them."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.number = snapshot["number"]
        self.rows: dict[str, dict[object, Any]] = {name: {} for name in NAMES}
        self._put("desk", snapshot["desk"])
        for name in NAMES[1:-1]:
            for row in reversed(snapshot[f"{name}s"]):
                self._put(name, row)
        for row in snapshot["prices"].values():
            self._put("price", row)

    def apply(self, event: Event) -> None:
        number, name, row = event
        assert number == self.number + 1, "a number is missing"
        self.number = number
        self._put(name, row)

    def _put(self, name: str, row: dict[str, Any]) -> None:
        match name:
            case "desk":
                key: object = None
            case "account":
                key = row["accountId"]
            case "position":
                key = row["positionId"]
            case "order":
                key = (row["accountId"], row["orderId"])
            case "fill":
                key = (row["accountId"], row["fillId"])
            case "instrument":
                key = row["symbol"]
            case "alarm":
                key = row["alarmId"]
            case _:
                key, row = row["symbol"], {**row, "ageMs": None}
        if (name == "position" and row["quantity"] == 0) or (name == "alarm" and not row["open"]):
            self.rows[name].pop(key, None)
        else:
            self.rows[name][key] = row


def page(snapshot: msgspec.Struct) -> Page:
    return Page(exact(encode(snapshot)))
