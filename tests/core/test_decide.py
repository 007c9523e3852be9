"""The gate as one function: deterministic, settled after each input, bounded."""

from __future__ import annotations

import pytest

from ordergate.core import decide as module
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import SubmitOrder
from ordergate.core.decide import decide
from ordergate.core.draft import Draft
from ordergate.core.fold import evolve
from ordergate.core.inputs import Input, Mark, Stamped, Started, Wake
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Limits
from ordergate.core.market import Market
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import AccountReport, InstrumentsReport, LinkReport, PositionReport, Unreadable
from tests.core.desk import ACCOUNT, ASK, BID, MES, MNQ, Desk, fill_row, order_row


def test_the_same_state_and_input_give_the_same_events_and_answer() -> None:
    desk = Desk()
    order = SubmitOrder("r1", ACCOUNT, "a", MES.contract_id, Side.BUY, 2, OrderType.MARKET)
    stamped = Stamped(order, desk.market, desk.now_ns)
    assert decide(desk.group, stamped) == decide(desk.group, stamped)


def test_the_new_state_is_the_old_one_with_the_events_folded_in() -> None:
    desk = Desk()
    before = desk.group
    order = SubmitOrder("r1", ACCOUNT, "a", MES.contract_id, Side.BUY, 2, OrderType.MARKET)
    decided = decide(before, Stamped(order, desk.market, desk.now_ns))
    folded = before
    for event in decided.events:
        folded = evolve(folded, event)
    assert folded == decided.group
    assert decided.group.version == before.version + len(decided.events)


@pytest.mark.parametrize("given", [Mark(), Wake(), LinkReport(up=True), InstrumentsReport((MES, MNQ))])
def test_nothing_new_decides_nothing(given: Input) -> None:
    desk = Desk()
    assert desk.feed(given).events == ()


def test_only_commands_are_answered() -> None:
    desk = Desk()
    assert desk.feed(Mark()).answer is None
    assert desk.feed(PositionReport(ACCOUNT, MES.contract_id, 0, 0)).answer is None


def test_the_first_input_opens_the_group_once() -> None:
    desk = Desk(adopted=False)
    desk.feed(Started("desk", "sim", "practice", Limits()))
    assert len(desk.told(e.GroupOpened)) == 1
    assert desk.group.install_id == "desk"
    assert desk.group.limits_version == 1


def test_a_contract_told_again_is_news_only_where_it_changed() -> None:
    desk = Desk()
    desk.forget()
    changed = Instrument(MES.contract_id, "MES", "MESZ6", MES.tick_size, MES.tick_value_usd, MES.fee_usd * 2)
    desk.feed(InstrumentsReport((changed, MNQ)))
    (loaded,) = desk.told(e.InstrumentsLoaded)
    assert loaded.instruments == (changed,)


def test_reactions_that_do_not_settle_are_a_programmers_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def restless(draft: Draft, account_id: int) -> None:
        draft.add(e.EpochRaised(account_id, 1, "again"))

    desk = Desk()
    monkeypatch.setattr(module, "REACTIONS", (restless,))
    with pytest.raises(AssertionError, match="did not settle"):
        desk.feed(Mark())


def test_after_every_input_a_second_look_finds_nothing_left_to_do() -> None:
    desk = Desk()
    desk.hold("a", quantity=3)
    desk.close(1)
    for act in (desk.cancel_all, desk.flatten):
        act()
        assert desk.feed(Wake()).events == ()
    desk.submit("b", Side.SELL, 1)
    assert desk.feed(Wake()).events == ()


def test_a_group_without_accounts_has_nothing_to_do() -> None:
    assert decide(Group(), Stamped(Wake(), Market({}, ASK), ASK)).events == ()


def test_what_concerns_all_accounts_is_recorded_in_the_groups_own_book() -> None:
    desk = Desk()
    desk.wait(5)
    desk.submit("a", limit=BID)
    desk.feed(Started("desk", "sim", "practice", desk.group.limits))
    desk.feed(LinkReport(up=True))
    assert desk.told(e.GroupOpened) == [e.GroupOpened(0, "desk", "sim", "practice")]
    assert [event.account_id for event in desk.told(e.InstrumentsLoaded)] == [0]
    assert desk.told(e.LinkChanged)[-2:] == [
        e.LinkChanged(0, up=False, reason="starting", at_ns=desk.now_ns),
        e.LinkChanged(0, up=True, reason="", at_ns=desk.now_ns),
    ]
    assert [event.reason for event in desk.told(e.OrderInDoubt)] == ["this process stopped before the answer came"]


def test_reports_of_an_account_that_was_not_read_yet_are_left_to_its_reading() -> None:
    desk = Desk(adopted=False)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True))
    desk.forget()
    for report in (order_row(77), fill_row(1, 77, Side.BUY, 1, BID), Unreadable(ACCOUNT, "what")):
        desk.feed(report)
    assert desk.events == []
