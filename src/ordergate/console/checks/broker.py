"""The broker: whether the login works, and whether its record of contracts is what is reckoned with."""

from __future__ import annotations

from ordergate.console.facts import BrokerFacts, Facts
from ordergate.console.finding import Finding, ok, unknown, unsafe, warn
from ordergate.core.contracts import PRODUCT_BY_SYMBOL
from ordergate.core.order import BracketMode

_NO_LOGIN = "no login is set"
_NAMES = "PROJECTX_API_URL, PROJECTX_USERNAME and PROJECTX_API_KEY"


def login(facts: Facts) -> Finding:
    broker = facts.broker
    if isinstance(broker, BrokerFacts):
        found = f"{broker.by}, {len(broker.balances)} account(s)"
        if broker.barred:
            return warn(f"{found}; {'; '.join(broker.barred)}", "choose another account: this one takes no new risk")
        return ok(found)
    if broker is None:
        return unknown(_NO_LOGIN, f"set {_NAMES}; ordergate demo needs none")
    if facts.manager.status:
        return unknown(broker)
    return warn(f"it does not work: {broker}", f"correct {_NAMES}, or wait for the broker")


def contracts(facts: Facts) -> Finding:
    """The broker's record against the table that presets, self-test and defaults reckon with."""
    if not isinstance(facts.broker, BrokerFacts):
        return unknown("the broker's record could not be read")
    wrong = []
    for record in facts.broker.contracts:
        product = PRODUCT_BY_SYMBOL.get(record.symbol)
        if product is None or record.symbol not in facts.settings.limits.allowed_symbols:
            continue
        if (record.tick_size, record.tick_value) != (product.tick_size, product.tick_value_usd):
            wrong.append(
                f"{record.symbol}: tick {record.tick_size.normalize():f} of ${record.tick_value.normalize():f}, "
                f"here {product.tick_size.normalize():f} of ${product.tick_value_usd.normalize():f}"
            )
    if wrong:
        return unsafe(
            f"the broker's record is not ours: {'; '.join(wrong)}",
            "take these out of allowed_instruments until ordergate's table is corrected",
        )
    return ok("tick sizes and values of the allowed instruments are the broker's own")


def instruments(facts: Facts) -> Finding:
    """Products that may be traded and that the broker has no active contract of."""
    if not isinstance(facts.broker, BrokerFacts):
        return unknown("the broker's list could not be read")
    allowed = facts.settings.limits.allowed_symbols
    known = {record.symbol: record.contract_id for record in facts.broker.contracts}
    missing = [symbol for symbol in allowed if symbol not in known]
    if missing:
        return warn(
            f"no active contract of {', '.join(missing)}: every order in it is denied",
            "take it out of ALLOWED_INSTRUMENTS",
        )
    return ok(", ".join(f"{symbol} is {known[symbol]}" for symbol in allowed))


def prices(facts: Facts) -> Finding:
    """Whether what is in session is quoted to this login, by the word of the desk that runs."""
    if isinstance(facts.shown, str):
        return unknown(facts.shown, "start the desk, or name its ports or its --ready-file")
    found = next((check for check in facts.shown.desk.checks if check.name == "prices"), None)
    if found is None or found.well is None:
        return unknown("not known yet: quotes are waited for", "ask again in a minute")
    if found.well:
        return ok(found.text)
    return warn(found.text, "orders in it are denied until quotes come; look at the data subscription of the login")


def multipliers(facts: Facts) -> Finding:
    """What an existing configuration says of contracts; stops and targets would be as wrong as it is."""
    wrong = facts.wrong
    if wrong is None:
        return ok("none are set: the broker's record alone decides (--options FILE checks a documented configuration)")
    if isinstance(wrong, str):
        return warn(f"the options cannot be read: {wrong}", "correct the file")
    if not wrong:
        return ok("those of the options are the contracts' own")
    text, todo = "; ".join(wrong), "leave them out: the broker's record decides"
    return unsafe(text, todo) if facts.wrong_matters else warn(text, todo)


def brackets(facts: Facts) -> Finding:
    """Whether brackets leave with their order: the API does not show the platform's setting."""
    if isinstance(facts.shown, str):
        return unknown(facts.shown, "start the desk, or name its ports or its --ready-file")
    modes = {row.account_id: row.bracket_mode for row in facts.shown.accounts}
    wrong = [str(account_id) for account_id, mode in modes.items() if mode == BracketMode.POSITION.value]
    if wrong and facts.settings.bracket_mode is BracketMode.AUTO_OCO:
        return warn(
            f"the platform rejects brackets on an order in {', '.join(wrong)}: stops are placed when it has filled",
            'choose Auto OCO Brackets on the platform while flat, or set bracket_mode = "position"',
        )
    if BracketMode.AUTO_OCO.value in modes.values():
        return ok("one stop and one target leave with their order, and rest even if this machine dies")
    return ok("stops are placed when an order has filled; that works with either setting of the platform")
