"""What a session stands on: told when it changes, and never called well before it was seen."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ordergate.broker import health
from ordergate.broker.session_checks import SessionChecks, contracts, prices
from ordergate.bus.port import Topic
from ordergate.core.events import ApprovalKind
from ordergate.core.order import Side
from ordergate.core.reports import CheckReport, InstrumentsReport, Outcome, PlaceOutcome, Quote
from tests.broker.stand_in import MES, MNQ, Desk, contract, position
from tests.simulation.virtual_time import run

LISTED = {"MES": MES, "MNQ": MNQ}


def hub(*ages_ms: int | None, why: str = "", in_session: bool = True) -> health.MarketHub:
    """A market hub with a contract for each age of a quote; None: not quoted yet."""
    rows = tuple(
        health.QuotedContract(contract_id=name, instrument=name, in_session=in_session, quote_age_ms=age)
        for name, age in zip(("MES", "MNQ"), ages_ms, strict=False)
    )
    return health.MarketHub(status="stale" if why else "ok", why=why, oldest_quote_age_ms=None, contracts=rows)


def test_contracts_are_well_where_each_symbol_has_an_active_one_that_is_ours() -> None:
    found = contracts(("MES", "MNQ"), LISTED, {})
    assert (found.name, found.well) == ("contracts", True)
    assert "MES, MNQ" in found.text


def test_a_contract_that_contradicts_and_one_that_is_missing_are_both_told() -> None:
    found = contracts(("MES", "MGC"), LISTED, {MES: "the broker's tick is 1, ours 0.25"})
    assert not found.well
    assert "the broker's tick is 1" in found.text
    assert "no active contract of MGC" in found.text


def test_prices_are_well_only_when_everything_in_session_was_quoted() -> None:
    assert prices(hub(5, None)) is None
    found = prices(hub(5, 7))
    assert found == CheckReport("prices", "quotes come of MES, MNQ", well=True)
    assert prices(hub(None, in_session=False)) == CheckReport("prices", "nothing is in session", well=True)


def test_prices_that_do_not_come_are_told_with_what_that_may_mean() -> None:
    found = prices(hub(None, why="connected, but for 60 s or more no quote of MES"))
    assert found is not None
    assert (found.well, "no quote of MES" in found.text, "data subscription" in found.text) == (False, True, True)


def test_each_is_told_when_it_changes_and_all_to_a_gate_that_knows_nothing() -> None:
    async def main() -> None:
        told: list[CheckReport] = []

        async def publish(check: CheckReport) -> None:
            told.append(check)

        checks = SessionChecks(publish)
        well, wrong = CheckReport("contracts", "agree", well=True), CheckReport("contracts", "differ", well=False)
        await checks.look(well, None)
        await checks.look(well, None)
        await checks.look(wrong, None)
        assert told == [well, wrong]
        for second in range(31):
            checks.quoted(Quote("MES", 1, 2, 1, (1 + second) * 1_000_000_000, (1 + second) * 1_000_000_000))
        await checks.look(wrong)
        told.clear()
        await checks.introduce()
        assert [check.name for check in told] == ["contracts", "clock"]

    run(main())


def test_a_connection_tells_of_a_contract_whose_tick_value_is_another_and_of_its_end() -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.script["Contract/available"] = lambda _body: {"contracts": [contract("MNQ", 5.0)]}
        async with desk.open():
            told = await desk.report(CheckReport, lambda check: check.name == "contracts")
            assert (told.well, MNQ in told.text, "no active contract of MNQ" in told.text) == (False, True, True)
            [listed] = (await desk.report(InstrumentsReport)).instruments
            assert (listed.contract_id, listed.active) == (MNQ, False), "what is held in it can be seen and closed"
            del desk.broker.script["Contract/available"]
            told = await desk.report(CheckReport, lambda check: check.name == "contracts", within_s=700)
            assert told.well

    run(main())


def test_a_contract_that_contradicts_while_it_runs_is_not_traded_any_more_and_keeps_its_ticks() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            first = (await desk.report(InstrumentsReport)).instruments
            desk.broker.script["Contract/available"] = lambda _body: {"contracts": [contract("MNQ", 5.0)]}
            later = (await desk.report(InstrumentsReport, within_s=700)).instruments
        assert [each.active for each in first] == [True, True]
        assert [(each.contract_id, each.active, each.tick_value_usd) for each in later if each.contract_id == MNQ] == [
            (MNQ, False, Decimal("0.5"))
        ]

    run(main())


@pytest.mark.parametrize("other", [{"type": 7}, {"averagePrice": None}, {"contractId": "CON.F.US.NOPE.U26"}])
def test_a_position_that_cannot_be_read_does_not_keep_another_open(other: dict[str, Any]) -> None:
    async def main() -> None:
        desk = Desk()
        desk.broker.positions = [position(1, 2, MES) | other, position(1, 2)]
        async with desk.open():
            closing = desk.place(kind=ApprovalKind.REDUCING, side=Side.SELL, quantity=2)
            await desk.send(desk.approved(closing), Topic.EXITS)
            assert (await desk.report(PlaceOutcome)).outcome is Outcome.DONE

    run(main())


def test_a_connection_tells_that_no_quote_comes_and_that_they_come() -> None:
    async def main() -> None:
        desk = Desk()
        async with desk.open():
            told = await desk.report(CheckReport, lambda check: check.name == "prices")
            assert (told.well, "no quote of MNQ" in told.text) == (False, True)
            await desk.broker.say("market", "GatewayQuote", MNQ, {"bestBid": 20_000, "bestAsk": 20_000.25})
            told = await desk.report(CheckReport, lambda check: check.name == "prices")
            assert told.well

    run(main())
