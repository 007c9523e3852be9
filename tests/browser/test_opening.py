"""The page opens in a real browser, from this desk alone, under its policy."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.end_to_end.process import Desk

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
