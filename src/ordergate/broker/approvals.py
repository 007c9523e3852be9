"""Approvals: signed, single-use, expiring permission for one exact request to the broker.

Invariants:
1. Any changed field of the approval or of the order it covers makes ``verified`` refuse it.
2. The signature covers a canonical encoding: the same struct always gives the same bytes.
3. An approval says nothing about being used or stale; that is the connection manager's to know.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from ordergate.core.effects import Effect, Modify, Place
from ordergate.core.events import ApprovalKind

APPROVAL_VERSION = 1
# Long enough for a busy lane, short enough that a laptop waking from sleep sends nothing stale (design, section 7).
LIFETIME_NS = 5_000_000_000


class Approval(msgspec.Struct, frozen=True):
    """Permission for one place or modify. ``approval_id`` is unique per book; ``order_hash`` is hex SHA-256."""

    version: int
    approval_id: str
    kind: ApprovalKind
    action: str
    book: str
    order_hash: str
    order_tag: str
    limits_version: int
    epoch: int
    issued_ns: int
    expires_ns: int
    signature: str = ""


class Approved(msgspec.Struct, frozen=True, tag="approved"):
    """A place or modify with its approval, as it travels to the connection manager."""

    approval: Approval
    effect: Place | Modify


class Introduce(msgspec.Struct, frozen=True, tag="introduce"):
    """A gate has begun, or found its connection manager again: say anew how the link is, and what is known."""


# What the topics ``commands`` and ``exits`` carry.
Order = Approved | Effect | Introduce

_encoder = msgspec.json.Encoder(order="sorted")


def order_hash(effect: Place | Modify) -> str:
    """Hex SHA-256 over the exact request: terms, tag, grant and, for a modify, the broker's order id."""
    return hashlib.sha256(_encoder.encode(effect)).hexdigest()


def _signature(approval: Approval, key: bytes) -> str:
    unsigned = msgspec.structs.replace(approval, signature="")
    return hmac.new(key, _encoder.encode(unsigned), hashlib.sha256).hexdigest()


def approve(effect: Place | Modify, book: str, key: bytes) -> Approved:
    """Sign ``effect``. Called only for events that are durable."""
    grant = effect.grant
    action = "place" if isinstance(effect, Place) else "modify"
    approval = Approval(
        version=APPROVAL_VERSION,
        approval_id=f"{book}/{grant.number}",
        kind=grant.kind,
        action=action,
        book=book,
        order_hash=order_hash(effect),
        order_tag=effect.order_tag,
        limits_version=grant.limits_version,
        epoch=grant.epoch,
        issued_ns=grant.issued_ns,
        expires_ns=grant.issued_ns + LIFETIME_NS,
    )
    return Approved(msgspec.structs.replace(approval, signature=_signature(approval, key)), effect)


def refusal(approved: Approved, key: bytes) -> str | None:
    """Why ``approved`` is not genuine, or None when it is. Constant time in the signature."""
    approval, effect = approved.approval, approved.effect
    if approval.version != APPROVAL_VERSION:
        return f"approval version {approval.version} is not {APPROVAL_VERSION}"
    if not hmac.compare_digest(approval.signature.encode(), _signature(approval, key).encode()):
        return "the signature does not match"
    if approval.order_hash != order_hash(effect) or approval.order_tag != effect.order_tag:
        return "the order is not the one that was approved"
    if approval.action != ("place" if isinstance(effect, Place) else "modify"):
        return f"approved for {approval.action} only"
    return None
