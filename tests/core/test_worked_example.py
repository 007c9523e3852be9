"""The worked example of docs/decision.md: its figures are the core's own, and its answer is the gate's."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from ordergate.core.exposure import worst_position
from ordergate.core.order import Side
from ordergate.core.reports import AccountReport
from ordergate.core.worst import order_risk_usd
from ordergate.web.replies import declined, nearest_row
from tests.core.desk import ACCOUNT, MES, Desk
from tests.web.page import exact

PAGE = Path(__file__).resolve().parents[2] / "docs/decision.md"
BLOCK = re.compile(r"<!-- worked: (\w+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WORKED: dict[str, str] = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))

LOST, HELD, ASKED, FITS = 9, 3, 8, 7  # contracts
STOPPED = 40  # ticks from each entry to its stop
ENTRY, BID = 20_000, 20_015  # ticks: 5,000.00 and 5,003.75


def test_every_figure_is_what_the_gate_works_out() -> None:
    assert WORKED["example"] == arithmetic(morning())


def test_the_answer_is_the_gates_and_what_is_said_to_pass_does() -> None:
    answer = morning().submit("eight", Side.BUY, ASKED)
    assert exact(WORKED["answer"]) == exact(declined(answer, nearest=nearest_row(MES, answer.nearest)).body)
    assert morning().submit("seven", Side.BUY, FITS).ok
    assert morning().submit("out", Side.SELL, HELD).ok


def morning() -> Desk:
    """50,000 USD; ``LOST`` contracts were stopped out; ``HELD`` are held with their stop resting; the market is up."""
    desk = Desk()
    for order_id, quantity in (("lost", LOST), ("held", HELD)):
        assert desk.submit(order_id, Side.BUY, quantity).ok
        desk.accept(order_id)
        desk.fill(order_id, price=ENTRY, fee_usd=MES.fee_usd * quantity)
        stop = desk.stop(order_id)
        assert stop.terms.stop_ticks == ENTRY - STOPPED
        desk.accept(stop.order_id)
        if order_id == "lost":
            desk.fill(stop.order_id, price=ENTRY - STOPPED, fee_usd=MES.fee_usd * quantity)
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance + desk.account.day.realized_usd, can_trade=True))
    desk.mark(BID)
    return desk


def arithmetic(desk: Desk) -> str:
    """The example, line by line. What the core works out is asserted to be the sum of the lines above it."""
    limits, account = desk.group.limits, desk.account
    now = desk.figures()
    worst = worst_position(account, MES.contract_id, Side.BUY, ASKED)
    tick, fee, daily = MES.tick_value_usd, MES.fee_usd, limits.daily_loss_usd_max
    lost, lost_fees, entry_fees = -MES.money(STOPPED, LOST), -fee * 2 * LOST, -fee * HELD
    opened, closing_fees = MES.money(BID - ENTRY, HELD), -fee * HELD
    stopped, risk, risk_fees = -MES.money(STOPPED, HELD), -MES.money(STOPPED, ASKED), -fee * 2 * ASKED
    realized, base = account.day.realized_usd, account.day.balance_usd
    assert desk.net() + ASKED == worst
    assert lost + lost_fees + entry_fees == realized
    assert realized + opened + closing_fees == now.day_pnl
    assert realized + stopped + closing_fees == now.day_pnl_at_stops
    assert risk + risk_fees == -order_risk_usd(MES, STOPPED, ASKED)
    lines = [
        "position, in contracts",
        line("held", HELD),
        line("this order", ASKED),
        line("worst long", worst, f"limit {limits.position_quantity_max}: MAX_POSITION_SIZE"),
        "risk of this order alone, in dollars",
        line(
            f"to its stop: {ASKED} x {STOPPED} ticks x {tick}",
            risk,
            f"limit {limits.risk_percent_max} % of {base:,} = {base * limits.risk_percent_max / 100:,.2f}: passes",
        ),
        "the day so far, in dollars",
        line(f"lost this morning: {LOST} x {STOPPED} ticks x {tick}", lost),
        line(f"fees of that, in and out: {LOST} x 2 x {fee}", lost_fees),
        line(f"fees of entering what is held: {HELD} x {fee}", entry_fees),
        line("realised today", realized),
        line(f"open, at the bid: {HELD} x {BID - ENTRY} ticks x {tick}", opened),
        line(f"fees of closing it: {HELD} x {fee}", closing_fees),
        line("dayPnl", now.day_pnl, f"limit {daily:,}: not reached"),
        "the same day if everything goes wrong, in dollars",
        line("realised today", realized),
        line(f"held, closed at its stop: {HELD} x {STOPPED} ticks x {tick}", stopped),
        line(f"fees of closing it: {HELD} x {fee}", closing_fees),
        line("dayPnlAtStops", now.day_pnl_at_stops),
        line(f"this order, stopped: {ASKED} x {STOPPED} ticks x {tick}", risk),
        line(f"its fees, in and out: {ASKED} x 2 x {fee}", risk_fees),
        line("sum", now.day_pnl_at_stops + risk + risk_fees, f"limit {daily:,}: DAILY_LOSS_LIMIT"),
        f"with {FITS} contracts instead of {ASKED}",
        line("worst long", desk.net() + FITS, "at the limit: a size denies above it"),
        line("sum", now.day_pnl_at_stops - order_risk_usd(MES, STOPPED, FITS), "passes"),
    ]
    return "\n".join(lines) + "\n"


def line(text: str, figure: Decimal | int, note: str = "") -> str:
    shown = f"{figure:>+10}" if isinstance(figure, int) else f"{figure:>+10,.2f}"
    return f"  {text:<48}{shown}   {note}".rstrip()
