"""A documented message to a command: the time that the sender says."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ordergate.bus.messages import PlaceOrderPayload
from ordergate.bus.translate import submit_order
from tests.core.desk import ACCOUNT, MES


@pytest.mark.parametrize(
    ("timestamp", "sent_ns"),
    [
        (None, None),
        (1_795_446_000_010, 1_795_446_000_010_000_000),
        (0, 0),
        (2**62, 9_000_000_000_000_000_000),
        (-(10**4_299), 0),
    ],
    ids=["left out", "in milliseconds", "1970", "absurd, and still 64 bits", "more digits than can be written"],
)
def test_the_time_of_a_message_is_when_its_order_was_sent(timestamp: int | None, sent_ns: int | None) -> None:
    payload = PlaceOrderPayload("MANUAL", "a", ACCOUNT, "MES", "BUY", Decimal(1), timestamp=timestamp)
    assert submit_order(payload, {MES.contract_id: MES}, "r", ()).sent_ns == sent_ns
