"""What all tests share: how hypothesis searches, and one line that says why tests were skipped.

``ci`` (the default) tries the same examples every time, so that a failure is the change's and not the day's. CI tries
more of them in ``longer``.
``HYPOTHESIS_PROFILE=thorough`` looks further, and differently each time; the blob it prints repeats what it found.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.redis_server import RedisServer, running_redis

settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None, max_examples=25)
settings.register_profile("longer", derandomize=True, print_blob=True, deadline=None, max_examples=150)
settings.register_profile("thorough", print_blob=True, deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(params=["redis", "valkey"])
def redis_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """One that keeps nothing on disk."""
    with running_redis(tmp_path, name=request.param) as server:
        yield server
