"""Pages in a real browser, beside a desk that is a process. Without a browser: skipped, but in CI a failure.

``faults`` is what went wrong in the test's pages; a test that means it clears it. The last sight of every page is kept
in ``.artefacts/browser/``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import DESK, PHONE, chromium, executable, watched
from tests.end_to_end.process import Desk, running, until

ARTEFACTS = Path(__file__).resolve().parent.parent.parent / ".artefacts/browser"
MISSING = "browser tests need Chromium or Chrome: none is on the PATH, and ORDERGATE_BROWSER names none"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = executable()
    if path is None and "CI" in os.environ:
        pytest.fail(MISSING)
    if path is None:
        pytest.skip(MISSING)
    with chromium(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def shared_desk(
    browser: Browser,  # noqa: ARG001 - without it no desk is started
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """One desk for the tests of a module that leave it as it was."""
    with running(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def flat_desk(shared_desk: Desk) -> Iterator[Desk]:
    """The shared one, for a test that trades and does not mind what was traded before: flat again after it."""
    yield shared_desk
    shared_desk.post("/api/flatten", {"accountId": "all"})
    until(shared_desk.flat_and_empty)


@pytest.fixture
def desk(
    browser: Browser,  # noqa: ARG001 - as above
    tmp_path: Path,
) -> Iterator[Desk]:
    with running(tmp_path) as desk:
        yield desk


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What went wrong in the pages, in order; the test fails if something is left in it."""
    faults: list[str] = []
    yield faults
    assert faults == []


@pytest.fixture
def page(browser: Browser, faults: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A blank page of 1280 by 800."""
    with watched(browser, DESK, faults, screenshot_of(request)) as page:
        yield page


@pytest.fixture
def phone(browser: Browser, faults: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A blank page of 390 by 844 that is touched."""
    with watched(browser, PHONE, faults, screenshot_of(request)) as page:
        yield page


def screenshot_of(request: pytest.FixtureRequest) -> Path:
    """Where the sight of a fixture's page goes; printed, so that the report of a failure has it."""
    name = re.sub(r"[^\w.=-]+", "-", f"{request.node.path.stem}.{request.node.name}.{request.fixturename}")
    path = ARTEFACTS / f"{name}.png"
    print(f"screenshot: {path}")  # noqa: T201 - for the report
    return path
