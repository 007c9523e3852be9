"""The core runs under a decimal context that traps rounding and floats: money is exact, or a test fails."""

from __future__ import annotations

import decimal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def exact_money() -> Iterator[None]:
    with decimal.localcontext() as context:
        context.traps[decimal.Inexact] = True
        context.traps[decimal.FloatOperation] = True
        yield
