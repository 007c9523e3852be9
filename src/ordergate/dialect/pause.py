"""What still passes while ``instance:control`` has paused the aggregator: whatever can only reduce.

Pure, and judged by the core's own judgement of an order. It is judged before the gate decides: a position that ends in
between makes an opening order of a closing one, which the gate then puts before every rule. Orders that wait at the
broker stay there, as they do when the original is paused; a person who wants them gone cancels all.
"""

from __future__ import annotations

from ordergate.core.account import Group
from ordergate.core.commands import SubmitOrder, UpdateProtection
from ordergate.core.inputs import Stamped
from ordergate.core.judgement import judge
from ordergate.core.market import Market

PAUSED = "PAUSED"
TEXT = "the aggregator is paused; only what closes passes, until RESUME_PROCESSING"


def adds_risk(group: Group, command: SubmitOrder, market: Market) -> bool:
    """Whether an order may open something. One that has been decided already only gets its answer again."""
    account = group.accounts.get(command.account_id)
    if account is None or not account.adopted or command.contract_id not in group.instruments:
        return True
    if account.order(command.order_id) is not None:
        return False
    return judge(group, account, command, Stamped(command, market, market.at_ns)).proposal is not None


def widens(group: Group, command: UpdateProtection) -> bool:
    """Whether a stop would go farther away from where one stands now."""
    account = group.accounts.get(command.account_id)
    if account is None or command.stop_ticks is None:
        return False
    sign = 1 if account.position(command.contract_id).net > 0 else -1
    stops = [order.terms for order in account.live_orders(command.contract_id) if order.terms.side.sign != sign]
    return any(at.stop_ticks is not None and command.stop_ticks * sign < at.stop_ticks * sign for at in stops)
