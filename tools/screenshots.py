"""Pictures of the page for the documentation: ``make screenshots``. A fresh demo, a real browser, a few orders."""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import DESK, PHONE, chromium, executable
from tests.browser.sight import card, opened, section
from tests.end_to_end.process import Desk, running

PICTURES = Path(__file__).resolve().parent.parent / "docs/screenshots"
PRICES_MS = 12_000  # some prices, so that the P&L is not that of the first second


def main() -> str | int:
    """Zero, or why there are no pictures."""
    path = executable()
    if path is None:
        return "screenshots need Chromium or Chrome: none is on the PATH, and ORDERGATE_BROWSER names none"
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as desk, chromium(path) as browser:
        page = browser.new_page(viewport=DESK)
        trade(page, desk)
        taken(page, "desk")
        on_a_phone(browser, desk)
        of_the_exchange(browser, desk)
        desk.kill()
        page.wait_for_selector("[data-status=gone]")
        taken(page, "not-connected")
    return 0


def trade(page: Page, desk: Desk) -> None:
    """A position with its legs, a working order, and one that is denied."""
    opened(page, desk)
    page.fill("#quantity", "2")
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    page.get_by_label("Limit", exact=True).check()
    page.fill("#level", str(float(desk.get("/api/prices/MES")["bid"]) - 5))
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(section(page, "Working orders")).to_contain_text("working")
    expect(section(page, "Session")).to_contain_text("as it should be", timeout=60_000)
    page.get_by_label("Market", exact=True).check()
    page.wait_for_timeout(PRICES_MS)
    page.fill("#quantity", "11")
    page.get_by_role("button", name="Buy 11 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("DENIED")


def on_a_phone(browser: Browser, desk: Desk) -> None:
    phone = browser.new_page(viewport=PHONE, is_mobile=True, has_touch=True)
    opened(phone, desk)
    phone.wait_for_timeout(1_000)  # the chart
    taken(phone, "phone")
    phone.close()


def of_the_exchange(browser: Browser, desk: Desk) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto(f"{desk.at['gateway']}/sim/")
    page.get_by_label("On", exact=True).fill("/api/Order/place")
    page.get_by_role("button", name="Let it strike").click()
    page.get_by_role("button", name="Pause").nth(4).click()
    expect(page.get_by_text("paused until")).to_be_visible()
    taken(page, "exchange")
    page.get_by_role("button", name="Take all away").click()
    page.close()


def taken(page: Page, name: str) -> None:
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    print(path.relative_to(PICTURES.parent.parent))  # noqa: T201 - what a person waits for


if __name__ == "__main__":
    sys.exit(main())
