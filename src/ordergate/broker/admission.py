"""The one rule of the last hop: no valid approval, no place, no modify. PURE.

Invariants:
1. An approval admits one request, once: from the moment it is admitted it is used, whatever becomes of the request.
2. An approval that was used before is never called "not sent": its request may be at the broker.
3. ``lapsed`` is asked again at the moment of sending: meanwhile an approval can expire, or a flatten overtake it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ordergate.broker.approvals import Approved, refusal
from ordergate.core.account import book as book_of
from ordergate.core.reports import Outcome


class Refused(msgspec.Struct, frozen=True):
    """Why nothing leaves. ``outcome`` None: it is not ours to answer, an alarm is all it gets."""

    outcome: Outcome | None
    text: str


class Admission:
    """The approvals of one venue, for its books of one mode. ``started_ns`` is when this connection manager came up."""

    def __init__(self, *, key: bytes, venue: str, started_ns: int, shadow: bool = False) -> None:
        self._key = key
        self._venue = venue
        self._shadow = shadow
        self._started_ns = started_ns
        self._used: set[str] = set()
        self._epochs: dict[int, int] = {}

    def remember(self, used: Iterable[str]) -> None:
        """Approval ids that were used before this start."""
        self._used.update(used)

    def raise_epoch(self, account_id: int, epoch: int) -> None:
        """Approvals of the account's older epochs are void from now on."""
        self._epochs[account_id] = max(epoch, self._epochs.get(account_id, 0))

    def admit(self, approved: Approved, now_ns: int) -> Refused | None:
        """None: it may leave, and counts as used from now on."""
        approval = approved.approval
        forged = refusal(approved, self._key)
        if forged is not None:
            return Refused(None, forged)
        account_id = approved.effect.terms.account_id
        book = book_of(self._venue, account_id, shadow=self._shadow)
        if approval.book != book:
            # Perhaps another connection manager's: to call it "not sent" could be a lie.
            return Refused(None, f"the approval is for book {approval.book}, not for {book}")
        if approval.approval_id in self._used:
            return Refused(Outcome.UNKNOWN, "the approval was used before")
        if approval.issued_ns < self._started_ns:
            # An exit may have left without a record (see used_approvals), anything else cannot have.
            left = Outcome.NOT_SENT if approval.kind.adds_risk else Outcome.UNKNOWN
            return Refused(left, "the approval was issued before the connection manager started")
        text = self.lapsed(approved, now_ns)
        if text is not None:
            return Refused(Outcome.NOT_SENT, text)
        self._used.add(approval.approval_id)
        self.raise_epoch(account_id, approval.epoch)
        return None

    def lapsed(self, approved: Approved, now_ns: int) -> str | None:
        """Why a genuine approval is no longer good, or None."""
        approval = approved.approval
        if now_ns >= approval.expires_ns:
            return f"the approval expired {_ms(now_ns - approval.expires_ns)} ago"
        epoch = self._epochs.get(approved.effect.terms.account_id, 0)
        if approval.epoch < epoch:
            return f"superseded: approved in epoch {approval.epoch}, a flatten, halt or cancel-all began {epoch}"
        return None


def _ms(duration_ns: int) -> str:
    return f"{duration_ns // 1_000_000} ms"
