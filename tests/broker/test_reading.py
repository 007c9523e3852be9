"""What readings cost of the request limit: accounts are read together, and the reserve is for exits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordergate.broker.account_rows import AccountRows
from ordergate.broker.projectx.budget import RequestBudget, RequestLimits
from ordergate.broker.projectx.client import Client
from ordergate.broker.projectx.rest import Passage, Rest
from ordergate.broker.projectx.session import Credentials, Session
from ordergate.bus.port import Topic
from ordergate.core.effects import LookUp, ReadSnapshot, Urgency
from ordergate.core.events import ApprovalKind
from ordergate.core.order import Side
from ordergate.core.reports import BrokerSnapshot, LinkReport, LookupOutcome, Outcome, PlaceOutcome, Unreadable
from ordergate.errors import NoRoom, NotSent, OutcomeUnknown, TransportError
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, API_KEY, Desk, position
from tests.simulation.virtual_time import run

ACCOUNTS = tuple(range(ACCOUNT, ACCOUNT + 20))
SEARCH = "Account/search"
TIGHT = RequestLimits(requests_max=20, window_s=60, reserve=8)


def rows(balance: int = 50_000) -> dict[str, Any]:
    return {"accounts": [{"id": key, "name": f"PRAC-{key}", "balance": balance, "canTrade": True} for key in ACCOUNTS]}


def with_twenty_accounts(**settings: Any) -> Desk:
    desk = Desk(**settings)
    desk.broker.script[SEARCH] = lambda _body: rows()
    return desk


def went_down(desk: Desk) -> bool:
    return any(isinstance(report, LinkReport) and not report.up for report in desk.reports)


async def rows_of(desk: Desk) -> AccountRows:
    rest = Rest(desk.network, await desk.broker.start(), RequestBudget(RequestLimits()), 10)
    session = Session(rest, desk.clock, Credentials("trader", API_KEY))
    return AccountRows(Client(rest, rest, session), Passage(exits=False, wait_s=1))


def test_snapshots_asked_for_together_read_the_accounts_twice_at_most() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=400))
        async with desk.open():
            before = desk.broker.count(SEARCH)
            for account_id in ACCOUNTS:
                await desk.send(ReadSnapshot(account_id, 0))
            read = {(await desk.report(BrokerSnapshot)).account.account_id for _ in ACCOUNTS}
            assert read == set(ACCOUNTS)
            assert desk.broker.count(SEARCH) - before <= 2

    run(main())


def test_a_snapshot_shows_no_account_that_was_read_before_it_was_asked_for() -> None:
    async def main() -> None:
        desk = with_twenty_accounts()
        async with desk.open():
            balance, before = 50_000, desk.broker.count(SEARCH)

            async def slow(_body: dict[str, Any]) -> dict[str, Any]:
                said = rows(balance)
                await asyncio.sleep(2)
                return said

            desk.broker.script[SEARCH] = slow
            await desk.send(ReadSnapshot(ACCOUNTS[0], 0))
            await asyncio.sleep(1)
            balance = 40_000
            for account_id in ACCOUNTS[1:3]:
                await desk.send(ReadSnapshot(account_id, 0))
            shown = [(await desk.report(BrokerSnapshot)).account.balance_usd for _ in range(3)]
            assert shown == [50_000, 40_000, 40_000]
            assert desk.broker.count(SEARCH) - before == 2

    run(main())


@pytest.mark.parametrize(("out", "failure"), [(SEARCH, OutcomeUnknown), ("Auth/loginKey", NotSent)])
def test_accounts_that_could_not_be_read_are_no_ones_and_the_next_reading_is_a_new_one(
    out: str, failure: type[TransportError]
) -> None:
    """Whether the request has left or not."""

    async def main() -> None:
        desk = Desk()
        shared = await rows_of(desk)
        desk.broker.script[out] = lambda _body: Response(502)
        ends = await asyncio.gather(*(shared.row(ACCOUNT) for _ in range(3)), return_exceptions=True)
        assert [type(end) for end in ends] == [failure] * 3
        assert desk.broker.count(out) == 1
        del desk.broker.script[out]
        await asyncio.sleep(5)
        assert (await shared.row(ACCOUNT)).id == ACCOUNT

    run(main())


def test_who_shares_a_reading_with_one_who_is_gone_reads_himself() -> None:
    async def main() -> None:
        desk = Desk()
        shared = await rows_of(desk)
        left = list[str]()
        first = asyncio.create_task(shared.row(ACCOUNT, lambda: left.append("first")))
        second = asyncio.create_task(shared.row(ACCOUNT, lambda: left.append("second")))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).id == ACCOUNT
        assert "second" in left

    run(main())


def test_readings_leave_the_reserve_to_exits_and_the_link_as_it_is() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=TIGHT)
        async with desk.open() as manager:
            for number in range(20):
                await desk.send(LookUp(ACCOUNT, f"tag-{number}", 0))
            for account_id in ACCOUNTS:
                await desk.send(ReadSnapshot(account_id, 0))
            await asyncio.sleep(1)
            await desk.broker.say("user", "GatewayUserPosition", position(1, 1, "CON.F.US.MNQ.M26"))
            assert (await desk.report(Unreadable, within_s=5)).account_id == ACCOUNT
            assert (await desk.report(LookupOutcome, within_s=15)).outcome is Outcome.UNKNOWN
            assert manager.health().components.request_budget.left_for_exits == TIGHT.reserve
            await asyncio.sleep(10)
            assert not went_down(desk), "want of room says nothing of the broker"

    run(main())


def test_what_an_exit_hangs_on_is_read_out_of_the_reserve() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=24, window_s=60, reserve=12))
        desk.broker.positions = [position(1, 1)]
        async with desk.open():
            for number in range(20):
                await desk.send(LookUp(ACCOUNT, f"tag-{number}", 0))
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            await asyncio.sleep(1)
            await desk.send(ReadSnapshot(ACCOUNT, 0, Urgency.EXIT))
            assert (await desk.report(BrokerSnapshot, within_s=1)).account.account_id == ACCOUNT
            await desk.send(LookUp(ACCOUNT, "a stop", 0, urgent=True))
            found = await desk.report(LookupOutcome, lambda told: told.order_tag == "a stop", within_s=1)
            assert found.outcome is Outcome.DONE
            closing = desk.place(kind=ApprovalKind.REDUCING, side=Side.SELL)
            await desk.send(desk.approved(closing), Topic.EXITS)
            assert (await desk.report(PlaceOutcome, within_s=1)).outcome is Outcome.DONE

    run(main())


def test_snapshots_that_can_wait_leave_room_for_one_that_cannot_and_for_orders() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=48, window_s=60, reserve=8))
        async with desk.open() as manager:
            for account_id in ACCOUNTS:
                await desk.send(ReadSnapshot(account_id, 0))
            await asyncio.sleep(5)
            assert 8 <= manager.health().components.request_budget.left < 8 + 6
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome, within_s=1)).outcome is Outcome.DONE
            desk.reports.clear()
            await desk.send(ReadSnapshot(ACCOUNTS[-1], 0, Urgency.SOON))
            assert (await desk.report(BrokerSnapshot, within_s=1)).account.account_id == ACCOUNTS[-1]

    run(main())


def test_an_urgent_snapshot_begins_though_one_of_the_account_that_is_not_waits_already() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=20, window_s=60, reserve=6))
        async with desk.open() as manager:
            while manager.health().components.request_budget.left > 6:
                await desk.send(LookUp(ACCOUNT, "tag", 0))
                await asyncio.sleep(1)
            await desk.send(ReadSnapshot(ACCOUNT, 0))
            await asyncio.sleep(1)
            assert not desk.broker.count("Position/searchOpen")
            await desk.send(ReadSnapshot(ACCOUNT, 0, Urgency.SOON))
            assert (await desk.report(BrokerSnapshot, within_s=1)).account.account_id == ACCOUNT

    run(main())


def test_a_snapshot_begins_only_with_room_for_all_of_it_so_its_positions_are_as_old_as_its_fills() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=48, window_s=60, reserve=8))
        loop, asked_s = asyncio.get_running_loop(), dict[tuple[str, int], float]()

        def seen(path: str, key: str) -> None:
            def answer(body: dict[str, Any]) -> dict[str, Any]:
                asked_s[path, body["accountId"]] = loop.time()
                return {key: []}

            desk.broker.script[path] = answer

        seen("Position/searchOpen", "positions")
        seen("Trade/search", "trades")
        async with desk.open():
            await desk.send(LookUp(ACCOUNT, "tag", 0))
            for account_id in ACCOUNTS:
                await desk.send(ReadSnapshot(account_id, 0))
            for _ in ACCOUNTS:
                await desk.report(BrokerSnapshot, within_s=700)
            took_s = [asked_s["Trade/search", key] - asked_s["Position/searchOpen", key] for key in ACCOUNTS]
            assert max(took_s) < 1

    run(main())


def test_snapshots_that_need_several_windows_of_the_limit_wait_and_are_all_read() -> None:
    async def main() -> None:
        desk = with_twenty_accounts(limits=RequestLimits(requests_max=48, window_s=60, reserve=8))
        async with desk.open():
            for account_id in ACCOUNTS:
                await desk.send(ReadSnapshot(account_id, 0))
            for _ in ACCOUNTS:
                await desk.report(BrokerSnapshot, within_s=700)
            assert not went_down(desk)

    run(main())


def test_who_waits_for_room_waits_in_line_no_longer_than_he_may_and_not_at_all_in_vain() -> None:
    async def main() -> None:
        desk = Desk()
        loop, budget = asyncio.get_running_loop(), RequestBudget(RequestLimits(requests_max=1, window_s=60, reserve=0))
        rest = Rest(desk.network, await desk.broker.start(), budget, 10)
        client = Client(rest, rest, Session(rest, desk.clock, Credentials("trader", API_KEY)))
        ends = dict[str, tuple[float, bool]]()

        async def ask(name: str, wait_s: float) -> None:
            began_s = loop.time()
            try:
                await client.contracts(Passage(exits=False, wait_s=wait_s))
            except NoRoom:
                ends[name] = round(loop.time() - began_s), False
            else:
                ends[name] = round(loop.time() - began_s), True

        waits = {"first": 300, "second": 300, "may wait 70 s": 70, "may wait 5 s": 5, "last": 300}
        await asyncio.gather(*(ask(name, wait_s) for name, wait_s in waits.items()))
        assert ends == {
            "may wait 5 s": (0, False),
            "first": (60, True),
            "may wait 70 s": (70, False),
            "second": (120, True),
            "last": (180, True),
        }

    run(main())


@pytest.mark.parametrize("alive", [True, False], ids=["beside a token that lives", "without a token"])
def test_only_a_login_without_a_token_uses_the_reserve(*, alive: bool) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = 3_500
        budget = RequestBudget(TIGHT)
        session = Session(
            Rest(desk.network, await desk.broker.start(), budget, 10), desk.clock, Credentials("trader", API_KEY)
        )
        token = await session.token()
        await asyncio.sleep(3_000)
        for _ in range(TIGHT.requests_max - TIGHT.reserve):
            budget.spend(asyncio.get_running_loop().time())
        if alive:
            assert await session.token() == token
            await asyncio.sleep(1)
            assert len(desk.broker.asked) == 1
        else:
            session.refused(token)
            assert await session.token() == desk.broker.tokens[1]

    run(main())
