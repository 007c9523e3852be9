"""Whatever stands on a channel: the interception goes on, and nothing leaves that the gate has not approved."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ordergate.bus.port import Channel
from ordergate.bus.requests import TYPES
from ordergate.bus.topics import Happened
from ordergate.core import events as e
from ordergate.core.effects import Modify, Place
from tests.dialect.client import ORDER, Client, intercepted
from tests.dialect.test_hints import SPELLINGS
from tests.engine.gate_on_memory import ACCOUNT, MES
from tests.simulation.virtual_time import VirtualClock, run

POSITION = f"{ACCOUNT}:{MES.contract_id}"
LISTENED = (
    Channel.ORDER_MANAGEMENT,
    Channel.AGGREGATOR_ORDERS,
    Channel.AGGREGATOR_REQUESTS,
    Channel.INSTANCE_CONTROL,
    Channel.BROKER_MARKET_DATA,
    Channel.BROKER_USER_DATA,
    Channel.BROKER_FILLS,
)

Path = tuple[str, ...]
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**4_000), 10**4_000)
    | st.floats()
    | st.text(max_size=300)
    | st.sampled_from(["1e999999999999", "-1e999999", "NaN", "sNaN", "Infinity", "MES", "MANUAL_TRADING", "", "a/b"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
TEMPLATES: tuple[dict[str, Any], ...] = (
    *({"type": kind, "payload": ORDER} for kind in ("PLACE_ORDER", "CANCEL_ORDER", "MODIFY_ORDER", "ORDER_RESPONSE")),
    {"type": "PLACE_ORDER", "payload": ORDER | {"orderType": "LIMIT", "limitPrice": 4990, "price": 4990}},
    {"type": "PLACE_ORDER", "payload": ORDER | {"orderType": "STOP", "stopPrice": 5010, "requestId": "same"}},
    {"type": "MANUAL_ORDER", "source": "x", "order": ORDER | {"instanceId": "bot", "bracket": {}, "preset": "scalp"}},
    *({"type": kind, "requestId": "r", "responseChannel": "c", "accountId": ACCOUNT} for kind in TYPES),
    {"type": "CLOSE_POSITION", "requestId": "p", "responseChannel": "c", "accountId": ACCOUNT, "contractId": "MES"},
    {"type": "UPDATE_SLTP", "requestId": "q", "responseChannel": "c", "positionId": POSITION, "stopLoss": 4990},
    *({"target": "ALL", "command": word} for word in ("PAUSE_PROCESSING", "RESUME_PROCESSING", "SHUTDOWN")),
    *SPELLINGS,
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A documented message with some of its fields replaced, and cut short now and then."""
    message = json.loads(json.dumps(draw(st.sampled_from(TEMPLATES))))
    places = [message, *(value for value in message.values() if isinstance(value, dict))]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places))
        place[draw(st.sampled_from(sorted(place)))] = draw(ANY)
    if draw(st.booleans()):
        for place in places:
            if "orderId" in place:
                place["orderId"] = draw(st.sampled_from(["a", "b", "c", "a/1"]))
    written = json.dumps(message).replace('"1e999999999999"', "1e999999999999").encode()
    return written[: draw(st.integers(0, len(written)))] if draw(st.integers(0, 9)) == 0 else written


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(LISTENED),
        mangled() | mangled() | st.binary(max_size=200) | ANY.map(lambda value: json.dumps(value).encode()),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(MESSAGES)
@example([(channel, b"[" * 60_000) for channel in LISTENED])
@example([(channel, b"{" * 70_000) for channel in LISTENED])
@example(
    [(channel, b'{"type":"PLACE_ORDER","payload":' + b'{"a":' * 9_000 + b"0" + b"}" * 9_001) for channel in LISTENED]
)
@example([(channel, json.dumps(template).encode()) for channel in LISTENED for template in TEMPLATES] * 2)
def test_no_bytes_on_any_channel_end_the_interception_or_make_an_unapproved_order_leave(
    messages: list[tuple[Channel, bytes]],
) -> None:
    async def scenario() -> None:
        async with intercepted(VirtualClock(asyncio.get_running_loop())) as client:
            for channel, message in messages:
                await client.publish(channel, message)
            await asyncio.sleep(20)  # every bounded wait is over
            _only_approved(client)
            await _still_there(client)

    run(scenario())


def _only_approved(client: Client) -> None:
    happened = [told.event for told in client.desk.told if isinstance(told, Happened)]
    approved = {event.order.tag: event.order.terms for event in happened if isinstance(event, e.OrderApproved)}
    changed = {event.change.number for event in happened if isinstance(event, e.ModifyApproved)}
    for effect in (effect for lane in client.desk.sent.values() for effect in lane):
        if isinstance(effect, Place):
            assert approved[effect.order_tag] == effect.terms
        elif isinstance(effect, Modify):
            assert effect.grant.number in changed


async def _still_there(client: Client) -> None:
    assert (await client.request("GET_ACCOUNTS", requestId="still"))["success"] is True
    for channel, kind in ((Channel.ORDER_MANAGEMENT, "payload"), (Channel.AGGREGATOR_ORDERS, "order")):
        order = ORDER | {"orderId": f"still-{kind}", "side": "HOLD"}
        await client.publish(channel, {"type": "PLACE_ORDER", kind: order})
    await client.publish(Channel.INSTANCE_CONTROL, {"target": "ALL", "command": "PAUSE_PROCESSING"})
    await asyncio.sleep(1)
    told = {message["payload"]["orderId"] for message in client.messages("ORDER_REJECTED")}
    assert {"still-payload", "still-order"} <= told
    assert client.messages("AGGREGATOR_STATUS", Channel.AGGREGATOR_STATUS)[-1]["status"] == "PAUSED"
