"""Events to rows and back; and every event version ever written, kept in ``tests/golden/events``.

``python tests/journal/test_codec.py`` writes the golden files that are missing. It never changes one: a file that does
not match any more means that journals in the field cannot be read, and the event needs a new version and a lift.
"""

from __future__ import annotations

import datetime
import enum
import types
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.core.events import AccountUpdated, Event, LimitsChanged, LinkChanged
from ordergate.errors import JournalDamaged
from ordergate.journal.codec import KINDS, LIFTS, VERSIONS, Document, decode, encode

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "events"
PRESENT = [(kind, VERSIONS.get(kind, 1)) for kind in KINDS]

Leaf = Callable[[str, Any], Any]


def built(name: str, kind: Any, leaf: Leaf) -> Any:
    """A value of type ``kind``; ``leaf`` says what stands in the field ``name`` where the type has no parts."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return built(name, leaf(name, kind), leaf)
    if origin is tuple and get_args(kind)[1:] != (...,):
        return tuple(built(name, part, leaf) for part in get_args(kind))
    if origin is tuple:
        return tuple(built(name, get_args(kind)[0], leaf) for _ in range(leaf(name, kind)))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return kind(**{field: built(field, hints[field], leaf) for field in kind.__struct_fields__})
    return leaf(name, kind)


def sample_leaf(name: str, kind: Any) -> Any:
    """Nothing left out, and values that a mix-up of two fields would show."""
    weight = sum(name.encode()) % 900 + 1
    match kind:
        case enum.EnumType():
            return list(kind)[weight % len(kind)]
        case _ if get_origin(kind) is tuple:
            return 2
        case _ if get_origin(kind):
            return get_args(kind)[0]
    moment = datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=weight)  # noqa: DTZ001 - wall time
    values: dict[Any, Any] = {bool: weight % 2 == 0, int: -weight, str: f"the {name} é"}
    values |= {Decimal: Decimal(weight).scaleb(-2), datetime.date: moment.date(), datetime.time: moment.time()}
    return values[kind]


def sample(kind: str) -> Event:
    event: Event = built(kind, KINDS[kind], sample_leaf)
    return event


@st.composite
def events(draw: st.DrawFn) -> Event:
    leaves: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63 - 1),
        str: st.text(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
        types.NoneType: st.none(),
        datetime.date: st.dates(),
        datetime.time: st.times(),
    }

    def leaf(_: str, kind: Any) -> Any:
        if isinstance(kind, enum.EnumType):
            return draw(st.sampled_from(list(kind)))
        if get_origin(kind) is tuple:
            return draw(st.integers(0, 2))
        return draw(st.sampled_from(get_args(kind)) if get_origin(kind) else leaves[kind])

    event: Event = built("", KINDS[draw(st.sampled_from(sorted(KINDS)))], leaf)
    return event


def golden_file(kind: str, version: int) -> Path:
    return GOLDEN / f"{kind}.{version}.json"


def write_missing_golden_files() -> None:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for kind, version in PRESENT:
        if not golden_file(kind, version).exists():
            with golden_file(kind, version).open("xb") as file:
                file.write(encode(sample(kind))[2])


@given(events())
def test_an_event_comes_back_equal_and_encodes_alike(event: Event) -> None:
    row = encode(event)
    again = decode(*row)
    assert again == event
    assert encode(again) == row


@pytest.mark.parametrize(("kind", "version"), PRESENT)
def test_every_present_event_matches_its_golden_file(kind: str, version: int) -> None:
    body = golden_file(kind, version).read_bytes()
    event = decode(kind, version, body)
    assert event == sample(kind)
    assert encode(event) == (kind, version, body)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_version_ever_written_can_be_read(file: Path) -> None:
    kind, version = file.stem.split(".")
    assert isinstance(decode(kind, int(version), file.read_bytes()), KINDS[kind])


def test_every_version_before_the_present_one_has_a_lift_and_a_golden_file() -> None:
    earlier = {(kind, version) for kind, present in PRESENT for version in range(1, present)}
    assert set(LIFTS) == earlier
    assert [each for each in sorted(earlier) if not golden_file(*each).exists()] == []


def test_money_is_text_and_keeps_every_digit() -> None:
    balance = Decimal("12345678901234567890.10")
    row = encode(AccountUpdated(account_id=7, balance_usd=balance, can_trade=True))
    assert b'"12345678901234567890.10"' in row[2]
    event = decode(*row)
    assert isinstance(event, AccountUpdated)
    assert event.balance_usd.as_tuple() == balance.as_tuple()


def test_limits_from_before_a_rule_have_it_switched_off() -> None:
    for version in (1, 2):
        event = decode("limits-changed", version, golden_file("limits-changed", version).read_bytes())
        assert isinstance(event, LimitsChanged)
        limits = event.limits
        assert (limits.quote_jump_percent_max, limits.price_distance_percent_max) == (None, None)
        assert (limits.maximum_loss_usd, limits.order_value_usd_max, limits.instruments) == (None, None, ())


def lift_1(document: Document) -> Document:
    return {"type": "link-changed", "account_id": document["account"], "up": document["up"]}


def lift_2(document: Document) -> Document:
    return document | {"reason": "not recorded"}


def test_an_old_version_is_lifted_step_by_step() -> None:
    tables = {"link-changed": 3}, {("link-changed", 1): lift_1, ("link-changed", 2): lift_2}
    lifted = LinkChanged(account_id=7, up=True, reason="not recorded")
    assert decode("link-changed", 1, b'{"type":"link-changed","account":7,"up":true}', *tables) == lifted
    assert decode("link-changed", 2, b'{"type":"link-changed","account_id":7,"up":true}', *tables) == lifted
    assert decode("link-changed", 3, encode(lifted)[2], *tables) == lifted


@pytest.mark.parametrize("version", [-1, 0, 2, 3])
def test_a_version_that_is_not_known_is_refused(version: int) -> None:
    _, _, body = encode(sample("link-changed"))
    with pytest.raises(JournalDamaged, match=f"'link-changed' has version {version}, this ordergate reads 1 to 1"):
        decode("link-changed", version, body)


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(JournalDamaged, match=r"event kind 'link-renamed' is unknown: .* newer ordergate"):
        decode("link-renamed", 1, b"{}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"type":"link-changed","account_id":"7","up":true,"reason":""}',
        b'{"type":"epoch-raised"}',
    ],
)
def test_a_body_that_is_not_the_event_is_refused(body: bytes) -> None:
    with pytest.raises(JournalDamaged, match="'link-changed' of version 1 cannot be read"):
        decode("link-changed", 1, body)


def test_a_lift_that_does_not_arrive_at_the_event_is_refused() -> None:
    with pytest.raises(JournalDamaged, match="'link-changed' of version 1 cannot be read"):
        decode("link-changed", 1, b"{}", {"link-changed": 2}, {("link-changed", 1): lift_2})


if __name__ == "__main__":
    write_missing_golden_files()
