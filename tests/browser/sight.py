"""What a person sees of the page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.end_to_end.process import Desk

NEAR = 10  # of 255: what the edges of a drawn line differ


def opened(page: Page, desk: Desk) -> Page:
    """The page of ``desk``, live."""
    page.goto(desk.at["web"])
    expect(page.locator("[data-status=live]")).to_be_visible()
    return page


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def card(page: Page, symbol: str) -> Locator:
    """The line of a position."""
    return section(page, "Positions").get_by_role("listitem").filter(has_text=symbol)


def sees_colour(page: Page, colour: tuple[int, int, int]) -> bool:
    """Whether some pixel of the chart has that colour."""
    return bool(page.evaluate(_SEES, [*colour, NEAR]))


def line_y(page: Page, colour: tuple[int, int, int]) -> float:
    """How far below the top of the window the first line of that colour crosses the chart, in pixels."""
    found = page.evaluate(_LINE, [*colour, NEAR])
    assert found is not None, f"no line of {colour} on the chart"
    return float(found)


_LINE = """([red, green, blue, near]) => {
    const canvas = document.querySelector(".canvas canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const box = canvas.getBoundingClientRect();
    for (let y = 0; y < canvas.height; y++) {
        let seen = 0;
        for (let at = y * canvas.width * 4; at < (y + 1) * canvas.width * 4; at += 4) {
            const [r, g, b] = data.subarray(at, at + 3);
            if (Math.max(Math.abs(r - red), Math.abs(g - green), Math.abs(b - blue)) < near) seen++;
        }
        if (seen > canvas.width / 3) return box.top + ((y + 1) * box.height) / canvas.height;
    }
    return null;
}"""
_SEES = """([red, green, blue, near]) => [...document.querySelectorAll(".canvas canvas")].some((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) {
        const [r, g, b, alpha] = data.subarray(at, at + 4);
        const off = Math.max(Math.abs(r - red), Math.abs(g - green), Math.abs(b - blue));
        if (alpha > 200 && off < near) return true;
    }
    return false;
})"""
