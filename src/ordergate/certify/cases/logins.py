"""Logins, what is told at the beginning, and sessions that end."""

from __future__ import annotations

from ordergate.certify.case import CaseFailed, Subject, require
from ordergate.certify.stage import Stage
from ordergate.certify.venue import TwoLogins, WrongLogin
from ordergate.core.order import Side
from ordergate.core.reports import AccountReport, InstrumentsReport, LinkReport
from ordergate.errors import StartRefused

SUBJECT = Subject("logins")


@SUBJECT.case("contracts are told before accounts, and both before the link is up")
async def in_order(stage: Stage) -> None:
    kinds = [type(each) for each in stage.heard.reports if not isinstance(each, LinkReport) or each.up]
    first = [kinds.index(kind) for kind in (InstrumentsReport, AccountReport, LinkReport)]
    require(first == sorted(first), f"told in this order: {[kind.__name__ for kind in kinds]}")


@SUBJECT.case("a quiet account is read with its balance, no position and no order that works")
async def quiet(stage: Stage) -> None:
    read = await stage.snapshot()
    require(read.account.balance_usd > 0, f"the balance is {read.account.balance_usd}")
    require(read.account.can_trade, "the account may not trade")
    require(not read.positions, f"positions: {read.positions}")
    require(not [each for each in read.orders if each.state.value == "open"], f"orders: {read.orders}")


@SUBJECT.case("quotes come without end, each with both sides and the bid below the ask")
async def quotes(stage: Stage) -> None:
    for symbol in stage.venue.symbols:
        contract_id = stage.active(symbol).contract_id
        first = stage.heard.quotes[contract_id]
        newer = await stage.until(
            lambda contract_id=contract_id, first=first: (  # type: ignore[misc] # bound to this turn of the loop
                stage.heard.quotes[contract_id] if stage.heard.quotes[contract_id].at_ns > first.at_ns else None
            ),
            f"a newer quote of {symbol}",
        )
        bid, ask = newer.bid_ticks, newer.ask_ticks
        require(bid is not None and ask is not None and bid < ask, f"crossed, or of one side only: {newer}")


@SUBJECT.case("a login with a wrong key is refused with its reason, which does not hold the key", WrongLogin)
async def wrong_key(stage: Stage) -> None:
    site = stage.venue.wrong_site
    assert site is not None, "the venue can be asked for it"
    try:
        async with stage.adapter(site, lambda _report: None, lambda _quote: None):
            raise CaseFailed("a wrong key was taken")
    except StartRefused as refused:
        said = str(refused)
    require(said, "it was refused without a word")
    require(site.settings.credentials.api_key not in said, "the key stands in the reason")


@SUBJECT.case("two adapters of one login are told the same of an order", TwoLogins)
async def two_adapters(stage: Stage) -> None:
    other = Stage(stage.venue, stage.adapter, lambda number: f"{stage.tag()}-{number}")
    async with other.open():
        order_id = await stage.filled(stage.terms(Side.BUY, 1))
        await stage.holds(1)
        await other.has_filled(order_id, 1)
        await other.holds(1)
        await other.agreed()
