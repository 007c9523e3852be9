"""What an example of docs/rules.md is made of: a desk, and the orders that are asked for there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from ordergate.core.commands import Answer, Leg, Nearest, SubmitOrder
from ordergate.core.decide import decide
from ordergate.core.inputs import Stamped
from ordergate.core.instrument import Instrument
from ordergate.core.judgement import judge
from ordergate.core.order import Exit, OrderType, Side, Target
from ordergate.core.rules import Proposal
from tests.core.desk import ACCOUNT, MES, MS_NS, Desk


class Wanted(msgspec.Struct, frozen=True):
    """An order as somebody asks for it. Prices and distances are in ticks.

    ``waited_ms`` is how long it has waited for its decision, ``delayed_ms`` how long before it arrived; ``sent_ms`` how
    long after its arrival it says it was sent.
    """

    side: Side
    quantity: int
    instrument: Instrument = MES
    limit: int | None = None
    trigger: int | None = None
    stop: Exit | Leg = Leg.DEFAULT
    target: int | None = None
    waited_ms: int = 0
    delayed_ms: int = 0
    sent_ms: int | None = None
    superseded: bool = False

    @property
    def words(self) -> str:
        """What the trader says."""
        contract, price = self.instrument, self.instrument.price
        name = contract.symbol if contract.active else f"{contract.symbol} of the old month ({contract.name})"
        said = f"{self.side.value.capitalize()} {self.quantity} {name}"
        if self.limit is not None:
            said += f", limit {price(self.limit):,}"
        if self.trigger is not None:
            said += f", on a stop at {price(self.trigger):,}"
        if self.target is not None:
            said += f", take profit at {price(self.target):,}"
        match self.stop:
            case Exit(ticks=ticks, price_ticks=None):
                return f"{said}, stop loss {price(ticks):,} points away"
            case Exit(price_ticks=int(ticks)):
                return f"{said}, stop loss at {price(ticks):,}"
            case Leg.OFF:
                return f"{said}, without a stop loss"
        return said

    def submitted(self, desk: Desk) -> Answer:
        """What the gate of ``desk`` answers to it."""
        answer = decide(desk.group, self.stamped(desk)).answer
        assert answer is not None
        return answer

    def stamped(self, desk: Desk) -> Stamped:
        """It, as it comes before the gate."""
        received_ns = desk.now_ns - self.waited_ms * MS_NS
        command = self._command(desk, received_ns)
        return Stamped(command, desk.market, received_ns, self.superseded, delayed_ns=self.delayed_ms * MS_NS)

    def _command(self, desk: Desk, received_ns: int) -> SubmitOrder:
        kind = OrderType.MARKET
        if self.limit is not None or self.trigger is not None:
            kind = OrderType.LIMIT if self.trigger is None else OrderType.STOP
        return SubmitOrder(
            request_id=desk.request_id(),
            account_id=ACCOUNT,
            order_id="example",
            contract_id=self.instrument.contract_id,
            side=self.side,
            quantity=self.quantity,
            order_type=kind,
            limit_ticks=self.limit,
            stop_ticks=self.trigger,
            stop=self.stop,
            targets=Leg.DEFAULT if self.target is None else (Target(Exit(1, self.target)),),
            sent_ns=None if self.sent_ms is None else received_ns + self.sent_ms * MS_NS,
        )

    def instead(self, nearest: Nearest) -> Wanted:
        """The order that a denial has named."""
        return replace(self, quantity=nearest.quantity, limit=nearest.limit_ticks, trigger=nearest.stop_ticks)


class Ask(msgspec.Struct, frozen=True):
    """One row: an order, or another command with its ``words``; ``worked`` is what a person works out by hand.

    ``when`` says what ``first`` does to the desk before it. ``desk`` is another one than the example's.
    """

    order: Wanted | None = None
    worked: str = ""
    when: str = ""
    first: Callable[[Desk], object] | None = None
    desk: Callable[[], Desk] | None = None
    words: str = ""
    command: Callable[[Desk], Answer] | None = None


class Example(msgspec.Struct, frozen=True):
    """A desk, and what is asked there.

    ``settings`` are the keys that are told beside it, ``code`` the one whose figures its sums are; ``switch`` is the
    line of the file that switches a limit on which is off by default.
    """

    desk: Callable[[], Desk]
    asks: tuple[Ask, ...]
    settings: tuple[str, ...] = ()
    code: str = ""
    switch: str = ""


def stage(example: Example, ask: Ask) -> Desk:
    """The desk at which ``ask`` is asked."""
    desk = (ask.desk or example.desk)()
    if ask.first is not None:
        ask.first(desk)
    return desk


def played(example: Example, ask: Ask) -> Answer:
    """What the gate answers to one row."""
    desk = stage(example, ask)
    if ask.order is not None:
        return ask.order.submitted(desk)
    assert ask.command is not None
    return ask.command(desk)


def proposed(example: Example, ask: Ask) -> Proposal:
    """The order of a row as the rules see it; it must add risk."""
    assert ask.order is not None
    return proposed_at(stage(example, ask), ask.order)


def proposed_at(desk: Desk, order: Wanted) -> Proposal:
    """An order as the rules see it at ``desk``; it must add risk."""
    stamp = order.stamped(desk)
    assert isinstance(stamp.input, SubmitOrder)
    found = judge(desk.group, desk.account, stamp.input, stamp).proposal
    assert found is not None
    return found


def buy(quantity: int, worked: str = "", **more: Any) -> Ask:
    return _row(Side.BUY, quantity, worked, more)


def sell(quantity: int, worked: str = "", **more: Any) -> Ask:
    return _row(Side.SELL, quantity, worked, more)


def other(words: str, command: Callable[[Desk], Answer], **more: Any) -> Ask:
    return Ask(words=words, command=command, **more)


def _row(side: Side, quantity: int, worked: str, more: dict[str, Any]) -> Ask:
    of_row = {name: more.pop(name) for name in ("when", "first", "desk") if name in more}
    return Ask(Wanted(side, quantity, **more), worked, **of_row)
