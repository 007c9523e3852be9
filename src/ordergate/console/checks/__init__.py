"""The checks of ``doctor``, in the order in which they are told: each is a pure function of the facts, and one line.

Invariants:
1. A check is OK only for what was seen to be well; what could not be asked is UNKNOWN, or worse where that is worse.
2. UNSAFE is what can cost money unseen: an order that nobody checked, a limit that refuses nothing, a stop that cannot
   be placed. Only that makes the command fail.
3. No text has a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ordergate.console.checks import broker, bus, desk, machine
from ordergate.console.facts import Facts
from ordergate.console.finding import Finding

Check = Callable[[Facts], Finding]

CHECKS: Mapping[str, Check] = {
    "modes": desk.modes,
    "limits": desk.limits,
    "smallest order": desk.smallest_order,
    "accounts": desk.accounts,
    "ports": desk.ports,
    "connection manager": desk.connection_manager,
    "redis": bus.reachable,
    "redis access": bus.access,
    "redis memory": bus.memory,
    "order:management": bus.listeners,
    "time-outs": bus.timeouts,
    "login": broker.login,
    "contracts": broker.contracts,
    "instruments": broker.instruments,
    "prices": broker.prices,
    "multipliers": broker.multipliers,
    "brackets": broker.brackets,
    "broker's clock": machine.broker_clock,
    "redis's clock": machine.redis_clock,
    "state directory": machine.state_directory,
    "journal": machine.journal,
    "disk": machine.disk,
    "sleep": machine.sleep,
}


def findings(facts: Facts) -> dict[str, Finding]:
    """What each check says, by its name."""
    return {name: check(facts) for name, check in CHECKS.items()}
