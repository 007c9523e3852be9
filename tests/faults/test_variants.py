"""Where the broker may do one thing or another, the desk does its work with both: see ``exchange.variants``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ordergate.exchange.variants import Variant
from tests.faults.desk import ASK, BID, Desk, until
from tests.faults.line import LIMIT
from tests.faults.side_by_side import Test, on_a_desk

# With these the account cannot cancel: below. The other ends what else has logged in, as here.
ELSEWHERE = {Variant.LIVE_FUNDED, Variant.LIVE_NO_ORDERS, Variant.FOLLOWER, Variant.LOGIN_ENDS_OTHERS}


async def a_day(desk: Desk) -> None:
    """Bought and taken at the target, bought and stopped, bought, moved and flattened: each time nothing is left."""
    await desk.buy(2, "target")
    await desk.protected()
    await until(lambda: resting(desk, LIMIT))
    await desk.quoted(ASK + 45)
    await desk.over()
    await desk.quoted(BID)
    await desk.seen(BID)

    await desk.buy(2, "stop")
    await desk.protected()
    await desk.quoted(BID - 30)
    await desk.over()
    await desk.quoted(BID)
    await desk.seen(BID)

    await desk.buy(1, "first")
    await desk.buy(1, "second", orderType="LIMIT", limitPrice=(BID - 4) / 4)
    await desk.protected()
    status, answer = await desk.post("/api/flatten")
    assert status == 200, answer
    await desk.over()
    assert await desk.nets() == [2, 0, 2, 0, 1, 0]


@on_a_desk(variants=(Variant.LIVE_FUNDED,))
async def test_a_live_account_takes_no_order_that_could_not_be_cancelled(desk: Desk) -> None:
    status, answer = await desk.post("/api/order", instrument="MES", side="BUY", quantity=1, orderId="a")
    assert (status, [breach["code"] for breach in answer["breaches"]]) == (422, ["ACCOUNT_CANNOT_CANCEL"])
    [account] = await desk.get("/api/accounts")
    assert "it is not a simulated account" in account["reason"]
    assert not (await desk.get("/api/trading-status"))["canTrade"]
    assert await desk.nets() == []


@on_a_desk(variants=(Variant.FOLLOWER,))
async def test_a_follower_is_found_out_by_its_first_cancel_and_takes_no_new_risk(desk: Desk) -> None:
    await desk.buy(1, "works", orderType="LIMIT", limitPrice=(BID - 40) / 4)
    await until(lambda: resting(desk, LIMIT))
    await desk.post("/api/cancel-all")
    await desk.alarmed("ACCOUNT_CANNOT_CANCEL")
    status, answer = await desk.post("/api/order", instrument="MES", side="BUY", quantity=1, orderId="b")
    assert status == 422
    assert "Follower accounts cannot cancel orders" in answer["breaches"][0]["message"]


async def resting(desk: Desk, order_type: int) -> bool:
    return bool(await desk.resting(order_type))


def named(case: Callable[[Desk], Awaitable[None]], name: str) -> Callable[[Desk], Awaitable[None]]:
    async def of_its_own(desk: Desk) -> None:
        await case(desk)

    of_its_own.__name__ = name
    return of_its_own


def days() -> dict[str, Test]:
    found = {}
    for variant in Variant:
        for native in (False, True):
            name = f"test_a_day_with_{variant.value}{'_and_native_brackets' if native else ''}"
            if variant not in ELSEWHERE:
                found[name] = on_a_desk(native=native, variants=(variant,))(named(a_day, name))
    return found


globals().update(days())
