"""The lockout by the trader: until an instant that is named beforehand, an account takes no new risk.

Invariants:
1. Nothing ends it before its instant: no command does, a later one only extends it, and the journal keeps it.
2. Its instant is an instant, not a length: a clock that is set back makes it longer, and one that is set forward does
   not end it.
3. Exits pass. Orders that wait to open something are cancelled.
"""

from __future__ import annotations

from ordergate.core import answers
from ordergate.core import events as e
from ordergate.core.account import Account
from ordergate.core.commands import Answer, LockOut
from ordergate.core.draft import Draft
from ordergate.core.sessions import next_day_open_ns, wall

# A slip of the pen in the year would lock an account for good.
_DAYS_MAX = 366
_DAY_NS = 86_400 * 1_000_000_000


def lock(draft: Draft, command: LockOut, accounts: list[Account]) -> Answer:
    """Lock ``accounts`` until ``command.until_ns``, None = until their next trading day opens."""
    if not accounts:
        return answers.unknown_account(command, command.account_id)
    until_ns = next_day_open_ns(max(draft.market.instants)) if command.until_ns is None else command.until_ns
    if not draft.at_ns < until_ns <= draft.at_ns + _DAYS_MAX * _DAY_NS:
        message = f"a lockout ends later than now, and at most {_DAYS_MAX} days from now"
        return answers.refused(command, answers.BAD_UNTIL, message, field="until")
    longest_ns = max(account.locked_until_ns for account in accounts)
    if until_ns < longest_ns:
        message = f"locked out until {wall(longest_ns)} already: a lockout is extended, never shortened"
        return answers.refused(command, answers.LOCKED_OUT, message, field="until")
    for account in accounts:
        if account.locked_until_ns < until_ns:
            draft.add(e.LockedOut(account.account_id, until_ns, command.reason, draft.at_ns))
    return answers.done(command)


def end_when_due(draft: Draft, account_id: int) -> None:
    """End the lockout whose instant has come, by our clock and by the venue's own time."""
    until_ns, venue_ns = draft.account(account_id).locked_until_ns, draft.market.venue_now_ns
    if 0 < until_ns <= draft.at_ns and venue_ns is not None and until_ns <= venue_ns:
        draft.add(e.LockoutEnded(account_id, draft.at_ns))


def told(account: Account) -> str:
    """What a person is told of the lockout that ``account`` is under."""
    reason = f": {account.locked_reason}" if account.locked_reason else ""
    return f"locked out by the trader until {wall(account.locked_until_ns)}{reason}"
