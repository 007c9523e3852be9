"""The switches that say how much the gate may stop: what each means, and what they mean together. Pure.

Their order of precedence is that of the fields. What they do at the broker in each combination is one table, in
docs/modes.md, with one test each.

Invariant: without any of them set, every order is judged and a denied one is not sent.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Modes(msgspec.Struct, frozen=True):
    """``shadow``: nothing is written to the broker; kept by the last hop (``broker/shadow``), whatever else is set.

    Without ``intercept`` or without ``validate`` no limit is asked; what is no limit is (``rules.Kind``). With
    ``preserve`` an order that breaks limits, and nothing else, leaves all the same, and the account is not stopped by
    itself. Without ``default_bracket`` an order has only the stop and the targets that it names.
    """

    shadow: bool = False
    intercept: bool = True
    preserve: bool = False
    validate: bool = True
    default_bracket: bool = True

    @property
    def asks_limits(self) -> bool:
        return self.intercept and self.validate

    def of(self, *, passed: bool) -> Modes:
        """The modes of one order: of one that passes no limit is asked, whatever the switches say."""
        return replace(self, intercept=False) if passed else self

    @property
    def enforcing(self) -> bool:
        """Whether no order that was not checked, or was denied, can reach the broker.

        But for those of instances whose orders always pass: they are no mode, and are counted by themselves.
        """
        return self.shadow or (self.asks_limits and not self.preserve)

    @property
    def unasked(self) -> str:
        """Which limits an order is not held to, in words; empty where it is held to all."""
        if not self.asks_limits:
            off = [name for name, on in (("interception", self.intercept), ("validation", self.validate)) if not on]
            return f"{' and '.join(off)} off: orders are sent without asking the limits"
        if self.preserve:
            return "the original workflow is preserved: orders that break limits are sent all the same"
        return ""

    @property
    def text(self) -> str:
        """What the modes that are not the usual ones do, in words; empty where none is set."""
        told = []
        if self.shadow:
            told.append("shadow: nothing is written to the broker")
        if self.unasked:
            told.append(self.unasked)
        if not self.default_bracket:
            told.append("no default stop or target: an order has only those that it names")
        return "; ".join(told)
