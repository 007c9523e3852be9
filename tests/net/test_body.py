"""JSON bodies: every fault has a code and a field."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordergate.errors import InputRefused
from ordergate.net.body import read
from ordergate.web.bodies import FlattenBody, LegBody, OrderBody

LEAST = b'{"instrument":"MES","side":"BUY","quantity":1,"accountId":1001'


def refusal(body: bytes) -> tuple[str, str | None]:
    with pytest.raises(InputRefused) as caught:
        read(body, OrderBody)
    assert caught.value.message
    caught.value.message.encode()
    return caught.value.code, caught.value.field


def test_a_body_is_read_with_its_numbers_exact() -> None:
    said = b',"orderType":"LIMIT","limitPrice":5000.10,"stopLoss":{"enabled":true,"points":5},"takeProfit":null}'
    body = read(LEAST + said, OrderBody)
    assert body == OrderBody(
        "MES", "BUY", Decimal(1), 1001, "LIMIT", Decimal("5000.10"), None, LegBody(points=Decimal(5))
    )
    assert str(body.limit_price) == "5000.10"


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        (b',"colour":"red"}', "UNKNOWN_FIELD", "colour"),
        (b',"stopLoss":{"ticks":5}}', "UNKNOWN_FIELD", "stopLoss.ticks"),
        (b',"quantity":2}', "DUPLICATE_FIELD", "quantity"),
        (b',"limitPrice":"5000.25"}', "BAD_LIMIT_PRICE", "limitPrice"),
        (b',"limitPrice":"NaN"}', "BAD_LIMIT_PRICE", "limitPrice"),
        (b',"limitPrice":true}', "BAD_LIMIT_PRICE", "limitPrice"),
        (b',"limitPrice":[5000]}', "BAD_LIMIT_PRICE", "limitPrice"),
        (b',"stopLoss":{"points":"5"}}', "BAD_STOP_LOSS_POINTS", "stopLoss.points"),
        (b',"stopLoss":{"enabled":"yes"}}', "BAD_STOP_LOSS_ENABLED", "stopLoss.enabled"),
        (b',"stopLoss":5}', "BAD_STOP_LOSS", "stopLoss"),
        (b',"orderId":7}', "BAD_ORDER_ID", "orderId"),
        (b',"orderId":"\\ud800"}', "BAD_ORDER_ID", "orderId"),
        (b',"orderType":null}', "BAD_ORDER_TYPE", "orderType"),
        (b',"\\ud800":1}', "UNKNOWN_FIELD", "\\ud800"),
    ],
)
def test_a_field_that_is_wrong_is_named(said: bytes, code: str, field: str) -> None:
    assert refusal(LEAST + said) == (code, field)


@pytest.mark.parametrize("number", [b"1.5", b'"1001"', b"true", b"null", b"NaN", b"1e3", b"9" * 5_000])
def test_an_account_id_is_an_integer_and_nothing_else(number: bytes) -> None:
    body = b'{"instrument":"MES","side":"BUY","quantity":1,"accountId":%s}' % number
    assert refusal(body) == ("BAD_ACCOUNT_ID", "accountId")


@pytest.mark.parametrize("number", [b'"2"', b'"NaN"', b"true", b"null", b"{}"])
def test_a_quantity_is_a_json_number(number: bytes) -> None:
    body = b'{"instrument":"MES","side":"BUY","accountId":1001,"quantity":%s}' % number
    assert refusal(body) == ("BAD_QUANTITY", "quantity")


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e99999999999999999999"])
def test_what_no_number_can_be_is_left_to_the_field_to_refuse(number: bytes) -> None:
    body = read(b'{"instrument":"MES","side":"BUY","accountId":1001,"quantity":%s}' % number, OrderBody)
    assert not body.quantity.is_finite()


@pytest.mark.parametrize("name", ["instrument", "side", "quantity", "accountId"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    said = {"instrument": '"MES"', "side": '"BUY"', "quantity": "1", "accountId": "1001"}
    del said[name]
    body = "{" + ",".join(f'"{key}":{value}' for key, value in said.items()) + "}"
    assert refusal(body.encode()) == ("MISSING_FIELD", name)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b'"text"', b"\xff\xfe", b"{}{}", b"[" * 60_000, b"{'a':1}"]
)
def test_what_is_no_json_object_is_said_so(body: bytes) -> None:
    assert refusal(body) == ("BAD_JSON", None)


def test_an_account_is_a_number_or_the_word_all() -> None:
    assert read(b'{"accountId":"all"}', FlattenBody).account_id == "all"
    assert read(b'{"accountId":1001}', FlattenBody).account_id == 1001
    with pytest.raises(InputRefused):
        read(b'{"accountId":"everyone"}', FlattenBody)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_struct_or_refused(body: bytes) -> None:
    """Invariant 3."""
    assert isinstance(read_or_refuse(body), OrderBody | InputRefused)


@given(
    st.sampled_from(["instrument", "side", "quantity", "accountId", "limitPrice", "stopLoss", "orderId"]), json_values
)
def test_any_value_of_any_field_is_a_struct_or_refused(name: str, value: object) -> None:
    """Invariant 3."""
    body = json.dumps({"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": 1001, name: value}).encode()
    assert isinstance(read_or_refuse(body), OrderBody | InputRefused)


def read_or_refuse(body: bytes) -> OrderBody | InputRefused:
    try:
        return read(body, OrderBody)
    except InputRefused as error:
        return error
