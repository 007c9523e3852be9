"""Pictures the page for the documentation, into ``docs/screenshots/``: ``make screenshots``.

A fresh demo desk each time, with a fixed seed; only the clock differs. It must never write a picture of a page that
has a fault.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import ViewportSize

from tests.browser.chromium import DESK, PHONE, chromium, executable, watched
from tests.end_to_end.process import running

TARGET = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
SEED = "7"
PICTURES: dict[str, ViewportSize] = {"desk.png": DESK, "phone.png": PHONE}


def main() -> str | int:
    """Zero, or why there are no new pictures."""
    path = executable()
    if path is None:
        return "screenshots: there is no Chromium or Chrome on the PATH, and ORDERGATE_BROWSER names none"
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--seed", SEED) as desk:
        taken = Path(folder) / "taken"
        with chromium(path) as browser:
            for name, viewport in PICTURES.items():
                with watched(browser, viewport, faults, taken / name) as page:
                    page.goto(desk.at["web"])
                    page.locator("h1").wait_for()
        if faults:
            return "screenshots: " + "; ".join(faults)
        TARGET.mkdir(exist_ok=True)
        for name in PICTURES:
            (TARGET / name).write_bytes((taken / name).read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
