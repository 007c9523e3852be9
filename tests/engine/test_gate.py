"""The spine: durable before anything leaves; what a broken journal and a crashed writer do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from ordergate.bus.port import Topic
from ordergate.bus.topics import Happened
from ordergate.core import events as e
from ordergate.core.commands import CancelAll, CancelOrder, ChangeLimits, ClosePosition, Flatten, LockOut, SubmitOrder
from ordergate.core.limits import Limits
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import FillReport, Outcome, PlaceOutcome
from ordergate.core.timing import ANSWER_WAIT_NS
from ordergate.engine.inbox import Pending
from ordergate.engine.recovery import recover
from ordergate.engine.writer import Writer
from ordergate.journal.chain import digest
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry
from tests.engine.gate_on_memory import ACCOUNT, MES, Bench, FullDisk, Notes, SetClock, bench

OTHER = ACCOUNT + 1


async def test_events_are_numbered_without_a_gap_and_the_answer_comes_after_its_events() -> None:
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        await desk.buy(1, "one")
        happened = [news for news in desk.told if isinstance(news, Happened)]
        assert [news.number for news in happened] == list(range(1, len(happened) + 1))
        kinds = [news.event for news in desk.told if isinstance(news, Happened)]
        assert isinstance(kinds[-1], e.OrderApproved)
        assert desk.told[-1] is desk.answers["ask-one"]


async def test_nothing_leaves_before_its_events_are_durable() -> None:
    class SlowDisk(MemoryJournal):
        gate = asyncio.Event()

        async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
            await self.gate.wait()
            await super().append(entries, expected)

    journal = SlowDisk()
    journal.gate.set()
    async with bench(journal) as desk:
        await desk.adopt()
        await asyncio.sleep(0.05)
        journal.gate.clear()
        asking = asyncio.create_task(desk.buy(1, "one"))
        await asyncio.sleep(0.05)
        assert desk.sent[Topic.COMMANDS] == []
        assert "ask-one" not in desk.answers
        journal.gate.set()
        assert (await asking).ok
        await desk.placed(Topic.COMMANDS)


async def test_a_restart_recovers_the_same_state_and_puts_what_was_unanswered_in_doubt() -> None:
    journal = MemoryJournal()
    async with bench(journal) as desk:
        await desk.adopt()
        await desk.buy(1, "one")
        before = desk.gate.group
    assert (await recover(journal))[0] == before
    async with bench(journal.reopened()) as desk:
        async with asyncio.timeout(5):
            while desk.gate.group.version == before.version:
                await asyncio.sleep(0)
        order = desk.gate.group.accounts[ACCOUNT].orders["one"]
        assert order.status.value == "in doubt"
        assert desk.sent[Topic.COMMANDS] == []


async def test_nothing_is_seen_of_a_recovered_state_before_its_link_is_known_to_be_down() -> None:
    journal = MemoryJournal()
    async with bench(journal) as desk:
        await desk.adopt()
        assert desk.gate.group.link_up
    async with bench(journal.reopened()) as desk:
        # Seen at once, before a turn of the loop could have decided anything.
        assert not desk.gate.group.link_up
        assert not desk.gate.compared


async def test_with_the_journal_gone_new_risk_is_refused_and_getting_out_goes_on() -> None:
    journal, notes = FullDisk(), Notes()
    async with bench(journal, notes) as desk:
        await desk.adopt()
        await desk.filled(2, "held")
        recorded = await digest(journal)
        journal.full = True
        answer = await desk.buy(1, "more")
        assert (answer.ok, answer.code) == (False, "JOURNAL_UNAVAILABLE")
        assert not desk.gate.enforcing
        for command in (ChangeLimits("limits", Limits(), ("order_quantity_max",)), LockOut("lock")):
            await desk.gate.take(command)
            assert (await desk.answer(command.request_id)).code == "JOURNAL_UNAVAILABLE", "it would be forgotten"
        # The stop's answer, a cancel, a close and a flatten are decided, carried out and noted.
        await desk.gate.take(CancelOrder("cancel", "held"))
        assert (await desk.answer("cancel")).code == "ALREADY_FINAL"
        await desk.gate.take(ClosePosition("close", ACCOUNT, MES.contract_id))
        assert (await desk.answer("close")).ok
        await desk.gate.take(Flatten("flatten"))
        assert (await desk.answer("flatten")).ok
        assert {entry.kind for entry in notes.entries} >= {"exit-started", "epoch-raised"}
        assert await digest(journal) == recorded
        # The disk is there again, but a journal with a hole is not written on.
        journal.full = False
        assert (await desk.buy(1, "still")).code == "JOURNAL_UNAVAILABLE"


async def test_the_stop_of_a_fill_that_the_journal_cannot_take_is_placed_all_the_same() -> None:
    journal, notes = FullDisk(), Notes()
    async with bench(journal, notes) as desk:
        await desk.adopt()
        assert (await desk.buy(2, "held")).ok
        place = await desk.placed(Topic.COMMANDS)
        journal.full = True
        await desk.report(PlaceOutcome(ACCOUNT, place.order_tag, Outcome.DONE, 7))
        fill = FillReport(
            ACCOUNT,
            7,
            7,
            MES.contract_id,
            Side.BUY,
            2,
            20_001,
            MES.fee_usd,
            None,
            voided=False,
            at_ns=desk.clock.now_ns(),
        )
        await desk.report(fill)
        stop = await desk.placed(Topic.EXITS)
        assert (stop.terms.side, stop.terms.quantity, stop.terms.stop_ticks) == (Side.SELL, 2, 20_001 - 40)
        assert "fill-applied" in {entry.kind for entry in notes.entries}


async def test_what_is_due_is_dealt_with_before_what_has_arrived_for_another_account() -> None:
    clock = SetClock()
    async with bench(MemoryJournal(), clock=clock) as desk:
        await desk.adopt()
        await desk.adopt(OTHER)
        await desk.buy(1, "unanswered")
        clock.ahead_ns = ANSWER_WAIT_NS
        await desk.gate.take(CancelAll("ask-other", OTHER))
        await desk.answer("ask-other")
        doubt, other = (position(desk, kind) for kind in (e.OrderInDoubt, e.EpochRaised))
        assert doubt < other


def position(desk: Bench, kind: type[e.Event]) -> int:
    """Where the first event of ``kind`` stands among all that was told."""
    return next(n for n, told in enumerate(desk.told) if isinstance(told, Happened) and isinstance(told.event, kind))


async def test_what_may_add_risk_waits_out_the_delay_and_what_is_sure_to_close_does_not() -> None:
    async with bench(MemoryJournal(), delay_s=0.3) as desk:
        await desk.adopt()
        began = asyncio.get_running_loop().time()
        await desk.filled(2, "entry")
        waited_s = asyncio.get_running_loop().time() - began
        while not desk.gate.group.accounts[ACCOUNT].positions:
            await asyncio.sleep(0)
        await desk.gate.take(sell("opens", 3))
        await desk.gate.take(sell("closes", 2))
        assert (await desk.answer("ask-closes")).ok
        assert "ask-opens" not in desk.answers
        assert (await desk.answer("ask-opens")).order_id == "opens"
    assert waited_s >= 0.3


def sell(order_id: str, quantity: int) -> SubmitOrder:
    return SubmitOrder(f"ask-{order_id}", ACCOUNT, order_id, MES.contract_id, Side.SELL, quantity, OrderType.MARKET)


async def test_a_full_queue_is_answered_at_once() -> None:
    async with bench(MemoryJournal(), orders_max=0) as desk:
        await desk.adopt()
        assert (await desk.buy(1, "one")).code == "QUEUE_FULL"


async def test_a_crashed_writer_recovers_once_and_the_second_crash_halts_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn, crashes = Writer.turn, 0

    async def crashing(self: Writer, batch: list[Pending]) -> None:
        nonlocal crashes
        if any(isinstance(pending.input, CancelAll) for pending in batch):
            crashes += 1
            raise ZeroDivisionError("a programmer's error")
        await turn(self, batch)

    monkeypatch.setattr(Writer, "turn", crashing)
    async with bench(MemoryJournal()) as desk:
        await desk.adopt()
        await desk.gate.take(CancelAll("first"))
        await until(lambda: crashes == 1)
        # Blind until the books have been compared again, and then as before.
        assert (await desk.buy(1, "blind")).code == "UNEXPLAINED"
        await desk.adopt()
        assert (await desk.buy(1, "after")).ok
        await desk.gate.take(CancelAll("second"))
        await until(lambda: desk.gate.halted)
        assert not desk.gate.enforcing
        assert (await desk.buy(1, "halted")).code == "HALTED"


async def test_a_second_writer_in_the_books_halts_the_first() -> None:
    journal = MemoryJournal()
    async with bench(journal) as desk:
        await desk.adopt()
        await desk.buy(1, "mine")
        async with bench(journal.reopened()) as rival:
            async with asyncio.timeout(5):
                while "mine" not in rival.gate.group.accounts[ACCOUNT].orders:
                    await asyncio.sleep(0)
            await rival.gate.take(CancelAll("theirs"))
            await rival.answer("theirs")
        await desk.gate.take(CancelAll("mine"))
        await until(lambda: desk.gate.halted)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)
