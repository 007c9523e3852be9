"""The answers to commands: one place for their codes, so that every edge tells the same story."""

from __future__ import annotations

from ordergate.core.commands import Answer, Command, Nearest
from ordergate.core.limits import Breach

UNKNOWN_ORDER = "UNKNOWN_ORDER"
UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
UNKNOWN_POSITION = "UNKNOWN_POSITION"
ALREADY_FINAL = "ALREADY_FINAL"
ORDER_ID_REUSED = "ORDER_ID_REUSED"
PROTECTIVE_STOP = "PROTECTIVE_STOP"
NOTHING_TO_CHANGE = "NOTHING_TO_CHANGE"
BUSY = "BUSY"
WITHDRAWN = "CANCELLED"
DENIED = "DENIED"
LOCKED_OUT = "LOCKED_OUT"
PAUSED = "PAUSED"
BAD_UNTIL = "BAD_UNTIL"
LIMITS_CONTRADICT = "LIMITS_CONTRADICT"
LIMIT_INERT = "LIMIT_INERT"


def done(command: Command, order_id: str | None = None, contract_id: str | None = None) -> Answer:
    """Decided as asked, and durable when this is seen."""
    return Answer(command.request_id, ok=True, order_id=order_id, contract_id=contract_id)


def refused(
    command: Command,
    code: str,
    message: str,
    *,
    field: str | None = None,
    order_id: str | None = None,
    contract_id: str | None = None,
    breaches: tuple[Breach, ...] = (),
    nearest: Nearest | None = None,
) -> Answer:
    """Not done, and why."""
    return Answer(
        command.request_id,
        ok=False,
        order_id=order_id,
        contract_id=contract_id,
        code=code,
        message=message,
        field=field,
        breaches=breaches,
        nearest=nearest,
    )


def denied(
    command: Command,
    order_id: str,
    contract_id: str,
    breaches: tuple[Breach, ...],
    note: str = "",
    nearest: Nearest | None = None,
) -> Answer:
    """Denied by the rules: the first breach names the answer, all of them are in it, then ``note``."""
    told = [breach.message for breach in breaches] + ([note] if note else [])
    return refused(
        command,
        breaches[0].code,
        "; ".join(told),
        order_id=order_id,
        contract_id=contract_id,
        breaches=breaches,
        nearest=nearest,
    )


def closing_note(closing: int) -> str:
    """What an order through flat is told when it is denied: ``closing`` (>= 0) of its contracts would only close."""
    return f"an order of {closing} would only close, and is never denied" if closing else ""


def unknown_order(command: Command, order_id: str) -> Answer:
    return refused(command, UNKNOWN_ORDER, f"there is no order {order_id}", field="orderId", order_id=order_id)


def unknown_account(command: Command, account_id: int | None) -> Answer:
    return refused(command, UNKNOWN_ACCOUNT, f"there is no account {account_id}", field="accountId")


def unknown_position(command: Command, contract_id: str) -> Answer:
    return refused(
        command, UNKNOWN_POSITION, f"no position in {contract_id}", field="instrument", contract_id=contract_id
    )


def withdrawn(command: Command, order_id: str) -> Answer:
    return refused(command, WITHDRAWN, "cancelled before it was decided", order_id=order_id)


def already_final(command: Command, order_id: str, status: str) -> Answer:
    return refused(command, ALREADY_FINAL, f"{order_id} is {status}", order_id=order_id)
