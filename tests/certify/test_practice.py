"""A practice account as the venue, with the simulated exchange in TopstepX's place, in real time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from ordergate.app import broker_settings
from ordergate.broker.projectx.messages import Account
from ordergate.certify.command import Asked, VenueName, certified, chosen
from ordergate.certify.line import Line
from ordergate.certify.practice import name_refusal, practice_account, refusal
from ordergate.certify.report import Report
from ordergate.certify.run import Ended
from ordergate.clock import SystemClock
from ordergate.core.modes import Modes
from ordergate.core.order import BracketMode
from ordergate.errors import StartRefused
from ordergate.exchange.server import Exchange
from ordergate.exchange.settings import ExchangeSettings
from ordergate.exchange.store import MemoryStore
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Response
from ordergate.settings import Broker, Settings

PRACTICE = "PRACTICE-50K-1"
COMBINE = Account(7, "50KTC-V2-DLL-1234-1", Decimal(50_000), can_trade=True, simulated=True)


@contextlib.asynccontextmanager
async def topstepx() -> AsyncIterator[tuple[Exchange, Settings]]:
    """An exchange, and the settings by which it is reached as TopstepX is."""
    network = HttpNetwork()
    exchange = Exchange(
        ExchangeSettings(symbols=("MES", "MNQ"), account_count=1, requests_max=10_000), MemoryStore(10), SystemClock()
    )
    await exchange.start(network, "127.0.0.1", 0)
    url = exchange.url
    broker = Broker(f"{url}/api", f"{url}/hubs/user", f"{url}/hubs/market", exchange.user_name, exchange.api_key)
    try:
        yield exchange, Settings(broker=broker)
    finally:
        await exchange.close()
        await network.close()


class Rewritten(HttpNetwork):
    """A line on which a few words of every answer are others. ``asked`` is what was asked for."""

    def __init__(self, words: bytes, instead: bytes) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._words = words
        self._instead = instead

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float,
    ) -> Response:
        self.asked.append(url.partition("/api/")[2])
        answer = await super().request(method, url, headers=headers, body=body, timeout_s=timeout_s)
        return replace(answer, body=answer.body.replace(self._words, self._instead))


async def asked_for(settings: Settings, name: str, network: Any) -> int:
    try:
        return await practice_account(network, SystemClock(), broker_settings(settings), name)
    finally:
        await network.close()


async def played(settings: Settings, *sentences: str) -> Report:
    asked = Asked(VenueName.TOPSTEPX, PRACTICE)
    cases = tuple(case for sentence in sentences for case in chosen(sentence))
    return await certified(settings, asked, cases, lambda _: None)


@pytest.mark.parametrize("name", ["PRAC-V2-1234-1", "PRACTICE-50K-1"])
def test_a_practice_accounts_name_is_taken(name: str) -> None:
    assert name_refusal(name) is None


@pytest.mark.parametrize(
    "name", ["50KTC-V2-DLL-1234-1", "EXPRESS-V2-1234-1", "MY-PRAC-1", "prac-v2-1-1", "PRAC-", "PRACTICAL", ""]
)
def test_any_other_name_is_refused_with_why_and_what_to_do(name: str) -> None:
    said = name_refusal(name)
    assert said is not None
    assert f"account {name!r} is not a practice account: its name does not begin with PRAC-" in said
    assert "--account" in said


def test_a_combine_is_refused_though_the_broker_calls_it_simulated() -> None:
    assert "its name does not begin with PRAC-" in (refusal(COMBINE) or "")


@pytest.mark.parametrize(("simulated", "said"), [(False, "says that it is not"), (None, "does not say that it is")])
def test_an_account_that_the_broker_does_not_call_simulated_is_refused_whatever_its_name(
    simulated: bool | None,  # noqa: FBT001 - the broker's own member
    said: str,
) -> None:
    assert f"the broker {said} simulated" in (refusal(replace(COMBINE, name=PRACTICE, simulated=simulated)) or "")


def test_a_locked_account_is_refused() -> None:
    assert "is locked" in (refusal(replace(COMBINE, name=PRACTICE, can_trade=False)) or "")


async def test_with_a_name_that_is_not_a_practice_accounts_nothing_is_sent_at_all() -> None:
    async with topstepx() as (_, settings):
        line = Line(HttpNetwork())
        with pytest.raises(StartRefused, match="not a practice account"):
            await asked_for(settings, COMBINE.name, line)
        assert line.sent == {}


async def test_an_account_that_is_not_simulated_is_asked_for_and_nothing_more() -> None:
    async with topstepx() as (_, settings):
        line = Rewritten(b'"simulated":true', b'"simulated":false')
        with pytest.raises(StartRefused, match="says that it is not simulated"):
            await asked_for(settings, PRACTICE, line)
        assert line.asked == ["Auth/loginKey", "Account/search"]


async def test_a_practice_account_is_found_and_one_that_is_not_there_is_told_what_is() -> None:
    async with topstepx() as (exchange, settings):
        assert await asked_for(settings, PRACTICE, HttpNetwork()) == exchange.account_ids[0]
        with pytest.raises(StartRefused, match=f"no active account 'PRAC-V2-1-1': it has {PRACTICE}"):
            await asked_for(settings, "PRAC-V2-1-1", HttpNetwork())


async def test_a_login_that_is_refused_says_so() -> None:
    async with topstepx() as (_, settings):
        wrong = replace(settings, broker=replace(settings.broker, api_key="no-such-key"))
        with pytest.raises(StartRefused, match="does not tell its accounts") as refused:
            await asked_for(wrong, PRACTICE, HttpNetwork())
        assert "no-such-key" not in str(refused.value)


async def test_in_shadow_mode_nothing_is_certified_since_nothing_would_be_sent() -> None:
    async with topstepx() as (_, settings):
        with pytest.raises(StartRefused, match="shadow mode is on"):
            await played(replace(settings, modes=Modes(shadow=True)), "a market order to buy")


async def test_what_the_broker_can_be_asked_for_is_played_and_the_rest_skipped_with_its_reason() -> None:
    async with topstepx() as (_, settings):
        told = await played(
            settings,
            "a market order to buy",
            "a limit order that rests",
            "native: with the fill of a buy",
            "after the roll",
        )
    ended = {case.name.partition(",")[0]: case for case in told.cases}
    assert ended["a market order to buy fills"].ended is Ended.PASSED, told
    assert ended["a limit order that rests is told with its price and quantity"].ended is Ended.PASSED, told
    assert ended["native: with the fill of a buy a stop rests below and a target above"].ended is Ended.SKIPPED
    assert told.failed == 0
    assert told.account == PRACTICE


async def test_every_case_leaves_the_account_empty_also_one_that_fails() -> None:
    async with topstepx() as (exchange, settings):
        native = replace(settings, bracket_mode=BracketMode.AUTO_OCO)
        told = await played(native, "native: with the fill of a sell", "an order through flat")
        assert [case.ended for case in told.cases] == [Ended.PASSED] * 2, told
        assert await left_in(exchange) == ([], [])


async def test_an_account_that_holds_something_is_not_touched() -> None:
    async with topstepx() as (exchange, settings):
        await order_elsewhere(exchange)
        before = await left_in(exchange)
        told = await played(settings, "a market order to sell")
        (case,) = told.cases
        assert case.why.startswith("the account is not empty, flatten it first: a position of +1 of CON.F.US.MES.")
        assert await left_in(exchange) == before


async def test_tags_of_one_certification_are_not_those_of_the_next() -> None:
    async with topstepx() as (_, settings):
        for _ in range(2):
            told = await played(settings, "an order is told under the tag")
            assert told.failed == 0, told
            await asyncio.sleep(1)


async def asked(exchange: Exchange, path: str, body: dict[str, Any], token: str = "") -> Any:
    network = HttpNetwork()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    try:
        url = f"{exchange.url}/{path}"
        method = "POST" if body else "GET"
        data = msgspec.json.encode(body) if body else b""
        answer = await network.request(method, url, headers=headers, body=data, timeout_s=5)
    finally:
        await network.close()
    return msgspec.json.decode(answer.body)


async def left_in(exchange: Exchange) -> tuple[list[Any], list[Any]]:
    """Positions and orders of the account, by the exchange's own page."""
    state = await asked(exchange, "sim/state", {})
    positions = [(row["contract"], row["net"]) for account in state["accounts"] for row in account["positions"]]
    return positions, [row["orderId"] for row in state["orders"] if row["status"] in ("open", "suspended")]


async def order_elsewhere(exchange: Exchange) -> None:
    login = await asked(exchange, "api/Auth/loginKey", {"userName": exchange.user_name, "apiKey": exchange.api_key})
    contracts = await asked(exchange, "api/Contract/available", {"live": False}, login["token"])
    contract_id = next(row["id"] for row in contracts["contracts"] if ".MES." in row["id"])
    body = {"accountId": exchange.account_ids[0], "contractId": contract_id, "type": 2, "side": 0, "size": 1}
    assert (await asked(exchange, "api/Order/place", body, login["token"]))["success"]
