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
from ordergate.core.order import Order, Role, Status, Terms
from ordergate.core.rules import RULES, Proposal, Rule, breaches, propose


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
    order = _order(group, account, command, stamp)
    closing = min(command.quantity, closable(account, command.contract_id, command.side))
    adding = command.quantity - closing
    if adding == 0:
        return Judgement(order, closing, None)
    proposal = propose(
        group,
        account,
        order.terms,
        adding,
        order.protection,
        market=stamp.market,
        superseded=stamp.superseded,
        received_ns=stamp.received_ns,
        sent_ns=command.sent_ns,
    )
    return Judgement(order, closing, proposal, breaches(proposal, rules))


def _order(group: Group, account: Account, command: SubmitOrder, stamp: Stamped) -> Order:
    # Names that every order repeats are kept once, not once for each message that they came in.
    return Order(
        order_id=command.order_id,
        terms=Terms(
            account_id=command.account_id,
            contract_id=group.instruments[command.contract_id].contract_id,
            side=command.side,
            quantity=command.quantity,
            order_type=command.order_type,
            limit_ticks=command.limit_ticks,
            stop_ticks=command.stop_ticks,
        ),
        role=Role.ENTRY,
        status=Status.APPROVED,
        instance_id=intern(command.instance_id),
        fingerprint=command.fingerprint,
        protection=promised(group, account, command),
        received_ns=stamp.received_ns,
        decided_ns=stamp.at_ns,
        updated_ns=stamp.at_ns,
    )
