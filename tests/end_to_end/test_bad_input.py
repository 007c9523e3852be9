"""What is not an order: a clear error with code and field, nothing recorded, nothing sent, the process unharmed."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.process import Desk, call

BAD = [
    ({"instrument": "NOPE"}, "UNKNOWN_INSTRUMENT", "instrument"),
    ({"quantity": 0}, "BAD_QUANTITY", "quantity"),
    ({"quantity": -1}, "BAD_QUANTITY", "quantity"),
    ({"quantity": 1.5}, "BAD_QUANTITY", "quantity"),
    ({"quantity": 2_147_483_648}, "BAD_QUANTITY", "quantity"),
    ({"accountId": 4711}, "UNKNOWN_ACCOUNT", "accountId"),
    ({"orderType": "LIMIT"}, "MISSING_PRICE", "limitPrice"),
    ({"orderType": "LIMIT", "limitPrice": 5000.1}, "OFF_TICK", "limitPrice"),
    ({"orderType": "STOP"}, "MISSING_PRICE", "stopPrice"),
    ({"orderId": "no spaces"}, "BAD_ORDER_ID", "orderId"),
]


@pytest.mark.parametrize(("change", "code", "field"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_named_and_goes_nowhere(
    shared_desk: Desk, change: dict[str, object], code: str, field: str
) -> None:
    orders, sent = len(shared_desk.get("/api/orders")), len(shared_desk.venue_orders())
    body = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": shared_desk.account} | change
    status, answer = shared_desk.post("/api/order", body)
    assert (status, answer["success"], answer["code"], answer["field"]) == (400, False, code, field)
    assert answer["error"]
    assert answer["breaches"] == []
    assert (len(shared_desk.get("/api/orders")), len(shared_desk.venue_orders())) == (orders, sent)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b'"2"', b"true"])
def test_a_quantity_that_is_no_number_is_refused(shared_desk: Desk, number: bytes) -> None:
    body = b'{"instrument":"MES","side":"BUY","accountId":%d,"quantity":%s}' % (shared_desk.account, number)
    status, answer = shared_desk.post("/api/order", body)
    assert (status, answer["success"]) == (400, False)
    assert answer["code"]


def test_a_non_finite_price_is_refused(shared_desk: Desk) -> None:
    body = b'{"instrument":"MES","side":"BUY","accountId":%d,"quantity":1,"orderType":"LIMIT","limitPrice":1e999}'
    status, answer = shared_desk.post("/api/order", body % shared_desk.account)
    assert (status, answer["success"]) == (400, False)


def test_bad_json_is_refused(shared_desk: Desk) -> None:
    assert shared_desk.post("/api/order", b"{")[1]["code"] == "BAD_JSON"


def test_a_body_of_ten_megabytes_is_refused_and_the_desk_goes_on(shared_desk: Desk) -> None:
    connection = http.client.HTTPConnection(urlsplit(shared_desk.at["web"]).netloc, timeout=15)
    try:
        connection.putrequest("POST", "/api/order")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(10 * 1024 * 1024))
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (413, "BODY_TOO_LARGE")
    finally:
        connection.close()
    assert shared_desk.get("/api/accounts")


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_a_foreign_host_or_origin_is_refused(shared_desk: Desk, header: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(shared_desk.at["web"]).netloc, timeout=15)
    try:
        connection.request("GET", "/api/accounts", headers=header)
        assert connection.getresponse().status == 403
    finally:
        connection.close()


def test_the_desk_listens_on_loopback_only(shared_desk: Desk) -> None:
    assert {
        urlsplit(shared_desk.at[part]).hostname for part in ("web", "connectionManager", "aggregator", "gateway")
    } == {"127.0.0.1"}
    assert call(shared_desk.at["web"], "GET", "/health")[0] == 200
