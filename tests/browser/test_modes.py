"""What the page says of the modes, and its switches: the pause, and interception."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ARTEFACTS
from tests.browser.sight import opened, section
from tests.end_to_end.process import Desk, running

RED = "rgb(179, 21, 31)"
ROWS: tuple[dict[str, Any], ...] = tuple(
    {
        "mode": mode,
        "venue": "topstepx",
        "paused": None,
        "trouble": "",
        "modes": {"enforcing": on, "shadow": paper, "unasked": words},
    }
    for mode, on, paper, words in (
        ("LIVE", True, False, ""),
        ("SHADOW", True, True, "interception off"),
        ("PASS-THROUGH", False, False, "interception off: orders are sent without asking the limits"),
        ("ADVISORY", False, False, "the original workflow is preserved"),
    )
)
ENFORCING, SHADOW, UNASKED, PRESERVED = ROWS


@pytest.fixture
def preserved_desk(
    browser: Browser,  # noqa: ARG001 - without it no desk is started
    tmp_path: Path,
) -> Iterator[Desk]:
    with running(tmp_path, "--preserve-original-workflow") as desk:
        yield desk


def test_every_mode_has_a_word_and_a_shape_of_its_own(shared_desk: Desk, page: Page) -> None:
    opened(page, shared_desk)
    modes = ("SIM", "LIVE", "SHADOW", "PASS-THROUGH", "ADVISORY")
    shown = [page.evaluate(_RENDERED, ENFORCING | {"mode": mode})[0] for mode in modes]
    assert [text.split(" ", 1)[1] for text in shown] == list(modes)
    assert len({text[0] for text in shown}) == len(modes)
    hidden = page.evaluate(_RENDERED, UNASKED | {"venue": "sim"})[0]
    assert hidden.endswith("SIM"), "beside another mode it is still said that nothing leaves this machine"


def test_what_enforces_nothing_has_a_red_banner_with_words_and_paper_has_a_calm_one(
    shared_desk: Desk, page: Page
) -> None:
    opened(page, shared_desk)
    assert page.evaluate(_RENDERED, ENFORCING)[1:] == ["", "", ""]
    for row in (UNASKED, PRESERVED):
        _, banner, colour, role = page.evaluate(_RENDERED, row)
        assert banner.startswith("✕ LIMITS ARE NOT ENFORCED")
        assert row["modes"]["unasked"] in banner
        assert (colour, role) == (RED, "alert")
    _, banner, colour, role = page.evaluate(_RENDERED, SHADOW)
    assert banner.startswith("◌ ON PAPER: nothing reaches the broker.")
    assert "interception off" in banner
    assert (colour == RED, role) == (False, "status")


def test_a_pause_is_one_press_stands_in_a_banner_and_is_ended_there(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.get_by_role("button", name="Pause new risk").click()
    banner = page.locator(".banner.paused")
    expect(banner).to_contain_text("PAUSED at the page at")
    page.screenshot(path=ARTEFACTS / "test_modes.paused.png")
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("PAUSED")
    page.get_by_role("button", name="Resume").click()
    expect(banner).to_have_count(0)
    page.fill("#quantity", "2")
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(section(page, "Positions")).to_contain_text("LONG 2")


def test_interception_is_switched_off_by_two_presses_from_the_keyboard_and_on_by_one(desk: Desk, page: Page) -> None:
    opened(page, desk)
    gate = section(page, "The gate")
    gate.get_by_role("button", name="Switch it off").focus()
    page.keyboard.press("Enter")
    confirm = page.get_by_role("group", name="Confirm: interception off")
    expect(confirm).to_contain_text("without asking the limits")
    assert desk.get("/api/snapshot")["desk"]["modes"]["enforcing"] is True, "one press switches nothing"
    assert page.evaluate("document.activeElement.textContent") == "Keep the limits"
    page.keyboard.press("Tab")
    page.fill("#quantity", "11")
    expect(section(page, "Order ticket")).to_contain_text("above the largest order")
    confirm.get_by_role("button", name="Switch interception off").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".banner.danger")).to_contain_text("LIMITS ARE NOT ENFORCED (PASS-THROUGH): interception off")
    expect(section(page, "Order ticket")).to_contain_text("▲ sent without asking the limits")
    page.screenshot(path=ARTEFACTS / "test_modes.pass-through.png", full_page=True)
    gate.get_by_role("button", name="Switch interception on").click()
    expect(page.locator(".banner.danger")).to_have_count(0)


def test_a_switch_that_is_refused_says_why_in_words(desk: Desk, page: Page) -> None:
    opened(page, desk)
    desk.post("/api/lockout", {"accountId": desk.at["accountIds"][1], "until": "next-day"})
    page.get_by_role("button", name="Switch it off").click()
    page.get_by_role("button", name="Switch interception off").click()
    expect(section(page, "The gate").get_by_role("alert")).to_contain_text("nothing was switched: account")
    expect(section(page, "The gate")).to_contain_text("✓ Interception is on")


def test_an_order_that_would_be_overridden_says_so_before_it_is_sent_and_looks_its_part_after(
    preserved_desk: Desk, page: Page
) -> None:
    opened(page, preserved_desk)
    expect(page.locator(".banner.danger")).to_contain_text("orders that break limits are sent all the same")
    page.fill("#quantity", "11")
    ticket = section(page, "Order ticket")
    expect(ticket).to_contain_text("breaks MAX_ORDER_SIZE, MAX_POSITION_SIZE; would be sent all the same")
    page.get_by_role("button", name="Buy 11 MES").click()
    expect(ticket).to_contain_text("▲ OVERRIDDEN")
    expect(section(page, "Decisions")).to_contain_text("▲ OVERRIDDEN")
    expect(section(page, "Decisions")).not_to_contain_text("APPROVED")
    expect(section(page, "Alarms")).to_contain_text("order overridden")
    page.screenshot(path=ARTEFACTS / "test_modes.overridden.png", full_page=True)


_RENDERED = """async (row) => {
    const { h, render } = await import("preact");
    const { Badges, Banners } = await import("/static/modes.js");
    const box = document.body.appendChild(document.createElement("div"));
    render([h(Badges, { row }), h(Banners, { row })], box);
    const banner = box.querySelector(".banner");
    return [
        [...box.querySelectorAll(".badge")].map((badge) => badge.textContent.trim().replace(/\\s+/g, " ")).join(" "),
        banner?.textContent.trim().replace(/\\s+/g, " ") ?? "",
        banner ? getComputedStyle(banner).backgroundColor : "",
        banner?.getAttribute("role") ?? "",
    ];
}"""
