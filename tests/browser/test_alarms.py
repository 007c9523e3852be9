"""Alarms on the page: there until they were seen and are over, after a reload too, and heard until they are seen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARTEFACTS
from tests.browser.sight import opened, section
from tests.end_to_end.process import Desk, until

_CRITICAL = """() => import("/static/desk.js").then(({ alarms }) => {
    const row = { alarmId: "UNPROTECTED/1", number: 9e6, code: "UNPROTECTED", level: "critical", message: "no stop",
        accountId: null, orderId: null, instrument: "MES", count: 1, firstAt: null, at: null, stands: true,
        acknowledged: false, open: true };
    alarms.value = new Map([...alarms.value, [row.alarmId, row]]);
})"""
_SOUNDED = "Number(document.documentElement.dataset.sounded ?? 0)"


def test_an_alarm_stays_until_it_was_seen_and_is_over_and_a_reload_does_not_lose_it(desk: Desk, page: Page) -> None:
    opened(page, desk)
    expect(section(page, "Alarms")).to_have_count(0)
    desk.post("/api/pause", {})
    row = section(page, "Alarms").locator("li", has_text="paused")
    expect(row).to_contain_text("no account takes new risk: paused at the page")
    expect(row).to_contain_text("still so")
    page.reload()
    row.get_by_role("button", name="Seen: PAUSED").click()
    expect(row).to_contain_text("still so, seen")
    page.screenshot(path=ARTEFACTS / "test_alarms.seen.png")
    desk.post("/api/resume", {})
    expect(row).to_have_count(0)
    page.get_by_role("button", name="All seen").click()  # that it was resumed
    expect(section(page, "Alarms")).to_have_count(0)
    assert desk.get("/api/alarms") == []


@pytest.mark.slow
def test_a_warning_sounds_once_and_a_critical_alarm_until_it_is_seen_or_the_sound_is_off(
    desk: Desk, page: Page
) -> None:
    opened(page, desk)
    page.locator("h1").click()  # a browser lets a page sound once it was pressed
    page.wait_for_timeout(200)
    desk.post("/api/pause", {})
    expect(page.locator("html")).to_have_attribute("data-sounded", "1")
    page.evaluate(_CRITICAL)
    expect(page.locator("html")).to_have_attribute("data-sounded", re.compile("[3-9]"), timeout=15_000)
    critical = section(page, "Alarms").locator("li.critical")
    expect(critical).to_contain_text("✕ unprotected")
    assert section(page, "Alarms").locator("li").first.inner_text() == critical.inner_text(), "the most urgent is first"
    page.screenshot(path=ARTEFACTS / "test_alarms.critical.png")
    page.get_by_role("button", name="Sound is on").click()
    silent = page.evaluate(_SOUNDED)
    page.wait_for_timeout(5_000)
    assert page.evaluate(_SOUNDED) == silent


def test_trouble_of_the_gate_itself_is_a_banner(desk: Desk, page: Page) -> None:
    opened(page, desk)

    def shown() -> Any:
        """What stands on the page two frames later; the next word of the desk itself would end it."""
        return page.evaluate(
            """async () => {
                const { desk } = await import("/static/desk.js");
                desk.value = { ...desk.value, trouble: "the journal cannot be written" };
                for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
                return document.querySelector(".banner.danger")?.textContent ?? "";
            }"""
        )

    until(lambda: "THE GATE IS IN TROUBLE: the journal cannot be written" in shown())
