"""Any decimal at all is a price on the grid, or refused by one of three codes; nothing else can come of it."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import example, given
from hypothesis import strategies as st

from ordergate.core.instrument import PRICE_MAX
from ordergate.errors import InputRefused
from tests.core.desk import MES

CODES = {"PRICE_NOT_FINITE", "PRICE_OUT_OF_RANGE", "OFF_TICK"}
exponents = st.one_of(st.integers(-40, 40), st.integers(-(10**15), 10**15))
decimals = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**40),
    exponents,
)


@given(price=st.one_of(decimals, st.decimals()))
@example(price=Decimal("1e999999999999"))
@example(price=Decimal("-1e999999999999"))
@example(price=Decimal("1e-999999999999"))
@example(price=Decimal("0e-999999999999"))
def test_a_price_is_exactly_its_ticks_or_is_refused_by_name(price: Decimal) -> None:
    try:
        ticks = MES.ticks(price, "limitPrice")
    except InputRefused as refused:
        code, field = refused.code, refused.field
    else:
        code, field = "", "limitPrice"
        assert MES.price(ticks) == price
        assert -PRICE_MAX <= price <= PRICE_MAX
    assert (code in {"", *CODES}, field) == (True, "limitPrice")


@given(ticks=st.integers(-40_000_000, 40_000_000), digits=st.integers(0, 60))
def test_every_tick_is_taken_however_many_zeros_it_is_written_with(ticks: int, digits: int) -> None:
    with localcontext(prec=80):
        written = MES.price(ticks).quantize(Decimal(1).scaleb(-max(2, digits)))
    assert MES.ticks(written, "limitPrice") == ticks
