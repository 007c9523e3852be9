"""Native brackets: a stop and a target that the broker attaches to an entry, and that live on when we do not.

Whether an account takes them is a setting of the platform that no API shows: Auto OCO Brackets takes them, Position
Brackets refuses the whole entry, and may add legs of its own. Source: ProjectX API notes, section 6, read 2026-11-22.

Invariants:
1. They are asked for only where the account is known to take them; else the bracket is managed: placed on the fill.
2. A child inherits the approval of its entry, and is a leg like any other from the moment it is seen.
3. A child that does not show in time is not waited for: the bracket is managed then, and what shows later is surplus.
4. Never two engines: legs that somebody else makes for a fill of ours are cancelled once ours rest.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.draft import Draft
from ordergate.core.filing import native_timer
from ordergate.core.order import BracketMode, Order, OrderType, Protection, Role, Status, Terms
from ordergate.core.reports import OrderReport
from ordergate.core.timing import FOREIGN_NS, NATIVE_WAIT_NS

# What a refused entry says (section 5.4).
_REFUSED_MODE = "Position Brackets"
_ROLES = {"SL": Role.STOP, "TP": Role.TARGET}
_TYPES = {Role.STOP: OrderType.STOP, Role.TARGET: OrderType.LIMIT}


def mode(group: Group, account: Account) -> BracketMode:
    """The bracket mode of ``account``: what the broker has taught us, else the setting."""
    return account.bracket_mode or group.bracket_mode


def attached(group: Group, account: Account, terms: Terms, protection: Protection) -> Terms:
    """``terms`` with the bracket attached where the broker can hold all of it: one stop, at most one target, distances.

    The offsets are signed, from the fill price.
    """
    stop, targets = protection.stop, protection.targets
    if mode(group, account) is not BracketMode.AUTO_OCO or stop is None or stop.price_ticks is not None:
        return terms
    if len(targets) > 1 or any(target.quantity is not None or target.at.price_ticks is not None for target in targets):
        return terms
    sign = terms.side.sign
    target_ticks = sign * targets[0].at.ticks if targets else None
    return replace(terms, stop_offset_ticks=-sign * stop.ticks, target_offset_ticks=target_ticks)


def awaits(draft: Draft, entry: Order) -> bool:
    """Whether the broker may still be about to show the children of an entry that has filled."""
    if not entry.terms.is_native:
        return False
    until_ns = draft.account(entry.terms.account_id).timers.get(native_timer(entry.order_id))
    if until_ns is None:
        until_ns = draft.at_ns + NATIVE_WAIT_NS
        draft.add(e.NativeAwaited(entry.terms.account_id, entry.order_id, until_ns))
    return until_ns > draft.at_ns


def child(draft: Draft, report: OrderReport) -> Order | None:
    """The leg that ``report`` shows, if it is a child of an entry of ours; it is in the books from now on."""
    account = draft.account(report.account_id)
    named, _, suffix = (report.order_tag or "").rpartition("-")
    entry = account.order(account.broker_ids.get(report.parent_id or 0)) or account.order(account.tags.get(named))
    if entry is None or not entry.terms.is_native or report.contract_id != entry.terms.contract_id:
        return None
    by_type = Role.STOP if report.order_type is OrderType.STOP else Role.TARGET
    role = _ROLES.get(suffix, by_type)
    if report.side is entry.terms.side or report.order_type is not _TYPES[role]:
        return None
    leg = Order(
        order_id=f"{entry.order_id}/{role.value}/{report.broker_order_id}",
        terms=Terms(
            account_id=report.account_id,
            contract_id=entry.terms.contract_id,
            side=report.side,
            quantity=report.quantity,
            order_type=report.order_type,
            limit_ticks=report.limit_ticks,
            stop_ticks=report.stop_ticks,
        ),
        role=role,
        status=Status.WORKING,
        tag=report.order_tag or "",
        parent_id=entry.order_id,
        instance_id=entry.instance_id,
        broker_order_id=report.broker_order_id,
        rests=True,
        received_ns=report.created_ns,
        decided_ns=draft.at_ns,
        updated_ns=draft.at_ns,
    )
    draft.add(e.ChildSeen(report.account_id, leg))
    return leg


def is_foreign(account: Account, report: OrderReport) -> bool:
    """Whether somebody else's order has been made for a fill of ours: another engine's leg of the same position."""
    for fill in account.fills.values():
        entry = account.order(fill.order_id)
        if (
            entry is not None
            and entry.role is Role.ENTRY
            and entry.protection.stop is not None
            and fill.contract_id == report.contract_id
            and fill.side is not report.side
            and 0 <= report.created_ns - fill.at_ns <= FOREIGN_NS
            and report.quantity in (fill.quantity, entry.open_quantity, abs(account.position(fill.contract_id).net))
        ):
            return True
    return False


def learn(draft: Draft, account_id: int, text: str) -> None:
    """What the broker's answer, or a leg of its own, says of the account's mode."""
    if _REFUSED_MODE in text and mode(draft.group, draft.account(account_id)) is not BracketMode.POSITION:
        draft.add(e.BracketModeLearned(account_id, BracketMode.POSITION, text, draft.at_ns))


def learn_foreign(draft: Draft, order: Order) -> None:
    """The platform, or another program, makes legs of its own for our fills."""
    learn(draft, order.terms.account_id, f"a leg of another bracket engine, as {_REFUSED_MODE} makes: {order.order_id}")


def cut(draft: Draft, account: Account, contract_id: str) -> None:
    """Cancel the legs of another engine as soon as all that we promised here rests."""
    book = account.orders.book(contract_id)
    foreign = [order for order in book.orders.values() if order.foreign and order.live and not order.cancel_wanted]
    if not foreign:
        return
    for entry in book.entries():
        stops = [leg for leg in book.legs_of(entry.order_id) if leg.role is Role.STOP and leg.rests]
        if entry.protection.stop is not None and sum(leg.leaves for leg in stops) < entry.open_quantity:
            return
    for order in foreign:
        draft.want_cancel(order, "surplus leg of another bracket engine")
