"""What is said of one thing that can be asked. The table of all is in ``routes``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class Parameter(msgspec.Struct, frozen=True):
    """``place`` is where it stands in the request; ``kind`` is how its text is read."""

    name: str
    place: Literal["path", "query"]
    kind: type
    meaning: str
    required: bool = False


class Route(msgspec.Struct, frozen=True):
    """One row of ``ROUTES``.

    ``answer`` is the type of the JSON that comes with each of ``statuses``, None where it is no JSON; ``failures`` are
    the statuses that come with a ``Failure``. ``body`` is what a POST takes, ``example`` one of it, and ``answered``
    its answer.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: Any
    failures: tuple[int, ...]
    note: str = ""
    statuses: tuple[int, ...] = (200,)
    body: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    example: Mapping[str, object] = {}
    answered: Mapping[str, object] = {}
