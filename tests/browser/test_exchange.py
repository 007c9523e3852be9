"""The page of the simulated exchange, beside a desk that trades on it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.process import Desk


@pytest.fixture
def panel(page: Page, flat_desk: Desk) -> Page:
    page.goto(f"{flat_desk.at['gateway']}/sim/")
    expect(page.get_by_role("status")).to_contain_text("seed 1")
    return page


def test_it_shows_books_accounts_orders_fills_and_clients(panel: Page, flat_desk: Desk) -> None:
    bracket = {"stop": {"ticks": 40}, "targets": [{"ticks": 80}]}
    buy = {"accountId": 1001, "instrument": "MES", "side": "BUY", "quantity": 2, "bracket": bracket}
    assert flat_desk.post("/api/order", buy)[0] == 200
    book = panel.locator(".book", has_text="MES")
    expect(book.locator(".level")).to_have_count(5)
    expect(panel.locator("#accounts")).to_contain_text("+2 MES")
    expect(panel.locator("#orders")).to_contain_text("sell stop")
    expect(panel.locator("#orders")).to_contain_text("sell limit")
    expect(panel.locator("#fills")).to_contain_text("buy 2")
    for subscribed in ("fills 1001 1002", "quotes MGCZ6"):
        expect(panel.locator("#clients")).to_contain_text(subscribed)
    before = book.inner_text()
    expect(book).not_to_have_text(before)


def test_a_fault_is_asked_for_strikes_and_is_taken_away(panel: Page, faults: list[str]) -> None:
    panel.locator("#fault select[name=kind]").select_option("lose")
    panel.get_by_label("On", exact=True).fill("GatewayUserNothing")
    panel.get_by_label("Times").fill("")
    panel.get_by_role("button", name="Let it strike").click()
    rows = panel.locator("#faults")
    expect(rows).to_contain_text("GatewayUserNothing")
    expect(rows).to_contain_text("for ever")
    panel.get_by_label("Times").fill("0")
    panel.eval_on_selector("#fault", "form => { form.noValidate = true }")
    panel.get_by_role("button", name="Let it strike").click()
    expect(panel.get_by_role("alert")).to_contain_text("times")
    panel.get_by_role("button", name="Take all away").click()
    expect(rows).to_contain_text("none")
    assert [fault for fault in faults if "400" in fault] == faults
    faults.clear()


def test_a_fill_is_taken_back_a_market_pauses_and_an_account_is_closed(panel: Page, flat_desk: Desk) -> None:
    sell = {"instrument": "MNQ", "side": "SELL", "quantity": 1, "accountId": 1002}
    assert flat_desk.post("/api/order", sell)[0] == 200
    accounts = panel.locator("#accounts")
    expect(accounts).to_contain_text("-1 MNQ")
    panel.locator("#fills tr", has_text="MNQ").get_by_role("button", name="Bust").first.click()
    expect(accounts).not_to_contain_text("MNQ")
    expect(panel.locator("#fills")).to_contain_text("taken back")
    book = panel.locator(".book", has_text="CL")
    book.get_by_role("button", name="Pause").click()
    expect(book).to_contain_text("paused until")
    panel.locator("#accounts tr", has_text="1002").get_by_role("button", name="Liquidate").click()
    expect(accounts).to_contain_text("locked")
