"""What an answer of the broker's proves, and the token behind every request."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from ordergate.broker.projectx.session import Credentials
from ordergate.bus.port import Topic
from ordergate.core.effects import Cancel, Modify
from ordergate.core.order import OrderType
from ordergate.core.reports import (
    CancelOutcome,
    InstrumentsReport,
    LinkReport,
    ModifyOutcome,
    Outcome,
    PlaceOutcome,
)
from ordergate.errors import StartRefused
from ordergate.net.port import Response
from ordergate.telemetry import configure, logger
from tests.broker.stand_in import ACCOUNT, API_KEY, MES, MNQ, Desk, contract
from tests.simulation.virtual_time import run

PLACE = "Order/place"


def failure(code: int, text: str | None = None, **members: Any) -> dict[str, Any]:
    return {"success": False, "errorCode": code, "errorMessage": text} | members


DONE, REFUSED, UNKNOWN, NOT_SENT = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.NOT_SENT

PLACE_ANSWERS: list[tuple[dict[str, Any] | Response, Outcome]] = [
    ({"orderId": 9057}, DONE),
    ({"orderId": None}, UNKNOWN),
    ({"orderId": 0}, UNKNOWN),
    ({}, UNKNOWN),
    # A rejection creates an order and names it (ProjectX API notes, section 4.1).
    (failure(2, "Brackets cannot be used with Position Brackets.", orderId=9057), REFUSED),
    *((failure(code, None, orderId=None), REFUSED) for code in (1, 2, 3, 4, 5, 8, 9, 10)),
    *((failure(code, None, orderId=None), UNKNOWN) for code in (6, 7, 11, 99)),
    (failure(2, "Custom tag already in use.", orderId=9058), UNKNOWN),
    (failure(2, "the custom TAG already in use"), UNKNOWN),
    ({"success": True, "errorCode": 2, "orderId": 9057}, UNKNOWN),
    ({"success": False, "errorCode": 0, "orderId": 9057}, UNKNOWN),
    (Response(200, b'{"success":true,"errorCode":0,"orderId":90'), UNKNOWN),
    (Response(200, b"<html>maintenance</html>"), UNKNOWN),
    (Response(200, b'{"success":true,"errorCode":0,"orderId":"9057"}'), UNKNOWN),
    (Response(500), UNKNOWN),
    (Response(502), UNKNOWN),
    (Response(404), UNKNOWN),
    (Response(408), UNKNOWN),
    (Response(400), REFUSED),
    (Response(403), REFUSED),
    (Response(429), NOT_SENT),
]


@pytest.mark.parametrize(("answer", "outcome"), PLACE_ANSWERS)
def test_a_place_ends_as_its_answer_proves(answer: dict[str, Any] | Response, outcome: Outcome) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script[PLACE] = lambda _body: answer
        async with desk.open():
            await desk.send(desk.approved())
            told = await desk.report(PlaceOutcome)
        assert told.outcome is outcome
        assert told.text or outcome is DONE
        assert desk.broker.count(PLACE) == 1

    run(main())


def test_a_rejection_carries_its_code_its_text_and_the_order_it_created() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script[PLACE] = lambda _body: failure(2, "Invalid price.", orderId=9057)
        async with desk.open():
            await desk.send(desk.approved())
            told = await desk.report(PlaceOutcome)
            assert told == PlaceOutcome(ACCOUNT, "tag-1", REFUSED, 9057, 2, "Invalid price.")
            desk.broker.script[PLACE] = lambda _body: failure(9)
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).text == "contract not active"

    run(main())


MODIFY_ANSWERS = [
    (1, REFUSED), (2, REFUSED), (3, REFUSED), (4, UNKNOWN), (5, UNKNOWN), (6, REFUSED), (7, REFUSED), (8, UNKNOWN),
]  # fmt: skip
CANCEL_ANSWERS = [(1, REFUSED), (2, REFUSED), (3, REFUSED), (4, UNKNOWN), (5, UNKNOWN), (6, REFUSED), (7, UNKNOWN)]


@pytest.mark.parametrize(("code", "outcome"), MODIFY_ANSWERS)
def test_a_modify_is_refused_only_by_a_final_code(code: int, outcome: Outcome) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["Order/modify"] = lambda _body: failure(code)
        async with desk.open():
            place = desk.place(order_type=OrderType.LIMIT, limit_ticks=80_000)
            await desk.send(desk.approved(Modify(place.terms, place.order_tag, 9001, place.grant)))
            told = await desk.report(ModifyOutcome)
        assert (told.outcome, told.code) == (outcome, code)

    run(main())


@pytest.mark.parametrize(("code", "outcome"), CANCEL_ANSWERS)
def test_a_cancel_is_refused_only_by_a_final_code(code: int, outcome: Outcome) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["Order/cancel"] = lambda _body: failure(code)
        async with desk.open():
            await desk.send(Cancel(ACCOUNT, 9001), Topic.EXITS)
            told = await desk.report(CancelOutcome)
        assert (told.outcome, told.code, told.forbidden) == (outcome, code, code == 6)

    run(main())


def test_an_order_to_a_broker_that_is_gone_is_not_sent() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            assert desk.broker.server is not None
            await desk.broker.server.close()
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is NOT_SENT

    run(main())


def test_a_broker_that_dies_with_the_order_in_its_hands_leaves_it_unknown() -> None:
    async def main() -> None:
        desk = Desk()
        entered = asyncio.Event()

        async def hang(_body: dict[str, Any]) -> Response:
            entered.set()
            await asyncio.Event().wait()
            raise AssertionError

        desk.broker.script[PLACE] = hang
        async with desk.open():
            await desk.send(desk.approved())
            await entered.wait()
            assert desk.broker.server is not None
            await desk.broker.server.close()
            assert (await desk.report(PlaceOutcome)).outcome is UNKNOWN

    run(main())


def test_an_order_without_an_answer_in_time_is_unknown() -> None:
    async def main() -> None:
        desk = Desk(request_timeout_s=3.0)

        async def slow(body: dict[str, Any]) -> dict[str, Any]:
            await asyncio.sleep(4)
            return {"orderId": desk.broker.placed(body)["id"]}

        desk.broker.script[PLACE] = slow
        async with desk.open():
            began_ns = desk.clock.now_ns()
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is UNKNOWN
            assert 3 <= (desk.clock.now_ns() - began_ns) / 1e9 < 3.5

    run(main())


def test_after_a_429_an_order_is_not_sent_and_a_cancel_still_goes() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script[PLACE] = lambda _body: Response(429)
        async with desk.open():
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            await desk.send(desk.approved())
            told = await desk.report(PlaceOutcome)
            assert told.outcome is NOT_SENT
            assert "request limit" in told.text
            await desk.send(Cancel(ACCOUNT, 9001), Topic.EXITS)
            assert (await desk.report(CancelOutcome, within_s=1)).outcome is DONE
        assert desk.broker.count(PLACE) == 1

    run(main())


def test_a_token_that_is_refused_is_renewed_once_and_the_order_sent_again() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            desk.broker.refused_tokens = set(desk.broker.tokens)
            for _ in range(3):
                await desk.send(desk.approved())
            outcomes = [(await desk.report(PlaceOutcome)).outcome for _ in range(3)]
            assert outcomes == [DONE, DONE, DONE]
        assert desk.broker.count("Auth/loginKey") == 2, "one at the start, one for all three"
        assert len(desk.broker.orders) == 3

    run(main())


def test_an_order_that_is_refused_with_401_twice_is_not_sent() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script[PLACE] = lambda _body: Response(401)
        async with desk.open():
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is NOT_SENT
        assert desk.broker.count(PLACE) == 2

    run(main())


def test_the_token_is_renewed_before_it_expires() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await asyncio.sleep(3_600 - 500)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            assert (desk.broker.count("Auth/validate"), desk.broker.count("Auth/loginKey")) == (1, 1)
            assert desk.broker.count(PLACE) == 1
            assert len(desk.broker.tokens) == 2

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        Response(401),
        Response(404),
        Response(502),
        {"success": False, "errorCode": 3, "newToken": None},
        {"success": False, "errorCode": 3, "newToken": "one that works"},
        {"newToken": None},
    ],
    ids=["401", "404", "502", "refused", "refused with a token", "no token"],
)
def test_a_token_that_cannot_be_validated_is_renewed_by_a_login(answer: Any) -> None:
    async def main() -> None:
        desk = Desk()
        works = isinstance(answer, dict) and answer["newToken"] is not None
        desk.broker.script["Auth/validate"] = lambda _body: (
            answer | {"newToken": desk.broker.token()} if works else answer
        )
        async with desk.open():
            await asyncio.sleep(3_600 - 500)
            await desk.send(desk.approved())
            assert (await desk.report(PlaceOutcome)).outcome is DONE
            assert (desk.broker.count("Auth/validate"), desk.broker.count("Auth/loginKey")) == (1, 2)

    run(main())


def test_while_the_login_is_out_the_old_token_serves_on_and_it_is_tried_once_a_minute() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            await asyncio.sleep(3_600 - 700)
            for endpoint in ("Auth/loginKey", "Auth/validate"):
                desk.broker.script[endpoint] = lambda _body: Response(502)
            await asyncio.sleep(200)
            for _ in range(5):
                await desk.send(desk.approved())
                assert (await desk.report(PlaceOutcome)).outcome is DONE
        assert len(desk.broker.tokens) == 1
        assert 2 <= desk.broker.count("Auth/loginKey") <= 4

    run(main())


def test_a_token_that_cannot_be_read_is_taken_to_live_a_day() -> None:
    async def main() -> None:
        desk = Desk()

        def opaque(_body: dict[str, Any]) -> dict[str, Any]:
            desk.broker.tokens.append(f"opaque-{len(desk.broker.tokens)}")
            return {"token": desk.broker.tokens[-1]}

        desk.broker.script["Auth/loginKey"] = opaque
        desk.broker.script["Auth/validate"] = lambda _body: {"newToken": opaque({})["token"]}
        async with desk.open():
            await asyncio.sleep(80_000)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            assert desk.broker.tokens == ["opaque-0"]
            await asyncio.sleep(6_000)
            await desk.send(desk.approved())
            await desk.report(PlaceOutcome)
            assert desk.broker.tokens == ["opaque-0", "opaque-1"]

    run(main())


def test_a_contract_that_rolls_while_we_run_is_met_and_the_old_one_is_active_no_more() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            rolled = [contract("MNQ", 0.5) | {"id": "CON.F.US.MNQ.Z26"}, contract("MES", 1.25)]
            desk.broker.script["Contract/available"] = lambda _body: Response(502)
            await asyncio.sleep(700)
            assert desk.broker.count("Contract/available") == 2
            desk.broker.script["Contract/available"] = lambda _body: {"contracts": rolled}
            await asyncio.sleep(600)
            told = await desk.report(InstrumentsReport, lambda told: len(told.instruments) == 3)
            active = {each.contract_id: each.active for each in told.instruments}
            assert active == {MNQ: False, MES: True, "CON.F.US.MNQ.Z26": True}
            assert ("SubscribeContractQuotes", "CON.F.US.MNQ.Z26") in desk.broker.subscribed

    run(main())


def test_with_a_clock_that_is_off_by_more_than_a_token_lives_there_is_no_storm_of_logins() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.token_lifetime_s = -3600
        async with desk.open():
            for _ in range(5):
                await desk.send(desk.approved())
                assert (await desk.report(PlaceOutcome)).outcome is DONE
        assert desk.broker.count("Auth/loginKey") == 1

    run(main())


def test_a_login_that_is_refused_stops_the_start_and_says_what_to_check() -> None:
    async def main() -> None:
        desk = Desk(credentials=Credentials("trader", "wrong"))
        async with desk.open(until_linked=False) as manager:
            with pytest.raises(StartRefused, match=r"'trader': invalid credentials \(code 3\)"):
                await manager.run()

    run(main())


def names(endpoint: str, link: LinkReport) -> bool:
    return endpoint in link.reason


def test_a_broker_that_is_out_at_the_start_is_waited_for() -> None:
    async def main() -> None:
        desk = Desk()
        for endpoint in ("Auth/loginKey", "Contract/available", "Account/search"):
            desk.broker.script[endpoint] = lambda _body: Response(503)
        async with desk.open(until_linked=False):
            for endpoint in ("Auth/loginKey", "Contract/available", "Account/search"):
                assert not (await desk.report(LinkReport, partial(names, endpoint))).up
                await asyncio.sleep(60)
                del desk.broker.script[endpoint]
            await desk.report(LinkReport, lambda link: link.up)

    run(main())


def test_no_secret_reaches_a_log_a_report_or_the_text_of_the_settings() -> None:
    async def main() -> None:
        desk = Desk()
        with capture_logs() as logs:
            async with desk.open():
                await desk.broker.drop("user")
                desk.broker.refused_tokens = set(desk.broker.tokens)
                await desk.send(desk.approved())
                await desk.report(PlaceOutcome)
                assert desk.broker.server is not None
                await desk.broker.server.close()
                await desk.send(desk.approved())
                await desk.report(PlaceOutcome)
                await asyncio.sleep(60)
        told = f"{logs} {desk.reports} {Credentials('trader', API_KEY)!r} {Credentials('trader', API_KEY)}"
        assert len(logs) > 3
        for secret in (API_KEY, *desk.broker.tokens):
            assert secret not in told

    run(main())


def test_from_its_receipt_on_a_token_is_in_no_line_of_the_log_whoever_says_it() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            stream = io.StringIO()
            configure("debug", json_lines=True, stream=stream, clock=desk.clock, libraries=False)
            (token,) = desk.broker.tokens
            logger("hubs").warning("gone", url=f"wss://host/hubs/user?access_token={token}")
        assert "access_token=[redacted]" in stream.getvalue()
        assert token not in stream.getvalue()

    try:
        run(main())
    finally:
        structlog.reset_defaults()
