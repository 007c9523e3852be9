"""The bars of the chart, in a real browser on the library's own charts: what was before them, and what was missed."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Page, Route, expect

from tests.browser.sight import opened
from tests.end_to_end.process import Desk, until

BARS = "**/api/bars?*"
# A chart of the test's own beside the page's, with the page's bars on it.
BESIDE = """async () => {
    const { CandlestickSeries, createChart } = await import("lightweight-charts");
    const { follow } = await import("/static/candles.js");
    const box = document.body.appendChild(document.createElement("div"));
    const chart = createChart(box, { width: 600, height: 200, layout: { attributionLogo: false } });
    const series = chart.addSeries(CandlestickSeries);
    globalThis.beside = { chart, series, bars: follow(chart, series) };
}"""
MINUTES = "() => beside.series.data().filter((bar) => 'open' in bar).map((bar) => bar.time / 60)"


def met(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for it, while the page's requests are answered."""

    def pumped() -> bool:
        page.wait_for_timeout(20)
        return condition()

    until(pumped)


def bar(minute: int) -> dict[str, Any]:
    at = datetime.datetime.fromtimestamp(minute * 60, datetime.UTC)
    return {"time": at.isoformat(), "open": 7000, "high": 7001, "low": 6999, "close": 7000.5, "volume": 1}


# A price some minutes from now.
LATER = """async (minutes) => {
    const desk = await import("/static/desk.js");
    const told = desk.price.value;
    const later = { ...told, last: 7000.25, timestamp: told.timestamp + minutes * 60_000 };
    desk.prices.value = new Map(desk.prices.value).set(told.symbol, later);
}"""


class Answers:
    """``newest`` and ``earlier`` are minutes: of each question the next; the last one stays."""

    def __init__(self, newest: list[list[int]], earlier: list[list[int]]) -> None:
        self.newest, self.earlier = newest, earlier
        self.befores: list[str] = []

    def __call__(self, route: Route) -> None:
        query = parse_qs(urlparse(route.request.url).query)
        if "before" in query:
            self.befores += query["before"]
        left = self.earlier if "before" in query else self.newest
        minutes = left.pop(0) if len(left) > 1 else left[0]
        body = {"contractId": "x", "unitMinutes": 1, "bars": [bar(minute) for minute in minutes]}
        route.fulfill(content_type="application/json", body=json.dumps(body))


def test_who_scrolls_to_the_left_edge_gets_earlier_bars_from_the_broker(page: Page, shared_desk: Desk) -> None:
    with page.expect_response(BARS):
        opened(page, shared_desk)
    canvas = page.locator(".chart .canvas")
    canvas.hover()
    with page.expect_response("**/api/bars?*before=*") as found:
        for _ in range(60):
            page.mouse.wheel(-400, 0)
    assert found.value.ok
    told = found.value.json()["bars"]
    before = parse_qs(urlparse(found.value.url).query)["before"][0]
    assert all(row["time"] < before for row in told)


def test_earlier_bars_come_page_by_page_until_there_are_none_and_what_is_seen_stays_where_it_is(
    page: Page, shared_desk: Desk
) -> None:
    now = int(time.time() // 60)
    pages = [list(range(now - 600, now - 300)), list(range(now - 900, now - 600)), []]
    answers = Answers([list(range(now - 300, now + 1))], [[]])
    page.route(BARS, answers)
    opened(page, shared_desk)
    page.evaluate(BESIDE)
    expect(page.locator("[data-status=live]")).to_be_visible()
    met(page, lambda: len(page.evaluate(MINUTES)) >= 301)
    answers.earlier = pages
    answers.befores.clear()
    page.evaluate("() => beside.chart.timeScale().setVisibleLogicalRange({ from: -5, to: 60 })")
    met(page, lambda: page.evaluate(MINUTES)[0] == now - 600)
    # Once it is drawn: the sixtieth of the bars that were there is the last that is seen.
    seen = "() => beside.chart.timeScale().getVisibleRange().to / 60"
    met(page, lambda: abs(page.evaluate(seen) - (now - 240)) <= 1)
    for _ in range(2):
        page.evaluate("() => beside.chart.timeScale().setVisibleLogicalRange({ from: -5, to: 60 })")
        met(page, lambda: page.evaluate(MINUTES)[0] == now - 900)
    found = page.evaluate(MINUTES)
    assert found[: now - found[0]] == list(range(now - 900, now))
    met(page, lambda: len(answers.befores) == 3)
    page.evaluate("() => beside.chart.timeScale().setVisibleLogicalRange({ from: -9, to: 60 })")
    page.wait_for_timeout(300)
    assert [text[:16] for text in answers.befores] == [
        bar(minute)["time"][:16] for minute in (now - 300, now - 600, now - 900)
    ]


def test_where_a_price_comes_minutes_after_the_last_bar_the_broker_says_what_was_between(
    page: Page, shared_desk: Desk
) -> None:
    now = int(time.time() // 60)
    answers = Answers([list(range(now - 100, now + 1))], [[]])
    page.route(BARS, answers)
    opened(page, shared_desk)
    page.evaluate(BESIDE)
    met(page, lambda: len(page.evaluate(MINUTES)) > 100)
    answers.newest = [[minute for minute in range(now - 50, now + 6) if minute != now + 3]]
    page.evaluate(LATER, 6)
    met(page, lambda: now + 4 in page.evaluate(MINUTES))
    found = page.evaluate(MINUTES)
    assert found[0] == now - 100, "what was held before stays"
    assert [minute for minute in range(now - 100, now + 5) if minute not in found] == [now + 3]


def test_bars_that_do_not_join_those_on_the_chart_replace_them(page: Page, shared_desk: Desk) -> None:
    """Nobody has asked for what was between, so it is no gap of the market."""
    now = int(time.time() // 60)
    answers = Answers([list(range(now - 100, now + 1))], [[]])
    page.route(BARS, answers)
    opened(page, shared_desk)
    page.evaluate(BESIDE)
    met(page, lambda: len(page.evaluate(MINUTES)) > 100)
    answers.newest = [list(range(now + 100, now + 400))]
    page.evaluate(LATER, 400)
    met(page, lambda: page.evaluate(MINUTES)[:1] == [now + 100])
