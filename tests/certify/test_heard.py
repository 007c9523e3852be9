"""What is made of the reports of a port, whatever their order."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ordergate.certify.heard import Heard
from ordergate.certify.venue import Shown
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    PositionReport,
    Report,
    Unreadable,
)

MES = "CON.F.US.MES.Z26"
ACCOUNT = AccountReport(1, "PRACTICE-50K-1", Decimal(50_000), can_trade=True)
OPEN = OrderReport(1, 7, "tag", MES, Side.BUY, OrderType.LIMIT, 2, 100, None, OrderState.OPEN, 0, 1)
PART = replace(OPEN, filled_quantity=1)
FILLED = replace(OPEN, filled_quantity=2, state=OrderState.FILLED)
FIRST = FillReport(1, 11, 7, MES, Side.BUY, 1, 100, Decimal("0.36"), None, voided=False, at_ns=1)
SECOND = replace(FIRST, fill_id=12)
HELD = PositionReport(1, MES, 2, 200)
INSTRUMENTS = InstrumentsReport((Instrument(MES, "MES", "MESZ6", Decimal("0.25"), Decimal("1.25"), Decimal("0.36")),))
READ = BrokerSnapshot(ACCOUNT, 0, 1, (HELD,), (FILLED,), (FIRST, SECOND))
SHOWN = Shown({"MESZ6": 2}, frozenset(), frozenset((11, 12)))


def heard(*reports: Report) -> Heard:
    found = Heard()
    for report in (INSTRUMENTS, ACCOUNT, *reports):
        found.take(report)
    return found


@pytest.mark.parametrize("told", list(itertools.permutations((OPEN, PART, FILLED, FIRST, SECOND))))
def test_an_order_that_has_filled_is_filled_in_whatever_order_it_is_told(told: tuple[Report, ...]) -> None:
    found = heard(*told)
    assert found.orders[7] == FILLED
    assert found.filled(7) == found.net(MES) == 2
    assert found.working() == ()


def test_a_fill_that_is_told_twice_counts_once_and_is_named() -> None:
    found = heard(FIRST, FIRST)
    assert found.net(MES) == 1
    assert found.told_again() == ["fill 11 was told 2 times"]


@pytest.mark.parametrize("told", list(itertools.permutations((FIRST, replace(FIRST, voided=True)))))
def test_a_fill_that_was_taken_back_never_counts_again(told: tuple[Report, ...]) -> None:
    found = heard(*told)
    assert (found.net(MES), found.told_again()) == (0, [])


def test_what_is_heard_read_and_shown_alike_has_no_difference() -> None:
    assert heard(OPEN, FIRST, SECOND, FILLED, HELD).differences(READ, SHOWN) == []


@pytest.mark.parametrize(
    ("found", "read", "shown", "named"),
    [
        (heard(OPEN, FIRST, FILLED, HELD), READ, SHOWN, "fills heard and read"),
        (heard(OPEN, FIRST, SECOND, FILLED), READ, SHOWN, "positions heard and read"),
        (heard(OPEN, FIRST, SECOND, HELD), READ, SHOWN, "orders heard to work and read"),
        (heard(FIRST, SECOND, FILLED, HELD), replace(READ, positions=()), SHOWN, "positions by fills and read"),
        (
            heard(FIRST, SECOND, FILLED, HELD, replace(ACCOUNT, balance_usd=Decimal(1))), READ, SHOWN,
            "balance heard and read",
        ),
        (
            heard(FIRST, SECOND, FILLED, HELD, replace(ACCOUNT, can_trade=False)), READ, SHOWN,
            "leave to trade heard and read",
        ),
        (heard(FIRST, SECOND, FILLED, HELD), READ, replace(SHOWN, positions={}), "positions read and the venue's own"),
        (heard(FIRST, SECOND, FILLED, HELD), READ, replace(SHOWN, fills=frozenset()), "fills read and the venue's own"),
        (
            heard(FIRST, SECOND, FILLED, HELD), READ, replace(SHOWN, working=frozenset((9,))),
            "orders read to work and the venue's own",
        ),
    ],
)  # fmt: skip
def test_each_difference_is_named(found: Heard, read: BrokerSnapshot, shown: Shown, named: str) -> None:
    assert named in {text.partition(":")[0] for text in found.differences(read, shown)}


def test_a_snapshot_changes_the_picture_only_where_it_is_taken() -> None:
    found = heard(OPEN)
    assert found.differences(READ, None)
    found.mend(READ)
    assert found.differences(READ, None) == []
    found.mend(replace(READ, positions=()))
    assert found.positions[MES].net_quantity == 0


def test_a_gap_begins_when_a_link_that_was_up_goes_down_and_ends_with_a_reading() -> None:
    found = heard(LinkReport(up=False))
    assert not found.has_gap
    gaps = []
    for up in (True, False, True):
        found.take(LinkReport(up=up))
        gaps.append(found.has_gap)
    found.mend(READ)
    assert [*gaps, found.has_gap] == [False, True, True, False]


def test_what_was_said_last_is_told_in_words() -> None:
    said = heard(LinkReport(up=True), OPEN, FIRST, HELD, Unreadable(1, "a price")).last_said()
    assert said == (
        "account balance 50000, may trade; link up; order 7 BUY 2 LIMIT, 0 filled, open; fill 11 of order 7: 1 at 100; "
        "position +2 of CON.F.US.MES.Z26; Unreadable"
    )
    assert Heard().last_said() == "nothing"
