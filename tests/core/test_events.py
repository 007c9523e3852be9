"""Events are the journal's rows: told apart by a tag of their own, and none forgotten by the fold."""

from __future__ import annotations

from typing import get_args

import msgspec

from ordergate.core import events as e
from tests.core.desk import Desk

KINDS = get_args(e.Event)


def test_every_event_has_a_tag_of_its_own() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)
    assert all(isinstance(tag, str) and tag == tag.lower() for tag in tags)


def test_every_event_of_the_module_is_in_the_union() -> None:
    written = {
        kind
        for kind in vars(e).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == e.__name__
    }
    assert written == set(KINDS)


def test_every_event_names_its_account_first() -> None:
    assert {kind.__struct_fields__[0] for kind in KINDS} == {"account_id"}


def test_events_are_immutable() -> None:
    assert all(kind.__struct_config__.frozen for kind in KINDS)


def test_an_event_survives_json_as_one_of_the_union() -> None:
    desk = Desk()
    desk.hold("a")
    desk.flatten()
    decoder = msgspec.json.Decoder(e.Event)
    encoder = msgspec.json.Encoder(decimal_format="string")
    assert [decoder.decode(encoder.encode(event)) for event in desk.events] == desk.events
