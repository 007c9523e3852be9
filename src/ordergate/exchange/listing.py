"""The contracts that the exchange knows: which are listed today, how they are found, how prices become ticks. PURE."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from ordergate.core.contracts import (
    MONTH_LETTERS,
    PRODUCT_BY_SYMBOL,
    PRODUCTS,
    Product,
    active_month,
    contract_id,
    contract_month,
    contract_name,
)
from ordergate.exchange.levels import LEVELS, Level

SEARCH_RESULTS_MAX = 20  # section 5.2


class Contract(msgspec.Struct, frozen=True):
    """One month of one product."""

    product: Product
    year: int
    month: int

    @property
    def contract_id(self) -> str:
        return contract_id(self.product, self.year, self.month)

    @property
    def name(self) -> str:
        """As traders read it: ``MNQU6``."""
        return contract_name(self.product, self.year, self.month)

    @property
    def display_name(self) -> str:
        """With two digits of the year: ``MNQU26`` (section 10)."""
        return f"{self.product.symbol}{MONTH_LETTERS[self.month - 1]}{self.year % 100:02d}"

    @property
    def level(self) -> Level:
        return LEVELS[self.product.symbol]

    def price(self, ticks: int) -> Decimal:
        """The price of a number of ticks."""
        return self.product.tick_size * ticks

    def ticks(self, price: Decimal) -> int | None:
        """A price in ticks, or None if it is off the grid or beyond any price of a listed product."""
        if not -PRICE_MAX < price < PRICE_MAX:  # a comparison, for arithmetic overflows with what JSON can say
            return None
        whole, rest = divmod(price, self.product.tick_size)
        return None if rest else int(whole)


PRICE_MAX = Decimal(10_000_000)


@functools.lru_cache(maxsize=4)
def listed(symbols: tuple[str, ...], day: datetime.date) -> Mapping[str, Contract]:
    """The active contract of each product on a trading date, by contract id; no symbols = every product."""
    products = [PRODUCT_BY_SYMBOL[symbol] for symbol in symbols] or PRODUCTS
    contracts = [Contract(product, *active_month(product, day)) for product in products]
    return {contract.contract_id: contract for contract in contracts}


@functools.lru_cache(maxsize=1_000)
def contract_of(id_text: str) -> Contract | None:
    """The contract of an id, listed today or not; None if there is no such month of a known product."""
    found = contract_month(id_text)
    return None if found is None else Contract(*found)


def known_contract(id_text: str) -> Contract:
    """The contract of an id that the venue holds, so that there is one."""
    contract = contract_of(id_text)
    assert contract is not None, "the venue holds only contracts of the table"
    return contract


def search(contracts: Iterable[Contract], text: str) -> list[Contract]:
    """Contracts whose id or name holds ``text``, without case; at most 20 (section 5.2)."""
    wanted = text.casefold()
    found = [item for item in contracts if wanted in item.contract_id.casefold() or wanted in item.name.casefold()]
    return found[:SEARCH_RESULTS_MAX]
