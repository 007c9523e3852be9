"""A trader's hands on the page: what is pressed, what the exchange has of it, and what the page shows."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.sight import card, opened, section, sees_colour
from tests.end_to_end.process import Desk, until

# The lines' colours, as chart.js and style.css have them.
POSITION, STOP, TARGET = (232, 237, 244), (255, 138, 92), (63, 208, 164)


def test_a_bought_position_stands_with_its_stop_and_target_on_the_chart_as_the_exchange_has_them(
    flat_desk: Desk, page: Page
) -> None:
    opened(page, flat_desk)
    page.fill("#quantity", "2")
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("✓ FILLED Buy 2 MES market")
    expect(card(page, "MES")).to_contain_text("▲ LONG 2 MES")
    expect(card(page, "MES")).to_contain_text("✓ protected")
    expect(section(page, "Fills")).to_contain_text(re.compile(r"▲ BUY 2\s*MES.*entry"))
    expect(section(page, "Decisions")).to_contain_text("✓ APPROVED")

    drawn = page.get_by_label("Lines on the chart")
    expect(drawn).to_contain_text("LONG 2")
    legs = until(lambda: len(rows := flat_desk.resting()) == 2 and rows)
    for leg in legs:
        expect(drawn).to_contain_text(f"{leg['stopPrice'] or leg['limitPrice']:,.2f}")
    until(lambda: all(sees_colour(page, colour) for colour in (POSITION, STOP, TARGET)))


def test_a_denied_order_says_every_limit_it_breaks_and_the_exchange_never_hears_of_it(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.fill("#quantity", "11")
    page.get_by_role("button", name="Sell 11 MES").click()
    ticket = section(page, "Order ticket")
    expect(ticket).to_contain_text("✕ DENIED Sell 11 MES market")
    for code in ("MAX_ORDER_SIZE", "MAX_POSITION_SIZE"):
        expect(ticket).to_contain_text(code)
        expect(section(page, "Decisions")).to_contain_text(code)
    assert desk.venue_orders() == []


def test_what_an_order_would_do_is_told_while_it_is_written(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.fill("#quantity", "2")
    page.fill("#stop", "5")
    buy = page.get_by_label("What a buy would do")
    expect(buy).to_contain_text("✓ \N{MINUS SIGN}$51.44 at stop")  # 2 x 20 ticks x 1.25, and 4 x 0.36 of fees
    expect(buy).to_contain_text("8 left of order size")
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(page.get_by_label("What a sell would do")).to_contain_text("✓ only closes")
    expect(buy).to_contain_text("6 left of position size")
    assert len(desk.get("/api/orders")) == 1
    page.fill("#quantity", "0")
    expect(buy).to_have_count(0)


def test_the_nearest_order_is_taken_over_and_passes(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.fill("#quantity", "25")
    sell = page.get_by_label("What a sell would do")
    expect(sell).to_contain_text("✕ 25 contracts is above the largest order of 10 and 2 more")
    sell.get_by_role("button", name="Use 10").click()
    expect(page.locator("#quantity")).to_have_value("10")
    expect(sell).to_contain_text("✓")
    page.get_by_role("button", name="Sell 10 MES").click()
    expect(card(page, "MES")).to_contain_text("▼ SHORT 10 MES")


def test_what_is_no_order_is_told_before_it_can_be_sent(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.fill("#quantity", "2.5")
    expect(section(page, "Order ticket")).to_contain_text("the quantity must be a whole number")
    expect(page.get_by_role("button", name="Buy 2.5 MES")).to_be_disabled()
    page.fill("#quantity", "1")
    page.get_by_label("Limit", exact=True).check()
    expect(section(page, "Order ticket")).to_contain_text("say the limit price")
    page.fill("#level", "5000.10")
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("not a multiple of MES's tick")
    assert desk.get("/api/orders") == []


def test_a_working_order_is_shown_on_the_chart_and_cancelled(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.get_by_label("Limit", exact=True).check()
    far_below = float(flat_desk.get("/api/prices/MES")["bid"]) - 30
    page.fill("#level", str(far_below))
    page.get_by_role("button", name="Buy 1 MES").click()
    orders = section(page, "Working orders")
    expect(orders).to_contain_text(f"limit {far_below:,.2f}")
    expect(page.get_by_label("Lines on the chart")).to_contain_text(f"BUY 1 limit {far_below:,.2f}")
    orders.get_by_role("button", name="Cancel").click()
    expect(orders).to_contain_text("None.")
    until(lambda: flat_desk.resting() == [])


def test_a_position_is_closed_and_its_fill_says_what_it_earned(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.get_by_role("button", name="Buy 1 MES").click()
    card(page, "MES").get_by_role("button", name="Close 1 MES").click()
    expect(section(page, "Positions")).to_contain_text("Flat.")
    expect(section(page, "Fills")).to_contain_text(re.compile(r"▼ SELL 1.*close.*\$\d"))
    until(flat_desk.flat_and_empty)


def test_flatten_closes_all_and_says_so(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.get_by_role("button", name="Sell 1 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    page.select_option("#instrument", "MNQ")
    page.get_by_role("button", name="Buy 1 MNQ").click()
    expect(card(page, "MNQ")).to_contain_text("✓ protected")
    page.get_by_role("button", name="Flatten").click()
    expect(page.get_by_text("✓ flat")).to_be_visible()
    expect(section(page, "Positions")).to_contain_text("Flat.")
    until(flat_desk.flat_and_empty)


def test_a_trader_locks_himself_out_with_two_presses_and_can_only_get_out(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    limits = section(page, "Limits")
    limits.get_by_role("button", name="Lock me out until tomorrow").click()
    limits.get_by_role("button", name="Keep trading").click()
    expect(limits).to_contain_text("✓ ACTIVE")
    limits.get_by_role("button", name="Lock me out until tomorrow").click()
    limits.get_by_role("button", name="Lock me out", exact=True).click()
    expect(limits).to_contain_text("✕ LOCKED")
    expect(limits).to_contain_text("locked out by the trader until")
    expect(limits.get_by_role("button")).to_have_count(0)
    page.fill("#quantity", "2")
    page.get_by_role("button", name="Buy 2 MES").click()
    expect(section(page, "Order ticket")).to_contain_text("LOCKED_OUT")
    card(page, "MES").get_by_role("button", name="Close 1 MES").click()
    expect(section(page, "Positions")).to_contain_text("Flat.")
    until(desk.flat_and_empty)


def test_the_legs_that_are_switched_off_are_not_placed_and_the_page_says_unprotected(desk: Desk, page: Page) -> None:
    opened(page, desk)
    page.get_by_label("Stop loss", exact=True).uncheck()
    page.get_by_label("Take profit", exact=True).uncheck()
    page.get_by_role("button", name="Buy 1 MES").click()
    expect(card(page, "MES")).to_contain_text("▲ UNPROTECTED by choice")
    expect(card(page, "MES")).to_contain_text("stop none")
    assert desk.resting() == []


def test_another_instrument_brings_its_own_prices_and_leaves_no_level_behind(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.get_by_label("Stop", exact=True).check()
    page.fill("#level", "5000")
    page.fill("#stop", "7")
    page.select_option("#instrument", "MYM")
    expect(page.locator("#level")).to_have_value("")
    expect(page.locator("#stop")).to_have_value("")
    expect(page.get_by_role("button", name="Buy 1 MYM")).to_be_disabled()
    asked = float(page.locator("#ask").inner_text().replace(",", ""))
    assert abs(asked - float(flat_desk.get("/api/prices/MYM")["ask"])) < 100


def test_everything_can_be_done_with_the_keyboard(flat_desk: Desk, page: Page) -> None:
    opened(page, flat_desk)
    page.locator("#quantity").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Buy 3 MES"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(card(page, "MES")).to_contain_text("LONG 3")


def test_the_choice_of_account_and_instrument_is_there_when_the_page_is_opened_again(
    flat_desk: Desk, page: Page
) -> None:
    opened(page, flat_desk)
    expect(page.locator("#account")).to_have_value(str(flat_desk.at["accountIds"][0]))
    page.select_option("#account", str(flat_desk.at["accountIds"][1]))
    page.select_option("#instrument", "MNQ")
    page.reload()
    expect(page.locator("#account")).to_have_value(str(flat_desk.at["accountIds"][1]))
    expect(page.get_by_role("button", name="Buy 1 MNQ")).to_be_enabled()


def test_minutes_without_a_trade_are_empty_on_the_chart_and_a_night_is_a_short_gap(
    page: Page, shared_desk: Desk
) -> None:
    opened(page, shared_desk)
    drawn = page.evaluate("""async () => {
        const { withGaps } = await import("/static/candles.js");
        const bar = (minute) => ({ time: minute * 60, open: 1, high: 1, low: 1, close: 1 });
        return withGaps([bar(1), bar(2), bar(5), bar(1000)]).map((bar) => [bar.time / 60, "open" in bar]);
    }""")
    assert drawn[:6] == [[1, True], [2, True], [3, False], [4, False], [5, True], [985, False]]
    assert (len(drawn), drawn[-2:]) == (5 + 15 + 1, [[999, False], [1000, True]])
