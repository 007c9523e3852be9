"""The modes are changed: by what the settings say at a start, and interception by a person while the day runs.

Invariants:
1. A switch that the settings have not changed since the last start stays as a person has set it; also when the writer
   has to recover in between.
2. Interception is not switched off while an account is locked out or stopped. On again it is switched at any time.
"""

from __future__ import annotations

from msgspec.structs import replace

from ordergate.core import answers, lockout
from ordergate.core import events as e
from ordergate.core.commands import Answer, SetInterception
from ordergate.core.draft import Draft
from ordergate.core.modes import Modes


def configure(draft: Draft, modes: Modes) -> None:
    """The settings of this start."""
    before = draft.group.modes_configured
    if modes == before:
        return
    changed = {
        name: value for name in Modes.__struct_fields__ if (value := getattr(modes, name)) != getattr(before, name)
    }
    draft.add(e.ModesChanged(0, replace(draft.group.modes, **changed), modes, "the settings", draft.at_ns))


def set_interception(draft: Draft, command: SetInterception) -> Answer:
    """Switch interception, for orders that are decided from now on."""
    modes, configured = draft.group.modes, draft.group.modes_configured
    if command.on == modes.intercept:
        return answers.done(command)
    for account in draft.group.accounts.values() if not command.on else ():
        if account.locked_until_ns:
            return answers.refused(
                command, answers.LOCKED_OUT, f"account {account.account_id} is {lockout.told(account)}"
            )
        if account.trading_state is not e.TradingState.ACTIVE:
            code = "TRADING_HALTED" if account.trading_state is e.TradingState.HALTED else "REDUCE_ONLY"
            message = f"account {account.account_id} is stopped: {account.state_message}"
            return answers.refused(command, code, message)
    draft.add(e.ModesChanged(0, replace(modes, intercept=command.on), configured, "asked for", draft.at_ns))
    return answers.done(command)
