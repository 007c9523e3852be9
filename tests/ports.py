"""Ports for servers that end and come back: nobody else is given one of them meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import socket

# Below the ports that a system gives to those who ask for any (from 32768 on Linux, from 49152 elsewhere).
_PORTS = range(20_000, 32_000)
_random = random.Random(os.getpid())


def kept_ports(count: int) -> list[int]:
    """Loopback ports on which nothing listens, and which are given to nobody who does not name them."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            taken = held.enter_context(socket.socket())
            port = _random.choice(_PORTS)
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                found.append(port)
        return found
