"""The desk: its switches and limits, what its accounts may do, and who answers at its ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from ordergate.broker.challenge import Proof
from ordergate.console.facts import BrokerFacts, Facts
from ordergate.console.finding import Finding, Level, ok, unknown, unsafe, warn
from ordergate.console.places import Answer
from ordergate.console.shown import Shown
from ordergate.core import selftest
from ordergate.core.judgement import judge
from ordergate.core.limits import Breach, Limits
from ordergate.core.modes import Modes
from ordergate.core.order import Exit

_SERVICES = {"page": "Manual Trading Server", "gate": "Trading Aggregator"}
_USUAL = "live, every order is put before the limits"
_SWITCHES: Mapping[str, Callable[[Modes], bool]] = {
    "INTERCEPT_ORDERS=true": lambda modes: modes.intercept,
    "ENABLE_RISK_VALIDATION=true": lambda modes: modes.validate,
    "PRESERVE_ORIGINAL_WORKFLOW=false": lambda modes: not modes.preserve,
}


def modes(facts: Facts) -> Finding:
    """Whether an order that nobody checked, or that was denied, can reach the broker."""
    said = facts.settings.modes
    found, who = _modes(facts), "the gate" if facts.gate_modes is not None else "the settings"
    todo = f"set {' and '.join(text for text, is_well in _SWITCHES.items() if not is_well(found))}"
    if not found.enforcing:
        return unsafe(f"{who}: {found.text}", todo)
    if found.unasked:
        return warn(f"{who}: {found.text}", f"before going live, {todo}")
    if found != said:
        return warn(
            f"the gate: {found.text or _USUAL}; these settings: {said.text or _USUAL}",
            "give this command the gate's own settings, or start the gate anew with these",
        )
    return ok(found.text or _USUAL)


def limits(facts: Facts) -> Finding:
    """Whether each limit refuses the order that it has to refuse."""
    if isinstance(facts.limits, str):
        return unsafe(f"no gate starts with them: {facts.limits}", "correct the settings of [limits]")
    trials = selftest.self_test(facts.limits)
    dead = selftest.complaint(trials)
    if dead:
        return unsafe("; ".join(dead.splitlines()), "bring the limit back into reach; ordergate self-test tries it")
    off = [trial.code for trial in trials if not trial.enabled]
    return ok(f"{len(trials) - len(off)} refuse what they have to; off: {', '.join(off) or 'none'}")


def smallest_order(facts: Facts) -> Finding:
    """Whether anything passes at all: the smallest order, in each allowed instrument, with a stop where it is usual."""
    if isinstance(facts.limits, str):
        return unknown("no gate starts with these limits")
    refused = {symbol: _breaches(facts, facts.limits, symbol) for symbol in facts.limits.allowed_symbols}
    told = [f"{symbol}: {breaches[0].code}, {breaches[0].message}" for symbol, breaches in refused.items() if breaches]
    if told:
        return warn(
            f"with a stop as far away as the default one it is refused: {'; '.join(told)}",
            "loosen that limit, take the instrument out, or trade with nearer stops",
        )
    return ok(f"passes in {', '.join(refused)}, with a stop as far away as the default one")


def accounts(facts: Facts) -> Finding:
    """What keeps orders out now, and whether a position stands without a stop."""
    if isinstance(facts.shown, str):
        return unknown(facts.shown, "start the desk, or name its ports or its --ready-file")
    shown, bare, reasons = facts.shown, [], _reasons(facts.shown)
    for row in shown.positions:
        what = f"{row.side} {row.quantity} {row.symbol} in {row.account_id}"
        if row.protection is not None and row.protection.state == "unprotected":
            bare.append(f"{what} is unprotected: {row.protection.cause}")
        elif not row.protected:
            reasons.append(f"{what} has no stop by choice" if row.protection else f"{what}: its cover is not known yet")
    if bare:
        return unsafe("; ".join([*bare, *reasons]), "close it: ordergate flatten, or the broker's page")
    if reasons:
        return warn("; ".join(reasons), "ordergate status has the rest; docs/operating.md says what ends it")
    return ok(f"{len(shown.accounts)} active, {len(shown.positions)} position(s), all protected")


def ports(facts: Facts) -> Finding:
    """Who answers where the parts of a desk should."""
    places = {
        "page": (facts.at.page, facts.page),
        "gate": (facts.at.gate, facts.gate),
        "connection manager": (facts.at.connection_manager, facts.manager),
    }
    found = {name: _answers(name, answer) for name, (_, answer) in places.items()}
    if not any(found.values()):
        return ok("nothing runs there, and the ports are free")
    told = [f"{name} at {places[name][0]}{': ' + said if said else ': free'}" for name, said in found.items()]
    if all(said == "answers" for said in found.values()):
        return ok(", ".join(told))
    return warn(
        ", ".join(told),
        "start what is missing; where another program listens, stop it or choose another port in [ports]",
    )


def connection_manager(facts: Facts) -> Finding:
    """Whether what executes orders at that address asks for this desk's approvals."""
    url, proof = facts.at.connection_manager, facts.proof
    if facts.manager.failure:
        if facts.gate_modes is None:
            return ok(f"at {url}: {facts.manager.failure}")
        return warn(f"at {url}: {facts.manager.failure}", "start it, or correct CONNECTION_MANAGER_URL")
    if proof is None:
        return unknown(
            f"something answers at {url}, and there is no approval key here to ask it for a proof",
            "run this with the desk's --state-dir, or its ORDERGATE_APPROVAL_KEY",
        )
    if isinstance(proof, str):
        text = f"what answers at {url} is not ours: {proof}"
        todo = "stop it: another one carries out every order that it reads; or give both the same state directory"
        return Finding(Level.UNSAFE if facts.live else Level.WARN, text, todo)
    return _proven(facts, proof)


def _proven(facts: Facts, proof: Proof) -> Finding:
    found = _modes(facts)
    if proof.shadow is not found.shadow:
        theirs = "shadow" if proof.shadow else "live"
        return unsafe(
            f"ours, but {theirs}, and the gate is not",
            "give both the same SHADOW_MODE: a live gate refuses to start so",
        )
    served = f"ours, {proof.login} at {proof.gateway_url}"
    body = facts.manager.body
    status = str(body.get("status", "")) if isinstance(body, dict) else ""
    if status.lower() in ("ok", "healthy"):
        return ok(served)
    return warn(
        f"{served}; it says {status or 'nothing of its health'}", "ordergate status says which part is not well"
    )


def _modes(facts: Facts) -> Modes:
    said = facts.gate_modes
    if said is None:
        return facts.settings.modes
    return Modes(
        shadow=said.get("shadow", False),
        intercept=said.get("interceptOrders", True),
        preserve=said.get("preserveOriginalWorkflow", False),
        validate=said.get("enableRiskValidation", True),
        default_bracket=said.get("enableSLTPCalculation", True),
    )


def _breaches(facts: Facts, limits: Limits, symbol: str) -> tuple[Breach, ...]:
    """What the smallest order is refused with, but for the time of day and the price, which are made up there."""
    scene = selftest.scene(replace(limits, blackouts=None, order_value_usd_max=None), symbol)
    if isinstance(facts.broker, BrokerFacts) and facts.broker.balances:
        balance = min(facts.broker.balances.values())
        day = replace(scene.account.day, balance_usd=balance)
        scene = replace(scene, account=replace(scene.account, balance_usd=balance, day=day))
    stop = Exit(scene.instrument.stop_ticks_default)
    scene = replace(scene, order=replace(scene.order, stop=stop))
    group, stamp = selftest.stage(scene)
    return judge(group, scene.account, scene.order, stamp).breaches


def _reasons(shown: Shown) -> list[str]:
    found = [] if shown.desk.link_up else [f"the broker is not seen: {shown.desk.link_reason}"]
    if shown.desk.paused is not None:
        found.append(f"new risk is paused {shown.desk.paused.text}")
    for row in shown.accounts:
        if row.trading_state != "active":
            found.append(f"account {row.account_id} is {row.trading_state}: {row.reason}")
        elif row.reason and shown.desk.paused is None:
            found.append(f"account {row.account_id} takes no new risk: {row.reason}")
    return found


def _answers(name: str, answer: Answer) -> str:
    """What is found at the place of a part; empty where nothing listens."""
    if answer.failure:
        return "" if answer.refused else answer.failure
    body = answer.body
    if (
        not isinstance(body, dict)
        or "status" not in body
        or body.get("service") != _SERVICES.get(name, body.get("service"))
    ):
        return "another program"
    return "answers"
