"""The pause: no account of the group takes new risk until somebody ends it.

Asked about by the rule ``trading_state``, so it holds for orders, changes and wider stops, by whichever way they come,
and no mode overrides it.

Invariants:
1. Exits pass: what closes, cancels or only reduces is never asked about it. Orders that wait at the broker stay there.
2. It is in the journal, and outlives a restart.
3. Its end gives back what it took and nothing else: a lockout, a limit or a halt stays as it is.
4. What was paused at the page is not taken up again by a message on the bus, where anybody may speak.
"""

from __future__ import annotations

from ordergate.core import answers
from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Answer, SetPaused
from ordergate.core.draft import Draft
from ordergate.core.sessions import wall


def set_paused(draft: Draft, command: SetPaused) -> Answer:
    """Begin or end the pause. To pause once more is well; asked for at the page too, it is the page's from then on."""
    group = draft.group
    if command.on:
        is_so = group.paused_by in (command.by, e.Door.PAGE)
    else:
        is_so = group.paused_by is None
        if group.paused_by is e.Door.PAGE and command.by is not e.Door.PAGE:
            return answers.refused(command, answers.PAUSED, f"{told(group)}, and ended only there")
    if not is_so:
        draft.add(e.PauseChanged(0, command.on, command.by, draft.at_ns, command.reason))
    return answers.done(command)


def told(group: Group) -> str:
    """What a person is told of the pause that ``group`` is under; empty where it is under none."""
    if group.paused_by is None:
        return ""
    reason = f": {group.paused_reason}" if group.paused_reason else ""
    return f"paused {group.paused_by.value} at {wall(group.paused_ns)}{reason}"
