"""What a person asks for over HTTP, against the real ``decide`` behind a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import wraps
from typing import Any

import pytest

from ordergate.bus.messages import MANUAL_INSTANCE
from ordergate.core import reports as r
from ordergate.core.commands import Answer, CancelAll, ClosePosition, Flatten
from ordergate.core.modes import Modes
from ordergate.core.order import OrderType, Side
from ordergate.web.asking import DECISION_WAIT_S
from ordergate.web.mirror import ASK_AGAIN_S
from tests.simulation.virtual_time import run
from tests.web.desk import Desk, desk
from tests.web.history import MES, MES_TICKS, MNQ, OLD, A, B, History, submit
from tests.web.page import exact

Scenario = Callable[[Desk], Awaitable[None]]


def at_a_desk(scenario: Scenario) -> Callable[[], None]:
    """The scenario as a test: on virtual time, with a desk of its own."""

    @wraps(scenario)
    def test() -> None:
        async def main() -> None:
            async with desk() as at:
                await scenario(at)

        run(main())

    del test.__wrapped__
    return test


@at_a_desk
async def test_an_order_is_answered_once_it_is_decided_and_is_there_to_be_read(at: Desk) -> None:
    status, answer = await at.order(orderId="o1", quantity=2, stopLoss={"enabled": True, "points": 5})
    assert (status, answer) == (200, {"success": True, "orderId": "o1", "contractId": MES})
    (row,) = await at.get("/api/orders")
    assert (row["orderId"], row["status"], row["quantity"], row["source"]) == ("o1", "FILLED", 2, MANUAL_INSTANCE)
    assert row["stopLoss"]["price"] == row["averageFillPrice"] - 5
    assert at.steps == [("asked", "o1"), ("published", "o1")]


@at_a_desk
async def test_an_order_travels_as_the_documented_message_and_says_nothing_it_does_not_mean(at: Desk) -> None:
    await at.order(orderId="o1", quantity=2, stopLoss={"enabled": True, "points": 5}, takeProfit={"enabled": False})
    sent = exact(at.gate.published[0])
    assert sent.pop("type") == "PLACE_ORDER"
    payload = sent.pop("payload")
    assert sent == {}
    assert payload.pop("requestId").startswith("web-")
    assert payload.pop("timestamp") == 1_795_446_000_010
    assert payload == {
        "instanceId": "MANUAL_TRADING_V2",
        "orderId": "o1",
        "accountId": A,
        "instrument": "MES",
        "side": "BUY",
        "quantity": 2,
        "orderType": "MARKET",
        "stopLossPoints": 5,
        "takeProfit": {"enabled": False},
    }


@at_a_desk
async def test_an_order_that_waited_before_it_was_sent_here_says_when_it_was_asked_for(at: Desk) -> None:
    said = []
    for number, waited_ms in enumerate((0, 6_000, 10**18 - 1)):
        await at.order(orderId=f"o{number}", waitedMs=waited_ms)
        said.append(exact(at.gate.published[number])["payload"]["timestamp"])
    assert said == [1_795_446_000_010, 1_795_445_994_010, 0]


@at_a_desk
async def test_an_order_cannot_have_waited_less_than_nothing(at: Desk) -> None:
    status, answer = await at.order(orderId="o1", waitedMs=-1)
    assert (status, answer["code"], answer["field"]) == (400, "BAD_WAITED_MS", "waitedMs")
    assert at.gate.published == []


@at_a_desk
async def test_an_order_asked_for_again_may_say_that_it_waited_longer(at: Desk) -> None:
    assert await at.order(orderId="o1") == await at.order(orderId="o1", waitedMs=9_000)


@at_a_desk
async def test_an_order_without_an_id_is_given_one_of_the_documented_form(at: Desk) -> None:
    _, first = await at.order()
    _, second = await at.order()
    kind, ms, chance = first["orderId"].split("-")
    assert (kind, ms, len(chance)) == ("manual", "1795446000010", 9)
    assert first["orderId"] != second["orderId"]


@at_a_desk
async def test_a_denied_order_tells_every_breach_with_limit_and_actual_as_numbers(at: Desk) -> None:
    status, answer = await at.order(orderId="o1", quantity=11)
    assert status == 422
    assert (answer["success"], answer["code"], answer["orderId"]) == (False, "MAX_ORDER_SIZE", "o1")
    breaches = {breach["code"]: (breach["limit"], breach["actual"]) for breach in answer["breaches"]}
    assert breaches["MAX_ORDER_SIZE"] == (10, 11)
    assert breaches["MAX_POSITION_SIZE"] == (10, 11)
    assert all(breach["message"] for breach in answer["breaches"])
    assert answer["error"]


@at_a_desk
async def test_the_same_order_again_gets_the_same_answer_and_is_one_order(at: Desk) -> None:
    first, second = await at.order(orderId="o1"), await at.order(orderId="o1")
    assert first == second
    assert first[0] == 200
    denied = await at.order(orderId="o2", quantity=11), await at.order(orderId="o2", quantity=11)
    assert denied[0] == denied[1]
    assert len(await at.get("/api/orders")) == 2
    requests = [exact(message)["payload"]["requestId"] for message in at.gate.published]
    assert len(set(requests)) == 4


@at_a_desk
async def test_another_order_with_a_used_id_is_refused_by_its_own_code(at: Desk) -> None:
    await at.order(orderId="o1")
    status, answer = await at.order(orderId="o1", quantity=2)
    assert (status, answer["code"], answer["field"], answer["orderId"]) == (409, "ORDER_ID_REUSED", "orderId", "o1")


@at_a_desk
async def test_an_order_that_is_not_decided_in_two_seconds_is_undecided_and_can_be_asked_again(at: Desk) -> None:
    at.gate.deaf = True
    before = asyncio.get_running_loop().time()
    status, answer = await at.order(orderId="o1")
    assert (status, answer["success"], answer["code"], answer["orderId"]) == (504, False, "UNDECIDED", "o1")
    assert asyncio.get_running_loop().time() - before == pytest.approx(DECISION_WAIT_S, abs=0.01)
    at.gate.deaf = False
    # The answer to the first asking may still come: nobody waits for it any more.
    await at.gate.tell(Answer(exact(at.gate.published[0])["payload"]["requestId"], ok=True))
    assert (await at.order(orderId="o1"))[0] == 200


BAD: list[tuple[dict[str, object], str, str]] = [
    ({"instrument": "NOPE"}, "UNKNOWN_INSTRUMENT", "instrument"),
    ({"instrument": "CON.F.US.MES.Z99"}, "UNKNOWN_INSTRUMENT", "instrument"),
    ({"instrument": ...}, "MISSING_FIELD", "instrument"),
    ({"side": "HOLD"}, "BAD_SIDE", "side"),
    ({"side": ...}, "MISSING_FIELD", "side"),
    ({"quantity": 0}, "BAD_QUANTITY", "quantity"),
    ({"quantity": -1}, "BAD_QUANTITY", "quantity"),
    ({"quantity": 1.5}, "BAD_QUANTITY", "quantity"),
    ({"quantity": 2_147_483_648}, "BAD_QUANTITY", "quantity"),
    ({"quantity": 10**30}, "BAD_QUANTITY", "quantity"),
    ({"quantity": "1"}, "BAD_QUANTITY", "quantity"),
    ({"quantity": True}, "BAD_QUANTITY", "quantity"),
    ({"quantity": ...}, "MISSING_FIELD", "quantity"),
    ({"accountId": 4711}, "UNKNOWN_ACCOUNT", "accountId"),
    ({"accountId": "1001"}, "BAD_ACCOUNT_ID", "accountId"),
    ({"accountId": ...}, "MISSING_FIELD", "accountId"),
    ({"orderType": "TRAIL"}, "BAD_ORDER_TYPE", "orderType"),
    ({"orderType": "LIMIT"}, "MISSING_PRICE", "limitPrice"),
    ({"orderType": "STOP"}, "MISSING_PRICE", "stopPrice"),
    ({"orderType": "LIMIT", "limitPrice": 5000.1}, "OFF_TICK", "limitPrice"),
    ({"orderType": "LIMIT", "limitPrice": 10**9}, "PRICE_OUT_OF_RANGE", "limitPrice"),
    ({"orderType": "LIMIT", "limitPrice": "5000"}, "BAD_LIMIT_PRICE", "limitPrice"),
    ({"orderType": "STOP", "stopPrice": 5000.1}, "OFF_TICK", "stopPrice"),
    ({"limitPrice": 5000}, "NO_LIMIT_PRICE", "limitPrice"),
    ({"stopPrice": 5000}, "NO_STOP_PRICE", "stopPrice"),
    ({"stopLoss": {"enabled": True, "points": 0}}, "DISTANCE_NOT_POSITIVE", "stopLoss.points"),
    ({"takeProfit": {"enabled": True, "points": 0.1}}, "OFF_TICK", "takeProfit.points"),
    ({"stopLoss": {"points": 5, "price": 1}}, "UNKNOWN_FIELD", "stopLoss.price"),
    ({"orderId": "no spaces"}, "BAD_ORDER_ID", "orderId"),
    ({"orderId": "o" * 65}, "BAD_ORDER_ID", "orderId"),
    ({"orderId": ""}, "BAD_ORDER_ID", "orderId"),
    ({"instanceId": "me"}, "UNKNOWN_FIELD", "instanceId"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "field"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_not_an_order_is_named_and_reaches_nobody(change: dict[str, object], code: str, field: str) -> None:
    async def main() -> None:
        async with desk() as at:
            status, answer = await at.order(**change)
            assert answer.pop("error")
            assert (status, answer) == (400, {"success": False, "code": code, "field": field, "breaches": []})
            await refused_silently(at)

    run(main())


async def refused_silently(at: Desk) -> None:
    """Nothing was traced, nothing is on the bus, nothing was journaled, and the server goes on."""
    await at.shown()
    assert (at.steps, at.gate.published, at.gate.commands) == ([], [], [])
    assert await at.get("/api/orders") == []


@pytest.mark.parametrize(
    ("field", "literal", "code"),
    [
        ("quantity", b"NaN", "BAD_QUANTITY"),
        ("quantity", b"Infinity", "BAD_QUANTITY"),
        ("quantity", b"1e999", "BAD_QUANTITY"),
        ("limitPrice", b"NaN", "PRICE_NOT_FINITE"),
        ("limitPrice", b"-Infinity", "PRICE_NOT_FINITE"),
        ("limitPrice", b"1e999", "PRICE_OUT_OF_RANGE"),
        ("limitPrice", b"1e999999999999", "PRICE_OUT_OF_RANGE"),
        ("limitPrice", b"-1e999999999999", "PRICE_OUT_OF_RANGE"),
        ("limitPrice", b"1e-999999999999", "OFF_TICK"),
        ("limitPrice", b"1e-99999999999999999999", "PRICE_NOT_FINITE"),
        ("quantity", b"1e999999999999", "BAD_QUANTITY"),
        ("quantity", b"1e-999999999999", "BAD_QUANTITY"),
    ],
)
def test_numbers_that_no_price_or_quantity_can_be_are_refused_by_field(field: str, literal: bytes, code: str) -> None:
    async def main() -> None:
        async with desk() as at:
            quantity, price = (literal, b"5000") if field == "quantity" else (b"1", literal)
            body = (
                b'{"instrument":"MES","side":"BUY","accountId":1001,"orderType":"LIMIT","quantity":%s,"limitPrice":%s}'
            )
            status, answer = await at.call("POST", "/api/order", body % (quantity, price))
            assert (status, answer["code"], answer["field"]) == (400, code, field)
            await refused_silently(at)

    run(main())


@at_a_desk
async def test_bad_json_and_a_body_without_an_end_are_refused(at: Desk) -> None:
    for body in (b"{", b"", b"[]", b"\xff", b"[" * 60_000):
        status, answer = await at.call("POST", "/api/order", body)
        assert (status, answer["success"], answer["code"]) == (400, False, "BAD_JSON")
    assert (await at.call("POST", "/api/order", b" " * 10_485_760))[0] == 413
    await refused_silently(at)


def test_before_the_state_is_known_orders_wait_and_exits_go_through() -> None:
    async def main() -> None:
        async with desk(started=False) as at:
            at.gate.silent = True
            assert (await at.call("GET", "/health"))[0] == 503
            for path in ("/api/accounts", "/api/snapshot", "/api/prices/MES", "/api/trading-status"):
                status, answer = await at.call("GET", path)
                assert (status, answer["success"], answer["code"]) == (503, False, "STARTING")
            assert (await at.order())[1]["code"] == "STARTING"
            assert (await at.post("/api/cancel-order", orderId="o1"))[1]["code"] == "UNKNOWN_ORDER"
            assert (await at.post("/api/cancel-all"))[0] == 200
            assert (await at.post("/api/flatten", accountId=A))[1]["finished"] is False
            at.gate.silent = False
            await asyncio.sleep(ASK_AGAIN_S + 0.1)
            assert (await at.get("/health"))["status"] == "healthy"

    run(main())


def test_an_order_waits_until_the_broker_has_shown_an_account() -> None:
    async def main() -> None:
        async with desk(History()) as at:
            status, answer = await at.order()
            assert (status, answer["code"]) == (503, "STARTING")
            assert await at.get("/api/accounts") == []

    run(main())


@at_a_desk
async def test_an_order_is_cancelled_and_what_is_over_or_unknown_is_told_apart(at: Desk) -> None:
    await at.order(orderId="o1", orderType="LIMIT", limitPrice=4990)
    assert await at.post("/api/cancel-order", orderId="o1") == (
        200,
        {"success": True, "orderId": "o1", "contractId": MES},
    )
    assert (await at.get("/api/orders"))[0]["status"] == "CANCELLED"
    status, answer = await at.post("/api/cancel-order", orderId="o1", accountId=A)
    assert (status, answer["code"]) == (409, "ALREADY_FINAL")
    status, answer = await at.post("/api/cancel-order", orderId="nobody")
    assert (status, answer["code"], answer["field"]) == (404, "UNKNOWN_ORDER", "orderId")
    assert (await at.post("/api/cancel-order", orderId="o1", accountId=B))[0] == 404


@at_a_desk
async def test_a_protective_stop_is_not_cancelled(at: Desk) -> None:
    await at.order(orderId="o1")
    stop = (await at.get("/api/orders"))[0]["stopLoss"]["orderId"]
    status, answer = await at.post("/api/cancel-order", orderId=stop)
    assert (status, answer["code"]) == (409, "PROTECTIVE_STOP")


@at_a_desk
async def test_an_order_is_modified_in_its_own_prices(at: Desk) -> None:
    await at.order(orderId="o1", orderType="LIMIT", limitPrice=4990)
    assert (await at.post("/api/modify-order", orderId="o1", limitPrice=4980.5, quantity=3))[0] == 200
    row = (await at.get("/api/orders"))[0]
    assert (row["limitPrice"], row["quantity"], row["status"]) == (4980.5, 3, "WORKING")


@at_a_desk
async def test_a_denied_change_names_the_nearest_one_that_would_pass_and_it_does(at: Desk) -> None:
    await at.order(orderId="o1", orderType="LIMIT", limitPrice=4990)
    status, answer = await at.post("/api/modify-order", orderId="o1", quantity=40)
    assert (status, answer["nearest"]) == (422, {"quantity": 10, "limitPrice": 4990, "stopPrice": None})
    assert (await at.post("/api/modify-order", orderId="o1", quantity=10, limitPrice=4990))[0] == 200


@at_a_desk
async def test_a_stop_that_may_not_be_widened_so_far_names_no_order(at: Desk) -> None:
    await at.order(orderId="o1")
    stop = (await at.get("/api/orders"))[0]["stopLoss"]["orderId"]
    status, answer = await at.post("/api/modify-order", orderId=stop, stopPrice=4000)
    assert status == 422
    assert "nearest" not in answer


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"orderId": "nobody", "quantity": 1}, 404, "UNKNOWN_ORDER", "orderId"),
        ({"orderId": "o1"}, 400, "NOTHING_TO_CHANGE", None),
        ({"orderId": "o1", "limitPrice": 4990.1}, 400, "OFF_TICK", "limitPrice"),
        ({"orderId": "o1", "stopPrice": 4990}, 400, "NO_STOP_PRICE", "stopPrice"),
        ({"orderId": "o1", "quantity": 0}, 400, "BAD_QUANTITY", "quantity"),
        ({"orderId": "o1", "quantity": 1.5}, 400, "BAD_QUANTITY", "quantity"),
        ({"orderId": "o1", "quantity": 11}, 422, "MAX_ORDER_SIZE", None),
        ({"orderId": "done", "quantity": 2}, 409, "ALREADY_FINAL", None),
        ({"quantity": 2}, 400, "MISSING_FIELD", "orderId"),
        ({"orderId": "o1", "price": 2}, 400, "UNKNOWN_FIELD", "price"),
    ],
)
def test_a_change_that_cannot_be_is_named(body: dict[str, Any], status: int, code: str, field: str | None) -> None:
    async def main() -> None:
        async with desk() as at:
            await at.order(orderId="o1", orderType="LIMIT", limitPrice=4990)
            await at.order(orderId="done", stopLoss={"enabled": False}, takeProfit={"enabled": False})
            told = await at.call("POST", "/api/modify-order", body)
            assert (told[0], told[1]["code"], told[1].get("field")) == (status, code, field)

    run(main())


@at_a_desk
async def test_a_change_while_another_is_under_way_is_told_to_wait(at: Desk) -> None:
    await at.order(orderId="o1", orderType="LIMIT", limitPrice=4990)
    at.history.hold = True
    assert (await at.post("/api/modify-order", orderId="o1", quantity=2))[0] == 200
    status, answer = await at.post("/api/modify-order", orderId="o1", quantity=3)
    assert (status, answer["code"]) == (409, "BUSY")


@at_a_desk
async def test_stop_and_target_of_a_position_are_moved_and_null_leaves_one_as_it_is(at: Desk) -> None:
    await at.order(orderId="o1")
    position = (await at.get("/api/positions"))[0]
    # A leg that was just placed is not changed again at once: resizes of a bracket coalesce.
    await asyncio.sleep(0.3)
    body = {"positionId": position["positionId"], "stopLoss": 4995, "takeProfit": None, "maxRetries": 3}
    assert (await at.call("POST", "/api/update-sl-tp", body))[0] == 200
    moved = (await at.get("/api/positions"))[0]
    assert moved["stopLoss"]["price"] == 4995
    assert moved["takeProfit"] == position["takeProfit"]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"positionId": "nonsense", "stopLoss": 4995}, 404, "UNKNOWN_POSITION", "positionId"),
        ({"positionId": f"{A}:{MNQ}", "stopLoss": 4995}, 404, "UNKNOWN_POSITION", "positionId"),
        ({"positionId": f"{B}:{MES}", "stopLoss": 4995}, 404, "UNKNOWN_POSITION", "positionId"),
        ({"positionId": f"{A}:{MES}"}, 400, "NOTHING_TO_CHANGE", None),
        ({"positionId": f"{A}:{MES}", "stopLoss": 4995.1}, 400, "OFF_TICK", "stopLoss"),
        ({"positionId": f"{A}:{MES}", "takeProfit": "5010"}, 400, "BAD_TAKE_PROFIT", "takeProfit"),
        ({"positionId": f"{A}:{MES}", "stopLoss": 2000}, 422, "EXCESSIVE_RISK", None),
        ({"positionId": 7, "stopLoss": 4995}, 400, "BAD_POSITION_ID", "positionId"),
    ],
)
def test_levels_that_cannot_be_are_named(body: dict[str, Any], status: int, code: str, field: str | None) -> None:
    async def main() -> None:
        async with desk() as at:
            await at.order(orderId="o1")
            told = await at.call("POST", "/api/update-sl-tp", body)
            assert (told[0], told[1]["code"], told[1].get("field")) == (status, code, field)

    run(main())


@at_a_desk
async def test_closing_answers_once_the_position_is_read_back_flat(at: Desk) -> None:
    await at.order(orderId="o1", quantity=3)
    body = {"accountId": A, "instrument": "MES", "quantity": 1, "side": "LONG", "closeType": "partial"}
    status, answer = await at.call("POST", "/api/close-position", body)
    assert (status, answer) == (200, {"success": True, "contractId": MES, "finished": True, "flat": False})
    assert (await at.get("/api/positions"))[0]["netPosition"] == 2
    status, answer = await at.post("/api/close-position", accountId=A, instrument=MES)
    assert (status, answer) == (200, {"success": True, "contractId": MES, "finished": True, "flat": True})
    assert await at.get("/api/positions") == []


@at_a_desk
async def test_a_full_close_closes_all_whatever_quantity_says(at: Desk) -> None:
    await at.order(orderId="o1", quantity=3)
    body = {"accountId": A, "instrument": "MES", "quantity": 1, "closeType": "full"}
    assert (await at.call("POST", "/api/close-position", body))[1]["flat"] is True


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"accountId": A, "instrument": "MNQ"}, 404, "UNKNOWN_POSITION", "instrument"),
        ({"accountId": B, "instrument": "MES"}, 404, "UNKNOWN_ACCOUNT", "accountId"),
        ({"accountId": A, "instrument": "NOPE"}, 400, "UNKNOWN_INSTRUMENT", "instrument"),
        ({"accountId": A, "instrument": "MES", "quantity": 0}, 400, "BAD_QUANTITY", "quantity"),
        ({"accountId": A, "instrument": "MES", "quantity": 2}, 400, "MORE_THAN_HELD", "quantity"),
        ({"accountId": A, "instrument": "MES", "closeType": "partial"}, 400, "MISSING_FIELD", "quantity"),
        ({"accountId": A, "instrument": "MES", "closeType": "half"}, 400, "BAD_CLOSE_TYPE", "closeType"),
        ({"instrument": "MES"}, 400, "MISSING_FIELD", "accountId"),
    ],
)
def test_a_close_that_cannot_be_is_named(body: dict[str, Any], status: int, code: str, field: str | None) -> None:
    async def main() -> None:
        async with desk() as at:
            await at.order(orderId="o1")
            told = await at.call("POST", "/api/close-position", body)
            assert (told[0], told[1]["code"], told[1].get("field")) == (status, code, field)
            assert (await at.get("/api/positions"))[0]["netPosition"] == 1

    run(main())


@at_a_desk
async def test_a_symbol_means_the_held_contract_and_two_held_ones_have_to_be_named(at: Desk) -> None:
    await hold_the_old_contract(at)
    assert (await at.post("/api/close-position", accountId=A, instrument="MES"))[1]["contractId"] == OLD
    await hold_the_old_contract(at)
    await at.order(orderId="new")
    status, answer = await at.post("/api/close-position", accountId=A, instrument="MES")
    assert (status, answer["code"], answer["field"]) == (409, "AMBIGUOUS_INSTRUMENT", "instrument")
    assert (await at.post("/api/close-position", accountId=A, instrument=MES))[1]["contractId"] == MES


async def hold_the_old_contract(at: Desk) -> None:
    """Buy one of last quarter's contract at the broker's own page."""
    at.gate.quote(OLD, MES_TICKS - 400)
    placed = at.history.broker.external(Side.BUY, 1, MES_TICKS - 400, at.history.at_ns)
    fields: dict[str, Any] = {name: getattr(placed, name) for name in placed.__struct_fields__}
    row = r.OrderReport(**fields | {"contract_id": OLD})
    at.history.broker.orders[row.broker_order_id] = row
    await at.gate.put(row)
    for report in at.history.broker.fill(row.broker_order_id, 1, MES_TICKS - 400, at.history.at_ns):
        await at.gate.put(report)
    await at.shown()


@at_a_desk
async def test_an_exit_that_is_not_over_in_two_seconds_says_so(at: Desk) -> None:
    await at.order(orderId="o1", stopLoss={"enabled": False}, takeProfit={"enabled": False})
    at.history.hold = True  # the close is sent, and no answer comes
    before = asyncio.get_running_loop().time()
    status, answer = await at.post("/api/flatten", accountId="all")
    assert (status, answer) == (200, {"success": True, "finished": False, "flat": False})
    assert asyncio.get_running_loop().time() - before == pytest.approx(DECISION_WAIT_S, abs=0.01)


@at_a_desk
async def test_a_flatten_waits_for_the_exits_that_it_started(at: Desk) -> None:
    await at.order(orderId="o1", quantity=2)
    at.history.hold = True
    asked = asyncio.create_task(at.post("/api/flatten", accountId=A))
    await asyncio.sleep(0.3)
    assert not asked.done()
    at.history.hold = False
    for row in list(at.history.broker.orders.values()):
        if row.state is r.OrderState.OPEN:
            for report in at.history.broker.cancel(row.broker_order_id):
                await at.gate.put(report)
    status, answer = await asked
    assert (status, answer) == (200, {"success": True, "finished": True, "flat": True})


@at_a_desk
async def test_flatten_names_an_account_or_all(at: Desk) -> None:
    assert (await at.post("/api/flatten"))[1]["code"] == "MISSING_FIELD"
    assert (await at.post("/api/flatten", accountId="some"))[1]["code"] == "BAD_ACCOUNT_ID"
    status, answer = await at.post("/api/flatten", accountId=4711)
    assert (status, answer["code"], answer["field"]) == (404, "UNKNOWN_ACCOUNT", "accountId")
    assert (await at.post("/api/flatten", accountId=A))[1]["finished"] is True
    assert [type(command) for command in at.gate.commands] == [Flatten, Flatten]
    assert at.gate.commands[-1] == Flatten(at.gate.commands[-1].request_id, A)


@at_a_desk
async def test_cancel_all_means_all_accounts_unless_one_is_named(at: Desk) -> None:
    for body in ({}, {"accountId": "all"}, {"accountId": A}):
        assert (await at.call("POST", "/api/cancel-all", body))[0] == 200
    assert [command.account_id for command in at.gate.commands if isinstance(command, CancelAll)] == [None, None, A]
    assert (await at.post("/api/cancel-all", accountId=4711))[0] == 404


@at_a_desk
async def test_no_request_id_is_used_twice_so_an_exit_is_never_taken_for_another(at: Desk) -> None:
    await at.order(orderId="o1", quantity=4)
    for _ in range(2):
        await at.post("/api/close-position", accountId=A, instrument="MES", quantity=1)
    names = [command.request_id for command in at.gate.commands if isinstance(command, ClosePosition)]
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("code", "status"), [("QUEUE_FULL", 503), ("JOURNAL_UNAVAILABLE", 503), ("BUSY", 409), ("NO_SUCH_CODE", 400)]
)
def test_what_the_gate_refuses_has_the_status_of_its_code(code: str, status: int) -> None:
    async def main() -> None:
        async with desk() as at:
            at.gate.deaf = True
            asked = asyncio.create_task(at.order(orderId="o1"))
            while not at.gate.published:
                await asyncio.sleep(0.01)
            request_id = exact(at.gate.published[0])["payload"]["requestId"]
            await at.gate.tell(Answer(request_id, ok=False, order_id="o1", code=code, message="a test"))
            told, answer = await asked
            expected = {"success": False, "error": "a test", "code": code, "orderId": "o1", "breaches": []}
            assert (told, answer) == (status, expected)

    run(main())


@at_a_desk
async def test_an_answer_comes_after_all_that_it_stands_on_can_be_read(at: Desk) -> None:
    """Invariant 2 of ``mirror``."""
    for number in range(5):
        await at.order(orderId=f"o{number}")
        assert (await at.get("/api/orders"))[0]["orderId"] == f"o{number}"


@at_a_desk
async def test_orders_of_others_go_on_while_one_waits(at: Desk) -> None:
    at.gate.deaf = True
    waiting = asyncio.create_task(at.order(orderId="o1"))
    await asyncio.sleep(0.1)
    at.gate.deaf = False
    assert (await at.order(orderId="o2"))[0] == 200
    await at.gate.put(submit("o3", order_type=OrderType.LIMIT, limit_ticks=MES_TICKS - 10))
    assert (await waiting)[0] == 504


@at_a_desk
async def test_a_preview_tells_what_the_order_gets_and_leaves_no_trace(at: Desk) -> None:
    await at.order(orderId="o1", quantity=4, stopLoss={"points": 10})
    before = (await at.get("/api/snapshot"), at.gate.history.happened[:], at.gate.published[:], at.gate.commands[:])
    said = {"instrument": "MES", "side": "BUY", "accountId": A, "stopLoss": {"points": 10}, "orderId": "o2"}
    six = {"quantity": 6, "limitPrice": None, "stopPrice": None}
    for quantity, decision, offered in ((6, "approved", None), (7, "denied", six)):
        status, seen = await at.post("/api/preview", **said, quantity=quantity)
        assert (status, seen["decision"], seen["worstPosition"]) == (200, decision, 4 + quantity)
        assert seen["nearest"] == offered
        assert seen["room"]["MAX_POSITION_SIZE"] == 6 - quantity
        assert seen["lossAtStop"] == quantity * (50 + 2 * Decimal("0.36"))
        assert seen["asOf"] == at.gate.history.group.version
    assert before == (await at.get("/api/snapshot"), at.gate.history.happened, at.gate.published, at.gate.commands)
    status, denied = await at.post("/api/order", **said, quantity=7)
    assert (status, denied["breaches"], denied["nearest"]) == (422, seen["breaches"], seen["nearest"])
    assert (await at.post("/api/order", **said | {"orderId": "o3"}, quantity=denied["nearest"]["quantity"]))[0] == 200


@pytest.mark.parametrize(
    ("modes", "decision", "codes"),
    [
        (Modes(preserve=True), "overridden", ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]),
        (Modes(intercept=False), "passed", []),
        (Modes(), "denied", ["MAX_ORDER_SIZE", "MAX_POSITION_SIZE"]),
    ],
    ids=str,
)
def test_a_preview_says_what_the_modes_make_of_an_order(modes: Modes, decision: str, codes: list[str]) -> None:
    async def main() -> None:
        async with desk(History(modes=modes).open()) as at:
            said = {"instrument": "MES", "side": "BUY", "accountId": A, "quantity": 11}
            status, seen = await at.post("/api/preview", **said)
            assert (status, seen["decision"], [breach["code"] for breach in seen["breaches"]]) == (200, decision, codes)
            assert (await at.order(quantity=11))[0] == (422 if decision == "denied" else 200)

    run(main())


def test_every_answer_to_a_command_says_so_in_shadow_mode_and_no_other_does() -> None:
    async def main() -> None:
        for shadow in (True, False):
            async with desk(History(modes=Modes(shadow=shadow)).open()) as at:
                name = {"accountId": A}
                answers = [
                    await at.order(orderId="o1", quantity=2),
                    await at.order(orderId="o2", quantity=11),
                    await at.order(orderId="o3", orderType="LIMIT", limitPrice=4990),
                    await at.post("/api/modify-order", orderId="o3", limitPrice=4991),
                    await at.post("/api/cancel-order", orderId="o3"),
                    await at.post("/api/cancel-order", orderId="nobody"),
                    await at.post("/api/update-sl-tp", positionId=f"{A}:{MES}", stopLoss=4996),
                    await at.post("/api/close-position", **name, instrument="MES", quantity=1),
                    await at.post("/api/cancel-all", **name),
                    await at.post("/api/flatten", **name),
                ]
                assert [answer.get("shadow") for _, answer in answers] == [shadow or None] * len(answers)
                assert {answer["success"] for _, answer in answers} == {True, False}

    run(main())


@at_a_desk
async def test_a_pause_denies_orders_and_lets_exits_pass_until_it_is_resumed(at: Desk) -> None:
    await at.order(orderId="o1", quantity=2)
    assert await at.post("/api/pause") == (200, {"success": True})
    status, denied = await at.order(orderId="o2")
    assert (status, denied["code"], denied["nearest"]) == (422, "PAUSED", None)
    assert (await at.post("/api/flatten", accountId="all"))[1]["flat"] is True
    assert await at.post("/api/resume") == (200, {"success": True})
    assert (await at.order(orderId="o3"))[0] == 200


@at_a_desk
async def test_interception_is_switched_and_a_refusal_is_told_in_words(at: Desk) -> None:
    assert await at.post("/api/interception", on=False) == (200, {"success": True})
    assert (await at.order(orderId="o1", quantity=11))[0] == 200
    assert await at.post("/api/interception", on=True) == (200, {"success": True})
    await at.post("/api/lockout", accountId=A, until="next-day")
    status, answer = await at.post("/api/interception", on=False)
    assert (status, answer["success"], answer["code"]) == (409, False, "LOCKED_OUT")
    assert "locked out by the trader until" in answer["error"]
    for body in ({}, {"on": "no"}, {"on": True, "by": "me"}):
        assert (await at.post("/api/interception", **body))[0] == 400


@at_a_desk
async def test_the_nearest_order_has_the_prices_of_its_type(at: Desk) -> None:
    terms = {"orderType": "LIMIT", "limitPrice": 4_990.25, "quantity": 12}
    _, denied = await at.order(**terms)
    assert denied["nearest"] == {"quantity": 10, "limitPrice": Decimal("4990.25"), "stopPrice": None}
    assert (await at.order(**terms | {"quantity": 10}))[0] == 200


@at_a_desk
async def test_only_a_denied_order_names_a_nearest_one_and_null_where_nothing_passes(at: Desk) -> None:
    await at.gate.put(r.LinkReport(up=False, reason="gone"))
    await at.shown()
    status, denied = await at.order()
    assert (status, denied["nearest"]) == (422, None)
    assert "nearest" not in (await at.post("/api/cancel-order", orderId="o9"))[1]
    status, seen = await at.post("/api/preview", instrument="MES", side="BUY", quantity=1, accountId=A)
    assert (status, seen["breaches"], seen["nearest"]) == (200, denied["breaches"], None)
