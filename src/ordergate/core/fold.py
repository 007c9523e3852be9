"""``evolve``: how one event changes the state. No judgement here, only bookkeeping; ``decide`` has judged already.

Invariants:
1. The argument is left unchanged.
2. Folding the journal gives the state that was live when its last row was written.
"""

from __future__ import annotations

from typing import Any, assert_never

from msgspec.structs import replace

from ordergate.core import events as e
from ordergate.core.account import Account, Check, Covered, Group, RunningExit
from ordergate.core.alarms import acknowledged, alarmed
from ordergate.core.filing import (
    cover_timer,
    ended,
    known,
    leg_timer,
    linked,
    native_timer,
    put,
    rest_timer,
    reviewed,
    step,
    timer,
    trail_timer,
    without,
)
from ordergate.core.fills import adopted, corrected, day_opened, fill_applied, fill_busted, settled
from ordergate.core.order import Order, Role, Status, Trigger
from ordergate.core.pace import is_taken_again, paced
from ordergate.core.readings import doubted, link_changed, reconciled, updated
from ordergate.core.timing import (
    ANSWER_WAIT_NS,
    CANCEL_RETRY_NS,
    CANCELS_DOUBLED_MAX,
    CHANGE_READ_NS,
    CLEARING_NS,
    DOUBT_READ_NS,
    EXIT_RETRY_NS,
    FILL_WAIT_NS,
    PROTECT_WITHIN_NS,
    REFUSALS_DOUBLED_MAX,
    RESIZE_GAP_NS,
    REST_READ_MAX_NS,
    REST_READ_NS,
    SNAPSHOT_WAIT_NS,
    STOP_RETRY_NS,
    TARGET_RETRY_NS,
    URGENT_DOUBT_READ_NS,
)

_REFUSED = (Trigger.REJECT, Trigger.PROVE_ABSENT)
_TAKEN = (Trigger.CANCEL, Trigger.EXPIRE)


def evolve(group: Group, event: e.Event) -> Group:
    """The state after ``event``."""
    return alarmed(_evolved(group, event), event)


def _evolved(group: Group, event: e.Event) -> Group:
    version, account_id = group.version + 1, event.account_id
    if account_id:  # 0 is the group's own book
        account = group.accounts.get(account_id) or Account(account_id)
        accounts = {**group.accounts, account_id: _account(group, account, event)}
        return replace(group, version=version, accounts=accounts)
    group = replace(group, version=version)
    match event:
        case e.GroupOpened():
            return replace(group, install_id=event.install_id, venue=event.venue, login=event.login)
        case e.InstrumentsLoaded():
            return replace(group, instruments=group.instruments | {i.contract_id: i for i in event.instruments})
        case e.LimitsChanged():
            return replace(
                group, limits=event.limits, limits_version=event.version, limits_waiting=None, limits_from=""
            )
        case e.LimitsDeferred():
            waiting = None if event.limits == group.limits else event.limits
            return replace(group, limits_waiting=waiting, limits_from=event.from_day if waiting else "")
        case e.LimitsConfigured():
            return replace(group, limits_configured=event.limits)
        case e.ModesChanged():
            return replace(group, modes=event.modes, modes_configured=event.configured)
        case e.PauseChanged():
            by = event.by if event.paused else None
            return replace(group, paused_by=by, paused_ns=event.at_ns, paused_reason=event.reason)
        case e.LinkChanged():
            return link_changed(group, event)
        case e.SessionChecked():
            return replace(group, checks=group.checks | {event.name: Check(event.text, event.well, event.refuses)})
        case e.BracketModeConfigured():
            accounts = {name: replace(each, bracket_mode=None) for name, each in group.accounts.items()}
            return replace(group, bracket_mode=event.mode, accounts=accounts)
        case e.AlarmsAcknowledged():
            return acknowledged(group, event)
        case e.ApprovalRefused():
            return group
        case _:
            raise AssertionError(f"{type(event).__name__} names no account")


def _account(group: Group, account: Account, event: Any) -> Account:
    match event:
        case e.OrderApproved():
            return _approved(paced(group.limits, _counted(_begun(account), event), event), event)
        case e.AccountAdopted():
            return adopted(account, event)
        case e.AccountUpdated():
            return updated(account, event)
        case e.BalanceMoved():
            day = replace(account.day, balance_usd=account.day.balance_usd + event.amount_usd)
            return replace(account, day=day)
        case e.TradingDayOpened():
            return day_opened(account, event)
        case e.TradingStateChanged():
            return replace(account, trading_state=event.state, state_code=event.code, state_message=event.message)
        case e.WouldHaveLocked():
            return replace(account, day=replace(account.day, not_locked_by=(*account.day.not_locked_by, event.code)))
        case e.PositionsSpared():
            return replace(account, spared_by=event.limits)
        case e.LockedOut() | e.LockoutEnded():
            return _locked(account, event)
        case e.EpochRaised():
            return replace(account, epoch=event.epoch)
        case e.EquityPeaked():
            return replace(account, high_usd=max(account.high_usd, event.equity_usd))
        case e.RepeatedAction():
            return replace(account, repeating=event.count)
        case e.RepetitionEnded():
            return replace(account, repeating=0, failures=())
        case e.CancelRemembered():
            return replace(account, cancels_remembered=(*account.cancels_remembered, event.order_id))
        case e.UnexpectedBrokerFact():
            return replace(account, unexplained=event.what, unexplained_ns=event.at_ns)
        case e.ApprovalRefused():
            return account
        case e.SnapshotRequested():
            account = replace(account, snapshot_since_ns=event.at_ns)
            return timer(account, "snapshot", event.at_ns + SNAPSHOT_WAIT_NS)
        case e.PositionDoubted():
            return doubted(account, event)
        case e.PositionCorrected():
            return corrected(account, event)
        case e.Reconciled():
            return reconciled(account, event)
        case e.ExitStarted() | e.ExitAdvanced() | e.ExitFinished():
            return _exit(account, event)
        case e.FillHeld():
            account = replace(account, held=account.held | {event.fill.fill_id: event.fill})
            return timer(account, f"held:{event.fill.fill_id}", event.at_ns + FILL_WAIT_NS)
        case e.FillApplied():
            return fill_applied(group, account, event)
        case e.FillBusted():
            return fill_busted(group, account, event)
        case e.CancelForbidden():
            return replace(account, no_cancel=event.text)
        case e.BracketModeLearned():
            return replace(account, bracket_mode=event.mode)
        case e.NativeAwaited():
            return timer(account, native_timer(event.order_id), event.until_ns)
        case e.CoverChanged():
            covered = Covered(event.state, event.uncovered, event.since_ns, event.cause)
            account = replace(account, covers=account.covers | {event.contract_id: covered})
            late_ns = event.since_ns + PROTECT_WITHIN_NS if event.state is e.Cover.PROTECTING else None
            return timer(account, cover_timer(event.contract_id), late_ns)
        case e.ProtectionFailed():
            account = paced(group.limits, account, event)
            account = replace(account, stop_failures=account.stop_failures | {event.order_id: event.attempt})
            due = {**account.bracket_timers, event.order_id: event.at_ns + STOP_RETRY_NS}
            return replace(account, bracket_timers=due)
        case _:
            return _ordered(paced(group.limits, account, event), event)


def _locked(account: Account, event: e.LockedOut | e.LockoutEnded) -> Account:
    if isinstance(event, e.LockoutEnded):
        return timer(replace(account, locked_until_ns=0, locked_reason=""), "lockout", None)
    account = replace(account, locked_until_ns=event.until_ns, locked_reason=event.reason)
    return timer(account, "lockout", event.until_ns)


def _begun(account: Account) -> Account:
    """An order of the trading day has been decided."""
    return account if account.day.begun else replace(account, day=replace(account.day, begun=True))


def _counted(account: Account, event: e.OrderApproved) -> Account:
    if not event.order.passed or event.kind is not e.ApprovalKind.PASSED:
        return account
    return replace(account, day=replace(account.day, passed=account.day.passed + 1))


def _ordered(account: Account, event: Any) -> Account:
    """Events about one order."""
    match event:
        case e.OrderDenied():
            return put(_begun(account), event.order)
        case e.OrderWithdrawn():
            kept = tuple(x for x in account.cancels_remembered if x != event.order.order_id)
            return put(replace(account, cancels_remembered=kept), event.order)
        case e.ExternalOrderSeen():
            return linked(put(account, event.order), event.order)
        case e.ChildSeen():
            tagged = replace(account, tags=account.tags.set(event.order.tag, event.order.order_id))
            return linked(put(tagged if event.order.tag else account, event.order), event.order)
        case e.ModifyDenied() | e.OrderOverridden():
            return account
        case _:
            return _stepped(account, known(account, event.order_id), event)


def _stepped(account: Account, order: Order, event: Any) -> Account:
    key = f"order:{order.order_id}"
    match event:
        case e.CancelWanted():
            order = replace(step(order, Trigger.WANT_CANCEL), cancel_wanted=True, reason=event.reason)
            return _hastened(put(account, order), order)
        case e.CancelSent():
            order = replace(order, cancel_sent=order.cancel_sent + 1)
            return put(_cancelled_again(account, order, event.at_ns), order)
        case e.CancelRefused():
            account = _cancelled_again(account, order, event.at_ns)
            return put(account, step(order, Trigger.REFUSE_CANCEL, event.at_ns))
        case e.ModifyApproved():
            account = replace(account, number=event.change.number)
            account = timer(account, f"change:{order.order_id}", event.issued_ns + ANSWER_WAIT_NS)
            if event.change.quantity != order.terms.quantity:
                account = leg_timer(account, order, event.issued_ns)
            order = replace(order, change=event.change, change_unknown=False, doubt_reads=0, doubt_read_ns=0)
            return put(account, replace(order, risk_ticks=event.risk_ticks))
        case e.OrderModified():
            return _modified(account, order, event)
        case e.ModifyRefused():
            return _modify_refused(account, order, event)
        case e.OrderAccepted():
            account = reviewed(account, event.at_ns)
            order = replace(step(order, Trigger.ACCEPT, event.at_ns), broker_order_id=event.broker_order_id)
            if order.role is Role.STOP and not order.rests:
                account = timer(account, rest_timer(order.order_id), event.at_ns + REST_READ_NS)
            return linked(put(timer(account, key, None), order), order)
        case e.OrderResting():
            account = timer(timer(account, rest_timer(order.order_id), None), key, None)
            return put(account, replace(order, rests=True))
        case e.OrderRejected():
            return _end(account, order, Trigger.REJECT, event.at_ns, event.text)
        case e.OrderInDoubt():
            order = replace(step(order, Trigger.LOSE, event.at_ns), reason=event.reason, doubt_reads=0, doubt_read_ns=0)
            return timer(put(account, order), key, event.at_ns)
        case e.LookupSent():
            doubt_ns = URGENT_DOUBT_READ_NS if order.is_urgent else DOUBT_READ_NS
            change_ns = CHANGE_READ_NS if order.is_leg else DOUBT_READ_NS
            account = timer(account, f"change:{order.order_id}", event.at_ns + change_ns if order.change else None)
            # The broker showed it otherwise than we know it: until it has been read, nobody knows what it covers.
            doubted = order.role is Role.STOP and order.rests and order.change is None
            order = replace(order, change_unknown=order.change is not None, rests=order.rests and not doubted)
            if doubted:
                order = replace(order, updated_ns=event.at_ns - 1)  # what was read before now cannot tell
            account = put(account, order)
            if doubted or rest_timer(order.order_id) in account.timers:
                # Twice as long from time to time: it cannot use up the requests.
                wait_ns = max(REST_READ_NS, min(event.at_ns - order.updated_ns, REST_READ_MAX_NS))
                account = timer(account, rest_timer(order.order_id), event.at_ns + wait_ns)
            return timer(account, key, event.at_ns + doubt_ns)
        case e.LookupMissed():
            order = replace(order, doubt_reads=order.doubt_reads + 1, doubt_read_ns=event.at_ns)
            return _hastened(put(account, order), order)
        case e.OrderNotSent():
            return _end(account, order, Trigger.PROVE_ABSENT, event.at_ns, event.reason)
        case e.OrderCancelled():
            return _end(account, order, Trigger.CANCEL, event.at_ns, order.reason)
        case e.OrderExpired():
            return _end(account, order, Trigger.EXPIRE, event.at_ns, order.reason)
        case e.ProtectionChanged():
            if event.rests_until_ns:
                account = timer(account, trail_timer(order.order_id), event.rests_until_ns)
            return put(account, replace(order, protection=event.protection))
        case e.FillsMissing():
            account = timer(account, f"fills:{order.order_id}", event.at_ns + FILL_WAIT_NS)
            return put(account, replace(order, reported_filled=event.reported_filled))
        case _:
            assert_never(event)


def _approved(account: Account, event: e.OrderApproved) -> Account:
    order = event.order
    account = replace(
        account,
        number=event.number,
        tags=account.tags.set(order.tag, order.order_id),
        timers={**account.timers, f"order:{order.order_id}": event.issued_ns + ANSWER_WAIT_NS},
    )
    account = leg_timer(put(account, order), order, event.issued_ns)
    exit_ = account.exits.get(order.terms.contract_id)
    if order.role is Role.CLOSE and exit_ is not None:
        return replace(
            account, exits=account.exits | {order.terms.contract_id: replace(exit_, order_id=order.order_id)}
        )
    return account


def _modified(account: Account, order: Order, event: e.OrderModified) -> Account:
    terms = replace(order.terms, quantity=event.quantity, limit_ticks=event.limit_ticks, stop_ticks=event.stop_ticks)
    change = order.change
    if (
        change is not None
        and replace(change, quantity=event.quantity, limit_ticks=event.limit_ticks, stop_ticks=event.stop_ticks)
        == change
    ):
        order = replace(order, change=None, changed=True)
        account = timer(account, f"change:{order.order_id}", None)
    order = replace(order, terms=terms, changes_refused=0, updated_ns=event.at_ns)
    return settled(account, order, event.at_ns)


def _modify_refused(account: Account, order: Order, event: e.ModifyRefused) -> Account:
    """Each refusal in a row doubles the wait for the next try, so that a hopeless one does not use up the requests."""
    account = timer(account, f"change:{order.order_id}", None)
    wait_ns = RESIZE_GAP_NS << min(order.changes_refused, REFUSALS_DOUBLED_MAX)
    account = leg_timer(account, order, event.at_ns, wait_ns)
    refused = order.changes_refused + 1
    order = replace(order, change=None, changes_refused=refused, reason=event.reason)
    return settled(account, order, event.at_ns)


def _cancelled_again(account: Account, order: Order, at_ns: int) -> Account:
    """Each cancel without an effect doubles the wait for the next: what tells of its end is a reading."""
    wait_ns = CANCEL_RETRY_NS << min(max(0, order.cancel_sent - 1), CANCELS_DOUBLED_MAX)
    return timer(account, f"cancel:{order.order_id}", at_ns + wait_ns)


def _hastened(account: Account, order: Order) -> Account:
    """The next read of an order in doubt, which may have become urgent since the last one."""
    if order.status is not Status.IN_DOUBT or not order.is_urgent or not order.doubt_read_ns:
        return account
    return timer(account, f"order:{order.order_id}", order.doubt_read_ns + URGENT_DOUBT_READ_NS)


def _end(account: Account, order: Order, trigger: Trigger, at_ns: int, reason: str) -> Account:
    """A terminal fact about an order: its timers and what was under way end with it."""
    order = replace(step(order, trigger, at_ns), reason=reason, change=None, cancel_sent=0)
    account = leg_timer(ended(account, order), order, at_ns)
    is_taken = trigger in _TAKEN and not order.cancel_wanted and is_taken_again(account, order, at_ns)
    if order.role is Role.TARGET and order.parent_id in account.orders and (trigger in _REFUSED or is_taken):
        account = timer(account, f"target:{order.parent_id}", at_ns + TARGET_RETRY_NS)
    return put(account, order)


def _exit(account: Account, event: e.ExitStarted | e.ExitAdvanced | e.ExitFinished) -> Account:
    key = f"exit:{event.contract_id}"
    match event:
        case e.ExitStarted():
            running = RunningExit(
                event.exit_id,
                event.contract_id,
                event.quantity,
                event.cause,
                since_ns=event.at_ns,
                long=account.position(event.contract_id).net > 0,
                entry_id=event.entry_id,
            )
        case e.ExitAdvanced():
            before = account.exits[event.contract_id]
            running = replace(
                before,
                phase=event.phase,
                round=event.round,
                since_ns=event.at_ns,
                quantity=before.still_closing(account.order(before.order_id)),
                order_id=before.order_id if event.phase is e.Phase.CLOSING else None,
            )
        case e.ExitFinished():
            account = replace(account, exits=without(account.exits, event.contract_id))
            return timer(account, key, None if event.flat else event.at_ns + EXIT_RETRY_NS)
    account = replace(account, exits=account.exits | {event.contract_id: running})
    return timer(account, key, event.at_ns + CLEARING_NS)
