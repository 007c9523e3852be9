"""What the gate thinks of an order: the one path that a submission, the search for what would pass and a preview take.

Invariants:
1. Only the part of an order that adds risk is put before the rules; what can only reduce passes.
2. It changes nothing: the same state, order and stamp always give the same judgement, and asking leaves no trace.
"""

from __future__ import annotations

from sys import intern

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.bracket import promised
from ordergate.core.commands import SubmitOrder
from ordergate.core.exposure import closable
from ordergate.core.inputs import Stamped
from ordergate.core.limits import Breach
from ordergate.core.order import Order, Protection, Role, Status, Terms
from ordergate.core.rules import RULES, Proposal, Rule, breaches, counted_risk_ticks, entry_ticks, propose


class Judgement(msgspec.Struct, frozen=True):
    """``closing`` (>= 0) contracts of ``order`` only close; ``proposal`` is the rest of it, as the rules saw it.

    None where there is no rest. Without ``breaches`` the order passes.
    """

    order: Order
    closing: int
    proposal: Proposal | None
    breaches: tuple[Breach, ...] = ()


def judge(
    group: Group, account: Account, command: SubmitOrder, stamp: Stamped, rules: tuple[Rule, ...] = RULES
) -> Judgement:
    """Judge ``command`` at the stamp's time and quotes; its contract is one of the group's."""
    terms, protection = _terms(group, command), promised(group, account, command)
    closing = min(command.quantity, closable(account, command.contract_id, command.side))
    adding = command.quantity - closing
    if adding == 0:
        # The promise stays on it: should the position be gone when it fills, what it opens is protected, and counted.
        entry = entry_ticks(terms, stamp.market.quotes.get(command.contract_id))
        return Judgement(_order(group, command, stamp, terms, protection, entry), closing, None)
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
    )
    order = _order(group, command, stamp, terms, protection, proposal.entry_ticks)
    return Judgement(order, closing, proposal, breaches(proposal, rules))


def _terms(group: Group, command: SubmitOrder) -> Terms:
    return Terms(
        command.account_id,
        group.instruments[command.contract_id].contract_id,
        command.side,
        command.quantity,
        command.order_type,
        command.limit_ticks,
        command.stop_ticks,
    )


def _order(
    group: Group, command: SubmitOrder, stamp: Stamped, terms: Terms, protection: Protection, entry: int | None
) -> Order:
    # Names that every order repeats are kept once, not once for each message that they came in.
    return Order(
        order_id=command.order_id,
        terms=terms,
        role=Role.ENTRY,
        status=Status.APPROVED,
        instance_id=intern(command.instance_id),
        fingerprint=command.fingerprint,
        risk_ticks=counted_risk_ticks(group.instruments[command.contract_id], protection, entry),
        protection=protection,
        received_ns=stamp.received_ns,
        decided_ns=stamp.market.at_ns,
        updated_ns=stamp.market.at_ns,
    )
