"""Events to journal rows and back.

A body is the event's JSON with every ``Decimal`` as text, so money comes back to the last digit. An event whose shape
changes gets a new version: the new number in ``VERSIONS`` and, in ``LIFTS``, how a body of the version before becomes
one of the new. A lift never goes away, for journals are kept.

Invariants:
1. ``decode(*encode(event)) == event``, and equal events give equal bytes.
2. A kind or a version that this program does not know is refused, never guessed at.
3. Every version ever written can be read: each has a golden file in ``tests/golden/events``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from ordergate.core.events import Event
from ordergate.errors import JournalDamaged

Document = dict[str, Any]
Lift = Callable[[Document], Document]


def _limits_without_hours(document: Document) -> Document:
    """Before version 2 there was no rule on the market's hours."""
    return document | {"limits": document["limits"] | {"session_only": False}}


def _limits_of_the_first_rules(document: Document) -> Document:
    """Before version 3 there was none of these rules, nor hours to be flat: they are off in what was decided then."""
    added = dict.fromkeys(("quote_jump_percent_max", "price_distance_percent_max", "blackouts", "must_be_flat"))
    return document | {"limits": document["limits"] | added | {"on_must_be_flat": "keep"}}


def _order_without_passing(document: Document) -> Document:
    """Before version 2 no order passed for the instance it came from."""
    return document | {"order": document["order"] | {"passed": False}}


def _without_time(document: Document) -> Document:
    """Before version 2 it did not say when."""
    return document | {"at_ns": 0}


def _without_reason(document: Document) -> Document:
    """Before version 2 nobody could say why."""
    return document | {"reason": ""}


# What holds an order.
_WITH_ORDER = ("order-approved", "order-denied", "order-withdrawn", "external-order-seen", "child-seen")

_WITH_TIME = ("limits-deferred", "trading-state-changed", "bracket-mode-learned", "position-corrected")

# The present version of each kind; 1 where a kind is not named.
VERSIONS: Mapping[str, int] = {"limits-changed": 3, "pause-changed": 2, **dict.fromkeys((*_WITH_ORDER, *_WITH_TIME), 2)}
# (kind, version) to the lift from that version to the next.
LIFTS: Mapping[tuple[str, int], Lift] = {
    ("limits-changed", 1): _limits_without_hours,
    ("limits-changed", 2): _limits_of_the_first_rules,
    ("pause-changed", 1): _without_reason,
    **{(kind, 1): _order_without_passing for kind in _WITH_ORDER},
    **{(kind, 1): _without_time for kind in _WITH_TIME},
}

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
KINDS: Mapping[str, type[Event]] = {event.__struct_config__.tag: event for event in get_args(Event)}
_decoders = {kind: msgspec.json.Decoder(event) for kind, event in KINDS.items()}


def encode(event: Event) -> tuple[str, int, bytes]:
    """The kind, version and body of ``event``, as ``Entry`` takes them."""
    kind = str(event.__struct_config__.tag)
    return kind, VERSIONS.get(kind, 1), _encoder.encode(event)


def decode(
    kind: str,
    version: int,
    body: bytes,
    versions: Mapping[str, int] = VERSIONS,
    lifts: Mapping[tuple[str, int], Lift] = LIFTS,
) -> Event:
    """The event of a row, lifted to the present version. Raises ``JournalDamaged``."""
    if kind not in KINDS:
        raise JournalDamaged(f"event kind {kind!r} is unknown: was this journal written by a newer ordergate?")
    present = versions.get(kind, 1)
    if not 1 <= version <= present:
        raise JournalDamaged(
            f"event {kind!r} has version {version}, this ordergate reads 1 to {present}: "
            "was this journal written by a newer one?"
        )
    try:
        if version == present:
            return _decoders[kind].decode(body)
        document = msgspec.json.decode(body, type=Document)
        for step in range(version, present):
            document = lifts[kind, step](document)
        return msgspec.convert(document, KINDS[kind])
    except msgspec.DecodeError as error:
        raise JournalDamaged(f"event {kind!r} of version {version} cannot be read: {error}") from error
