"""What a caller may name an order."""

from __future__ import annotations

import pytest

from ordergate.core.commands import checked_order_id
from ordergate.errors import InputRefused


@pytest.mark.parametrize("value", ["a", "A1.b_c:d-e", "x" * 64])
def test_an_id_of_letters_digits_and_a_few_signs_is_taken_as_it_is(value: str) -> None:
    assert checked_order_id(value) == value


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a/stop/1", "\u00e4", "a\n"])
def test_any_other_id_is_refused_by_the_name_of_its_field(value: str) -> None:
    with pytest.raises(InputRefused) as refused:
        checked_order_id(value)
    assert (refused.value.code, refused.value.field) == ("BAD_ORDER_ID", "orderId")
    with pytest.raises(InputRefused, match="clientId must be 1 to 64") as refused:
        checked_order_id(value, "clientId")
    assert refused.value.field == "clientId"
