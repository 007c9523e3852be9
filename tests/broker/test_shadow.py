"""Shadow mode in the connection manager: nothing is written to the broker, and the rule of the approvals stands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ordergate.broker import shadow
from ordergate.broker.approvals import LIFETIME_NS, approve
from ordergate.broker.paper import Change, Opened, PaperBook
from ordergate.bus.port import Topic
from ordergate.core.effects import Cancel, Grant, LookUp, Modify, Place, RaiseEpoch, ReadSnapshot
from ordergate.core.events import ApprovalKind
from ordergate.core.instrument import Instrument
from ordergate.core.order import OrderType, Side, Terms
from ordergate.core.reports import (
    AccountReport,
    BrokerSnapshot,
    CancelOutcome,
    FillReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
    Quote,
)
from ordergate.errors import JournalDamaged, JournalUnavailable
from ordergate.journal.memory import MemoryJournal
from ordergate.journal.port import Entry, Journal
from tests.broker.stand_in import ACCOUNT, KEY, MNQ, Desk, position
from tests.core.desk import instant
from tests.simulation.virtual_time import run

WRITES = ("Order/place", "Order/modify", "Order/cancel", "Position/closeContract", "Position/partialCloseContract")
BID, ASK = 80_000, 80_001  # of MNQ: 20,000.00 and 20,000.25
FEE = Decimal("0.36")
START = Decimal("50000.25")


class Shadowed(Desk):
    """A desk in shadow mode, and a market that is told where to go."""

    def __init__(self, journal: Journal | None = None) -> None:
        super().__init__(journal, shadow=True)

    async def market(self, bid: int = BID, ask: int = ASK, last: int | None = None) -> None:
        """Until the connection manager has heard of it."""
        said = {"bestBid": bid / 4, "bestAsk": ask / 4} | ({} if last is None else {"lastPrice": last / 4})
        await self.broker.say("market", "GatewayQuote", MNQ, said)
        await asyncio.sleep(0.01)

    async def ordered(self, **changes: Any) -> tuple[Place, PlaceOutcome]:
        place = self.place(**changes)
        await self.send(self.approved(place))
        return place, await self.report(PlaceOutcome, lambda outcome: outcome.order_tag == place.order_tag)

    async def snapshot(self) -> BrokerSnapshot:
        await self.send(ReadSnapshot(ACCOUNT, 0), Topic.EXITS)
        return await self.report(BrokerSnapshot)

    @property
    def writes(self) -> int:
        return sum(self.broker.count(path) for path in WRITES)


class FullDisk(MemoryJournal):
    """Takes approvals, and paper no more once it is full."""

    full = False

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        if self.full and entries[0].book == "paper":
            raise JournalUnavailable("no space left on device")
        await super().append(entries, expected)


def test_a_market_order_is_filled_on_paper_and_every_fact_of_it_arrives() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market()
            desk.reports.clear()
            _, outcome = await desk.ordered(quantity=2)
            assert outcome.outcome is Outcome.DONE
            assert outcome.broker_order_id is not None
            assert outcome.broker_order_id < 0
            opened = await desk.report(OrderReport)
            assert (opened.state, opened.broker_order_id) == (OrderState.OPEN, outcome.broker_order_id)
            fill = await desk.report(FillReport)
            assert (fill.price_ticks, fill.quantity, fill.fee_usd) == (ASK, 2, 2 * FEE)
            assert (await desk.report(PositionReport)).net_quantity == 2
            assert (await desk.report(AccountReport)).balance_usd == START - 2 * FEE
            assert (await desk.report(OrderReport)).state is OrderState.FILLED
        assert desk.writes == 0

    run(main())


def test_a_resting_order_is_changed_filled_when_the_market_comes_and_cancelled_on_paper() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market()
            place, outcome = await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 8)
            order_id = outcome.broker_order_id
            assert order_id is not None
            terms = replace(place.terms, limit_ticks=BID - 4, quantity=3)
            await desk.send(desk.approved(Modify(terms, place.order_tag, order_id, replace(place.grant, number=99))))
            assert (await desk.report(ModifyOutcome)).outcome is Outcome.DONE
            await desk.market(BID - 5, ASK - 5)  # the ask is at its price, and not through it
            assert not [report for report in desk.reports if isinstance(report, FillReport)]
            await desk.market(BID - 6, ASK - 6)
            fill = await desk.report(FillReport)
            assert (fill.broker_order_id, fill.price_ticks, fill.quantity) == (order_id, BID - 4, 3)
            await desk.send(Cancel(ACCOUNT, order_id), Topic.EXITS)
            assert (await desk.report(CancelOutcome)).outcome is Outcome.REFUSED
            _, second = await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 80)
            await desk.send(Cancel(ACCOUNT, second.broker_order_id or 0), Topic.EXITS)
            assert (await desk.report(CancelOutcome)).outcome is Outcome.DONE
            await desk.report(OrderReport, lambda row: row.state is OrderState.CANCELLED)
        assert desk.writes == 0

    run(main())


def test_a_trade_from_before_an_order_does_not_fill_it_and_a_new_one_does() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market(last=BID - 20)
            await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 8)
            await desk.market(BID - 1, ASK, last=BID - 20)
            assert not [report for report in desk.reports if isinstance(report, FillReport)]
            await desk.market(BID - 1, ASK, last=BID - 9)
            assert (await desk.report(FillReport)).price_ticks == BID - 8

    run(main())


def test_an_order_waits_for_a_quote_that_is_not_too_old() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market()
            await asyncio.sleep(6)
            await desk.ordered()
            assert not [report for report in desk.reports if isinstance(report, FillReport)]
            await desk.market(BID + 4, ASK + 4)
            assert (await desk.report(FillReport)).price_ticks == ASK + 4

    run(main())


def test_no_valid_approval_no_paper_order_and_no_paper_change() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market()
            place, outcome = await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 8)
            change = Modify(place.terms, place.order_tag, outcome.broker_order_id or 0, place.grant)
            good = desk.approved()
            altered = replace(good, effect=replace(good.effect, terms=replace(good.effect.terms, quantity=9)))
            bare, forged = desk.place(), desk.place()
            late = replace(bare, grant=replace(bare.grant, issued_ns=bare.grant.issued_ns - LIFETIME_NS))
            shadow_book, live_book = (f"sim:{ACCOUNT}:{mode}" for mode in ("shadow", "live"))
            for message in (
                bare,
                change,
                altered,
                approve(forged, shadow_book, b"another key"),
                approve(replace(change, grant=replace(change.grant, number=50)), shadow_book, b"another key"),
                approve(desk.place(), live_book, KEY),
                approve(late, shadow_book, KEY),
            ):
                await desk.send(message)
            await desk.send(RaiseEpoch(ACCOUNT, 3))
            await asyncio.sleep(1)
            await desk.send(desk.approved(desk.place(epoch=2)))
            await asyncio.sleep(1)
            rows = (await desk.snapshot()).orders
            assert [(row.order_tag, row.limit_ticks) for row in rows] == [(place.order_tag, BID - 8)]
            assert not [report for report in desk.reports if isinstance(report, FillReport)]

    run(main())


def test_an_approval_of_paper_is_none_for_a_live_connection_manager() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.send(approve(desk.place(), f"sim:{ACCOUNT}:shadow", KEY))
            await asyncio.sleep(10)
        assert desk.broker.count("Order/place") == 0

    run(main())


def test_a_close_is_checked_against_the_paper_position_and_not_the_brokers() -> None:
    async def main() -> None:
        desk = Shadowed()
        desk.broker.positions = [position(1, 9)]
        async with desk.open():
            await desk.market()
            await desk.ordered(quantity=2)
            _, refused = await desk.ordered(kind=ApprovalKind.REDUCING, side=Side.SELL, quantity=3)
            assert (refused.outcome, "position of +2" in refused.text) == (Outcome.NOT_SENT, True)
            _, done = await desk.ordered(kind=ApprovalKind.REDUCING, side=Side.SELL, quantity=2)
            assert done.outcome is Outcome.DONE
            assert (await desk.snapshot()).positions == ()

    run(main())


def test_what_the_broker_has_and_says_of_its_own_books_is_not_told() -> None:
    async def main() -> None:
        desk = Shadowed()
        row = desk.broker.placed({"accountId": ACCOUNT, "contractId": MNQ, "type": 2, "side": 0, "size": 5})
        desk.broker.positions = [position(1, 5)]
        async with desk.open():
            await desk.broker.say("user", "GatewayUserOrder", row)
            await desk.broker.say("user", "GatewayUserPosition", position(1, 5))
            account = {"id": ACCOUNT, "name": "PRAC-1", "balance": 1.5, "canTrade": False}
            await desk.broker.say("user", "GatewayUserAccount", account)
            told = await desk.report(AccountReport, lambda report: not report.can_trade)
            assert told.balance_usd == START, "its money is on paper; whether it may trade is real"
            snapshot = await desk.snapshot()
            assert (snapshot.positions, snapshot.orders, snapshot.fills) == ((), (), ())
            assert not [report for report in desk.reports if isinstance(report, OrderReport | PositionReport)]

    run(main())


def test_paper_orders_and_positions_are_there_again_after_a_restart() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            await desk.ordered(quantity=2)
            place, resting = await desk.ordered(side=Side.SELL, order_type=OrderType.STOP, stop_ticks=BID - 20)
            before = await desk.snapshot()
        again = Shadowed(journal.reopened())
        again._numbers = 50  # noqa: SLF001 - approvals are used once
        async with again.open():
            after = await again.snapshot()
            assert replace(after, started_ns=0) == replace(before, started_ns=0)
            await again.send(LookUp(ACCOUNT, place.order_tag, 0), Topic.EXITS)
            found = (await again.report(LookupOutcome)).found
            assert found is not None
            assert (found.broker_order_id, found.stop_ticks) == (resting.broker_order_id, BID - 20)
            await again.market(BID - 20, ASK - 20)
            fill = await again.report(FillReport)
            assert (fill.broker_order_id, fill.price_ticks) == (resting.broker_order_id, BID - 20)
            _, new = await again.ordered()
            assert (new.broker_order_id or 0) > fill.fill_id, "no id is used twice"
        assert (desk.writes, again.writes) == (0, 0)

    run(main())


def test_what_cannot_be_kept_has_not_happened() -> None:
    async def main() -> None:
        journal = FullDisk()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            place, resting = await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 8)
            order_id = resting.broker_order_id or 0
            before = await desk.snapshot()
            desk.reports.clear()
            journal.full = True
            _, outcome = await desk.ordered()
            assert (outcome.outcome, "cannot be written" in outcome.text) == (Outcome.NOT_SENT, True)
            change = Modify(
                replace(place.terms, quantity=3), place.order_tag, order_id, replace(place.grant, number=99)
            )
            await desk.send(desk.approved(change))
            assert (await desk.report(ModifyOutcome)).outcome is Outcome.NOT_SENT
            await desk.send(Cancel(ACCOUNT, order_id), Topic.EXITS)
            assert (await desk.report(CancelOutcome)).outcome is Outcome.NOT_SENT
            await desk.market(BID - 20, ASK - 20)
            assert desk.reports == []
            assert replace(await desk.snapshot(), started_ns=0) == replace(before, started_ns=0)
            journal.full = False
            await desk.market(BID - 21, ASK - 21)
            assert (await desk.report(FillReport)).broker_order_id == order_id

    run(main())


async def old_book() -> MemoryJournal:
    """Kept by the version before, weeks ago: ten orders that filled, and 10 MNQ held since then."""
    book, journal = PaperBook(), MemoryJournal()
    market, at_ns = Quote(MNQ, BID, ASK, BID, 0), instant("2026-10-01 10:00")
    instrument = Instrument(MNQ, "MNQ", "MNQZ6", Decimal("0.25"), Decimal("0.50"), FEE)
    changes: list[Change] = [Opened(ACCOUNT, START)]
    book.apply(changes[0])
    for number in range(10):
        terms = Terms(ACCOUNT, MNQ, Side.BUY, 1, OrderType.MARKET)
        grant = Grant(ApprovalKind.APPROVED, number, 0, 1, at_ns)
        for change in book.placed(Place(terms, f"old-{number}", grant), instrument, market, at_ns):
            book.apply(change)
            changes.append(change)
    encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
    entries = [Entry("paper", at_ns, "paper-changed", 1, encoder.encode(change)) for change in changes]
    await journal.append(entries, {"paper": 0})
    return journal


async def looked_up(desk: Shadowed, tag: str) -> OrderReport | None:
    await desk.send(LookUp(ACCOUNT, tag, 0), Topic.EXITS)
    return (await desk.report(LookupOutcome)).found


def test_a_book_that_has_grown_beyond_its_bound_drops_what_is_old_once_and_a_restart_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shadow, "KEPT_MAX", 20)

    async def main() -> None:
        journal = await old_book()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            assert await looked_up(desk, "old-3") is not None
            place, _ = await desk.ordered()
            assert await looked_up(desk, "old-3") is None
            assert await looked_up(desk, place.order_tag) is not None
            before = await desk.snapshot()
            assert [row.net_quantity for row in before.positions] == [11]
        rows = [row async for row in journal.read() if b'"pruned"' in row.body]
        assert [row.version for row in rows] == [2]
        again = Shadowed(journal.reopened())
        async with again.open():
            assert await looked_up(again, "old-3") is None
            assert replace(await again.snapshot(), started_ns=0) == replace(before, started_ns=0)

    run(main())


def test_a_pruning_that_cannot_be_kept_fails_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "KEPT_MAX", 20)

    async def main() -> None:
        journal = await old_book()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            append = journal.append

            async def full_for_pruning(entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
                if b'"pruned"' in entries[0].body:
                    raise JournalUnavailable("no space left on device")
                await append(entries, expected)

            monkeypatch.setattr(journal, "append", full_for_pruning)
            _, outcome = await desk.ordered()
            assert outcome.outcome is Outcome.DONE
            assert await looked_up(desk, "old-3") is not None
            monkeypatch.setattr(journal, "append", append)
            await desk.ordered()
            assert await looked_up(desk, "old-3") is None

    run(main())


class SlowDisk(MemoryJournal):
    """Writes nothing of the paper book before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def append(self, entries: Sequence[Entry], expected: Mapping[str, int]) -> None:
        if entries[0].book == "paper":
            await self.goes_on.wait()
        await super().append(entries, expected)


def test_what_the_market_reaches_while_it_is_cancelled_is_cancelled() -> None:
    async def main() -> None:
        journal = SlowDisk()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            _, resting = await desk.ordered(order_type=OrderType.LIMIT, limit_ticks=BID - 8)
            journal.goes_on.clear()
            await desk.send(Cancel(ACCOUNT, resting.broker_order_id or 0), Topic.EXITS)
            await asyncio.sleep(0.1)
            await desk.market(BID - 20, ASK - 20)
            journal.goes_on.set()
            assert (await desk.report(CancelOutcome)).outcome is Outcome.DONE
            await asyncio.sleep(1)
            (row,) = (await desk.snapshot()).orders
            assert row.state is OrderState.CANCELLED
            assert not [report for report in desk.reports if isinstance(report, FillReport)]

    run(main())


def test_an_approval_that_expires_before_its_turn_is_not_carried_out_on_paper() -> None:
    async def main() -> None:
        journal = SlowDisk()
        desk = Shadowed(journal)
        async with desk.open():
            await desk.market()
            journal.goes_on.clear()
            first, second = desk.place(), desk.place()
            await desk.send(desk.approved(first))
            await asyncio.sleep(0.1)
            await desk.send(desk.approved(second))
            await asyncio.sleep(6)
            journal.goes_on.set()
            ends = [await desk.report(PlaceOutcome) for _ in range(2)]
            assert [outcome.outcome for outcome in ends] == [Outcome.DONE, Outcome.NOT_SENT]
            assert "expired" in ends[1].text
            assert [row.order_tag for row in (await desk.snapshot()).orders] == [first.order_tag]

    run(main())


def test_a_paper_book_of_a_newer_version_is_refused() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await journal.append([Entry("paper", 0, "paper-changed", 3, b"{}")], {"paper": 0})
        desk = Shadowed(journal)
        with pytest.raises(JournalDamaged, match="paper 1: paper-changed version 3 is not known"):
            async with desk.open(until_linked=False):
                await asyncio.sleep(1)

    run(main())


def test_an_attached_bracket_works_on_paper() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open():
            await desk.market()
            _, entry = await desk.ordered(stop_offset_ticks=-20, target_offset_ticks=40)
            legs = [await desk.report(OrderReport, lambda row: row.parent_id is not None) for _ in range(2)]
            assert {leg.parent_id for leg in legs} == {entry.broker_order_id}
            await desk.market(BID - 30, ASK - 30)
            await desk.report(FillReport, lambda fill: fill.side is Side.SELL)
            ended = await desk.report(OrderReport, lambda row: row.state is OrderState.CANCELLED)
            assert ended.order_type is OrderType.LIMIT

    run(main())


def test_health_says_shadow() -> None:
    async def main() -> None:
        desk = Shadowed()
        async with desk.open() as manager:
            server = await manager.serve("127.0.0.1", 0)
            answer = await desk.network.request("GET", f"{server.url}/health", timeout_s=10)
            assert b'"shadow":true' in answer.body
            await server.close()

    run(main())


# Whatever happens.

STEPS = st.one_of(
    st.tuples(st.just("market"), st.integers(-30, 30)),
    st.tuples(st.just("place"), st.sampled_from(Side), st.sampled_from(OrderType), st.integers(-30, 30)),
    st.tuples(st.just("modify"), st.integers(0, 5), st.integers(-30, 30)),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("close"), st.sampled_from(Side)),
    st.tuples(st.just("restart")),
)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=20))
def test_whatever_is_asked_nothing_is_written_and_the_paper_book_adds_up(steps: list[tuple[Any, ...]]) -> None:
    run(whatever(steps))


async def whatever(steps: list[tuple[Any, ...]]) -> None:
    journal, told = MemoryJournal(), Told()
    desk, rest = Shadowed(journal), steps
    while rest:
        async with desk.open():
            await desk.market()
            while rest:
                step, rest = rest[0], rest[1:]
                if step[0] == "restart":
                    break
                await taken(desk, told, step)
            await asyncio.sleep(1)
            snapshot = await desk.snapshot()
        assert desk.writes == 0
        told.fills |= {report.fill_id: report for report in desk.reports if isinstance(report, FillReport)}
        fills = {fill.fill_id: fill for fill in snapshot.fills}
        assert told.fills == fills, "what was told is what is shown, each once"
        net = sum(fill.side.sign * fill.quantity for fill in fills.values())
        assert [held.net_quantity for held in snapshot.positions] == ([net] if net else [])
        paid = sum((fill.pnl_usd or Decimal(0)) - fill.fee_usd for fill in fills.values())
        assert snapshot.account.balance_usd == START + paid
        filled = {row.broker_order_id for row in snapshot.orders if row.state is OrderState.FILLED}
        assert filled == {fill.broker_order_id for fill in fills.values()}
        numbers, desk = desk._numbers, Shadowed(journal.reopened())  # noqa: SLF001 - approvals are used once
        desk._numbers = numbers  # noqa: SLF001


class Told:
    """What a trader knows of his orders."""

    def __init__(self) -> None:
        self.places: list[tuple[Place, int]] = []
        self.fills: dict[int, FillReport] = {}


async def taken(desk: Shadowed, told: Told, step: tuple[Any, ...]) -> None:
    match step:
        case ("market", int(by)):
            await desk.market(BID + by, ASK + by, BID + by)
        case ("place", side, kind, int(by)):
            limit = BID + by if kind is OrderType.LIMIT else None
            stop = BID + by if kind is OrderType.STOP else None
            place, outcome = await desk.ordered(side=side, order_type=kind, limit_ticks=limit, stop_ticks=stop)
            assert outcome.broker_order_id is not None
            told.places.append((place, outcome.broker_order_id))
        case ("modify", int(number), int(by)) if number < len(told.places):
            place, order_id = told.places[number]
            limit = None if place.terms.limit_ticks is None else BID + by
            stop = None if place.terms.stop_ticks is None else BID + by
            terms = replace(place.terms, limit_ticks=limit, stop_ticks=stop)
            grant = desk.place().grant
            await desk.send(desk.approved(Modify(terms, place.order_tag, order_id, grant)))
            await desk.report(ModifyOutcome)
        case ("cancel", int(number)) if number < len(told.places):
            await desk.send(Cancel(ACCOUNT, told.places[number][1]), Topic.EXITS)
            await desk.report(CancelOutcome)
        case ("close", side):
            await desk.ordered(kind=ApprovalKind.REDUCING, side=side)
        case _:
            pass
