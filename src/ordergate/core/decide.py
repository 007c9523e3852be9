"""``decide``: the gate. One pure function over one ordered stream of inputs; no I/O, clock, randomness or await.

``decide(group, stamped)`` returns the events that follow from an input, and the answer if it was a command. The caller
makes the events durable, then acts on them (``effects``), then answers; never in another order.

Invariants:
1. The same state and stamped input always give the same events and answer.
2. After each input the reactions run until none of them has anything to add, so a state is never left half dealt with,
   and a restart finds by the same code what was left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

import msgspec

from ordergate.core import bracket, coverage, day, doubt, exits, facts, limit_changes, mode_changes, outcomes
from ordergate.core import events as e
from ordergate.core.account import Account, Check, Group
from ordergate.core.commands import (
    Acknowledge,
    Answer,
    CancelAll,
    CancelOrder,
    ChangeLimits,
    ClosePosition,
    Flatten,
    LockOut,
    ModifyOrder,
    SetInterception,
    SetPaused,
    SubmitOrder,
    UpdateProtection,
)
from ordergate.core.draft import Draft
from ordergate.core.inputs import Mark, Stamped, Started, Wake
from ordergate.core.intake import take
from ordergate.core.order import Status
from ordergate.core.reconcile import reconcile
from ordergate.core.reports import (
    GATE_STARTED,
    AccountReport,
    ApprovalRefused,
    BrokerSnapshot,
    CancelOutcome,
    CheckReport,
    FillReport,
    InstrumentsReport,
    LinkReport,
    LookupOutcome,
    ModifyOutcome,
    OrderReport,
    PlaceOutcome,
    PositionReport,
    Report,
    Unreadable,
)
from ordergate.core.rules.hours import next_flat_ns

# Brackets before exits: a stop that has yet to be placed is placed, and counted, before what is left is closed.
REACTIONS: tuple[Callable[[Draft, int], None], ...] = (
    day.react,
    limit_changes.react,
    bracket.react,
    exits.react,
    doubt.react,
    coverage.react,
)

# More rounds than any chain of reactions needs (the longest seen in tests is 4): a loop that does not settle is a bug.
_ROUNDS_MAX = 50

_BY_THE_VENUE = ("day", "lockout")
_LOOK_AGAIN_NS = 1_000_000_000


class Decided(msgspec.Struct, frozen=True):
    """What follows from one input; ``group`` is the state with ``events`` folded in."""

    group: Group
    events: tuple[e.Event, ...]
    answer: Answer | None = None


def decide(group: Group, stamped: Stamped) -> Decided:
    """See the module."""
    draft = Draft(group, stamped.market)
    answer: Answer | None = None
    command = stamped.input
    match command:
        case (
            SubmitOrder()
            | CancelOrder()
            | ModifyOrder()
            | UpdateProtection()
            | ClosePosition()
            | CancelAll()
            | Flatten()
            | ChangeLimits()
            | LockOut()
            | SetInterception()
            | SetPaused()
            | Acknowledge()
        ):
            if _is_day_over(draft):
                _settle(draft, None)  # what a new day brings comes before what is asked for in it
            answer = take(draft, command, stamped)
        case Mark() | Wake():
            pass
        case Started():
            _start(draft, command)
        case _:
            _report(draft, command)
    _settle(draft, getattr(command, "account_id", None))
    return Decided(draft.group, tuple(draft.events), answer)


def _start(draft: Draft, started: Started) -> None:
    group = draft.group
    if not group.install_id:
        draft.add(e.GroupOpened(0, started.install_id, started.venue, started.login))
    mode_changes.configure(draft, started.modes)
    limit_changes.configure(draft, started.limits)
    if group.bracket_mode is not started.bracket_mode:
        draft.add(e.BracketModeConfigured(0, started.bracket_mode))
    if group.link_up:
        draft.add(e.LinkChanged(0, up=False, reason=GATE_STARTED, at_ns=draft.at_ns))
    for name in group.checks:
        text = "not looked at since the start"
        draft.add(e.SessionChecked(0, name, text, well=None, refuses=False, at_ns=draft.at_ns))
    for account in list(group.accounts.values()):
        if account.no_cancel:
            # It may have been changed at the broker since, and with nothing open no cancel would ever show it.
            draft.add(e.CancelForbidden(account.account_id, "", draft.at_ns))
        for order in list(account.live_orders()):
            if order.status is Status.APPROVED:
                reason = "this process stopped before the answer came"
                draft.add(e.OrderInDoubt(account.account_id, order.order_id, reason, draft.at_ns))
            if order.change is not None:
                draft.add(e.LookupSent(account.account_id, order.order_id, order.tag, draft.at_ns))


def _report(draft: Draft, report: Report) -> None:
    match report:
        case InstrumentsReport():
            new = tuple(i for i in report.instruments if draft.group.instruments.get(i.contract_id) != i)
            if new:
                draft.add(e.InstrumentsLoaded(0, new))
        case LinkReport():
            _link(draft, report)
        case CheckReport():
            if draft.group.checks.get(report.name) != Check(report.text, report.well, report.refuses):
                draft.add(e.SessionChecked(0, report.name, report.text, report.well, report.refuses, draft.at_ns))
        case AccountReport():
            facts.apply_account(draft, report)
        case BrokerSnapshot():
            reconcile(draft, report)
        case PlaceOutcome():
            outcomes.apply_place(draft, report)
        case ModifyOutcome():
            outcomes.apply_modify(draft, report)
        case CancelOutcome():
            outcomes.apply_cancel(draft, report)
        case LookupOutcome():
            outcomes.apply_lookup(draft, report)
        case OrderReport() if _is_adopted(draft, report.account_id):
            facts.apply_order(draft, report)
        case FillReport() if _is_adopted(draft, report.account_id):
            facts.apply_fill(draft, report)
        case Unreadable() if _is_adopted(draft, report.account_id):
            facts.unexpected(draft, report.account_id, report.what)
        case ApprovalRefused():
            account_id = report.account_id if _is_adopted(draft, report.account_id) else 0
            tag, reason = report.order_tag, report.reason
            draft.add(e.ApprovalRefused(account_id, report.approval_id, tag, reason, draft.at_ns))
        case OrderReport() | FillReport() | Unreadable() | PositionReport():
            pass  # before adoption the snapshot tells all; a position row only repeats what the fills say
        case _:
            assert_never(report)


def _is_adopted(draft: Draft, account_id: int) -> bool:
    account = draft.group.accounts.get(account_id)
    return account is not None and account.adopted


def _link(draft: Draft, report: LinkReport) -> None:
    if (draft.group.link_up, draft.group.link_reason) == (report.up, report.reason):
        return
    draft.add(e.LinkChanged(0, report.up, report.reason, draft.at_ns))
    if report.up:
        for account in list(draft.group.accounts.values()):
            draft.request_snapshot(account, "the link is up", anew=True)


def _is_day_over(draft: Draft) -> bool:
    accounts = draft.group.accounts.values()
    return any(account.timers.get("day", draft.at_ns + 1) <= draft.at_ns for account in accounts)


def _settle(draft: Draft, account_id: int | None) -> None:
    """React until nothing is left to do: first the account that the input is about, or all of them."""
    accounts = draft.group.accounts
    if account_id is None:
        draft.touched.update(dict.fromkeys(accounts))
    elif account_id in accounts:
        draft.touched[account_id] = None
    for _ in range(_ROUNDS_MAX):
        # A reaction looks at its own account only, so one that nothing has touched has nothing to add.
        moving, draft.touched = draft.touched, {}
        if not moving:
            return
        for name in moving:
            for react in REACTIONS:
                react(draft, name)
    raise AssertionError(f"the reactions did not settle in {_ROUNDS_MAX} rounds")


def next_wake_ns(group: Group, after_ns: int) -> int | None:
    """The next instant after ``after_ns`` that a timer of the state names, or at which accounts must be flat.

    A day or a lockout that is over by our clock is looked at again and again, until the venue says so too.
    """
    accounts = group.accounts.values()
    in_force = [group.limits, *(account.spared_by for account in accounts if account.spared_by is not None)]
    flat = [flat_ns for limits in in_force if (flat_ns := next_flat_ns(limits, after_ns)) is not None]
    return min([*_due(accounts, after_ns), *flat], default=None)


def _due(accounts: Iterable[Account], after_ns: int) -> Iterable[int]:
    for account in accounts:
        for key, due_ns in account.timers.items():
            if due_ns > after_ns:
                yield due_ns
            elif key in _BY_THE_VENUE:
                yield after_ns + _LOOK_AGAIN_NS
        yield from (due_ns for due_ns in account.bracket_timers.values() if due_ns > after_ns)
