"""An approval is permission for one exact request, once, now, from this book: whatever else it meets is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.broker.admission import Admission
from ordergate.broker.approvals import LIFETIME_NS, Approval, Approved, Order, approve, refusal
from ordergate.core.effects import Grant, Modify, Place
from ordergate.core.events import ApprovalKind
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import Outcome

KEY = b"k" * 32
STARTED_NS = 1_000_000_000_000
BOOK = "sim:101:live"

ids = st.integers(1, 2**40)
ticks = st.none() | st.integers(-100_000, 100_000)
terms = st.builds(
    Terms,
    account_id=st.just(101),
    contract_id=st.sampled_from(["CON.F.US.MNQ.U26", "CON.F.US.MES.U26"]),
    side=st.sampled_from(Side),
    quantity=st.integers(1, 100),
    order_type=st.sampled_from(OrderType),
    limit_ticks=ticks,
    stop_ticks=ticks,
)
grants = st.builds(
    Grant,
    kind=st.sampled_from(ApprovalKind),
    number=ids,
    epoch=st.integers(0, 100),
    limits_version=st.integers(1, 100),
    issued_ns=st.integers(STARTED_NS, STARTED_NS * 2),
)
tags = st.text("abc-123", min_size=1, max_size=10)
effects = st.one_of(
    st.builds(Place, terms, tags, grants),
    st.builds(Modify, terms, tags, ids, grants),
)


def place(**changes: Any) -> Place:
    grant = Grant(ApprovalKind.APPROVED, number=1, epoch=0, limits_version=1, issued_ns=STARTED_NS + 1)
    order = Terms(101, "CON.F.US.MNQ.U26", Side.BUY, 1, OrderType.MARKET)
    return Place(order, "tag-1", msgspec.structs.replace(grant, **changes))


def admission() -> Admission:
    return Admission(key=KEY, venue="sim", started_ns=STARTED_NS)


def other(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("x" if value[-1:] != "x" else "y")
        case None:
            return 7
        case Side():
            return value.opposite
        case OrderType() | ApprovalKind():
            kinds = list(type(value))
            return kinds[(kinds.index(value) + 1) % len(kinds)]
    raise AssertionError(value)


def one_field_changed(struct: Any) -> list[Any]:
    """All copies of ``struct`` that differ from it in one field, however deep."""
    copies = []
    for field in struct.__struct_fields__:
        value = getattr(struct, field)
        inner = one_field_changed(value) if isinstance(value, msgspec.Struct) else [other(value)]
        copies += [msgspec.structs.replace(struct, **{field: changed}) for changed in inner]
    return copies


@given(effects)
def test_a_genuine_approval_is_not_refused_and_travels_unchanged(effect: Place | Modify) -> None:
    approved = approve(effect, BOOK, KEY)
    assert refusal(approved, KEY) is None
    travelled = msgspec.json.decode(msgspec.json.encode(approved), type=Order)
    assert travelled == approved
    assert refusal(approved, KEY) is None


@given(effects)
def test_any_changed_field_of_the_approval_or_of_the_order_is_refused(effect: Place | Modify) -> None:
    changed = one_field_changed(approve(effect, BOOK, KEY))
    assert len(changed) >= len(Approval.__struct_fields__) + len(Terms.__struct_fields__)
    assert [copy for copy in changed if refusal(copy, KEY) is None] == []


@given(effects, st.binary(min_size=1, max_size=40))
def test_an_approval_under_another_key_is_refused(effect: Place | Modify, key: bytes) -> None:
    assert key == KEY or refusal(approve(effect, BOOK, key), KEY) is not None


@given(effects, effects)
def test_an_approval_covers_no_other_order(first: Place | Modify, second: Place | Modify) -> None:
    approved = Approved(approve(first, BOOK, KEY).approval, second)
    assert (refusal(approved, KEY) is None) == (first == second)


@given(effects)
def test_whatever_is_forged_is_neither_admitted_nor_answered(effect: Place | Modify) -> None:
    gate = admission()
    for copy in one_field_changed(approve(effect, BOOK, KEY)):
        refused = gate.admit(copy, effect.grant.issued_ns)
        assert refused is not None
        assert refused.outcome is None


def test_an_approval_admits_once_and_its_second_use_is_never_called_not_sent() -> None:
    gate, approved = admission(), approve(place(), BOOK, KEY)
    assert gate.admit(approved, STARTED_NS + 2) is None
    again = gate.admit(approved, STARTED_NS + 3)
    assert again is not None
    assert again.outcome is Outcome.UNKNOWN


def test_an_approval_used_before_the_restart_stays_used_however_late_it_comes() -> None:
    gate, approved = admission(), approve(place(issued_ns=STARTED_NS - 1), BOOK, KEY)
    gate.remember([approved.approval.approval_id])
    refused = gate.admit(approved, STARTED_NS + LIFETIME_NS)
    assert refused is not None
    assert refused.outcome is Outcome.UNKNOWN


def test_an_approval_is_good_until_the_instant_it_expires() -> None:
    approved = approve(place(), BOOK, KEY)
    assert admission().admit(approved, approved.approval.expires_ns - 1) is None
    refused = admission().admit(approved, approved.approval.expires_ns)
    assert refused is not None
    assert refused.outcome is Outcome.NOT_SENT
    assert "expired" in refused.text


def test_an_approval_of_another_book_is_refused_and_left_to_whoever_has_that_book() -> None:
    for book in ("live:101:live", "sim:102:live", "sim:101:paper"):
        refused = admission().admit(approve(place(), book, KEY), STARTED_NS + 2)
        assert refused is not None
        assert refused.outcome is None


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ApprovalKind.APPROVED, Outcome.NOT_SENT),
        (ApprovalKind.PASSED, Outcome.NOT_SENT),
        (ApprovalKind.OVERRIDDEN, Outcome.NOT_SENT),
        (ApprovalKind.LEG, Outcome.UNKNOWN),
        (ApprovalKind.REDUCING, Outcome.UNKNOWN),
    ],
)
def test_an_approval_issued_before_the_start_is_refused(kind: ApprovalKind, outcome: Outcome) -> None:
    """Without a record an entry has not left; a stop or a close may have, for those go on where the record fails."""
    refused = admission().admit(approve(place(kind=kind, issued_ns=STARTED_NS - 1), BOOK, KEY), STARTED_NS)
    assert refused is not None
    assert refused.outcome is outcome


def test_an_approval_of_an_older_epoch_is_refused_in_its_own_account_only() -> None:
    gate = admission()
    gate.raise_epoch(101, 2)
    refused = gate.admit(approve(place(epoch=1), BOOK, KEY), STARTED_NS + 2)
    assert refused is not None
    assert refused.outcome is Outcome.NOT_SENT
    assert gate.admit(approve(place(epoch=2, number=2), BOOK, KEY), STARTED_NS + 2) is None
    elsewhere = place(epoch=1)
    terms = msgspec.structs.replace(elsewhere.terms, account_id=102)
    elsewhere = msgspec.structs.replace(elsewhere, terms=terms)
    assert gate.admit(approve(elsewhere, "sim:102:live", KEY), STARTED_NS + 2) is None


def test_an_epoch_never_falls_and_an_admitted_approval_proves_its_own() -> None:
    gate = admission()
    assert gate.admit(approve(place(epoch=5), BOOK, KEY), STARTED_NS + 2) is None
    gate.raise_epoch(101, 3)
    refused = gate.admit(approve(place(epoch=4, number=2), BOOK, KEY), STARTED_NS + 2)
    assert refused is not None
    assert "superseded" in refused.text


LAPSES: list[tuple[Callable[[Admission], None], int]] = [
    (lambda _gate: None, STARTED_NS + 1 + LIFETIME_NS),
    (lambda gate: gate.raise_epoch(101, 1), STARTED_NS + 2),
]


@pytest.mark.parametrize(("meanwhile", "now_ns"), LAPSES)
def test_an_admitted_approval_can_still_lapse_before_it_is_sent(
    meanwhile: Callable[[Admission], None], now_ns: int
) -> None:
    gate, approved = admission(), approve(place(), BOOK, KEY)
    assert gate.admit(approved, STARTED_NS + 2) is None
    assert gate.lapsed(approved, STARTED_NS + 2) is None
    meanwhile(gate)
    assert gate.lapsed(approved, now_ns) is not None
