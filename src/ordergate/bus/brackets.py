"""A bracket as people write it, and what it means in ticks. Our addition to the documented order; one per order.

Invariants:
1. A level is said in exactly one unit. Dollars are of the contracts that leave there, and are rounded to the tick that
   loses less (a stop) or earns more (a target).
2. What is left out is the default, as without a bracket; an empty list of targets is no target.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

import msgspec

from ordergate.core.commands import Leg
from ordergate.core.instrument import QUANTITY_MAX, Instrument
from ordergate.core.order import Breakeven, Exit, Target, Trail
from ordergate.errors import InputRefused

# Each is an order at the broker, and every resize of it a request of its 200 a minute.
TARGETS_MAX = 5
_CODE = "BAD_BRACKET"


class StopAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """``ticks`` and ``points`` are distances from the fill, ``dollars`` what the whole order may lose there."""

    enabled: bool = True
    ticks: int | None = None
    points: Decimal | None = None
    price: Decimal | None = None
    dollars: Decimal | None = None


class TargetAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """As ``StopAsk``; ``dollars`` are earned by its own ``quantity``: all that is left where it is not said."""

    ticks: int | None = None
    points: Decimal | None = None
    price: Decimal | None = None
    dollars: Decimal | None = None
    quantity: int | None = None


class BreakevenAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """In ticks of profit: where the stop is moved, and how far beyond the average it then stands."""

    trigger: int
    offset: int = 0


class TrailAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """In ticks: how far behind the market the stop stays, and the smallest move of it."""

    distance: int
    step: int = 1


class BracketAsk(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an order, or a preset, says of its bracket."""

    stop: StopAsk | None = None
    targets: tuple[TargetAsk, ...] | None = None
    breakeven: BreakevenAsk | None = None
    trail: TrailAsk | None = None


class Preset(msgspec.Struct, frozen=True):
    """A bracket by its name; ``instruments`` are those that replace it whole in single products, by symbol."""

    name: str
    bracket: BracketAsk
    instruments: Mapping[str, BracketAsk] = {}

    def of(self, symbol: str) -> BracketAsk:
        return self.instruments.get(symbol, self.bracket)

    def place(self, symbol: str) -> str:
        """Where in the settings ``of`` finds what it answers."""
        return f"presets.{self.name}.instruments.{symbol}" if symbol in self.instruments else f"presets.{self.name}"


class Asked(NamedTuple):
    """A bracket in ticks, as ``SubmitOrder`` has it."""

    stop: Exit | Leg
    targets: tuple[Target, ...] | Leg
    breakeven: Breakeven | None = None
    trail: Trail | None = None


def preset_asked(presets: tuple[Preset, ...], name: str, instrument: Instrument, quantity: int) -> Asked:
    """What the preset ``name`` means for an order of ``quantity`` contracts. Raises ``InputRefused``."""
    preset = next((each for each in presets if each.name == name), None)
    if preset is None:
        known = ", ".join(each.name for each in presets) or "none"
        raise InputRefused("UNKNOWN_PRESET", f"no preset is called {name[:64]!r}; there are: {known}", "preset")
    try:
        return asked(preset.of(instrument.symbol), instrument, quantity, preset.place(instrument.symbol))
    except InputRefused as error:
        # The order's field is its preset; the text says which place of the settings does not fit this order.
        raise InputRefused("BAD_PRESET", error.message, "preset") from None


def asked(bracket: BracketAsk, instrument: Instrument, quantity: int, field: str = "bracket") -> Asked:
    """What ``bracket`` means for an order of ``quantity`` contracts. Raises ``InputRefused`` naming the field."""
    stop, targets = bracket.stop, bracket.targets
    off = stop is not None and not stop.enabled
    if off and (bracket.breakeven is not None or bracket.trail is not None):
        raise InputRefused(_CODE, "breakeven and trail move a stop: there is none", f"{field}.stop.enabled")
    return Asked(
        Leg.OFF if off else Leg.DEFAULT if stop is None else _stop(stop, instrument, quantity, f"{field}.stop"),
        Leg.DEFAULT if targets is None else _targets(targets, instrument, quantity, f"{field}.targets"),
        _breakeven(bracket.breakeven, f"{field}.breakeven"),
        _trail(bracket.trail, instrument, f"{field}.trail"),
    )


def _stop(ask: StopAsk, instrument: Instrument, quantity: int, field: str) -> Exit | Leg:
    if (ask.ticks, ask.points, ask.price, ask.dollars) == (None, None, None, None):
        return Leg.DEFAULT
    return _level(ask, instrument, quantity, ROUND_FLOOR, field)


def _targets(asks: tuple[TargetAsk, ...], instrument: Instrument, quantity: int, field: str) -> tuple[Target, ...]:
    if len(asks) > TARGETS_MAX:
        raise InputRefused(_CODE, f"{field} has {len(asks)} targets; {TARGETS_MAX} are the most", field)
    found, left = [], quantity
    for place, ask in enumerate(asks):
        name, own = f"{field}[{place}]", ask.quantity
        if own is not None and not 0 < own <= QUANTITY_MAX:
            raise InputRefused(
                _CODE, f"{name}.quantity must be a whole number of contracts above 0", f"{name}.quantity"
            )
        if own is None and place < len(asks) - 1:
            raise InputRefused(
                _CODE, f"{name} needs a quantity: only the last takes all that is left", f"{name}.quantity"
            )
        share = max(1, left if own is None else own)
        found.append(Target(_level(ask, instrument, share, ROUND_CEILING, name), own))
        left -= share
    return tuple(found)


def _level(ask: StopAsk | TargetAsk, instrument: Instrument, quantity: int, rounding: str, field: str) -> Exit:
    said = [name for name in ("ticks", "points", "price", "dollars") if getattr(ask, name) is not None]
    if len(said) != 1:
        raise InputRefused(_CODE, f"{field} needs one of ticks, points, price and dollars", field)
    if ask.price is not None:
        return Exit(0, instrument.ticks(ask.price, f"{field}.price"))
    if ask.points is not None:
        return Exit(instrument.distance_ticks(ask.points, f"{field}.points"))
    if ask.dollars is not None:
        return Exit(_dollar_ticks(ask.dollars, instrument, quantity, rounding, f"{field}.dollars"))
    return Exit(_ticks(ask.ticks, f"{field}.ticks"))


def _dollar_ticks(dollars: Decimal, instrument: Instrument, quantity: int, rounding: str, field: str) -> int:
    one = instrument.money(1, quantity)
    if not dollars.is_finite() or not one <= dollars <= one * QUANTITY_MAX:
        text = f"{field} must be at least {one:f}, one tick of {quantity} {instrument.symbol}"
        raise InputRefused(_CODE, text, field)
    whole, rest = divmod(dollars, one)  # exact; a quotient is rounded to 28 digits first
    return int(whole) + int(rest > 0 and rounding == ROUND_CEILING)


def _breakeven(ask: BreakevenAsk | None, field: str) -> Breakeven | None:
    if ask is None:
        return None
    if not 0 <= ask.offset < _ticks(ask.trigger, f"{field}.trigger"):
        raise InputRefused(_CODE, f"{field}.offset must be from 0 to below the trigger", f"{field}.offset")
    return Breakeven(ask.trigger, ask.offset)


def _trail(ask: TrailAsk | None, instrument: Instrument, field: str) -> Trail | None:
    if ask is None:
        return None
    if ask.distance < instrument.stop_ticks_min:
        text = f"{field}.distance must be at least {instrument.stop_ticks_min} ticks of {instrument.symbol}"
        raise InputRefused(_CODE, text, f"{field}.distance")
    return Trail(_ticks(ask.distance, f"{field}.distance"), _ticks(ask.step, f"{field}.step"))


def _ticks(ticks: int | None, field: str) -> int:
    if ticks is None or not 0 < ticks <= QUANTITY_MAX:
        raise InputRefused(_CODE, f"{field} must be a whole number of ticks above 0", field)
    return ticks
