"""The desks at which the examples of docs/rules.md are played: how each of them came to be as it is."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from ordergate.core.commands import ChangeLimits, LockOut, SetPaused
from ordergate.core.events import Door
from ordergate.core.instrument import Instrument
from ordergate.core.limits import MICROS, Limits
from ordergate.core.order import Exit, Side
from ordergate.core.reports import AccountReport, BrokerSnapshot, CheckReport, LinkReport, Outcome, Quote, Unreadable
from tests.core.desk import ACCOUNT, ASK, BID, ES, MES, OLD_MES, Desk, instant, position

Made = Callable[[], Desk]
Change = Callable[[Desk], object]

_HOUR_MS = 3_600_000
_LOW = BID - 39  # 4,990.00: so far below the market that nothing fills
_TWO_POINTS = Exit(8)


def usd(text: str) -> Decimal:
    return Decimal(text)


def plain(**limits: object) -> Made:
    """Nothing is held. The limits are the default ones but for ``limits``."""
    return lambda: Desk(_limits(limits))


def _limits(changed: dict[str, object]) -> Limits:
    return replace(Limits(), **changed)


def with_balance(balance: str, **limits: object) -> Made:
    return lambda: Desk(_limits(limits), balance=balance)


def at(wall: str, **limits: object) -> Made:
    """At a Chicago wall time, with the exchange's hours."""
    return lambda: Desk(replace(_limits(limits), session_only=True), at_ns=instant(wall))


def long(quantity: int, **limits: object) -> Made:
    """Long MES, bought here at 5,000.00, with stop and target resting."""
    return lambda: _held(Desk(_limits(limits)), Side.BUY, quantity)


def short(quantity: int, **limits: object) -> Made:
    """Short MES, sold here at 4,999.75, with stop and target resting."""
    return lambda: _held(Desk(_limits(limits)), Side.SELL, quantity)


def _held(desk: Desk, side: Side, quantity: int) -> Desk:
    desk.hold("held", side, quantity, ASK if side is Side.BUY else BID)
    return desk


def after(made: Made, *changes: Change) -> Made:
    """A desk after what has happened there since."""

    def desk() -> Desk:
        found = made()
        for change in changes:
            change(found)
        return found

    return desk


def traded(ticks: int, **limits: object) -> Made:
    """4 MES bought at 5,000.00 and out again at their stop or target, ``ticks`` away; the fees are paid."""

    def desk() -> Desk:
        made, fee = Desk(_limits(limits)), MES.fee_usd * 4
        assert made.submit("before", quantity=4, stop=Exit(max(4, -ticks)), target=Exit(max(4, ticks))).ok
        made.accept("before")
        made.fill("before", fee_usd=fee)
        made.accept(made.stop("before").order_id)
        made.accept(made.target("before").order_id)
        out = made.target("before") if ticks > 0 else made.stop("before")
        made.fill(out.order_id, price=ASK + ticks, fee_usd=fee)
        for leg in list(made.account.legs("before")):
            made.cancelled(leg.order_id)
        made.feed(AccountReport(ACCOUNT, "PRACTICE-1", made.balance + made.account.day.realized_usd, can_trade=True))
        return made

    return desk


def working(*quantities: int) -> Change:
    """Limit buys of MES at 4,990.00 rest at the broker."""

    def place(desk: Desk) -> None:
        for quantity in quantities:
            order_id = desk.request_id() if "working" in desk.account.orders else "working"
            assert desk.submit(order_id, quantity=quantity, limit=_LOW).ok
            desk.accept(order_id)

    return place


def asked(*times_ms: int) -> Change:
    """Buys of 1 MES at 4,990.00 and each tick below, at these times from the first on; the last is when we are."""

    def ask(desk: Desk) -> None:
        start_ns = desk.now_ns
        for number, time_ms in enumerate(times_ms):
            desk.wait((start_ns - desk.now_ns) // 1_000_000 + time_ms)
            if number + 1 < len(times_ms):
                assert desk.submit(f"earlier-{number}", limit=_LOW - number).ok

    return ask


def locked_out(desk: Desk) -> None:
    desk.ask(LockOut("lock", ACCOUNT, instant("2026-11-23 12:00"), "two losses in a row"))


def paused(desk: Desk) -> None:
    desk.ask(SetPaused("pause", on=True, by=Door.PAGE))


def day_lost(desk: Desk) -> None:
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", usd("48990"), can_trade=True))


def not_tradable(desk: Desk) -> None:
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=False))


def no_cancel(desk: Desk) -> None:
    why = "it is not a simulated account"
    desk.feed(AccountReport(ACCOUNT, "PRACTICE-1", desk.balance, can_trade=True, no_cancel=why))


def wrong_clock(desk: Desk) -> None:
    desk.feed(
        CheckReport("clock", "the clock here is 1:00:00 (h:mm:ss) ahead of the venue's", well=False, refuses=True)
    )


def closing(desk: Desk) -> None:
    desk.close()


def blind(desk: Desk) -> None:
    desk.feed(LinkReport(up=False, reason="the broker's stream ended"))


def unexplained(desk: Desk) -> None:
    desk.feed(Unreadable(ACCOUNT, "order 7 has status 99"))


def unquoted(desk: Desk) -> None:
    desk.quotes.clear()


def quoted(age_ms: int) -> Change:
    """The last quote of MES is that old."""
    return lambda desk: desk.quote(MES, BID, ASK, age_ms=age_ms)


def jumped(ticks: int) -> Change:
    """The quote of MES stands so far above its last trade, which was at 5,000.00."""

    def jump(desk: Desk) -> None:
        name = MES.contract_id
        desk.quotes[name] = Quote(name, ASK + ticks - 1, ASK + ticks, ASK, desk.now_ns, desk.now_ns)

    return jump


def old_month() -> Desk:
    """Long 2 MES of a month that is no longer the active one."""
    desk = Desk(positions=[position(2, ASK, OLD_MES)])
    desk.quote(OLD_MES, BID, ASK)
    return desk


def two_es(**limits: object) -> Made:
    """Long 2 ES with their stop 2 points away."""

    def desk() -> Desk:
        made = Desk(replace(_limits(limits), allowed_symbols=(*MICROS, "ES")))
        made.quote(ES, BID, ASK)
        made.hold("held", quantity=2, instrument=ES, stop=_TWO_POINTS)
        return made

    return desk


def with_es() -> Desk:
    """ES is allowed, and quoted."""
    desk = Desk(Limits(allowed_symbols=(*MICROS, "ES")))
    desk.quote(ES, BID, ASK)
    return desk


def firms_own_floor() -> Desk:
    """A real account, whose floor only the firm knows."""
    desk = Desk(Limits(maximum_loss_usd=usd("2000")))
    desk.group = replace(desk.group, venue="topstepx")
    return desk


def targets_refused(times: int) -> Made:
    """Long 1 MES whose stop rests; the broker has refused its target so often, every five seconds."""

    def desk() -> Desk:
        made = Desk()
        made.enter("held")
        made.accept(made.stop("held").order_id)
        for _ in range(times):
            made.placed(made.target("held").order_id, Outcome.REFUSED, text="no")
            made.wait(5_000)
        return made

    return desk


def another_account(net: int, instrument: Instrument) -> Made:
    """A second account of the login holds ``net`` contracts."""

    def desk() -> Desk:
        made = Desk(Limits(opposite_positions=False))
        account = AccountReport(ACCOUNT + 1, "PRACTICE-2", made.balance, can_trade=True)
        held = (replace(position(net, ASK, instrument), account_id=ACCOUNT + 1),)
        for _ in range(2):
            made.feed(BrokerSnapshot(account, 0, made.now_ns, held, (), ()))
        return made

    return desk


def changed(**limits: object) -> Change:
    """Limits are changed while the day runs."""
    return lambda desk: desk.ask(ChangeLimits("limits", _limits(limits), tuple(limits)))


def next_day(**limits: object) -> Change:
    """Limits are changed, and the next trading day has opened."""

    def change(desk: Desk) -> None:
        changed(**limits)(desk)
        desk.wait(24 * _HOUR_MS)

    return change
