"""What the gate thinks of an order: the one path that a submission, the search for what would pass and a preview take.

Invariants:
1. Only the part of an order that adds risk is put before the rules; what can only reduce passes.
2. It changes nothing: the same state, order and stamp always give the same judgement, and asking leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ordergate.core import events as e
from ordergate.core.account import Account, Group
from ordergate.core.commands import SubmitOrder
from ordergate.core.exposure import closable
from ordergate.core.inputs import Stamped
from ordergate.core.limits import Breach
from ordergate.core.modes import Modes
from ordergate.core.order import Protection, Terms
from ordergate.core.promise import promised
from ordergate.core.rules import RULES, Proposal, Rule, broken, counted_risk_ticks, entry_ticks, propose, weighed


class Judgement(msgspec.Struct, frozen=True):
    """``closing`` (>= 0) contracts of the order only close; ``proposal`` is the rest of it, as the rules saw it.

    None where there is no rest. Without ``breaches`` the order passes, protected as ``protection`` promises;
    ``overridden`` are those that the modes override. ``risk_ticks`` (>= 0) is the distance to its stop that it counts
    with from then on.
    """

    protection: Protection
    risk_ticks: int
    closing: int
    proposal: Proposal | None
    breaches: tuple[Breach, ...] = ()
    overridden: tuple[Breach, ...] = ()


def judge(
    group: Group, account: Account, command: SubmitOrder, stamp: Stamped, rules: Iterable[Rule] = RULES
) -> Judgement:
    """Judge ``command`` at the stamp's time and quotes; its contract is one of the group's."""
    terms = terms_of(group, command)
    protection = promised(group, account, command, terms, stamp.market)
    instrument = group.instruments[command.contract_id]
    closing = min(command.quantity, closable(account, command.contract_id, command.side))
    adding = command.quantity - closing
    if adding == 0:
        # The promise stays on it: should the position be gone when it fills, what it opens is protected, and counted.
        entry = entry_ticks(terms, stamp.market.quotes.get(command.contract_id))
        return Judgement(protection, counted_risk_ticks(instrument, protection, entry), closing, None)
    proposal = propose(
        group,
        account,
        terms,
        adding,
        protection,
        market=stamp.market,
        superseded=stamp.superseded,
        received_ns=stamp.received_ns,
        sent_ns=command.sent_ns,
        delayed_ns=stamp.delayed_ns,
    )
    risk_ticks = counted_risk_ticks(instrument, protection, proposal.entry_ticks)
    weighed_up = weighed(group.modes.of(passed=command.passed), broken(proposal, rules))
    return Judgement(protection, risk_ticks, closing, proposal, *weighed_up)


def ground(modes: Modes, judged: Judgement) -> e.ApprovalKind:
    """On what ground an order that passes may leave; ``modes`` are those of the order."""
    if judged.proposal is None:
        return e.ApprovalKind.REDUCING
    if not modes.asks_limits:
        return e.ApprovalKind.PASSED
    return e.ApprovalKind.OVERRIDDEN if judged.overridden else e.ApprovalKind.APPROVED


def terms_of(group: Group, command: SubmitOrder) -> Terms:
    """What would leave for the broker. The contract's name is kept once, not once for each message it came in."""
    return Terms(
        command.account_id,
        group.instruments[command.contract_id].contract_id,
        command.side,
        command.quantity,
        command.order_type,
        command.limit_ticks,
        command.stop_ticks,
    )
