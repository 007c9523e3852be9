"""Brackets on the page: written on the ticket, moved on the chart and as text, and whether they protect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import ARTEFACTS
from tests.browser.sight import card, line_y, opened, section, sees_colour
from tests.browser.test_trading import STOP, TARGET
from tests.end_to_end.process import Desk, running, until

# A bar that rose, as chart.js has it: once it is there the scale is that of all bars.
BAR = (59, 130, 246)
SCALED = {
    "stop": {"points": 20},
    "targets": [{"points": 20, "quantity": 1}, {"points": 30, "quantity": 1}],
}


PRESET = """
[presets.scalp]
stop = {ticks = 72}
targets = [{ticks = 80, quantity = 1}, {points = 30}]
trail = {distance = 90}
[presets.bare]
stop = {enabled = false}
"""


@pytest.fixture(scope="module")
def shared_desk(
    browser: Browser,  # noqa: ARG001 - without it no desk is started
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """A desk with presets."""
    folder = tmp_path_factory.mktemp("desk")
    config = folder / "ordergate.toml"
    config.write_text(PRESET)
    with running(folder, "--config", str(config)) as desk:
        yield desk


@pytest.fixture
def asked(page: Page) -> list[tuple[str, Any]]:
    """What the page has asked for, previews left out: path and body, in order."""
    asked: list[tuple[str, Any]] = []

    def note(request: Request) -> None:
        path = request.url.partition("/api/")[2]
        if request.method == "POST" and path != "preview":
            asked.append((path, request.post_data_json))

    page.on("request", note)
    return asked


def stops(desk: Desk) -> list[float]:
    return [row["stopPrice"] for row in desk.resting() if row["stopPrice"] is not None]


def targets(desk: Desk) -> list[tuple[int, float]]:
    return sorted((row["size"], row["limitPrice"]) for row in desk.resting() if row["limitPrice"] is not None)


def test_a_scale_out_with_a_runner_goes_from_the_ticket_to_its_legs_at_the_exchange(
    flat_desk: Desk, page: Page, asked: list[tuple[str, Any]]
) -> None:
    ticket = section(opened(page, flat_desk), "Order ticket")
    page.fill("#quantity", "4")
    page.fill("#stop", "20")
    ticket.get_by_text("Bracket").click()
    for place, (points, quantity) in enumerate((("20", "1"), ("30", "0")), 1):
        ticket.get_by_role("button", name="+ Target").click()
        page.get_by_label(f"Target {place} in points").fill(points)
        page.get_by_label(f"Target {place}, contracts").fill(quantity)
    expect(ticket.get_by_role("group", name="Target 2")).to_contain_text("✕ must be a whole number")
    expect(page.get_by_label("Target 2, contracts")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Target 1, contracts")).to_have_attribute("aria-invalid", "false")
    page.screenshot(path=ARTEFACTS / "test_brackets.a-wrong-quantity.png")
    page.get_by_label("Target 2, contracts").fill("2")
    expect(ticket).to_contain_text("1 of 4: stop alone")
    expect(ticket.get_by_role("group", name="Target 2")).to_contain_text("2 for $300.00")
    for name, part, ticks in (("Breakeven", "trigger", ""), ("Trail", "distance", "90")):
        ticket.get_by_role("group", name=name).get_by_role("checkbox").check()
        page.get_by_label(f"{name} {part} in ticks").fill(ticks)
    expect(ticket.get_by_role("group", name="Breakeven")).to_contain_text("✕ say the trigger")
    expect(page.get_by_role("button", name="Buy 4 MES")).to_be_disabled()
    page.get_by_label("Breakeven trigger in ticks").fill("40")
    page.get_by_label("Breakeven offset in ticks").fill("2")
    expect(page.get_by_label("What a buy would do")).to_contain_text("✓ \N{MINUS SIGN}$402.88 at stop")

    page.get_by_role("button", name="Buy 4 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    ((path, body),) = asked
    assert (path, "stopLoss" in body, "takeProfit" in body) == ("order", False, False)
    assert body["bracket"] == {
        "stop": {"points": 20},
        "targets": [{"points": 20, "quantity": 1}, {"points": 30, "quantity": 2}],
        "breakeven": {"trigger": 40, "offset": 2},
        "trail": {"distance": 90},
    }
    average = flat_desk.position()["averagePrice"]
    until(lambda: targets(flat_desk) == [(1, average + 20), (2, average + 30)])
    assert stops(flat_desk) == [average - 20]
    expect(card(page, "MES")).to_contain_text(f"targets 1 at {average + 20:,.2f}, 2 at {average + 30:,.2f}")
    expect(card(page, "MES")).to_contain_text("stop to breakeven +2 at 40 ticks of profit")
    expect(card(page, "MES")).to_contain_text("stop trails 90 ticks behind")
    # 20 points of four contracts and the fees of closing them.
    left = section(page, "Limits").locator(".alone")
    expect(left).to_contain_text("\N{MINUS SIGN}$401.44")
    expect(left).to_contain_text("at the resting stops")
    # Distances belong to one instrument, as every level does.
    page.select_option("#instrument", "MYM")
    expect(ticket).to_contain_text("Bracket simple")


def test_an_order_asks_for_its_bracket_by_the_name_of_a_preset(
    flat_desk: Desk, page: Page, asked: list[tuple[str, Any]]
) -> None:
    ticket = section(opened(page, flat_desk), "Order ticket")
    page.fill("#quantity", "2")
    page.fill("#stop", "5")
    page.select_option("#preset", "bare")
    expect(page.get_by_label("What a buy would do")).to_contain_text("in a stress move: no stop")
    page.select_option("#preset", "scalp")
    expect(ticket).to_contain_text("stop 72 ticks · target 1 at 80 ticks, rest at 30 pts · trail 90 ticks, by 1")
    expect(page.locator("#stop")).to_have_count(0)
    expect(page.get_by_label("What a buy would do")).to_contain_text("✓ \N{MINUS SIGN}$181.44 at stop")
    page.screenshot(path=ARTEFACTS / "test_brackets.a-preset.png")
    page.get_by_role("button", name="Sell 2 MES").click()
    expect(card(page, "MES")).to_contain_text("✓ protected")
    ((_, body),) = asked
    assert body["preset"] == "scalp"
    assert not {"bracket", "stopLoss", "takeProfit"} & set(body)
    average = flat_desk.position()["averagePrice"]
    until(lambda: targets(flat_desk) == [(1, average - 30), (1, average - 20)])
    assert stops(flat_desk) == [average + 18]


def test_a_stop_is_dragged_to_where_it_then_rests_and_snaps_back_where_it_may_not_go(
    flat_desk: Desk, page: Page, asked: list[tuple[str, Any]]
) -> None:
    flat_desk.buy(3, bracket=SCALED)
    opened(page, flat_desk)
    expect(card(page, "MES")).to_contain_text("✓ protected")
    before = flat_desk.position()
    drawn, carried = page.get_by_label("Lines on the chart"), page.locator(".carried")
    across = page.locator(".canvas").bounding_box() or {"x": 0.0}
    x = across["x"] + 200

    def drag(to_y: float) -> str:
        """Hold the stop at ``to_y``; the price that is shown there, as text."""
        page.mouse.move(x, line_y(page, STOP))
        page.mouse.down()
        page.mouse.move(x, to_y, steps=3)
        expect(carried).to_contain_text("→")
        return carried.locator("b").first.inner_text()

    until(lambda: sees_colour(page, STOP) and sees_colour(page, BAR))
    drag(line_y(page, STOP) - 40)
    page.screenshot(path=ARTEFACTS / "test_brackets.a-dragged-stop.png")
    page.keyboard.press("Escape")
    expect(carried).to_have_count(0)
    page.mouse.up()
    assert asked == []

    told = drag(line_y(page, STOP) - 40)
    price = float(told.replace(",", ""))
    assert price > before["stopLoss"]["price"]
    lost = (before["averagePrice"] - price) * 5 * 3 + 6 * 0.36
    expect(carried).to_contain_text(f"STOP 3 → {told} \N{MINUS SIGN}${lost:.2f}")
    page.mouse.up()
    until(lambda: stops(flat_desk) == [price])
    expect(drawn).to_contain_text(f"STOP 3 {told}")
    expect(carried).to_have_count(0)

    drag(line_y(page, TARGET))
    expect(carried).to_contain_text("fills at once")
    page.mouse.up()
    expect(section(page, "Chart")).to_contain_text("not moved to")
    expect(section(page, "Chart")).to_contain_text("the market is through this stop already")
    expect(carried).to_have_count(0)
    expect(drawn).to_contain_text(f"STOP 3 {told}")
    assert stops(flat_desk) == [price]
    assert [path for path, _ in asked] == ["modify-order", "modify-order"]


def test_a_finger_that_drags_a_stop_has_to_press_move(flat_desk: Desk, phone: Page) -> None:
    flat_desk.buy(1, bracket={"stop": {"points": 20}})
    opened(phone, flat_desk)
    (resting,) = until(lambda: stops(flat_desk))
    phone.locator(".canvas").evaluate("(canvas) => canvas.scrollIntoView({ block: 'center' })")
    until(lambda: sees_colour(phone, STOP) and sees_colour(phone, BAR))
    fingers = phone.context.new_cdp_session(phone)
    y = line_y(phone, STOP) + 8
    for kind, at in (("touchStart", y), ("touchMove", y - 20), ("touchMove", y - 40), ("touchEnd", None)):
        points = [] if at is None else [{"x": 120, "y": at}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    field = phone.get_by_label("STOP 1, new price")
    price = float(field.input_value())
    assert price > resting
    assert stops(flat_desk) == [resting]
    phone.screenshot(path=ARTEFACTS / "test_brackets.a-finger.png")
    phone.get_by_role("button", name="Move", exact=True).tap()
    until(lambda: stops(flat_desk) == [price])


def test_a_level_is_moved_with_the_keyboard_alone(flat_desk: Desk, page: Page, asked: list[tuple[str, Any]]) -> None:
    flat_desk.buy(3, bracket=SCALED)
    opened(page, flat_desk)
    near, far = until(lambda: len(legs := flat_desk.position()["targets"]) == 2 and legs)
    until(lambda: len(targets(flat_desk)) == 2)
    page.get_by_role("button", name=f"Move TARGET 1 from {far['price']:,.2f}").focus()
    page.keyboard.press("Enter")
    field = page.get_by_label("TARGET 1, new price")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(field).to_have_value(f"{far['price'] - 1:g}")
    page.screenshot(path=ARTEFACTS / "test_brackets.a-written-level.png")
    page.keyboard.press("Enter")
    until(lambda: targets(flat_desk) == [(1, near["price"]), (1, far["price"] - 1)])
    expect(page.get_by_role("button", name=f"Move TARGET 1 from {far['price'] - 1:,.2f}")).to_be_focused()
    ((_, body),) = asked
    assert body == {"accountId": flat_desk.account, "orderId": far["orderId"], "limitPrice": far["price"] - 1}


def test_the_light_of_a_position_says_in_words_whether_it_is_protected_and_since_when(
    flat_desk: Desk, page: Page
) -> None:
    opened(page, flat_desk)
    flat_desk.buy(2)
    expect(card(page, "MES")).to_contain_text(re.compile(r"✓ protected 00:0[1-9]"))
    flat_desk.buy(1, bracket={"stop": {"enabled": False}, "targets": []})
    expect(card(page, "MES")).to_contain_text(re.compile(r"▲ UNPROTECTED by choice 00:0\d 1 of 3"))
    page.screenshot(path=ARTEFACTS / "test_brackets.a-light.png")
    page.emulate_media(reduced_motion="no-preference")
    shown = {state: page.evaluate(_LIT, state) for state in ("protected", "protecting", "unprotected", "by choice")}
    assert shown["unprotected"] == ["✕ UNPROTECTED 01:05 1 of 2: it was refused", "rgb(255, 107, 107)", "pulse"]
    assert shown["protecting"][0] == "◔ protecting 01:05 1 of 2: it was refused"
    assert [motion for _, _, motion in shown.values()].count("none") == 3
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(_LIT, "unprotected")[2] == "none"


_LIT = """async (state) => {
    const { h, render } = await import("preact");
    const { ProtectionLight } = await import("/static/protection.js");
    const { gateMs } = await import("/static/desk.js");
    const box = document.body.appendChild(document.createElement("div"));
    const told = { state, uncovered: 1, since: new Date(gateMs.value - 65_400).toISOString(), cause: "it was refused" };
    render(h(ProtectionLight, { told, quantity: 2 }), box);
    const light = box.querySelector(".light");
    const text = light.textContent.trim().replace(/\\s+/g, " ");
    const found = [text, getComputedStyle(light).color, getComputedStyle(light.querySelector("i")).animationName];
    box.remove();
    return found;
}"""
