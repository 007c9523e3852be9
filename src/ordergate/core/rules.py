"""The limits, one function each, in the order in which their breaches are told.

A rule takes one ``Proposal`` and returns a ``Breach`` or None. It has no side effect and never passes what it cannot
tell: a missing price, base or contract is a breach. ``decide`` asks the rules only about the part of an order that adds
risk; what can only shrink a position is never asked about. Semantics: docs/decisions, and the comments here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from ordergate.core.account import Account, Group
from ordergate.core.events import TradingState
from ordergate.core.exposure import Money, money, open_orders, order_risk_usd, worst_position
from ordergate.core.instrument import Instrument
from ordergate.core.limits import Breach
from ordergate.core.order import Protection, Side, Terms
from ordergate.core.reports import Quote
from ordergate.core.sessions import is_open

_MS_NS = 1_000_000


class Proposal(msgspec.Struct, frozen=True):
    """An order as the rules see it.

    ``adding`` (> 0) is the quantity beyond what the order closes; ``entry_ticks`` the price it is measured from,
    ``risk_ticks`` the distance to its stop and ``risk_usd`` what is lost there with the fees of both sides; None where
    no reference price was there to tell. ``order_id`` names the order that a modify replaces: it does not count twice,
    and ``money`` is computed without it.
    """

    group: Group
    account: Account
    instrument: Instrument
    terms: Terms
    adding: int
    protection: Protection
    entry_ticks: int | None
    risk_ticks: int | None
    risk_usd: Decimal | None
    money: Money
    at_ns: int
    quote: Quote | None
    superseded: bool = False
    order_id: str | None = None

    @property
    def symbol(self) -> str:
        return self.instrument.symbol


Rule = Callable[[Proposal], Breach | None]


def propose(
    group: Group,
    account: Account,
    terms: Terms,
    adding: int,
    protection: Protection,
    *,
    quotes: dict[str, Quote],
    at_ns: int,
    superseded: bool = False,
    order_id: str | None = None,
) -> Proposal:
    """Put together what the rules look at."""
    instrument = group.instruments[terms.contract_id]
    quote = fresh(quotes.get(terms.contract_id), group.limits.quote_age_ms_max, at_ns)
    entry = entry_ticks(terms, quote)
    distance = risk_ticks(instrument, protection, entry)
    return Proposal(
        group=group,
        account=account,
        instrument=instrument,
        terms=terms,
        adding=adding,
        protection=protection,
        entry_ticks=entry,
        risk_ticks=distance,
        risk_usd=None if distance is None else order_risk_usd(instrument, distance, adding),
        money=money(group, account, held_quotes(account, quotes, group.limits.quote_age_ms_max, at_ns), order_id),
        at_ns=at_ns,
        quote=quote,
        superseded=superseded,
        order_id=order_id,
    )


def fresh(quote: Quote | None, age_ms_max: int, at_ns: int) -> Quote | None:
    """``quote`` if it can be a reference: two-sided, not crossed, not older than ``age_ms_max``."""
    if quote is None or quote.bid_ticks is None or quote.ask_ticks is None or quote.bid_ticks > quote.ask_ticks:
        return None
    return quote if at_ns - quote.at_ns <= age_ms_max * _MS_NS else None


def fresh_quotes(quotes: dict[str, Quote], age_ms_max: int, at_ns: int) -> dict[str, Quote]:
    """The quotes that can be references, by contract."""
    return {name: quote for name, quote in quotes.items() if fresh(quote, age_ms_max, at_ns) is not None}


def held_quotes(account: Account, quotes: dict[str, Quote], age_ms_max: int, at_ns: int) -> dict[str, Quote]:
    """The quotes of what is held that can be references, by contract."""
    return fresh_quotes({name: quotes[name] for name in account.positions if name in quotes}, age_ms_max, at_ns)


def entry_ticks(terms: Terms, quote: Quote | None) -> int | None:
    """Where the order is expected to fill: its own price, or the far touch for a market order."""
    if terms.limit_ticks is not None:
        return terms.limit_ticks
    if terms.stop_ticks is not None:
        return terms.stop_ticks
    if quote is None:
        return None
    return quote.ask_ticks if terms.side is Side.BUY else quote.bid_ticks


def risk_ticks(instrument: Instrument, protection: Protection, entry: int | None) -> int | None:
    """Ticks from entry to stop (>= 0); without a stop, the instrument's stress move."""
    if protection.stop is None:
        return instrument.stress_ticks
    if protection.stop.price_ticks is None:
        return protection.stop.ticks
    return None if entry is None else abs(entry - protection.stop.price_ticks)


def counted_risk_ticks(instrument: Instrument, protection: Protection, entry: int | None) -> int:
    """The distance an order counts with once it is approved: the stress move where no price was there to tell."""
    distance = risk_ticks(instrument, protection, entry)
    return instrument.stress_ticks if distance is None else distance


def trading_state(p: Proposal) -> Breach | None:
    """New risk needs an active account that the broker lets trade, seen through a link that is up."""
    account = p.account
    if account.trading_state is not TradingState.ACTIVE:
        code = "TRADING_HALTED" if account.trading_state is TradingState.HALTED else "REDUCE_ONLY"
        return Breach(code, "active", account.trading_state.value, account.state_message)
    if not account.can_trade:
        return Breach("ACCOUNT_NOT_TRADABLE", "canTrade", "false", "the broker does not let this account trade")
    if p.terms.contract_id in account.exits:
        return Breach("EXIT_IN_PROGRESS", "no exit", "running", f"{p.symbol} is being closed; wait until it is flat")
    return None


def visibility(p: Proposal) -> Breach | None:
    """Blind, or with something unexplained in the books, nothing new is sent."""
    if not p.group.link_up:
        return Breach("BROKER_LINK_DOWN", "connected", "down", f"the broker cannot be seen: {p.group.link_reason}")
    if p.account.unexplained:
        return Breach("UNEXPLAINED", "explained", "open", f"waiting for the broker's books: {p.account.unexplained}")
    return None


def market_hours(p: Proposal) -> Breach | None:
    """New risk only while the exchange is in session. Its own rejects stay what they are: it knows its holidays."""
    if not p.group.limits.session_only or is_open(p.at_ns):
        return None
    hours = "17:00 to 16:00 Chicago time, Sunday evening to Friday afternoon"
    return Breach("MARKET_CLOSED", "open", "closed", f"the market is closed; it trades {hours}")


def superseded(p: Proposal) -> Breach | None:
    """A flatten, halt or cancel-all that arrived after this order voids it."""
    if not p.superseded:
        return None
    return Breach(
        "SUPERSEDED", "newest", "older", "a flatten or cancel-all came after this order; send it again if you mean it"
    )


def instrument_allowed(p: Proposal) -> Breach | None:
    """New risk only in the listed products, and only in a contract that is still active."""
    if p.symbol not in p.group.limits.allowed_symbols:
        allowed = ", ".join(p.group.limits.allowed_symbols)
        return Breach("INSTRUMENT_NOT_ALLOWED", allowed, p.symbol, f"{p.symbol} is not among {allowed}")
    if not p.instrument.active:
        return Breach(
            "CONTRACT_NOT_ACTIVE", "active", p.instrument.name, f"{p.instrument.name} is not the active contract"
        )
    return None


def order_size_min(p: Proposal) -> Breach | None:
    """The smallest order, in contracts."""
    low = p.group.limits.order_quantity_min
    if p.terms.quantity >= low:
        return None
    return _count("MIN_ORDER_SIZE", low, p.terms.quantity, "contracts is below the smallest order of")


def order_size_max(p: Proposal) -> Breach | None:
    """The largest order, in contracts beyond what it closes."""
    high = p.group.limits.order_quantity_max
    if p.adding <= high:
        return None
    return _count("MAX_ORDER_SIZE", high, p.adding, "contracts is above the largest order of")


def position_size(p: Proposal) -> Breach | None:
    """The worst net position of the contract, in contracts, after every order on this side fills."""
    high = p.group.limits.position_quantity_max
    worst = abs(worst_position(p.account, p.terms.contract_id, p.terms.side, p.terms.quantity, p.order_id))
    if worst <= high:
        return None
    return _count("MAX_POSITION_SIZE", high, worst, f"contracts of {p.symbol} could be held, above")


def open_order_count(p: Proposal) -> Breach | None:
    """Orders that are not protective legs, this one included."""
    high = p.group.limits.open_orders_max
    count = open_orders(p.account, p.order_id) + 1
    if count <= high:
        return None
    return _count("MAX_OPEN_ORDERS", high, count, "orders would be open, above")


def reference_price(p: Proposal) -> Breach | None:
    """A fresh two-sided quote of the contract, and one of everything held that no stop covers."""
    age_s = Decimal(p.group.limits.quote_age_ms_max).scaleb(-3)
    if p.quote is None:
        return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", f"no quote of {p.symbol} younger than {age_s} s")
    if p.money.day_pnl_at_stops is None:
        return Breach("NO_REFERENCE_PRICE", f"{age_s} s", "none", "an open position without a stop has no fresh quote")
    return None


def stop_distance(p: Proposal) -> Breach | None:
    """The stop stands at least the instrument's minimum away, on the losing side of the entry."""
    stop = p.protection.stop
    if stop is None:
        return None
    distance = stop.ticks
    if stop.price_ticks is not None and p.entry_ticks is not None:
        distance = (p.entry_ticks - stop.price_ticks) * p.terms.side.sign
    if distance >= p.instrument.stop_ticks_min:
        return None
    return _count("STOP_TOO_CLOSE", p.instrument.stop_ticks_min, distance, "ticks from entry to stop is below")


def risk_per_trade(p: Proposal) -> Breach | None:
    """Dollars from entry to stop, against a percentage of the risk base."""
    base = p.group.limits.account_size_usd or p.account.day.balance_usd
    percent = p.group.limits.risk_percent_max
    if base <= 0:
        return Breach(
            "NO_RISK_BASE", "a positive balance", f"{base} USD", "there is no balance to measure risk against"
        )
    if p.risk_ticks is None:
        return None  # no reference price: told by ``reference_price``
    limit = base * percent.scaleb(-2)
    risk = p.instrument.money(p.risk_ticks, p.adding)
    if risk <= limit:
        return None
    return _dollars("EXCESSIVE_RISK", limit, risk, f"at the stop is above {percent} % of {base:,.2f} USD, which is")


def daily_loss(p: Proposal) -> Breach | None:
    """The day's loss if everything held and everything working is stopped, this order too. Denies at the limit."""
    limit = p.group.limits.daily_loss_usd_max
    if p.money.day_pnl_at_stops is None or p.risk_usd is None:
        return None  # no reference price: told by ``reference_price``
    loss = p.risk_usd - p.money.day_pnl_at_stops
    if loss < limit:
        return None
    return _dollars("DAILY_LOSS_LIMIT", limit, loss, "would be lost today if every stop were hit, reaching")


RULES: tuple[Rule, ...] = (
    trading_state,
    visibility,
    market_hours,
    superseded,
    instrument_allowed,
    order_size_min,
    order_size_max,
    position_size,
    open_order_count,
    reference_price,
    stop_distance,
    risk_per_trade,
    daily_loss,
)


def breaches(proposal: Proposal, rules: tuple[Rule, ...] = RULES) -> tuple[Breach, ...]:
    """Every limit the proposal breaks, in the order of ``rules``."""
    return tuple(breach for rule in rules if (breach := rule(proposal)) is not None)


def _count(code: str, limit: int, actual: int, text: str) -> Breach:
    return Breach(code, str(limit), str(actual), f"{actual} {text} {limit}")


def _dollars(code: str, limit: Decimal, actual: Decimal, text: str) -> Breach:
    return Breach(code, f"{limit:.2f}", f"{actual:.2f}", f"{actual:,.2f} USD {text} {limit:,.2f} USD")
