"""Cases that run side by side in one loop, each on a desk of its own: most of their time is waiting by design."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from ordergate.core.limits import Limits
from ordergate.exchange.settings import BracketMode
from ordergate.exchange.variants import Variant
from tests.faults.desk import Desk, running

Case = Callable[[], Awaitable[None]]
Outcomes = dict[str, BaseException | None]
Test = Callable[[Outcomes], None]

# Quotes do not grow old by themselves here: the market stands still while nothing is told.
LIMITS = Limits(allowed_symbols=("MES",), quote_age_ms_max=60_000)
CASE_S = 25
_cases: dict[str, Case] = {}


def beside_the_others(case: Case) -> Test:
    """The test of a case that needs no desk of this process."""
    name = getattr(case, "__name__", "")
    _cases[name] = case

    def test(outcomes: Outcomes) -> None:
        error = outcomes[name]
        if error is not None:
            raise error

    test.__doc__ = case.__doc__
    return test


def on_a_desk(
    *,
    native: bool = False,
    platform: BracketMode = BracketMode.AUTO_OCO,
    variants: tuple[Variant, ...] = (),
    **limits: object,
) -> Callable[[Callable[[Desk], Awaitable[None]]], Test]:
    """The test of a case on a desk of its own, see ``running``; ``limits`` are those that differ."""

    def made(case: Callable[[Desk], Awaitable[None]]) -> Test:
        @functools.wraps(case)
        async def on_its_desk() -> None:
            async with running(replace(LIMITS, **limits), native=native, platform=platform, variants=variants) as desk:
                (end,) = await asyncio.gather(asyncio.wait_for(case(desk), CASE_S), return_exceptions=True)
            if end is not None:  # raised inside, it would come in the groups of all that runs there
                raise end

        return beside_the_others(on_its_desk)

    return made


async def play(names: list[str]) -> Outcomes:
    """How each of the cases ended."""
    ends = await asyncio.gather(*(_cases[name]() for name in names), return_exceptions=True)
    return dict(zip(names, ends, strict=True))
