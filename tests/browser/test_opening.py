"""The page opens in a real browser, from this desk alone, under its policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.sight import opened, section
from tests.end_to_end.process import Desk, running

NAMES = ("account", "contracts", "prices", "clock", "brackets")

INLINE_STYLE = """() => {
    const style = document.createElement("style");
    style.textContent = "body { outline: 9px solid red }";
    document.head.append(style);
    return getComputedStyle(document.body).outlineWidth;
}"""
INLINE_SCRIPT = """() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return "ran" in window;
}"""
FETCH_ELSEWHERE = "() => fetch('http://localhost:9/').then(() => 'answered', () => 'refused')"


def test_the_page_opens_without_a_fault(page: Page, shared_desk: Desk) -> None:
    page.goto(shared_desk.at["web"])
    expect(page).to_have_title(re.compile("ordergate"))
    expect(page.locator("h1")).to_be_visible()


def test_the_session_is_closed_while_it_is_as_it_should_be_and_tells_all_it_stands_on(
    page: Page, shared_desk: Desk
) -> None:
    session = section(opened(page, shared_desk), "Session")
    expect(session.locator("details")).not_to_have_attribute("open", "")
    session.locator("summary").click()
    expect(session.locator("dt")).to_have_text([re.compile(name) for name in NAMES])
    expect(session).to_contain_text("may trade and cancel")
    expect(session).to_contain_text("ticks and tick values are the broker's: MGC, ")
    # By the hours of the exchange, whenever the tests run.
    expect(session).to_contain_text(re.compile("quotes come of|nothing is in session"), timeout=15_000)


@pytest.fixture
def live_desk(
    browser: Browser,  # noqa: ARG001 - without it no desk is started
    tmp_path: Path,
) -> Iterator[Desk]:
    with running(tmp_path, "--variants", "live_funded") as desk:
        yield desk


def test_what_the_session_cannot_stand_on_is_seen_without_a_click(live_desk: Desk, page: Page) -> None:
    session = section(opened(page, live_desk), "Session")
    expect(session.locator("details")).to_have_attribute("open", "")
    expect(session).to_contain_text("▲ 1 to look at")
    expect(session).to_contain_text("the broker lets it cancel no order")
    expect(section(page, "Limits")).to_contain_text("NO NEW RISK the broker lets this account cancel no order")


def test_the_page_opens_on_a_phone_without_a_fault(phone: Page, shared_desk: Desk) -> None:
    phone.goto(shared_desk.at["web"])
    expect(phone.locator("h1")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_the_policy_forbids_inline_code_and_style_and_asking_elsewhere(
    page: Page, shared_desk: Desk, faults: list[str]
) -> None:
    page.goto(shared_desk.at["web"])
    assert page.evaluate(INLINE_SCRIPT) is False
    assert page.evaluate(INLINE_STYLE) != "9px"
    assert page.evaluate(FETCH_ELSEWHERE) == "refused"
    found = {directive for fault in faults for directive in re.findall(r"(?:script|style|connect)-src", fault)}
    assert found == {"script-src", "style-src", "connect-src"}
    faults.clear()
