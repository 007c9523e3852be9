"""Documented messages to commands. Pure; every edge uses it, so that each refuses the same things by the same code."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from typing import TypeVar

import msgspec

from ordergate.bus import brackets
from ordergate.bus.brackets import BracketAsk, Preset
from ordergate.bus.messages import LegAsk, PlaceOrderPayload
from ordergate.core import answers
from ordergate.core.account import Account, Group
from ordergate.core.commands import Leg, SubmitOrder, checked_order_id
from ordergate.core.instrument import QUANTITY_MAX, Instrument, symbol_instrument
from ordergate.core.order import Exit, OrderType, Side, Target
from ordergate.errors import InputRefused

T = TypeVar("T", Side, OrderType)

_MS_NS = 1_000_000
# In the year 2255: anything later, or before 1970, is as wrong, and need not fit 64 bits.
_TIME_MS_MAX = 9_000_000_000_000

_POSITION_ID = re.compile(r"([0-9]{1,18}):(.+)")

# Fields that differ between two askings of the same order.
_OF_THE_ASKING = ("request_id", "timestamp")


def submit_order(
    payload: PlaceOrderPayload, instruments: dict[str, Instrument], request_id: str, presets: tuple[Preset, ...]
) -> SubmitOrder:
    """The command that ``payload`` asks for. Raises ``InputRefused`` with code and field."""
    checked_order_id(payload.order_id)
    instrument = symbol_instrument(instruments, payload.instrument)
    order_type = _choice(OrderType, payload.order_type, "orderType", "BAD_ORDER_TYPE")
    limit, stop = _prices(payload, order_type, instrument)
    size = quantity(payload.quantity, "quantity")
    bracket = _bracket(payload, instrument, size, presets)
    return SubmitOrder(
        request_id=request_id,
        account_id=payload.account_id,
        order_id=payload.order_id,
        contract_id=instrument.contract_id,
        side=_choice(Side, payload.side, "side", "BAD_SIDE"),
        quantity=size,
        order_type=order_type,
        limit_ticks=limit,
        stop_ticks=stop,
        stop=bracket.stop,
        targets=bracket.targets,
        breakeven=bracket.breakeven,
        trail=bracket.trail,
        instance_id=payload.instance_id,
        fingerprint=fingerprint(payload),
        sent_ns=None if payload.timestamp is None else min(max(0, payload.timestamp), _TIME_MS_MAX) * _MS_NS,
    )


def as_carried(command: SubmitOrder) -> SubmitOrder:
    """The order of an instance whose orders pass: no limit is asked, and no default stands in for what it does not say.

    An order that names no instance is nobody's, and is held to the limits.
    """
    return msgspec.structs.replace(
        command,
        stop=Leg.OFF if command.stop is Leg.DEFAULT else command.stop,
        targets=Leg.OFF if command.targets is Leg.DEFAULT else command.targets,
        passed=bool(command.instance_id.strip()),
    )


def named_position(position_id: str) -> tuple[int, str]:
    """The account id and contract id that ``position_id`` names, held or not. Raises ``InputRefused``."""
    named = _POSITION_ID.fullmatch(position_id)
    if named is None:
        raise InputRefused(answers.UNKNOWN_POSITION, f"there is no position {position_id}", "positionId")
    return int(named[1]), named[2]


def held_position(group: Group, position_id: str) -> tuple[Account, str]:
    """The account and contract of a position that is held. Raises ``InputRefused``."""
    account_id, contract_id = named_position(position_id)
    account = group.accounts.get(account_id)
    if account is None or contract_id not in account.positions:
        raise InputRefused(answers.UNKNOWN_POSITION, f"there is no position {position_id}", "positionId")
    return account, contract_id


def held_contract(group: Group, account_id: int, name: str) -> str:
    """The contract an exit means: the one that is held, else the active one. Raises ``InputRefused``."""
    account = group.accounts.get(account_id)
    held = [
        contract_id
        for contract_id in (account.positions if account is not None else ())
        if name in (contract_id, group.instruments[contract_id].symbol)
    ]
    if len(held) > 1:
        raise InputRefused("AMBIGUOUS_INSTRUMENT", f"held are {' and '.join(held)}: name one of them", "instrument")
    return held[0] if held else symbol_instrument(group.instruments, name).contract_id


def optional_ticks(instrument: Instrument, price: Decimal | None, field: str) -> int | None:
    """A price that need not be said. Raises ``InputRefused``."""
    return None if price is None else instrument.ticks(price, field)


def fingerprint(payload: PlaceOrderPayload) -> str:
    """The same for two askings of one order, different for any other order.

    A preset is in it by its name alone. What the name meant is kept with the order that was decided, and asking again
    does not change it. Were the meaning in here too, an order asked for again after its preset was edited would be
    ORDER_ID_REUSED, and whoever then takes another id has two orders.
    """
    said = msgspec.structs.replace(payload, **dict.fromkeys(_OF_THE_ASKING))
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:32]


def quantity(value: Decimal, field: str) -> int:
    """A whole number of contracts above 0. Raises ``InputRefused``."""
    if not value.is_finite() or value != value.to_integral_value() or not 0 < value <= QUANTITY_MAX:
        raise InputRefused("BAD_QUANTITY", f"{field} must be a whole number from 1 to {QUANTITY_MAX}", field)
    return int(value)


def _prices(payload: PlaceOrderPayload, order_type: OrderType, instrument: Instrument) -> tuple[int | None, int | None]:
    if order_type is OrderType.MARKET:
        return None, None
    if order_type is OrderType.LIMIT:
        limit = payload.limit_price if payload.limit_price is not None else payload.price
        if limit is None:
            raise InputRefused("MISSING_PRICE", "a LIMIT order needs limitPrice", "limitPrice")
        return instrument.ticks(limit, "limitPrice"), None
    if payload.stop_price is None:
        raise InputRefused("MISSING_PRICE", "a STOP order needs stopPrice", "stopPrice")
    return None, instrument.ticks(payload.stop_price, "stopPrice")


def check_said_once(preset: str | None, bracket: BracketAsk | None, *legs: object) -> None:
    """Raises ``InputRefused`` where a bracket is said in two ways; ``legs`` are the fields for one leg each."""
    with_legs = any(said is not None for said in legs)
    if preset is not None and (bracket is not None or with_legs):
        raise InputRefused("BAD_PRESET", "say a preset alone, without bracket, stopLoss and takeProfit", "preset")
    if bracket is not None and with_legs:
        raise InputRefused("BAD_BRACKET", "say a bracket, or stopLoss and takeProfit, not both", "bracket")


def _bracket(
    payload: PlaceOrderPayload, instrument: Instrument, size: int, presets: tuple[Preset, ...]
) -> brackets.Asked:
    """What the order says of its bracket: in the documented fields, in ours, or by a name."""
    legs = (payload.stop_loss, payload.take_profit, payload.stop_loss_points, payload.take_profit_points)
    check_said_once(payload.preset, payload.bracket, *legs)
    if payload.preset is not None:
        return brackets.preset_asked(presets, payload.preset, instrument, size)
    if payload.bracket is not None:
        return brackets.asked(payload.bracket, instrument, size)
    target = _leg(payload.take_profit, payload.take_profit_points, instrument, "takeProfit")
    if isinstance(target, Leg):
        targets: tuple[Target, ...] | Leg = target
    else:
        targets = (Target(target),)
    return brackets.Asked(_leg(payload.stop_loss, payload.stop_loss_points, instrument, "stopLoss"), targets)


def _leg(ask: LegAsk | None, points: Decimal | None, instrument: Instrument, field: str) -> Exit | Leg:
    if ask is not None:
        if not ask.enabled:
            return Leg.OFF
        points = ask.points
    if points is None:
        return Leg.DEFAULT
    return Exit(instrument.distance_ticks(points, f"{field}.points"))


def _choice(kind: type[T], value: str, field: str, code: str) -> T:
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(member.value for member in kind)
        raise InputRefused(code, f"{field} must be one of {allowed}", field) from None
