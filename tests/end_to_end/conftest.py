"""One desk for the tests of a module that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.process import Desk, running, until


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """Flat and without orders, before and after; with a token of its own at the exchange."""
    shared_desk.token = None
    yield shared_desk
    shared_desk.post("/api/flatten", {"accountId": "all"})
    until(shared_desk.flat_and_empty)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
