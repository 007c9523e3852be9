"""The inbox: who goes first, who waits, who is refused."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from ordergate.core.commands import CancelAll, CancelOrder, Flatten, ModifyOrder, SubmitOrder
from ordergate.core.inputs import Mark
from ordergate.core.order import OrderType, Side
from ordergate.core.reports import LinkReport
from ordergate.engine.inbox import CLOSING_MAX, FACTS_MAX, Inbox, Pending


def order(order_id: str, account_id: int = 1) -> SubmitOrder:
    return SubmitOrder(order_id, account_id, order_id, "MES", Side.BUY, 1, OrderType.MARKET)


async def drained(inbox: Inbox) -> list[Pending]:
    """All that waits, in the order in which it is taken."""
    found: list[Pending] = []
    while batch := await inbox.take(10_000, 0):
        found += batch
    return found


async def test_facts_go_before_closing_commands_before_orders_before_marks_and_first_in_first_out_inside() -> None:
    inbox = Inbox(10)
    inbox.put_mark(Mark(), 0)
    inbox.put_command(order("a"), 0)
    inbox.put_command(order("b"), 0)
    inbox.put_command(CancelOrder("c", "a"), 0)
    await inbox.put_fact(LinkReport(up=True), 0)
    taken = [type(pending.input).__name__ for pending in await drained(inbox)]
    assert taken == ["LinkReport", "CancelOrder", "SubmitOrder", "SubmitOrder", "Mark"]


async def test_manual_orders_go_before_those_of_other_instances_whenever_they_came() -> None:
    inbox = Inbox(10)
    inbox.put_command(replace(order("a bot's"), passed=True), 0)
    inbox.put_command(ModifyOrder("m", "a", 1, quantity=2), 0)
    inbox.put_command(order("a person's"), 0)
    taken = [pending.input.request_id for pending in await inbox.take(10, None) if hasattr(pending.input, "request_id")]
    assert taken == ["m", "a person's", "a bot's"]


async def test_no_burst_of_another_instance_keeps_a_person_out() -> None:
    inbox = Inbox(2)
    others = [inbox.put_command(replace(order(f"o{number}"), passed=True), 0) for number in range(3)]
    assert others == [True, True, False]
    assert inbox.put_command(order("a person's"), 0)


async def test_an_order_that_only_closes_falls_back_on_the_reserve_and_keeps_its_place_among_the_orders() -> None:
    inbox = Inbox(1)
    assert inbox.put_command(order("a"), 0)
    assert not inbox.put_command(order("b"), 0)
    assert inbox.put_command(order("closing"), 0, closes=True)
    for number in range(CLOSING_MAX - 1):
        assert inbox.put_command(CancelOrder(f"c{number}", "x"), 0)
    assert not inbox.put_command(order("one too many"), 0, closes=True)
    assert not inbox.put_command(CancelOrder("c", "x"), 0), "the reserve is bounded too"
    taken = await drained(inbox)
    assert [p.input.order_id for p in taken if isinstance(p.input, SubmitOrder)] == ["a", "closing"]
    assert set(inbox.waiting.values()) == {0}
    assert inbox.put_command(order("d"), 0)


async def test_orders_fill_only_their_share_and_closing_commands_still_get_in() -> None:
    inbox = Inbox(2)
    assert [inbox.put_command(order(str(number)), 0) for number in range(3)] == [True, True, False]
    assert inbox.put_command(Flatten("f"), 0)
    await drained(inbox)
    assert inbox.put_command(order("later"), 0)


async def test_nothing_less_urgent_is_taken_along_with_a_flatten() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("a"), 0)
    inbox.put_command(Flatten("f"), 0)
    inbox.put_command(CancelOrder("c", "x"), 0)
    await inbox.put_fact(LinkReport(up=True), 0)
    assert [type(p.input).__name__ for p in await inbox.take(10, None)] == ["LinkReport", "Flatten", "CancelOrder"]
    assert [type(p.input).__name__ for p in await inbox.take(10, None)] == ["SubmitOrder"]


async def test_a_fact_is_never_dropped_its_reader_waits() -> None:
    inbox = Inbox(1)
    for _ in range(FACTS_MAX):
        await inbox.put_fact(LinkReport(up=True), 0)
    waiting = asyncio.create_task(inbox.put_fact(LinkReport(up=False), 0))
    await asyncio.sleep(0)
    assert not waiting.done()
    taken = await inbox.take(FACTS_MAX, None)
    await waiting
    last = await inbox.take(10, None)
    assert (len(taken), [pending.input for pending in last]) == (FACTS_MAX, [LinkReport(up=False)])


async def test_an_order_that_a_flatten_of_its_account_overtook_is_superseded_and_a_later_one_is_not() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("old", 1), 0)
    inbox.put_command(order("other", 2), 0)
    inbox.put_command(Flatten("f", 1), 0)
    inbox.put_command(order("new", 1), 0)
    stamped = {p.input.order_id: inbox.superseded(p) for p in await drained(inbox) if isinstance(p.input, SubmitOrder)}
    assert stamped == {"old": True, "other": False, "new": False}


async def test_a_cancel_all_of_all_accounts_supersedes_everywhere() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("one", 1), 0)
    inbox.put_command(order("two", 2), 0)
    inbox.put_command(CancelAll("c"), 0)
    orders = [p for p in await drained(inbox) if isinstance(p.input, SubmitOrder)]
    assert len(orders) == 2
    assert all(map(inbox.superseded, orders))


async def test_an_order_is_known_by_its_account_until_the_batch_that_it_was_taken_with_is_decided() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("a", 7), 0)
    assert inbox.order_account("a") == 7
    await inbox.take(10, None)
    assert inbox.order_account("a") == 7
    await inbox.take(10, 0)
    assert inbox.order_account("a") is None


async def test_an_order_that_is_asked_for_again_is_known_until_the_second_asking_is_decided() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("a", 7), 0)
    await inbox.take(10, None)
    inbox.put_command(order("a", 7), 0)
    await inbox.take(10, None)
    assert inbox.order_account("a") == 7
    await inbox.take(10, 0)
    assert inbox.order_account("a") is None


def test_an_order_of_another_account_than_the_one_that_is_named_is_not_the_one_that_is_meant() -> None:
    inbox = Inbox(10)
    inbox.put_command(order("a", 7), 0)
    assert [inbox.order_account("a", account_id) for account_id in (7, 8, None)] == [7, None, 7]


async def test_what_has_to_wait_keeps_its_place_and_its_share_and_holds_up_nothing_else() -> None:
    inbox = Inbox(2)
    assert inbox.put_command(order("delayed"), 0, wait_s=0.05)
    assert inbox.put_command(order("at once"), 0)
    assert not inbox.put_command(order("too many"), 0)
    (first,) = await inbox.take(10, None)
    assert isinstance(first.input, SubmitOrder)
    assert first.input.order_id == "at once"
    assert inbox.order_account("delayed") == 1
    assert inbox.put_command(Flatten("f"), 0)
    assert [type(pending.input).__name__ for pending in await inbox.take(10, None)] == ["Flatten"]
    (waited,) = await inbox.take(10, 5)
    assert isinstance(waited.input, SubmitOrder)
    assert waited.input.order_id == "delayed"
    assert inbox.superseded(waited)  # the flatten came while it waited


async def test_one_waiting_mark_stands_for_all() -> None:
    inbox = Inbox(10)
    inbox.put_mark(Mark(), 0)
    inbox.put_mark(Mark(), 0)
    assert len(await inbox.take(10, None)) == 1


async def test_taking_from_an_empty_inbox_ends_when_its_time_is_over() -> None:
    assert await Inbox(1).take(1, 0.01) == []
