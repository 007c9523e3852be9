"""A certification is worth what it finds: adapters that are broken in one way each fail where that is seen."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ordergate.broker.last_hop import LastHop
from ordergate.certify.venue import Adapter
from ordergate.core.order import OrderType
from ordergate.core.reports import (
    AccountReport,
    CancelOutcome,
    FillReport,
    InstrumentsReport,
    LinkReport,
    ModifyOutcome,
    OrderReport,
    OrderState,
    Outcome,
    PositionReport,
    Report,
)
from tests.certify.broken import believing, calling, deaf, idle, sure, telling
from tests.certify.playing import certify, failures

BUY = "a market order to buy fills"


def without(*kinds: type) -> Adapter:
    return telling(lambda report: [] if isinstance(report, kinds) else [report])


def changed(kind: type, **changes: Any) -> Adapter:
    return telling(lambda report: [replace(report, **changes) if isinstance(report, kind) else report])


def doubled(report: Report) -> list[Report]:
    return [report, report] if isinstance(report, FillReport) else [report]


def doubled_anew(report: Report) -> list[Report]:
    return [report, replace(report, fill_id=report.fill_id + 9_000)] if isinstance(report, FillReport) else [report]


def off_by_a_tick(report: Report) -> list[Report]:
    return [replace(report, price_ticks=report.price_ticks + 1) if isinstance(report, FillReport) else report]


def late_to_say_ended(report: Report) -> list[Report]:
    ended = isinstance(report, OrderReport) and report.state is OrderState.CANCELLED
    return [] if ended else [report]


def never_down(report: Report) -> list[Report]:
    return [] if isinstance(report, LinkReport) and not report.up else [report]


def in_tagless_words(report: Report) -> list[Report]:
    return [replace(report, order_tag="ours") if isinstance(report, OrderReport) else report]


def no_stops(report: Report) -> list[Report]:
    is_stop = isinstance(report, OrderReport) and report.order_type is OrderType.STOP
    return [replace(report, order_type=OrderType.LIMIT) if is_stop else report]


def no_limits(report: Report) -> list[Report]:
    return [replace(report, limit_ticks=None) if isinstance(report, OrderReport) else report]


async def absent(_real: LastHop, _asked: Any) -> None:
    await asyncio.sleep(0)


async def not_sent(real: LastHop, *arguments: Any) -> Any:
    outcome = await real.place(*arguments)
    return replace(outcome, outcome=Outcome.NOT_SENT) if outcome.outcome is Outcome.UNKNOWN else outcome


async def sent_twice(real: LastHop, place: Any, *arguments: Any) -> Any:
    await real.place(replace(place, order_tag=f"{place.order_tag}-again"), *arguments)
    return await real.place(place, *arguments)


async def resent(real: LastHop, place: Any, *arguments: Any) -> Any:
    outcome = await real.place(place, *arguments)
    if outcome.outcome is not Outcome.UNKNOWN:
        return outcome
    return await real.place(replace(place, order_tag=f"{place.order_tag}-again"), *arguments)


async def read_without_fills(real: LastHop, *arguments: Any) -> Any:
    return replace(await real.snapshot(*arguments), fills=())


async def read_without_positions(real: LastHop, *arguments: Any) -> Any:
    return replace(await real.snapshot(*arguments), positions=())


async def always_reduces(_real: LastHop, *_arguments: Any) -> None:
    await asyncio.sleep(0)


async def crashes(_real: LastHop, *_arguments: Any) -> Any:
    await asyncio.sleep(0)
    raise KeyError("orderId")


async def never_ends(_real: LastHop, *_arguments: Any) -> Any:
    await asyncio.Event().wait()


def modified(modify: Any, *_rest: Any) -> ModifyOutcome:
    return ModifyOutcome(modify.terms.account_id, modify.order_tag, modify.grant.number, Outcome.DONE)


def cancelled(account_id: int, order_id: int, *_rest: Any) -> CancelOutcome:
    return CancelOutcome(account_id, order_id, Outcome.DONE)


BROKEN: dict[str, tuple[Adapter, str, str]] = {
    "loses fills": (without(FillReport), BUY, "waited 10 s for 1 contracts"),
    "loses orders": (without(OrderReport), BUY, "waited 10 s for order"),
    "loses positions": (without(PositionReport), BUY, "waited 10 s for a position of +1"),
    "loses accounts": (without(AccountReport), BUY, "waited 10 s for account"),
    "tells a fill twice": (telling(doubled), BUY, "was told 2 times"),
    "tells a fill twice under two ids": (telling(doubled_anew), BUY, "waited 10 s for a position of +1"),
    "tells a fill off by a tick": (telling(off_by_a_tick), BUY, "fills heard and read"),
    "turns positions around": (
        changed(PositionReport, net_quantity=-1), BUY, "waited 10 s for a position of +1"),
    "never says that an order has ended": (
        telling(late_to_say_ended), "an order that is cancelled ends", "to end; heard:"),
    "never says that the link is down": (
        telling(never_down), "an order on a line that is cut", "waited 10 s for the link to be down"),
    "gives every order a tag of ours": (
        telling(in_tagless_words), "an order of somebody else is told", "told under the tag 'ours'"),
    "calls every stop a limit": (
        telling(no_stops), "a stop of somebody else that trails", "told as OrderType.LIMIT"),
    "leaves out limits": (
        telling(no_limits), "an order of somebody else that joins the bid", "told at None"),
    "calls a rejection done": (
        calling(place=sure("place")), "a stop that the market is through", "it was done"),
    "calls doubt done": (calling(place=sure("place")), "an order whose answer is lost", "it was done"),
    "calls doubt not sent": (calling(place=not_sent), "an order whose answer is lost", "it was not sent"),
    "sends every order twice": (calling(place=sent_twice), BUY, "waited 10 s for a position of +1"),
    "sends again what is in doubt": (calling(place=resent), "an order whose answer is lost", "it was done"),
    "looks up nothing": (calling(order_of=absent), "an order whose answer is lost", "is absent"),
    "reads no fills": (calling(snapshot=read_without_fills), BUY, "fills heard and read"),
    "reads no positions": (calling(snapshot=read_without_positions), BUY, "positions heard and read"),
    "says of everything that it reduces": (
        calling(not_reducing=always_reduces), "an order that would open more", "a SELL of 3 with 2 held"),
    "sends no change": (
        calling(modify=idle("modify", modified)), "a limit order takes a new price", "with {'limit_ticks'"),
    "sends no cancel": (
        calling(cancel=idle("cancel", cancelled)), "an order that is cancelled ends", "to end; heard:"),
    "crashes": (calling(place=crashes), BUY, "KeyError at test_broken_adapters.py:"),
    "never answers": (calling(place=never_ends), BUY, "not at its end within 240 s; heard: "),
    "believes a line that lives": (believing, "what a line withholds that lives", "waited 10 s for order"),
    "tells nothing": (deaf, BUY, "waited 30 s for the link to be up; heard: nothing"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_an_adapter_that_is_broken_fails_where_that_is_seen_and_says_what_was_seen(how: str) -> None:
    adapter, sentence, why = BROKEN[how]
    found = failures(certify(sentence, adapter=adapter))
    assert [why in text for text in found.values()] == [True], found


def test_the_same_cases_pass_with_nothing_broken() -> None:
    sentences = {sentence for _, sentence, _ in BROKEN.values()}
    assert failures(certify(*sentences, adapter=calling())) == {}
    assert failures(certify(*sentences, adapter=telling(lambda report: [report]))) == {}


def test_an_adapter_that_hears_and_reads_the_same_wrong_thing_is_found_out_by_the_venues_own_books() -> None:
    async def with_another(real: LastHop, place: Any, instrument: Any, passage: Any) -> Any:
        other = next(each for each in known.instruments if each.symbol == "MNQ")
        terms = replace(place.terms, contract_id=other.contract_id)
        await real.place(replace(place, terms=terms, order_tag=f"{place.order_tag}-2"), other, passage)
        return await real.place(place, instrument, passage)

    async def read(real: LastHop, *arguments: Any) -> Any:
        read = await real.snapshot(*arguments)
        account = replace(read.account, balance_usd=Decimal(50_000))
        rows = {name: tuple(filter(is_shown, getattr(read, name))) for name in ("positions", "orders", "fills")}
        return replace(read, account=account, **rows)

    def is_shown(row: Any) -> bool:
        return ".MNQ." not in getattr(row, "contract_id", "")

    known = InstrumentsReport(())

    def hear(report: Report) -> list[Report]:
        nonlocal known
        known = report if isinstance(report, InstrumentsReport) else known
        if isinstance(report, AccountReport):
            return [replace(report, balance_usd=Decimal(50_000))]
        return [report] if is_shown(report) else []

    found = failures(certify(BUY, adapter=calling(telling(hear), place=with_another, snapshot=read)))
    assert ["read and the venue's own" in why and "heard and read" not in why for why in found.values()] == [True], (
        found
    )
