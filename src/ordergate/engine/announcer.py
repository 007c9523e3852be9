"""Alarms told where nobody looks at the page: in the log, in figures, and to a webhook.

What is an alarm is said in ``core/alarms``. The gate's own troubles are added here, since a gate that cannot write or
decide has no event that could say so; the page hears of them with every heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable

from ordergate.core.account import Group
from ordergate.core.alarm import Alarm, Level
from ordergate.engine.webhook import Webhook
from ordergate.telemetry import logger

_log = logger("alarms")
_LOUDNESS = {Level.CRITICAL: "critical", Level.WARNING: "warning", Level.INFO: "info"}


class Announcer:
    """``raised`` is told the code and level of each."""

    def __init__(
        self, now_ns: Callable[[], int], webhook: Webhook | None, raised: Callable[[str, Level], None]
    ) -> None:
        self._now_ns = now_ns
        self._webhook = webhook
        self._raised = raised

    def heard(self, group: Group, number: int) -> None:
        """Announce what the event of that number has raised; ``group`` is the state after it, or after a later one."""
        for alarm in reversed(group.alarms):
            if alarm.number < number:
                return
            if alarm.number == number:
                self._announce(alarm)

    def troubled(self, code: str, message: str) -> None:
        """Announce what is wrong with the gate itself."""
        at_ns = self._now_ns()
        self._announce(Alarm(0, code, Level.CRITICAL, message, 0, None, None, at_ns, at_ns))

    def _announce(self, alarm: Alarm) -> None:
        self._raised(alarm.code, alarm.level)
        tell = getattr(_log, _LOUDNESS[alarm.level])
        tell(
            "alarm",
            code=alarm.code,
            account_id=alarm.account_id or None,
            order=alarm.order_id,
            contract=alarm.contract_id,
            count=alarm.count,
            message=alarm.message,
        )
        if self._webhook is not None:
            self._webhook.put(alarm)
