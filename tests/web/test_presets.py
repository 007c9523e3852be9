"""Brackets by name, over HTTP: which there are, and orders that name one."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from ordergate.bus.brackets import BracketAsk, Preset, StopAsk
from ordergate.bus.messages import PlaceOrderPayload
from ordergate.bus.translate import submit_order
from ordergate.core.order import Breakeven, Exit, Protection, Target, Trail
from ordergate.errors import InputRefused
from tests.simulation.virtual_time import run
from tests.web.desk import PRESETS, Desk, desk
from tests.web.history import MES, MNQ, A, History
from tests.web.page import exact
from tests.web.test_asking import at_a_desk, refused_silently

PAYLOAD = PlaceOrderPayload("MANUAL_TRADING_V2", "o1", A, "MES", "BUY", Decimal(1), preset="x")


def protection(at: Desk, order_id: str) -> Protection:
    order = at.history.account().order(order_id)
    assert order is not None
    return order.protection


def ticks(number: int) -> tuple[Preset, ...]:
    """The preset x, with a stop this far away."""
    return (Preset("x", BracketAsk(stop=StopAsk(ticks=number), targets=())),)


@at_a_desk
async def test_the_presets_are_told_in_their_order_each_with_its_bracket_and_where_it_is_another(at: Desk) -> None:
    assert await at.get("/api/presets") == {
        "presets": [
            {
                "name": "scalp",
                "instruments": ["MNQ"],
                "bracket": {
                    "stop": {"ticks": 8},
                    "targets": [{"points": Decimal("2.0"), "quantity": 1}, {"ticks": 16}],
                    "breakeven": {"trigger": 8, "offset": 1},
                    "trail": {"distance": 12},
                },
            },
            {"name": "dollars", "instruments": None, "bracket": {"stop": {"dollars": 20}, "targets": []}},
        ]
    }


def test_the_presets_are_known_before_the_gates_state_is() -> None:
    async def main() -> None:
        async with desk(started=False) as at:
            assert len((await at.get("/api/presets"))["presets"]) == len(PRESETS)

    run(main())


@at_a_desk
async def test_an_order_that_names_a_preset_has_its_bracket(at: Desk) -> None:
    assert (await at.order(orderId="o1", quantity=3, preset="scalp"))[0] == 200
    targets = (Target(Exit(8), 1), Target(Exit(16)))
    assert protection(at, "o1") == Protection(Exit(8), targets, Breakeven(8, 1), Trail(12))


@at_a_desk
async def test_in_a_product_with_a_bracket_of_its_own_that_one_is_meant_whole(at: Desk) -> None:
    assert (await at.order(orderId="o1", instrument="MNQ", preset="scalp"))[1]["contractId"] == MNQ
    assert protection(at, "o1") == Protection(Exit(20), ())
    assert (await at.order(orderId="o2", instrument=MNQ, preset="scalp"))[0] == 200
    assert protection(at, "o2") == Protection(Exit(20), ())


@at_a_desk
async def test_a_preset_in_dollars_is_that_many_for_the_whole_order(at: Desk) -> None:
    for order_id, quantity, stop_ticks in (("o1", 1, 16), ("o2", 2, 8)):
        assert (await at.order(orderId=order_id, quantity=quantity, preset="dollars"))[0] == 200
        assert protection(at, order_id).stop == Exit(stop_ticks)


@at_a_desk
async def test_a_preset_travels_by_its_name_alone(at: Desk) -> None:
    await at.order(orderId="o1", preset="scalp")
    payload = exact(at.gate.published[0])["payload"]
    assert payload["preset"] == "scalp"
    assert {"bracket", "stopLoss", "takeProfit", "stopLossPoints", "takeProfitPoints"}.isdisjoint(payload)


@at_a_desk
async def test_a_preview_of_an_order_that_names_a_preset_counts_its_stop(at: Desk) -> None:
    near = (await at.post("/api/preview", instrument="MES", side="BUY", quantity=1, accountId=A, preset="scalp"))[1]
    far = (await at.post("/api/preview", instrument="MES", side="BUY", quantity=1, accountId=A))[1]
    # 8 ticks of 1.25 and both fees of 0.36, against the default of 40 ticks.
    assert (near["lossAtStop"], far["lossAtStop"]) == (Decimal("10.72"), Decimal("50.72"))


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"preset": "Scalp"}, "UNKNOWN_PRESET", "no preset is called 'Scalp'; there are: scalp, dollars"),
        ({"preset": ""}, "UNKNOWN_PRESET", "no preset is called ''; there are: scalp, dollars"),
        ({"preset": 7}, "BAD_PRESET", "preset: Expected `str | null`, got `int`"),
        ({"preset": "scalp", "bracket": {}}, "BAD_PRESET", "say a preset alone, without"),
        ({"preset": "scalp", "stopLoss": {"points": 5}}, "BAD_PRESET", "say a preset alone, without"),
        ({"preset": "scalp", "stopLoss": {"enabled": True}}, "BAD_PRESET", "say a preset alone, without"),
        ({"preset": "scalp", "takeProfit": {"enabled": False}}, "BAD_PRESET", "say a preset alone, without"),
        ({"preset": "nope", "takeProfit": {}}, "BAD_PRESET", "say a preset alone, without"),
        ({"preset": "dollars", "quantity": 17}, "BAD_PRESET", "presets.dollars.stop.dollars must be at least 21.25"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_preset_that_is_not_there_or_not_alone_or_does_not_fit_is_refused(
    change: dict[str, object], code: str, text: str
) -> None:
    async def main() -> None:
        async with desk() as at:
            status, answer = await at.order(**change)
            assert answer.pop("error").startswith(text)
            assert (status, answer) == (400, {"success": False, "code": code, "field": "preset", "breaches": []})
            await refused_silently(at)

    run(main())


@at_a_desk
async def test_a_bracket_beside_a_leg_that_says_nothing_is_said_twice_too(at: Desk) -> None:
    status, answer = await at.order(bracket={"stop": {"ticks": 8}}, stopLoss={"enabled": True})
    assert (status, answer["code"], answer["field"]) == (400, "BAD_BRACKET", "bracket")
    await refused_silently(at)


@at_a_desk
async def test_the_same_order_id_with_another_preset_is_another_order(at: Desk) -> None:
    first = await at.order(orderId="o1", preset="scalp")
    assert await at.order(orderId="o1", preset="scalp") == first
    for change in ({"preset": "dollars"}, {}, {"bracket": {"stop": {"ticks": 8}}}):
        assert (await at.order(orderId="o1", **change))[1]["code"] == "ORDER_ID_REUSED"


def test_an_order_asked_for_again_after_its_preset_was_edited_is_the_same_order_as_it_was() -> None:
    history = History().open()
    instruments = history.group.instruments
    first = history.put(submit_order(PAYLOAD, instruments, "r1", ticks(8)))
    again = history.put(submit_order(PAYLOAD, instruments, "r2", ticks(12)))
    assert first is not None
    assert again == msgspec.structs.replace(first, request_id="r2")
    assert first.ok
    order = history.account().order("o1")
    assert order is not None
    assert order.protection.stop == Exit(8)


def test_a_preset_that_is_off_the_ticks_that_the_broker_says_is_refused_by_its_place() -> None:
    instruments = {MES: msgspec.structs.replace(History().open().group.instruments[MES], tick_size=Decimal("0.3"))}
    with pytest.raises(InputRefused) as caught:
        submit_order(PAYLOAD, instruments, "r", (Preset("x", BracketAsk(stop=StopAsk(points=Decimal(2)))),))
    assert (caught.value.code, caught.value.field) == ("BAD_PRESET", "preset")
    assert caught.value.message == "presets.x.stop.points 2 is not a multiple of MES's tick 0.3"


def test_where_there_are_no_presets_none_is_named() -> None:
    with pytest.raises(InputRefused, match="there are: none"):
        submit_order(PAYLOAD, History().open().group.instruments, "r", ())
