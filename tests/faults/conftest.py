"""The cases of a module are played once, those that were asked for."""

from __future__ import annotations

import asyncio

import pytest

from ordergate.exchange import server
from tests.faults.desk import Told
from tests.faults.side_by_side import Outcomes, play


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Outcomes:
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = [item.originalname for item in items if item.module is request.module and "outcomes" in item.fixturenames]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "Walk", Told)
        return asyncio.run(play(names))
