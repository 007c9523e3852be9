"""A case: one sentence, what it needs of the venue, and how it is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from ordergate.certify.venue import Provocation

if TYPE_CHECKING:
    from ordergate.certify.stage import Stage

# Longer than any wait of a case without an outage; by the running loop's time.
WITHIN_S = 240.0

Play = Callable[["Stage"], Awaitable[None]]
Needs = tuple[type[Provocation], ...]


class CaseFailed(Exception):
    """What was seen is not what is certified. The message says what was waited for and what was heard."""


class Case(msgspec.Struct, frozen=True):
    """``name`` is the sentence that is certified, of ``subject``; ``within_s`` is how long it may take (> 0)."""

    subject: str
    name: str
    play: Play
    needs: Needs = ()
    within_s: float = WITHIN_S


class Subject:
    """The cases of one subject, in their order: ``@subject.case("sentence")`` over each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []

    def case(self, name: str, *needs: type[Provocation], within_s: float = WITHIN_S) -> Callable[[Play], Play]:
        """Make the function below the play of a case."""

        def taken(play: Play) -> Play:
            self.cases.append(Case(self.name, name, play, needs, within_s))
            return play

        return taken


def require(condition: object, text: str) -> None:
    """Raises ``CaseFailed`` with ``text`` unless ``condition`` holds."""
    if not condition:
        raise CaseFailed(text)
