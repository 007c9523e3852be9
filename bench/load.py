"""The load, in a process of its own: ``python -m bench.load PORT RATE COUNT INSTRUMENT PRICE ACCOUNT``.

Open loop: every send time is fixed before the first order leaves, whatever becomes of the others, and a latency counts
from that time. So a stall of the gate, or of this process, is in the figures and not hidden by them.

Each message is one line: a documented PLACE_ORDER one way, what is published on ``order:management`` the other way.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from decimal import Decimal

from bench.figures import NS_PER_S
from ordergate.bus import messages

# What is left of the answers when the last order has left must come within this time.
_PATIENCE_S = 2.0
_START_S = 0.3


def lines(count: int, instrument: str, price: Decimal, account_id: int) -> list[bytes]:
    """One PLACE_ORDER a line, without brackets, so that an order is an order and not three."""
    off = messages.LegAsk(enabled=False)

    def line(number: int) -> bytes:
        payload = messages.PlaceOrderPayload(
            instance_id="BENCH",
            order_id=f"b-{number}",
            account_id=account_id,
            instrument=instrument,
            side="BUY",
            quantity=Decimal(1),
            order_type="LIMIT",
            limit_price=price,
            stop_loss=off,
            take_profit=off,
        )
        return messages.encode(messages.PlaceOrder(payload)) + b"\n"

    return [line(number) for number in range(count)]


def run(connection: socket.socket, orders: list[bytes], rate: float) -> dict[str, int]:
    """Send ``orders`` at ``rate`` a second; when it began, and how many were answered well or not."""
    start_ns = time.perf_counter_ns() + int(_START_S * NS_PER_S)
    sent, waiting = 0, b""
    answered = refused = 0
    end_ns = start_ns + int((len(orders) / rate + _PATIENCE_S) * NS_PER_S)
    while answered + refused < len(orders) and (now_ns := time.perf_counter_ns()) < end_ns:
        due = min(len(orders), max(0, int((now_ns - start_ns) * rate / NS_PER_S) + 1)) if now_ns >= start_ns else 0
        if due > sent:
            connection.sendall(b"".join(orders[sent:due]))
            sent = due
        next_ns = end_ns if sent == len(orders) else start_ns + int(sent * NS_PER_S / rate)
        wait_s = max(0.0, (next_ns - time.perf_counter_ns()) / NS_PER_S)
        if select.select([connection], [], [], wait_s)[0]:
            received = connection.recv(1 << 20)
            *told, waiting = (waiting + received).split(b"\n")
            answers = [line for line in told if b'"ORDER_RESPONSE"' in line]
            well = sum(b'"success":true' in line for line in answers)
            answered += well
            refused += len(answers) - well
    return {"start_ns": start_ns, "sent": sent, "answered": answered, "refused": refused}


def main() -> None:
    port, rate, count, instrument, price, account_id = sys.argv[1:]
    orders = lines(int(count), instrument, Decimal(price), int(account_id))
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(json.dumps(run(connection, orders, float(rate))))


if __name__ == "__main__":
    main()
