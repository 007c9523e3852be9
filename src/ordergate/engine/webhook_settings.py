"""What can be set of the webhook."""

from __future__ import annotations

import msgspec

from ordergate.core.alarm import Level


class WebhookSettings(msgspec.Struct, frozen=True):
    """Where alarms go, from which level on, and how long an answer may take. ``url`` None = nowhere.

    Its text form leaves address and secret out.
    """

    url: str | None = None
    secret: str | None = None
    level: Level = Level.CRITICAL
    timeout_ms: int = 5_000

    def __repr__(self) -> str:
        return f"WebhookSettings({self.level!r})"
