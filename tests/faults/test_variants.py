"""Where the broker may do one thing or another, the desk does its work with both: see ``exchange.variants``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ordergate.exchange.variants import Variant
from tests.faults.desk import ASK, BID, Desk, until
from tests.faults.line import LIMIT
from tests.faults.side_by_side import Test, on_a_desk

# With these the account cannot cancel, which is another story; the other ends what else has logged in, as here.
ELSEWHERE = {Variant.LIVE_FUNDED, Variant.FOLLOWER, Variant.LOGIN_ENDS_OTHERS}


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
