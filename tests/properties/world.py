"""A gate and a broker with a bad line between them, driven by choices that hypothesis makes.

Whatever is under way between the two is in this module's hands: a request may be made or lost, its answer may be lost,
a report may come late, twice or never, and in any order, but for the rows of one order, which the hub tells in theirs.
Requests older than five seconds are not sent, as the connection manager refuses their approvals.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from fractions import Fraction

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from ordergate.core import events as e
from ordergate.core.account import Group
from ordergate.core.commands import Leg
from ordergate.core.effects import Cancel, Effect, LookUp, Modify, Place, RaiseEpoch, ReadSnapshot
from ordergate.core.fold import evolve
from ordergate.core.inputs import Input, Mark, Started
from ordergate.core.limits import Limits
from ordergate.core.order import (
    BracketMode,
    Breakeven,
    Exit,
    Order,
    OrderType,
    Role,
    Side,
    Status,
    Target,
    Terms,
    Trail,
)
from ordergate.core.reports import (
    BrokerSnapshot,
    FillReport,
    LinkReport,
    OrderReport,
    OrderState,
    Outcome,
    PlaceOutcome,
    PositionReport,
)
from ordergate.journal.codec import decode, encode
from tests.core.desk import ACCOUNT, ASK, BID, MES, MS_NS, SECOND_NS, Desk
from tests.properties.broker import Broker

APPROVAL_NS = 5 * SECOND_NS

# No target, one for all, a scale-out with a runner, one that asks for more than most orders have.
TARGETS = (
    (),
    (Target(Exit(80)),),
    (Target(Exit(16)),),
    (Target(Exit(16), 1), Target(Exit(30), 1)),
    (Target(Exit(16), 2), Target(Exit(80))),
    (Target(Exit(12), 3), Target(Exit(40), 3)),
)

# Interleavings are many: these properties try more examples than the profile says.
often = settings(max_examples=4 * settings().max_examples)


class Choices:
    """Numbers between 0 and 255, taken one after the other; 0 when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._left = deque(data)

    def __repr__(self) -> str:
        return f"Choices({bytes(self._left)!r})"

    def __bool__(self) -> bool:
        return bool(self._left)

    def below(self, count: int) -> int:
        """0 to ``count`` - 1."""
        return self._left.popleft() % count if self._left else 0

    def chance(self, one_in: int) -> bool:
        """Rarely true; never when used up."""
        return self.below(one_in) == one_in - 1


def runs(longest: int) -> st.SearchStrategy[Choices]:
    """Choices by the hundred, from a seed and a length. A failing run is made shorter, and its seed repeats it.

    Bytes of hypothesis's own would shrink better, but repeat themselves so much that they find much less.
    """

    def made(seed: int, length: int) -> Choices:
        return Choices(random.Random(seed).randbytes(length))

    return st.builds(made, st.integers(0, 2**64 - 1), st.integers(longest // 6, longest))


class Request(msgspec.Struct, frozen=True):
    """An effect on its way to the broker; ``given_up``: its outcome has been called unknown already."""

    effect: Effect
    since_ns: int
    given_up: bool = False


class Reading(msgspec.Struct):
    """A snapshot in the making: positions first, then orders, fills last."""

    started_ns: int
    positions: tuple[PositionReport, ...] | None = None
    orders: tuple[OrderReport, ...] | None = None


class World:
    """``legs``: orders may have brackets. ``strangers``: somebody else trades the account too.

    ``late``: what was given up may still arrive: a stop whose place was called unknown, what was asked before a crash.
    ``oco``: the broker knows which legs belong together. ``mode``: what the account's brackets are set to.
    """

    def __init__(
        self,
        choices: Choices,
        limits: Limits,
        *,
        legs: bool,
        strangers: bool = False,
        faults: bool = True,
        late: bool = True,
        oco: bool = False,
        mode: BracketMode = BracketMode.UNKNOWN,
    ) -> None:
        self.choices = choices
        self.legs = legs
        self.strangers = strangers
        self.faults = faults
        self.late = late
        self.broker = Broker(oco=oco)
        self.desk = Desk(limits, mode=mode)
        self.history = list(self.desk.events)
        self.desk.forget()
        self.requests: list[Request] = []
        self.readings: list[Reading] = []
        self.names = 0
        self.after: Callable[[], None] = lambda: None

    # What is between the two.

    def feed(self, given: Input) -> None:
        """The gate takes an input; what it asks for is on its way. No two things happen at the same instant."""
        self.desk.now_ns += 1
        self.desk.feed(given)
        self._collect()

    def _collect(self) -> None:
        desk = self.desk
        self.history += desk.events
        for approved in desk.told(e.OrderApproved):
            if approved.order.parent_id is not None:
                self.broker.entries[approved.order.tag] = approved.order.parent_id
        for effect in desk.effects:
            if isinstance(effect, ReadSnapshot):
                self.readings.append(Reading(0))
            elif not isinstance(effect, RaiseEpoch):
                self.requests.append(Request(effect, desk.now_ns))
        desk.forget()
        self.after()

    def carry(self, index: int, *, honest: bool = False) -> None:
        """One request reaches the broker, or does not."""
        request = self.requests.pop(index)
        self.broker.now_ns = self.desk.now_ns
        if request.given_up and isinstance(request.effect, Place):
            self.broker.make(request.effect.terms, request.effect.order_tag)
            return
        if isinstance(request.effect, Place) and not honest and self._is_slow(request.effect):
            tag = request.effect.order_tag
            self.broker.answers.append(PlaceOutcome(ACCOUNT, tag, Outcome.UNKNOWN))
            self.requests.append(msgspec.structs.replace(request, given_up=True))
            return
        if isinstance(request.effect, Place | Modify) and self.is_overtaken(request.effect.order_tag):
            self.broker.perform(request.effect, Outcome.REFUSED, made=False)
            return
        if self.is_expired(request):
            self.broker.perform(request.effect, Outcome.NOT_SENT, made=False)
            return
        outcome, made = (Outcome.DONE, True) if honest else self._fate(request.effect)
        self.broker.perform(request.effect, outcome, made=made)

    def is_expired(self, request: Request) -> bool:
        """Whether its approval is too old to be sent on."""
        return isinstance(request.effect, Place | Modify) and self.desk.now_ns - request.since_ns > APPROVAL_NS

    def is_overtaken(self, tag: str) -> bool:
        """Whether a leg of the same bracket has filled, unknown to the gate: one that cancels the other refuses it."""
        entry, account = self.broker.entries.get(tag), self.desk.account
        if not self.broker.oco or entry is None:
            return False
        legs = [row for row in self.broker.orders.values() if self.broker.entry_of(row) == entry]
        known = [account.order(account.tags.get(row.order_tag or "")) for row in legs]
        return any(
            leg is None or row.filled_quantity > leg.filled_quantity for row, leg in zip(legs, known, strict=True)
        )

    def _is_slow(self, place: Place) -> bool:
        """A leg whose answer is not waited for, and that arrives all the same; an entry is given ten seconds."""
        return self.faults and self.late and place.grant.kind is e.ApprovalKind.LEG and self.choices.chance(8)

    def _fate(self, effect: Effect) -> tuple[Outcome, bool]:
        fates = [(Outcome.DONE, True)] * 4
        if self.faults:
            fates += [(Outcome.UNKNOWN, True), (Outcome.UNKNOWN, False), (Outcome.NOT_SENT, False)]
            fates += [(Outcome.REFUSED, False)]
        outcome, made = fates[self.choices.below(len(fates))]
        if isinstance(effect, Cancel | LookUp) and outcome is Outcome.REFUSED:
            return Outcome.UNKNOWN, False
        return outcome, made

    def read_on(self, index: int) -> None:
        """A snapshot under way gets one list further."""
        reading = self.readings[index]
        broker = self.broker
        if reading.positions is None:
            self.desk.now_ns += 1
            reading.started_ns = self.desk.now_ns
            reading.positions = broker.position
        elif reading.orders is None:
            reading.orders = tuple(broker.orders.values())
        else:
            self.readings.pop(index)
            snapshot = BrokerSnapshot(
                broker.account, 0, reading.started_ns, reading.positions, reading.orders, tuple(broker.executions)
            )
            self.feed(snapshot)

    def hear(self) -> None:
        """One report arrives: an answer, a row or a fill."""
        streams = [name for name in ("answers", "rows", "fills") if getattr(self.broker, name)]
        if not streams:
            return
        match streams[self.choices.below(len(streams))]:
            case "answers":
                self.feed(self.broker.answers.pop(self.choices.below(len(self.broker.answers))))
            case "rows":
                self._heard(self.broker.rows.popleft())
            case _:
                fills = self.broker.fills
                fills.rotate(-self.choices.below(len(fills)))
                self._heard(fills.popleft())

    def _heard(self, report: OrderReport | FillReport) -> None:
        if self.faults and self.choices.chance(12):
            return
        self.feed(report)
        if self.faults and self.choices.chance(12):
            self.feed(report)

    # What happens.

    def step(self) -> None:
        """One thing happens, chosen by the choices."""
        weights = {
            self.hear: 14,
            self.carry_one: 12,
            self.fill_one: 8,
            self.submit: 7,
            self.ask: 7,
            self.pass_time: 3,
            self.move: 3 if self.legs else 0,
            self.meddle: 3 if self.strangers else 0,
            self.flap: 1 if self.faults else 0,
            self.crash: 1 if self.faults else 0,
        }
        lots = [kind for kind, weight in weights.items() for _ in range(weight)]
        lots[self.choices.below(len(lots))]()

    def carry_one(self) -> None:
        if self.readings and (not self.requests or self.choices.chance(3)):
            self.read_on(self.choices.below(len(self.readings)))
        elif self.requests:
            self.carry(self.choices.below(len(self.requests)))

    def fill_one(self) -> None:
        rows = self.broker.open_orders
        if rows:
            row = rows[self.choices.below(len(rows))]
            left = row.quantity - row.filled_quantity
            self.broker.now_ns = self.desk.now_ns
            self.broker.fill(row, left if self.choices.below(2) else 1 + self.choices.below(left))

    def submit(self) -> None:
        self.names += 1
        side = (Side.BUY, Side.SELL)[self.choices.below(2)]
        quantity = 1 + self.choices.below(6)
        limit = (None, BID - 8 if side is Side.BUY else ASK + 8)[self.choices.below(2)]
        stop: Exit | Leg = Leg.OFF
        targets: tuple[Target, ...] = ()
        breakeven, trail = None, None
        if self.legs:
            stop = (Exit(40), Exit(8), Exit(40), Leg.OFF)[self.choices.below(4)]
            targets = TARGETS[self.choices.below(len(TARGETS))]
            breakeven = (None, None, Breakeven(6), Breakeven(10, 2))[self.choices.below(4)]
            trail = (None, None, Trail(12), Trail(6, 3))[self.choices.below(4)]
        self.desk.submit(
            f"o{self.names}",
            side,
            quantity,
            limit=limit,
            stop=stop,
            targets=targets,
            breakeven=breakeven,
            trail=trail,
        )
        self._collect()

    def move(self) -> None:
        """The market moves, and now and then what is told of it cannot be true."""
        bid = BID - 16 + self.choices.below(33)
        ask = bid - 3 if self.choices.chance(6) else bid + 1
        self.desk.quote(MES, bid, ask, age_ms=20_000 if self.choices.chance(6) else 0)
        self.feed(Mark())

    def pass_time(self) -> None:
        until = self.desk.now_ns + (50, 250, 500, 1_000, 2_500, 5_000)[self.choices.below(6)] * MS_NS
        self.desk.wait((until - self.desk.now_ns) // MS_NS)
        self._collect()

    def ask(self) -> None:
        """Somebody cancels, changes, closes, flattens or moves a stop."""
        desk, live = self.desk, list(self.desk.account.live_orders())
        match self.choices.below(12):
            case 0 | 1 if live:
                desk.cancel(live[self.choices.below(len(live))].order_id)
            case 2 | 3 | 4 | 5 | 6 if live:
                order = live[self.choices.below(len(live))]
                desk.modify(order.order_id, quantity=1 + self.choices.below(6))
            case 7:
                desk.close()
            case 8:
                desk.close(1 + self.choices.below(3))
            case 9:
                (desk.flatten, desk.cancel_all)[self.choices.below(2)]()
            case 10 | 11 if self.legs:
                desk.protect(stop=BID - 4 - self.choices.below(30), target=ASK + 4 + self.choices.below(30))
        self._collect()

    def flap(self) -> None:
        """The link goes and comes back; what the hub would have said is lost."""
        self.feed(LinkReport(up=False, reason="lost"))
        if self.choices.chance(2):
            self.broker.rows.clear()
            self.broker.fills.clear()
        self.feed(LinkReport(up=True))

    def crash(self) -> None:
        """Killed and started again: what was on its way here is lost; what was on its way there is lost in part."""
        self.requests = [request for request in self.requests if self.late and self.choices.below(2)]
        self.readings.clear()
        self.broker.answers.clear()
        self.broker.rows.clear()
        self.broker.fills.clear()
        group = self.desk.group
        self.feed(Started("desk", "sim", "practice", group.limits, group.bracket_mode))
        self.feed(LinkReport(up=True))

    def meddle(self) -> None:
        """Somebody trades on the broker's own page."""
        rows = self.broker.open_orders
        self.broker.now_ns = self.desk.now_ns
        what = self.choices.below(4)
        if what == 0:
            side = (Side.BUY, Side.SELL)[self.choices.below(2)]
            self.broker.make(Terms(ACCOUNT, MES.contract_id, side, 1 + self.choices.below(3), OrderType.MARKET), None)
        elif rows:
            row = rows[self.choices.below(len(rows))]
            if what == 1:
                self.broker.change(row, state=OrderState.CANCELLED)
            elif row.stop_ticks is not None:
                self.broker.change(row, stop_ticks=row.stop_ticks - 20 + self.choices.below(40))

    # The end.

    def catch_up(self) -> None:
        """Everything on its way arrives, and the gate has had the time to answer it."""
        for _ in range(3):
            self.deliver_all()
            self.desk.wait(300)
            self._collect()

    def play(self) -> None:
        """Everything that was chosen, and then rest."""
        while self.choices:
            self.step()
        self.come_to_rest()

    def come_to_rest(self) -> None:
        """The line is good again, nothing fills any more, and the books are compared."""
        self.faults = False
        for _ in range(2):
            self.feed(LinkReport(up=False, reason="lost"))
            self.feed(LinkReport(up=True))
            self.deliver_all()
        quiet = 0
        for _ in range(2_000):
            before = len(self.history)
            self.deliver_all()
            self.desk.wait(300)
            self._collect()
            quiet = quiet + 1 if len(self.history) == before else 0
            if quiet * 300 > 16_000:  # longer than any timer but the day's
                return
        raise AssertionError("it does not come to rest")

    def deliver_all(self) -> None:
        while self.requests or self.readings or self.broker.answers or self.broker.rows or self.broker.fills:
            self._deliver()

    def _deliver(self) -> None:
        while self.broker.answers:
            self.feed(self.broker.answers.pop(0))
        while self.broker.rows:
            self.feed(self.broker.rows.popleft())
        while self.broker.fills:
            self.feed(self.broker.fills.popleft())
        if self.requests:
            self.carry(0, honest=True)
        elif self.readings:
            self.read_on(0)
        self.broker.now_ns = self.desk.now_ns
        for row in self.broker.open_orders:  # a market order does not rest
            if row.order_type is OrderType.MARKET:
                self.broker.fill(row, row.quantity - row.filled_quantity)

    # What must hold.

    def check_replay(self) -> None:
        """The journal, written and read again, gives the state that is live."""
        folded = Group()
        for event in self.history:
            folded = evolve(folded, decode(*encode(event)))
        assert folded == self.desk.group

    def check_agreement(self) -> None:
        """At rest the books are the broker's, and nothing is left to explain."""
        account = self.desk.account
        assert self.desk.net() == self.broker.net
        assert {order.broker_order_id for order in account.live_orders()} == {
            row.broker_order_id for row in self.broker.open_orders
        }
        assert all(order.status is Status.WORKING for order in account.live_orders())
        assert (account.unexplained, account.exits, account.held) == ("", {}, {})

    def check_coverage(self) -> None:
        """At rest every contract that is held under a promise is covered by a stop at its level, exactly.

        And each target has its share: the first what it asks for, the next what that leaves.
        """
        account = self.desk.account
        for entry in self.entries():
            legs, left = list(account.legs(entry.order_id)), entry.open_quantity
            stops = [leg for leg in legs if leg.role is Role.STOP]
            assert sum(leg.leaves for leg in stops) == (left if entry.protection.stop else 0), (entry, stops)
            for slot, target in enumerate(entry.protection.targets):
                share = left if target.quantity is None else min(left, target.quantity)
                left -= share
                own = [leg for leg in legs if leg.role is Role.TARGET and leg.slot == slot]
                size = sum(leg.leaves for leg in own)
                # Once so much has failed that a person has to look, a refused target is not placed again.
                assert size == share or (account.repeating and size < share), (entry, own)
            self.check_levels(entry, legs)
        closing = Side.SELL if self.broker.net > 0 else Side.BUY
        last = self.desk.quotes[MES.contract_id].last_ticks
        # The market of this world fills nothing by itself: it may be at a stop, which covers nothing then.
        resting = reached = 0
        for row in self.broker.open_orders:
            if row.stop_ticks is None or row.side is not closing:
                continue
            if last is not None and (last - row.stop_ticks) * closing.sign >= 0:
                reached += row.quantity - row.filled_quantity
            else:
                resting += row.quantity - row.filled_quantity
        told = {contract_id: (cover.state, cover.uncovered) for contract_id, cover in account.covers.items()}
        uncovered = max(0, abs(self.broker.net) - resting)
        state = e.Cover.UNPROTECTED if uncovered and reached else e.Cover.BY_CHOICE if uncovered else e.Cover.PROTECTED
        assert told == ({MES.contract_id: (state, uncovered)} if self.broker.net else {})
        for leg in account.live_orders():
            assert not leg.is_leg or account.orders[leg.parent_id or ""].open_quantity, leg

    def check_levels(self, entry: Order, legs: list[Order]) -> None:
        """At the broker each leg stands where exact arithmetic puts it; a stop may have stayed at a better price."""
        average = Fraction(entry.opened_ticks, entry.opened_quantity)
        up, down = math.ceil(average), math.floor(average)
        near, sign = (up, 1) if entry.terms.side is Side.BUY else (down, -1)
        for leg in legs:
            row = self.broker.orders[leg.broker_order_id or 0]
            if leg.role is Role.TARGET:
                at = entry.protection.targets[leg.slot].at
                assert row.limit_ticks == (near + sign * at.ticks if at.price_ticks is None else at.price_ticks)
            elif entry.protection.stop is not None and row.stop_ticks is not None:
                stop = entry.protection.stop
                level = near - sign * stop.ticks if stop.price_ticks is None else stop.price_ticks
                assert (row.stop_ticks - level) * sign >= 0, (entry, row)

    def entries(self) -> list[Order]:
        return [
            order for order in self.desk.account.orders.values() if order.role is Role.ENTRY and order.open_quantity
        ]
