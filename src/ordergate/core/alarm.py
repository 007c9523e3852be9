"""What an alarm is. What raises one is in ``alarms``."""

from __future__ import annotations

import enum

import msgspec


class Level(enum.StrEnum):
    """How soon somebody has to look: at once, wherever he is; while he is at his desk; when he likes."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Alarm(msgspec.Struct, frozen=True):
    """One row of what somebody should look at.

    ``number`` is that of the event that raised it last, and its name. ``account_id`` 0 = the whole risk group.
    ``first_ns`` and ``at_ns`` are when it was raised first and last, ``count`` (> 0) how often.
    """

    number: int
    code: str
    level: Level
    message: str
    account_id: int
    order_id: str | None
    contract_id: str | None
    first_ns: int
    at_ns: int
    count: int = 1
    acknowledged: bool = False

    @property
    def about(self) -> tuple[str, int, str | None, str | None]:
        """What makes two alarms the same one, raised again."""
        return self.code, self.account_id, self.order_id, self.contract_id
