"""The Chromium of this machine, driven by Playwright, and pages of it that are watched.

Playwright's own loop runs in the thread that started it until it is stopped, and no other loop can run there meanwhile:
a browser lives as long as one module, whose tests are all synchronous.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
WAIT_MS = 10_000
# Chromium puts every answer with such a status on the console; a refusal by the API is no fault of the page.
REFUSED = "Failed to load resource: the server responded with a status of 4"


def executable() -> str | None:
    """The browser that ``ORDERGATE_BROWSER`` names, or the first that is found."""
    named = os.environ.get("ORDERGATE_BROWSER")
    return named or next(filter(None, (shutil.which(name) for name in (*NAMES, *MAC))), None)


@contextlib.contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A headless browser. Its sandbox is on, but for root, who cannot have it."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=not root)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def watched(browser: Browser, viewport: ViewportSize, faults: list[str], screenshot: Path) -> Iterator[Page]:
    """A blank page with a profile of its own; what goes wrong in it is told in ``faults``, and its end is pictured."""
    phone = viewport == PHONE
    context = browser.new_context(viewport=viewport, is_mobile=phone, has_touch=phone, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)

    def note_console(message: ConsoleMessage) -> None:
        refused = message.text.startswith(REFUSED) and urlsplit(message.location["url"]).path.startswith("/api/")
        if message.type == "error" and not refused:
            faults.append(f"console: {message.text} ({message.location['url']})")

    page.on("console", note_console)
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    try:
        yield page
    finally:
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=screenshot)
        context.close()
