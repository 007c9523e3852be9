"""Desks as processes. One for each test, but for tests that only ask: the broker allows 200 requests a minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.process import Desk, running


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    with running(folder) as desk:
        yield desk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
