"""Orders over HTTP from a second process, open loop as ``load``: ``python -m bench.posts URL COUNT RATE ACCOUNT``."""

from __future__ import annotations

import http.client
import json
import sys
import time
from urllib.parse import urlsplit

from bench.figures import NS_PER_S

_START_S = 0.3


def main() -> None:
    url, count, rate, account_id = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.connect()
    refused: list[str] = []
    start_ns = time.perf_counter_ns() + int(_START_S * NS_PER_S)
    for number in range(count):
        order = {"instrument": "MES", "side": "BUY", "quantity": 1, "accountId": account_id, "orderId": f"p-{number}"}
        body = json.dumps(order)
        time.sleep(max(0.0, (start_ns + number * NS_PER_S / rate - time.perf_counter_ns()) / NS_PER_S))
        connection.request("POST", urlsplit(url).path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.HTTPStatus.OK:
            refused.append(text)
    print(json.dumps({"start_ns": start_ns, "refused": refused[:3]}))


if __name__ == "__main__":
    main()
