"""Limits that are changed while the day runs, by a person or by what the settings say at a start.

Invariants:
1. From the first order of the trading day on, no change lets through what was denied before it, until the next trading
   day has opened in every account of the group.
2. A tighter value holds at once. It stops new risk, and closes nothing by itself: what an account holds when a tighter
   limit would close it already, or may, is closed by the limits before.
3. A field that the settings have not changed since the last start keeps what a person gave it over the API.
4. A person's change after which a limit would refuse nothing (``selftest``) is refused before it is recorded. So what
   waits was tried when it was accepted; what holds until then is only tighter than limits that were alive.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core import answers
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.closing import CLOSING, closes
from ordergate.core.commands import Answer, ChangeLimits
from ordergate.core.draft import Draft
from ordergate.core.limits import Limits
from ordergate.core.selftest import complaint, self_test
from ordergate.core.sessions import following
from ordergate.core.tighter import TIGHTER, at_once, differing


def change(draft: Draft, command: ChangeLimits) -> Answer:
    """Give the named fields their new values, now or from the next trading day."""
    unknown = next((name for name in command.fields if name not in TIGHTER), None)
    if unknown is not None:
        return answers.refused(command, "UNKNOWN_LIMIT", f"there is no limit {unknown}", field=unknown)
    named = {name: getattr(command.limits, name) for name in command.fields}
    wanted = replace(_coming(draft.group), **named)
    if wanted.order_quantity_min > wanted.order_quantity_max:
        low, high = wanted.order_quantity_min, wanted.order_quantity_max
        message = f"the smallest order, {low}, would be above the largest, {high}: none could pass"
        return answers.refused(command, answers.LIMITS_CONTRADICT, message)
    inert = complaint(self_test(wanted))
    if inert:
        return answers.refused(command, answers.LIMIT_INERT, f"nothing was changed: {'; '.join(inert.splitlines())}")
    _want(draft, wanted)
    return answers.done(command)


def configure(draft: Draft, limits: Limits) -> None:
    """The settings of this start. What they changed since the last one is a change like any other."""
    group = draft.group
    if group.limits_version == 0:
        draft.add(e.LimitsConfigured(0, limits))
        draft.add(e.LimitsChanged(0, 1, limits))
        return
    before = group.limits if group.limits_configured is None else group.limits_configured
    if before != limits:
        draft.add(e.LimitsConfigured(0, limits))
        _want(draft, replace(_coming(group), **{name: getattr(limits, name) for name in differing(before, limits)}))


def react(draft: Draft, account_id: int) -> None:
    """What waited holds once the last account's trading day has opened."""
    group = draft.group
    if group.limits_waiting is None or not group.accounts[account_id].adopted:
        return
    if all(account.day.name >= group.limits_from for account in group.accounts.values() if account.adopted):
        draft.add(e.LimitsChanged(0, group.limits_version + 1, group.limits_waiting))


def _coming(group: Group) -> Limits:
    """The limits as they will be when nothing waits any more."""
    return group.limits if group.limits_waiting is None else group.limits_waiting


def _want(draft: Draft, wanted: Limits) -> None:
    """Make ``wanted`` the limits, as far and as soon as the day allows."""
    before, coming = draft.group.limits, _coming(draft.group)
    accounts = draft.group.accounts.values()
    now = at_once(before, wanted) if any(account.day.begun for account in accounts) else wanted
    if now != before:
        draft.add(e.LimitsChanged(0, draft.group.limits_version + 1, now))
        _spare(draft, before)
    if wanted != now or (now == before and coming != wanted):
        # No clock is asked: set back, it would name a day that has been.
        from_day = max((following(account.day.name) for account in accounts if account.adopted), default="")
        draft.add(e.LimitsDeferred(0, wanted, from_day, draft.at_ns))


def _spare(draft: Draft, before: Limits) -> None:
    """Invariant 2. Where no price tells the day's P&L, a tighter limit on it may be reached already."""
    group, market = draft.group, draft.market
    if all(getattr(before, name) == getattr(group.limits, name) for name in CLOSING):
        return
    for account in list(group.accounts.values()):
        if account.trading_state is not e.TradingState.ACTIVE or not account.positions or account.spared_by is not None:
            continue
        if closes(group, account, market, unknown=True):
            draft.add(e.PositionsSpared(account.account_id, before))
