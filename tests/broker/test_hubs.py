"""Both hubs: what they subscribe to, what they say, and how they come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.broker.projectx.feeds import ORDERS_KEPT
from ordergate.core.reports import (
    AccountReport,
    CheckReport,
    FillReport,
    InstrumentsReport,
    LinkReport,
    OrderReport,
    OrderState,
    PositionReport,
    Quote,
    Unreadable,
)
from tests.broker.stand_in import ACCOUNT, MES, MNQ, Desk, position
from tests.simulation.virtual_time import run

ORDER = {
    "id": 3400000001,
    "accountId": ACCOUNT,
    "contractId": MNQ,
    "symbolId": "F.US.MNQ",
    "creationTimestamp": "2026-08-19T20:49:25.3938333+00:00",
    "updateTimestamp": "2026-08-19T20:49:25.3962105+00:00",
    "status": 5,
    "type": 2,
    "side": 1,
    "size": 1,
    "fillVolume": 0,
    "customTag": "t1",
}
TRADE = {
    "id": 3000000001,
    "accountId": ACCOUNT,
    "contractId": MNQ,
    "creationTimestamp": "2026-08-19T20:49:25.3938333+00:00",
    "price": 29398.5,
    "fees": 0.36,
    "commissions": 0,
    "side": 0,
    "size": 1,
    "voided": False,
    "orderId": 3400000001,
}
SUBSCRIPTIONS: Counter[tuple[Any, ...]] = Counter(
    {
        ("SubscribeAccounts",): 1,
        ("SubscribeOrders", ACCOUNT): 1,
        ("SubscribePositions", ACCOUNT): 1,
        ("SubscribeTrades", ACCOUNT): 1,
        ("SubscribeContractQuotes", MNQ): 1,
    }
)


async def latest(desk: Desk) -> Quote:
    """The latest quote on the bus."""
    watcher = desk.bus.watch()
    async with asyncio.timeout(10):
        message = await anext(aiter(watcher))
    watcher.close()
    return msgspec.json.decode(message, type=Quote)


def test_at_the_start_contracts_come_before_accounts_and_both_before_the_link() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open(until_linked=False):
            await asyncio.sleep(5)
        contracts, account, link = (report for report in desk.reports if not isinstance(report, CheckReport))
        assert isinstance(contracts, InstrumentsReport)
        assert [instrument.symbol for instrument in contracts.instruments] == ["MNQ", "MES"]
        assert account == AccountReport(ACCOUNT, "PRAC-1", Decimal("50000.25"), can_trade=True)
        assert link == LinkReport(up=True)
        assert Counter(desk.broker.subscribed) == SUBSCRIPTIONS

    run(main())


@pytest.mark.parametrize("hub", ["user", "market"])
def test_a_hub_that_is_lost_is_told_and_comes_back_with_all_its_subscriptions(hub: str) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.broker.subscribed.clear()
            await desk.broker.drop(hub)
            assert await desk.report(LinkReport) == LinkReport(up=False, reason=f"{hub} hub: closed by the broker")
            assert (await desk.report(LinkReport)).up
            wanted = {key for key in SUBSCRIPTIONS if ("Contract" in key[0]) == (hub == "market")}
            assert set(desk.broker.subscribed) == wanted

    run(main())


def test_a_hub_that_falls_silent_is_given_up_after_30_s() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await asyncio.sleep(300)
            assert not [report for report in desk.reports if isinstance(report, LinkReport)], "pings keep it alive"
            desk.broker.deaf = True
            began_ns = desk.clock.now_ns()
            down = await desk.report(LinkReport)
            assert "silent for 30 s" in down.reason
            assert (desk.clock.now_ns() - began_ns) / 1e9 <= 31
            desk.broker.deaf = False
            assert (await desk.report(LinkReport, lambda link: link.up)).up

    run(main())


@pytest.mark.parametrize("silence", ["deaf", "confirms"])
def test_a_hub_whose_subscriptions_are_not_confirmed_is_not_up(silence: str) -> None:
    async def main() -> None:
        desk = Desk()
        setattr(desk.broker, silence, silence == "deaf")
        async with desk.open(until_linked=False):
            down = await desk.report(LinkReport)
            assert not down.up
            assert "no subscription within 15 s" in down.reason

    run(main())


def test_a_market_hub_over_which_only_pings_come_is_given_up_after_90_s_while_the_market_is_open() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.broker.quiet = True
            began_ns = desk.clock.now_ns()
            down = await desk.report(LinkReport)
            assert down.reason == "market hub: nothing but pings for 90 s, while the market is open"
            assert 75 < (desk.clock.now_ns() - began_ns) / 1e9 <= 96
            desk.broker.quiet = False
            assert (await desk.report(LinkReport)).up
            await asyncio.sleep(7 * 3_600 + 30 - (desk.clock.now_ns() - began_ns) / 1e9)  # 16:00 in Chicago
            desk.broker.quiet = True
            await asyncio.sleep(3_500)
            assert not [report for report in desk.reports if isinstance(report, LinkReport)], "nothing is traded"
            assert not (await desk.report(LinkReport, within_s=200)).up

    run(main())


def test_a_hub_that_refuses_a_subscription_is_not_up() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.denies = "SubscribeTrades"
        async with desk.open(until_linked=False):
            down = await desk.report(LinkReport)
            assert not down.up
            assert "SubscribeTrades refused: no" in down.reason
            desk.broker.denies = ""
            assert (await desk.report(LinkReport)).up

    run(main())


def test_a_session_that_is_logged_out_elsewhere_logs_in_again() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("user", "GatewayLogout")
            down = await desk.report(LinkReport)
            assert down.reason.startswith("user hub: the broker logged this session out: another program")
            assert (await desk.report(LinkReport)).up
            assert len(desk.broker.tokens) == 2

    run(main())


def test_a_hub_that_refuses_the_token_gets_a_new_one() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.broker.refused_tokens = set(desk.broker.tokens)
            await desk.broker.drop("user")
            assert (await desk.report(LinkReport, lambda link: link.up)).up
            assert len(desk.broker.tokens) == 2

    run(main())


def test_reconnections_back_off_to_10_s() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            assert desk.broker.server is not None
            await desk.broker.server.close()
            began_ns = desk.clock.now_ns()
            await asyncio.sleep(300)
            await desk.broker.start()
            await desk.report(LinkReport, lambda link: link.up)
            assert (desk.clock.now_ns() - began_ns) / 1e9 <= 311

    run(main())


WRAPS: dict[str, Callable[[object], object]] = {
    "wrapped": lambda data: {"action": 1, "data": data},
    "bare": lambda data: data,
    "array": lambda data: [data],
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_user_events_are_read_wrapped_bare_or_in_an_array(wrap: Callable[[object], object]) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("user", "GatewayUserOrder", wrap(ORDER))
            order = await desk.report(OrderReport)
            assert (order.broker_order_id, order.state, order.order_tag) == (3400000001, OrderState.REJECTED, "t1")
            await desk.broker.say("user", "GatewayUserTrade", wrap(TRADE))
            fill = await desk.report(FillReport)
            assert (fill.fill_id, fill.price_ticks, fill.pnl_usd, fill.fee_usd) == (
                3000000001,
                117_594,
                None,
                Decimal("0.36"),
            )
            await desk.broker.say("user", "GatewayUserPosition", wrap(position(2, 2)))
            assert await desk.report(PositionReport) == PositionReport(ACCOUNT, MNQ, -2, -160_000)
            data = {"id": ACCOUNT, "name": "PRAC-1", "balance": 49951.1, "canTrade": False, "simulated": True}
            await desk.broker.say("user", "GatewayUserAccount", wrap(data))
            assert await desk.report(AccountReport, lambda report: not report.can_trade) == AccountReport(
                ACCOUNT, "PRAC-1", Decimal("49951.1"), can_trade=False
            )

    run(main())


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("GatewayUserOrder", ORDER | {"status": 9}),
        ("GatewayUserOrder", ORDER | {"side": 7}),
        ("GatewayUserOrder", ORDER | {"status": 1, "limitPrice": 29398.6}),
        ("GatewayUserOrder", ORDER | {"contractId": "CON.F.US.XX.U26"}),
        ("GatewayUserTrade", TRADE | {"price": 29398.6}),
        ("GatewayUserPosition", position(3, 1)),
    ],
)
def test_an_event_that_cannot_be_interpreted_is_reported_with_its_account(target: str, data: dict[str, Any]) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("user", target, {"action": 1, "data": data})
            unreadable = await desk.report(Unreadable)
        assert unreadable.account_id == ACCOUNT
        assert unreadable.what.startswith(target)

    run(main())


@pytest.mark.parametrize("data", [7, "text", {"id": 1}, [[]]])
def test_an_event_of_another_shape_is_reported_and_the_hub_stays_up(data: object) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("user", "GatewayUserOrder", data)
            assert (await desk.report(Unreadable)).what.startswith("GatewayUserOrder")
            await desk.broker.say("user", "GatewayUserOrder", ORDER)
            await desk.report(OrderReport)

    run(main())


def test_a_contract_met_for_the_first_time_is_described_before_its_event_is_told() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.reports.clear()
            await desk.broker.say("user", "GatewayUserOrder", ORDER | {"contractId": "CON.F.US.MNQ.M26", "status": 1})
            await asyncio.sleep(1)
            assert [type(report) for report in desk.reports] == [InstrumentsReport, OrderReport]
            assert ("SubscribeContractQuotes", "CON.F.US.MNQ.M26") in desk.broker.subscribed

    run(main())


def test_quotes_of_a_contract_are_wanted_as_soon_as_something_is_held_in_it() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("user", "GatewayUserPosition", position(1, 1, MES))
            await desk.broker.say("user", "GatewayUserPosition", position(1, 2, MES))
            await asyncio.sleep(1)
            assert desk.broker.subscribed.count(("SubscribeContractQuotes", MES)) == 1

    run(main())


def test_partial_quotes_are_merged_and_stamped_by_our_clock() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": 20000, "bestAsk": 20000.25})
            await asyncio.sleep(1)
            first = await latest(desk)
            assert (first.bid_ticks, first.ask_ticks, first.last_ticks) == (80_000, 80_001, None)
            await asyncio.sleep(2)
            heard_ns = desk.clock.now_ns()
            await desk.broker.say("market", "GatewayQuote", MNQ, {"symbol": "F.US.MNQ", "lastPrice": 20000.25})
            await asyncio.sleep(1)
            assert await latest(desk) == Quote(MNQ, 80_000, 80_001, 80_001, heard_ns)

    run(main())


def test_after_a_gap_a_side_that_was_not_said_again_is_not_shown_as_fresh() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": 20000, "bestAsk": 20000.25})
            await desk.broker.drop("market")
            await desk.report(LinkReport, lambda link: not link.up)
            await desk.report(LinkReport, lambda link: link.up)
            await desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": 21000})
            await asyncio.sleep(1)
            quote = await latest(desk)
        assert (quote.bid_ticks, quote.ask_ticks) == (84_000, None)

    run(main())


def test_a_quote_feed_that_has_gone_bad_is_reported_once() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            for _ in range(5):
                await desk.broker.say("market", "GatewayQuote", MNQ, {"lastPrice": 20000.1})
            await desk.report(Unreadable)
            await desk.broker.say("market", "GatewayQuote", MNQ, {"lastPrice": 20000.25})
            await asyncio.sleep(1)
            assert not [report for report in desk.reports if isinstance(report, Unreadable)]
            await desk.broker.say("market", "GatewayQuote", MNQ, {"lastPrice": 20000.1})
            await desk.report(Unreadable)

    run(main())


LATER = "2026-11-23T15:00:02.5+00:00"


@pytest.mark.parametrize(("at", "told"), [("2026-11-23T15:00:01Z", 1), (LATER, 2), (None, 2)])
def test_a_row_that_a_later_one_has_overtaken_says_nothing_any_more(at: str | None, told: int) -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            row = ORDER | {"status": 1, "type": 4, "limitPrice": None, "stopPrice": 20_000}
            await desk.broker.say("user", "GatewayUserOrder", row | {"updateTimestamp": LATER})
            await desk.broker.say("user", "GatewayUserOrder", row | {"stopPrice": 19_990, "updateTimestamp": at})
            await asyncio.sleep(1)
            assert len([report for report in desk.reports if isinstance(report, OrderReport)]) == told

    run(main())


def test_of_no_more_orders_than_a_day_has_it_is_known_when_they_were_told_last() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            row = ORDER | {"status": 1, "type": 4, "limitPrice": None, "stopPrice": 20_000, "updateTimestamp": LATER}
            for number in range(ORDERS_KEPT + 1):
                await desk.broker.say("user", "GatewayUserOrder", row | {"id": number + 1})
            for number in (ORDERS_KEPT + 1, 1):  # the last is known, the first is not any more
                earlier = row | {"id": number, "updateTimestamp": "2026-11-23T15:00:01Z"}
                await desk.broker.say("user", "GatewayUserOrder", earlier)
            await asyncio.sleep(5)
            told = [report.broker_order_id for report in desk.reports if isinstance(report, OrderReport)]
            assert told[ORDERS_KEPT + 1 :] == [1]

    run(main())
