"""One tradable contract, and the only border between prices and ticks.

Inside the core a price is an ``int`` number of ticks; money is an exact ``Decimal`` in US dollars. An off-grid price
is refused, never rounded.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ordergate.errors import InputRefused

# A price needs at most 12 digits before rounding matters to any listed product; beyond this it is a typing error.
PRICE_MAX = Decimal(10_000_000)
QUANTITY_MAX = 2_147_483_647  # int32: the broker's ``size`` (projectx-openapi, PlaceOrderRequest, read 2026-11-22)


class Instrument(msgspec.Struct, frozen=True):
    """A contract as the broker describes it, with the product's defaults that the broker does not state.

    ``tick_value_usd`` is the money of one tick of one contract; ``fee_usd`` is per contract and side;
    ``stop_ticks_default``, ``stop_ticks_min`` and ``stress_ticks`` are distances (> 0).
    """

    contract_id: str
    symbol: str
    name: str
    tick_size: Decimal
    tick_value_usd: Decimal
    fee_usd: Decimal
    active: bool = True
    stop_ticks_default: int = 40
    stop_ticks_min: int = 4
    stress_ticks: int = 160

    def ticks(self, price: Decimal, field: str) -> int:
        """``price`` in ticks. Raises ``InputRefused`` naming ``field``."""
        if not price.is_finite():
            raise InputRefused("PRICE_NOT_FINITE", f"{field} must be a finite number", field)
        # Compared only: a comparison is exact, where even abs() overflows at the far end, and a remainder underflows.
        if not -PRICE_MAX <= price <= PRICE_MAX:
            raise InputRefused("PRICE_OUT_OF_RANGE", f"{field} {price} is beyond {PRICE_MAX}", field)
        is_between = bool(price) and -self.tick_size < price < self.tick_size
        whole, rest = (Decimal(0), price) if is_between else divmod(price, self.tick_size)
        if rest:
            raise InputRefused(
                "OFF_TICK", f"{field} {price} is not a multiple of {self.symbol}'s tick {self.tick_size}", field
            )
        return int(whole)

    def distance_ticks(self, points: Decimal, field: str) -> int:
        """A distance in points as ticks (> 0). Raises ``InputRefused`` naming ``field``."""
        ticks = self.ticks(points, field)
        if ticks <= 0:
            raise InputRefused("DISTANCE_NOT_POSITIVE", f"{field} must be above 0", field)
        return ticks

    def price(self, ticks: int) -> Decimal:
        """The price of a number of ticks (which may be negative)."""
        return self.tick_size * ticks

    def money(self, ticks: int, quantity: int) -> Decimal:
        """US dollars of a move of ``ticks`` on ``quantity`` contracts; carries their signs."""
        return self.tick_value_usd * (ticks * quantity)


def symbol_instrument(instruments: dict[str, Instrument], name: str, field: str = "instrument") -> Instrument:
    """The contract called ``name``: a contract id, or a symbol, which means its active contract.

    Raises ``InputRefused`` with ``UNKNOWN_INSTRUMENT``.
    """
    found = instruments.get(name)
    if found is not None:
        return found
    for instrument in instruments.values():
        if instrument.symbol == name and instrument.active:
            return instrument
    raise InputRefused("UNKNOWN_INSTRUMENT", f"no contract is called {name[:64]!r}", field)
