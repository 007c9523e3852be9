"""The token: who waits for its renewal, who does not, and how often one that fails is tried again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ordergate.broker.projectx.budget import RequestBudget, RequestLimits
from ordergate.broker.projectx.rest import Rest
from ordergate.broker.projectx.session import Credentials, Session
from ordergate.core.effects import LookUp
from ordergate.core.reports import LinkReport, LookupOutcome, Outcome, PlaceOutcome
from ordergate.errors import BrokerRefused, NotSent, OutcomeUnknown
from ordergate.net.port import Response
from tests.broker.stand_in import ACCOUNT, API_KEY, Desk
from tests.simulation.virtual_time import run

LOGIN, VALIDATE = "Auth/loginKey", "Auth/validate"
LIFE_S = 3_500  # ends where nothing else is asked for: contracts are read every ten minutes


async def hangs(_body: dict[str, Any]) -> Response:
    """Longer than any deadline of ours."""
    await asyncio.sleep(60)
    return Response(502)


def refuses(_body: dict[str, Any]) -> dict[str, Any]:
    return {"success": False, "errorCode": 3, "token": None}


async def session_of(desk: Desk) -> Session:
    rest = Rest(desk.network, await desk.broker.start(), RequestBudget(RequestLimits()), 10)
    return Session(rest, desk.clock, Credentials("trader", API_KEY))


async def login_times(desk: Desk, session: Session, seconds: int) -> list[int]:
    """Ask for a token twice a second; in which seconds a login left."""
    times, seen = list[int](), desk.broker.count(LOGIN)
    for step in range(2 * seconds):
        with pytest.raises((BrokerRefused, OutcomeUnknown)):
            await session.token()
        times += [step // 2] * (desk.broker.count(LOGIN) - seen)
        seen = desk.broker.count(LOGIN)
        await asyncio.sleep(0.5)
    return times


def test_no_order_waits_for_the_renewal_of_a_token_that_lives() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        async with desk.open():
            await asyncio.sleep(LIFE_S - 595)
            desk.broker.script |= {LOGIN: hangs, VALIDATE: hangs}
            for _ in range(8):
                await desk.send(desk.approved())
            for _ in range(8):
                assert (await desk.report(PlaceOutcome, within_s=1)).outcome is Outcome.DONE
            assert desk.broker.count(VALIDATE) == 1
            await asyncio.sleep(25)
            assert (desk.broker.count(VALIDATE), desk.broker.count(LOGIN)) == (1, 2), "one for all eight"

    run(main())


def test_a_token_that_was_renewed_beside_the_orders_is_the_next_ones() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        session = await session_of(desk)
        first = await session.token()
        await asyncio.sleep(LIFE_S - 595)
        assert await session.token() == first
        await asyncio.sleep(1)
        assert await session.token() == desk.broker.tokens[1]

    run(main())


def test_one_login_that_fails_is_the_failure_of_all_who_wait_for_it() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.broker.refused_tokens.update(desk.broker.tokens)
            desk.broker.script[LOGIN] = hangs
            for number in range(40):
                await desk.send(LookUp(ACCOUNT, f"tag-{number}", 0))
            for _ in range(40):
                assert (await desk.report(LookupOutcome, within_s=11)).outcome is Outcome.UNKNOWN
            assert desk.broker.count(LOGIN) == 2, "one at the start, one for all forty"

    run(main())


def test_without_a_token_a_login_that_fails_is_tried_again_after_1_2_4_and_at_last_every_30_seconds() -> None:
    async def main() -> None:
        desk = Desk()
        session = await session_of(desk)
        desk.broker.script[LOGIN] = lambda _body: Response(502)
        assert await login_times(desk, session, 100) == [0, 1, 3, 7, 15, 31, 61, 91]
        del desk.broker.script[LOGIN]
        await asyncio.sleep(30)
        session.refused(await session.token())
        desk.broker.script[LOGIN] = lambda _body: Response(502)
        assert await login_times(desk, session, 5) == [0, 1, 3], "what works ends the growth"

    run(main())


def test_a_login_that_is_refused_for_good_is_tried_once_a_minute() -> None:
    async def main() -> None:
        desk = Desk()
        session = await session_of(desk)
        desk.broker.script[LOGIN] = refuses
        assert await login_times(desk, session, 150) == [0, 60, 120]

    run(main())


def test_a_key_that_was_refused_before_the_token_ended_is_not_tried_sooner_for_its_end() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        session = await session_of(desk)
        token = await session.token()
        await asyncio.sleep(LIFE_S - 595)
        desk.broker.script |= {LOGIN: refuses, VALIDATE: lambda _body: Response(401)}
        assert await session.token() == token
        await asyncio.sleep(1)
        session.refused(token)
        assert await login_times(desk, session, 70) == [59]

    run(main())


def test_a_key_that_is_refused_while_we_run_takes_the_link_down_with_its_reason_and_no_request_from_exits() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open() as manager:
            await asyncio.sleep(70)
            desk.broker.refused_tokens.update(desk.broker.tokens)
            desk.broker.script[LOGIN] = refuses
            await desk.send(desk.approved())
            down = await desk.report(LinkReport, lambda link: not link.up)
            assert "REST: Auth/loginKey refused with code 3: invalid credentials" in down.reason
            await asyncio.sleep(50)
            assert desk.broker.count(LOGIN) == 2
            assert manager.health().components.token.why.endswith("refused with code 3: invalid credentials")
            del desk.broker.script[LOGIN]
            assert (await desk.report(LinkReport, lambda link: link.up)).up

    run(main())


def test_a_token_that_is_refused_while_it_is_renewed_in_vain_is_replaced_by_a_login() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S

        async def out_once(_body: dict[str, Any]) -> Response:
            await asyncio.sleep(5)
            del desk.broker.script[LOGIN]
            return Response(502)

        async with desk.open():
            await asyncio.sleep(LIFE_S - 595)
            desk.broker.script |= {LOGIN: out_once, VALIDATE: lambda _body: Response(401)}
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE
            desk.broker.refused_tokens.update(desk.broker.tokens)
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE
            assert desk.broker.count(LOGIN) == 3, "the start's, the one in vain, and one more"

    run(main())


def test_a_key_that_is_refused_for_good_while_the_token_ends_is_not_tried_twice() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        session = await session_of(desk)
        token = await session.token()
        await asyncio.sleep(LIFE_S - 595)

        async def refuses_late(body: dict[str, Any]) -> dict[str, Any]:
            await asyncio.sleep(5)
            return refuses(body)

        desk.broker.script |= {LOGIN: refuses_late, VALIDATE: lambda _body: Response(401)}
        assert await session.token() == token
        await asyncio.sleep(1)
        session.refused(token)
        with pytest.raises(BrokerRefused, match="invalid credentials"):
            await session.token()
        assert desk.broker.count(LOGIN) == 2, "the first, and the one that was refused"

    run(main())


def test_a_renewal_that_fails_beside_the_orders_is_told_by_the_health() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        async with desk.open() as manager:
            await asyncio.sleep(LIFE_S - 595)
            desk.broker.script |= {LOGIN: lambda _body: Response(502), VALIDATE: lambda _body: Response(502)}
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            token = manager.health().components.token
            assert token.status == "failing"
            assert "Auth/loginKey: HTTP status 502" in token.why
            assert not [link for link in desk.reports if isinstance(link, LinkReport) and not link.up], "it serves on"

    run(main())


def test_nothing_of_a_renewal_goes_on_when_the_connection_manager_has_ended() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = LIFE_S
        async with desk.open():
            await asyncio.sleep(LIFE_S - 595)
            desk.broker.script |= {LOGIN: hangs, VALIDATE: hangs}
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
        assert not [task.get_name() for task in asyncio.all_tasks() if "renewal" in task.get_name()]

    run(main())


def test_who_waits_for_a_session_that_is_closed_has_sent_nothing() -> None:
    async def main() -> None:
        desk = Desk()
        session = await session_of(desk)
        desk.broker.script[LOGIN] = hangs
        waiting = asyncio.create_task(session.token())
        await asyncio.sleep(1)
        await session.close()
        for asked in (waiting, session.token()):
            with pytest.raises(NotSent, match="closed"):
                await asked
        assert desk.broker.count(LOGIN) == 1

    run(main())
