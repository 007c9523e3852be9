"""Cases on the simulated venue, as fast as they can be played, with the adapter that is given."""

from __future__ import annotations

import asyncio

from ordergate.certify.cases import CASES
from ordergate.certify.command import SPEED
from ordergate.certify.projectx import projectx
from ordergate.certify.run import Played, play
from ordergate.certify.sim import SimVenues
from ordergate.certify.venue import Adapter, Provocation
from ordergate.net.http import HttpNetwork
from ordergate.pace import new_event_loop


def certify(
    *sentences: str,
    adapter: Adapter = projectx,
    faults: bool = False,
    seed: int = 1,
    can: frozenset[type[Provocation]] | None = None,
) -> list[Played]:
    """The cases in whose subject or sentence one of those stands; all of them where none is given."""
    cases = [
        case for case in CASES if not sentences or any(each in f"{case.subject}: {case.name}" for each in sentences)
    ]
    assert len(cases) >= len(sentences), "every one of them names a case"

    async def work() -> list[Played]:
        network = HttpNetwork()
        try:
            venues = SimVenues(network, seed, is_disturbed=faults)
            venues.can = venues.can if can is None else can
            return await play(cases, venues, adapter, lambda case, order: f"test-{case}-{order}", lambda _: None)
        finally:
            await network.close()

    with asyncio.Runner(loop_factory=new_event_loop(SPEED)) as runner:
        return runner.run(work())


def failures(done: list[Played]) -> dict[str, str]:
    """Why each that did not pass has not, by its sentence."""
    return {case.name: case.why for case in done if case.why}
