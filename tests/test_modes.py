"""The modes, over the whole desk and real sockets: what is written to the broker in each of the 16 combinations.

Writes are counted in the exchange's own door. The table of docs/modes.md is held against what is seen here.
"""

from __future__ import annotations

import itertools
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from ordergate.core import events as e
from ordergate.core.limits import Limits
from ordergate.core.modes import Modes
from ordergate.exchange import server
from ordergate.exchange.settings import BracketMode
from tests.exchange.support import MES
from tests.faults.desk import BID, Desk, Told, price, running, until
from tests.faults.line import Fault

TICK_USD = Decimal("1.25")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "modes.md"
LIMITS = Limits(allowed_symbols=("MES",), order_quantity_max=3)
# A row of the page's table: the four switches, and what becomes of each thing that is asked for.
ROWS = {
    Modes(
        shadow=cells[0] == "yes", intercept=cells[1] == "yes", preserve=cells[2] == "yes", validate=cells[3] == "yes"
    ): cells[4:]
    for cells in (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (yes|no) \| (yes|no) \|", line)
    )
}
COMBINATIONS = [
    Modes(shadow=shadow, intercept=intercept, preserve=preserve, validate=validate)
    for shadow, intercept, preserve, validate in itertools.product((False, True), repeat=4)
]


@pytest.fixture(autouse=True)
def told_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """The market of MES stands still until it is told where to go."""
    monkeypatch.setattr(server, "Walk", Told)


def name(modes: Modes) -> str:
    switches = (("shadow", modes.shadow), ("intercept", modes.intercept), ("preserve", modes.preserve))
    return "-".join(word for word, on in (*switches, ("validate", modes.validate)) if on) or "none"


class Writes:
    """What has arrived at the exchange since it was asked last."""

    def __init__(self, desk: Desk) -> None:
        self._faults = [desk.fault(Fault, f"Order/{path}") for path in ("place", "modify", "cancel")]
        self._told = 0

    @property
    def total(self) -> int:
        return sum(len(fault.met) for fault in self._faults)

    def new(self) -> str:
        before, self._told = self._told, self.total
        count = self._told - before
        return f"{count} write{'' if count == 1 else 's'}"


async def ordered(desk: Desk, order_id: str, quantity: int) -> str:
    """What became of a market order: denied, or the ground on which it was sent and was filled and protected."""
    asked = {"instrument": "MES", "side": "BUY", "quantity": quantity, "orderId": order_id}
    status, answer = await desk.post("/api/order", **asked)
    if status != 200:
        assert [breach["code"] for breach in answer["breaches"]] == ["MAX_ORDER_SIZE"], answer
        return "denied"
    await desk.protected()
    await until(lambda: has_both_legs(desk, quantity))
    approved = [event for event in await desk.journaled(e.OrderApproved) if event.order.order_id == order_id]
    assert len(approved) == 1
    return str(approved[0].kind.value)


async def has_both_legs(desk: Desk, quantity: int) -> bool:
    row = await desk.position()
    legs = [*row["stops"], *row["targets"]] if row is not None else []
    return [leg["quantity"] for leg in legs if leg["status"] == "WORKING"] == [quantity, quantity]


async def flattened(desk: Desk) -> None:
    assert (await desk.post("/api/flatten"))[0] == 200
    await until(lambda: is_flat(desk))


async def is_flat(desk: Desk) -> bool:
    rows = await desk.get("/api/orders")
    return await desk.position() is None and not [row for row in rows if row["status"] in ("PENDING", "WORKING")]


async def seen(modes: Modes) -> list[str]:
    """The cells of a row of the table."""
    async with running(LIMITS, native=False, platform=BracketMode.AUTO_OCO, modes=modes) as desk:
        writes = Writes(desk)
        inside = await ordered(desk, "inside", 2)
        cells = [f"{inside}, {writes.new()}"]
        await moved_stop(desk, BID - 20)
        move = writes.new()
        await flattened(desk)
        flatten = writes.new()
        over = await ordered(desk, "over", 4)
        cells += [f"{over}, {writes.new()}", move]
        await flattened(desk)
        await rested(desk, "rests")
        writes.new()
        await cancelled(desk, "rests")
        cells += [writes.new(), flatten, "yes" if await is_enforcing(desk) else "no"]
        if modes.shadow:
            assert await desk.nets() == []
            assert writes.total == 0
        return cells


async def is_enforcing(desk: Desk) -> bool:
    answer = await desk.line.request("GET", f"{desk.at.aggregator}/health", timeout_s=10)
    return bool(msgspec.json.decode(answer.body)["enforcing"])


async def moved_stop(desk: Desk, level: int) -> None:
    row = await desk.position()
    stop = row["stopLoss"]["orderId"]
    assert (await desk.post("/api/modify-order", orderId=stop, stopPrice=price(level)))[0] == 200

    async def is_there() -> bool:
        held = await desk.position()
        return bool(held["stopLoss"]["price"] == float(price(level)))

    await until(is_there)


async def rested(desk: Desk, order_id: str) -> None:
    """A buy that rests far below the market."""
    asked = {"instrument": "MES", "side": "BUY", "quantity": 1, "orderId": order_id, "orderType": "LIMIT"}
    assert (await desk.post("/api/order", **asked, limitPrice=price(BID - 40)))[0] == 200
    await until(lambda: is_order(desk, order_id, "WORKING"))


async def cancelled(desk: Desk, order_id: str) -> None:
    assert (await desk.post("/api/cancel-order", orderId=order_id))[0] == 200
    await until(lambda: is_order(desk, order_id, "CANCELLED"))


async def is_order(desk: Desk, order_id: str, status: str) -> bool:
    rows = await desk.get("/api/orders")
    return any((row["orderId"], row["status"]) == (order_id, status) for row in rows)


def test_the_page_tells_of_each_combination() -> None:
    assert list(ROWS) == COMBINATIONS


@pytest.mark.parametrize("modes", COMBINATIONS, ids=name)
async def test_each_combination_writes_to_the_broker_what_the_page_says(modes: Modes) -> None:
    assert await seen(modes) == ROWS[modes]


async def test_a_bracket_that_is_attached_to_its_order_works_on_paper() -> None:
    modes = Modes(shadow=True)
    async with running(LIMITS, native=True, platform=BracketMode.AUTO_OCO, modes=modes) as desk:
        writes = Writes(desk)
        assert await ordered(desk, "attached", 2) == "approved"
        (approved,) = await desk.journaled(e.OrderApproved)
        assert approved.order.terms.is_native, "no leg was placed by us"
        await desk.quoted(BID - 60, BID - 60)
        await until(lambda: is_flat(desk))
        assert [fill.price_ticks for fill in await desk.journaled(e.FillApplied)] == [BID + 1, BID - 60]
        assert (writes.total, await desk.nets()) == (0, [])


async def test_on_paper_a_bracket_protects_and_its_stop_ends_the_position() -> None:
    modes = Modes(shadow=True)
    async with running(LIMITS, native=False, platform=BracketMode.AUTO_OCO, modes=modes) as desk:
        writes = Writes(desk)
        await ordered(desk, "protected", 2)
        await desk.quoted(BID - 60, BID - 60)
        await until(lambda: is_flat(desk))
        (account,) = await desk.get("/api/accounts")
        fills = await desk.journaled(e.FillApplied)
        lost = 61 * 2 * TICK_USD + sum(fill.fee_usd for fill in fills)
        assert account["dayPnl"] == -float(lost)
        assert (writes.total, await desk.nets()) == (0, [])


async def test_an_order_that_somebody_makes_at_the_broker_is_not_in_the_paper_book() -> None:
    modes = Modes(shadow=True)
    async with running(LIMITS, native=False, platform=BracketMode.AUTO_OCO, modes=modes) as desk:
        await desk.exchange("Order/place", contractId=MES, type=2, side=0, size=3)
        await until(lambda: has_traded(desk))
        await ordered(desk, "ours", 2)
        await flattened(desk)
        assert await desk.nets() == [3], "what is real stays as it is"


async def has_traded(desk: Desk) -> bool:
    return await desk.nets() != []
