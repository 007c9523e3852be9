"""Whether we see the broker: both hubs subscribed and REST answering."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable

from ordergate.core.reports import LinkReport


class Part(enum.Enum):
    """What must work, by the name that people read."""

    USER_HUB = "user hub"
    MARKET_HUB = "market hub"
    REST = "REST"


class Link:
    """Tells each change. ``faults`` says of every part why it is down, or nothing."""

    def __init__(self, publish: Callable[[LinkReport], Awaitable[None]]) -> None:
        self.faults = dict.fromkeys(Part, "not connected yet")
        self._publish = publish
        self._told = self._report()

    @property
    def up(self) -> bool:
        return not any(self.faults.values())

    async def changed(self, part: Part, fault: str | None) -> None:
        """``fault`` None: the part works. What gets better while others are still down is not told."""
        self.faults[part] = fault or ""
        report = self._report()
        if report.up or (fault and report != self._told):
            self._told = report
            await self._publish(report)

    async def tell(self) -> None:
        """Tell how it is, changed or not."""
        self._told = self._report()
        await self._publish(self._told)

    @property
    def reason(self) -> str:
        """Why it is down, or empty."""
        return "; ".join(f"{part.value}: {fault}" for part, fault in self.faults.items() if fault)

    def _report(self) -> LinkReport:
        return LinkReport(up=self.up, reason=self.reason)
