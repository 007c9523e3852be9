"""When the page may be trusted: a server that dies or hangs, a missed event, and one intent that is one order."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browser.conftest import ARTEFACTS
from tests.browser.sight import card, opened, section
from tests.end_to_end.process import Desk, running
from tests.ports import kept_ports

# The figure is for the person who looks: from the server's end to grey prices.
GONE_MS = 2_000
SILENT_MARKET = """ts_ns,kind,bid,bid_size,ask,ask_size,price,size,aggressor
1703545200000000000,quote,4800.0,4,4800.25,7,,,
1703545202000000000,quote,4800.25,4,4800.5,7,,,
"""


@pytest.fixture
def second_page(page: Page, faults: list[str]) -> Page:
    """Another tab beside ``page``: of the same browser, with the same storage."""
    tab = page.context.new_page()
    tab.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    return tab


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Desk]]:
    """Starts a desk, and starts it again where it was: the same port, the same state."""
    (port,) = kept_ports(1)
    with contextlib.ExitStack() as started:
        yield lambda: started.enter_context(running(tmp_path, "--web-port", str(port)))


@pytest.fixture
def silent_desk(
    browser: Browser,  # noqa: ARG001 - without it no desk is started
    tmp_path: Path,
) -> Iterator[Desk]:
    recording = tmp_path / "silent.csv"
    recording.write_text(SILENT_MARKET)
    with running(tmp_path, "--replay", str(recording)) as desk:
        yield desk


def is_grey(page: Page) -> bool:
    filtered = page.evaluate("getComputedStyle(document.getElementById('bid')).filter")
    return bool(filtered == "grayscale(1)")


def test_a_killed_server_greys_the_page_and_a_restarted_one_brings_it_back(
    start: Callable[[], Desk], page: Page, faults: list[str]
) -> None:
    desk = start()
    opened(page, desk)
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    assert not is_grey(page)
    desk.kill()
    page.wait_for_selector("[data-status=gone]", timeout=GONE_MS)
    assert is_grey(page)
    expect(page.get_by_role("alert")).to_contain_text("NOT CONNECTED")
    expect(page.get_by_role("button", name="Buy 1 MES")).to_be_disabled()
    # The ways out are never held back by what the page believes.
    page.get_by_role("button", name="Flatten").click()
    expect(page.locator(".told")).to_contain_text("the server does not answer")
    page.screenshot(path=ARTEFACTS / "test_trust.a-killed-server.png")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.fill("#quantity", "2")
    page.wait_for_timeout(1_200)
    assert not [url for url in asked if url.endswith("/api/preview")], "nothing can be sent, so nothing is asked"

    start()
    expect(page.locator("[data-status=live]")).to_be_visible()
    assert not is_grey(page)
    expect(card(page, "MES")).to_contain_text("LONG 1")
    expect(page.get_by_role("button", name="Buy 2 MES")).to_be_enabled()
    page.get_by_role("button", name="Flatten").click()
    expect(page.get_by_text("✓ flat")).to_be_visible()
    assert all("ERR_CONNECTION_" in fault or "ERR_INCOMPLETE_CHUNKED" in fault for fault in faults), faults
    faults.clear()


@pytest.mark.slow
def test_a_server_that_hangs_is_seen_as_gone_though_its_connection_stands(
    desk: Desk, page: Page, faults: list[str]
) -> None:
    opened(page, desk)
    desk.process.send(signal.SIGSTOP)
    try:
        page.wait_for_selector("[data-status=gone]", timeout=GONE_MS)
        assert is_grey(page)
    finally:
        desk.process.send(signal.SIGCONT)
    expect(page.locator("[data-status=live]")).to_be_visible()
    faults.clear()  # what was asked of it meanwhile


@pytest.mark.slow
def test_a_market_that_falls_silent_looks_old_though_the_server_is_there(silent_desk: Desk, page: Page) -> None:
    opened(page, silent_desk)
    expect(page.locator("#bid")).to_contain_text(".")
    page.wait_for_selector(".prices[data-old=false]")
    page.wait_for_selector(".prices[data-old=true]")
    expect(page.get_by_label("Connections")).to_contain_text("✕ Prices: down")
    expect(page.locator("[data-status=live]")).to_be_visible()
    assert is_grey(page)


def test_a_missed_event_fetches_a_snapshot_and_the_rows_are_right_again(desk: Desk, page: Page) -> None:
    snapshots: list[Request] = []
    page.on("request", lambda request: snapshots.append(request) if request.url.endswith("/api/snapshot") else None)
    page.add_init_script(_LOSE_ONE_ORDER_EVENT)
    opened(page, desk)
    page.get_by_role("button", name="Buy 2 MES").or_(page.get_by_role("button", name="Buy 1 MES")).click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    assert page.evaluate("window.lost") == 1
    assert len(snapshots) == 2
    expect(section(page, "Decisions")).to_contain_text("filled")


def test_a_double_click_is_one_order(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.clock.set_fixed_time(datetime.now(UTC))  # all presses fall within the second, however busy this machine is
    page.get_by_role("button", name="Buy 1 MES").dblclick()
    expect(card(page, "MES")).to_contain_text("LONG 1")
    page.get_by_role("button", name="Buy 1 MES").click(click_count=3, delay=20)
    time.sleep(0.5)
    assert len(desk.get("/api/orders")) == 1
    assert desk.venue_position() == 1


@pytest.mark.slow
def test_the_same_order_asked_for_again_later_is_another_order(desk: Desk, page: Page) -> None:
    opened(page, desk)
    for count in (1, 2):
        page.get_by_role("button", name="Buy 1 MES").click()
        expect(card(page, "MES")).to_contain_text(f"LONG {count}")
        time.sleep(1.1)


def test_two_tabs_that_are_pressed_together_make_one_order(desk: Desk, page: Page, second_page: Page) -> None:
    for tab in (page, second_page):
        opened(tab, desk)
    press = "[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Sell 1 MES')).click()"
    page.evaluate(press)
    second_page.evaluate(press)
    for tab in (page, second_page):
        expect(card(tab, "MES")).to_contain_text("SHORT 1")
        expect(section(tab, "Order ticket")).to_contain_text("✓ FILLED")
    assert len(desk.get("/api/orders")) == 1
    assert desk.venue_position() == -1


def test_a_press_that_waited_for_a_tab_that_sleeps_is_too_old(desk: Desk, page: Page, second_page: Page) -> None:
    for tab in (page, second_page):
        opened(tab, desk)
    second_page.evaluate(
        "new Promise((held) => void navigator.locks.request('ordergate.intents',"
        " () => new Promise((wake) => { window.wake = wake; held(); })))"
    )
    page.get_by_role("button", name="Buy 1 MES").click()
    page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 6_000; })()")
    second_page.evaluate("window.wake()")
    expect(section(page, "Order ticket")).to_contain_text("before it arrived")
    (denied,) = desk.get("/api/orders")
    assert [breach["code"] for breach in denied["breaches"]] == ["TOO_OLD"]


def test_an_order_without_an_answer_is_asked_for_again_under_its_own_id_from_any_tab(
    desk: Desk, page: Page, second_page: Page, faults: list[str]
) -> None:
    asked: list[Any] = []

    def lose(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.abort()

    for tab in (page, second_page):
        opened(tab, desk)
        tab.route("**/api/order", lose, times=1)
    for tab in (page, second_page):
        tab.get_by_role("button", name="Buy 1 MES").click()
        expect(section(tab, "Order ticket")).to_contain_text("? UNKNOWN")
    assert asked[0]["orderId"] == asked[1]["orderId"]
    time.sleep(1.1)
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(card(page, "MES")).to_contain_text("LONG 1")
    assert [row["orderId"] for row in desk.get("/api/orders")] == [asked[0]["orderId"]]
    assert all("ERR_FAILED" in fault for fault in faults), faults
    faults.clear()


def test_an_answer_that_was_lost_is_found_in_the_rows(desk: Desk, page: Page, faults: list[str]) -> None:
    opened(page, desk)

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/order", lose_the_answer, times=1)
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("✓ FILLED")
    expect(card(page, "MES")).to_contain_text("LONG 1")
    assert len(desk.get("/api/orders")) == 1
    faults.clear()


# A fault on the way: the first event of an order is taken out of the stream, as a lossy proxy would.
_LOSE_ONE_ORDER_EVENT = """
window.lost = 0;
const real = window.fetch;
window.fetch = async (...asked) => {
    const response = await real(...asked);
    if (asked[0] !== "/api/events" || window.lost > 0) return response;
    const lossy = new TransformStream({
        transform(chunk, out) {
            const text = new TextDecoder().decode(chunk);
            const kept = text.split("\\n\\n").filter((block) => {
                const lose = window.lost === 0 && block.includes("event: order");
                if (lose) window.lost = 1;
                return !lose;
            });
            out.enqueue(new TextEncoder().encode(kept.join("\\n\\n")));
        },
    });
    return new Response(response.body.pipeThrough(lossy));
};
"""
