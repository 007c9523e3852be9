"""Who may speak to a server of ours: programs of this machine, and the page that it serves. Pure.

A server listens on the loopback only, but a page from anywhere can make a browser send requests there. Two headers
that a page cannot forge tell: ``Host``, which a rebound DNS name gives away, and ``Origin``.

Invariants:
1. A request whose Host is not a loopback name is refused, on every route.
2. A request with an Origin is refused unless that is a loopback name with the port of its Host.
3. A POST says that it is JSON, which a foreign form cannot say without asking first; nothing here ever agrees to that.
"""

from __future__ import annotations

import re

from ordergate.errors import InputRefused
from ordergate.net.port import Request

# The HTTP status that each refusal is answered with.
STATUS = {"FOREIGN_HOST": 403, "FOREIGN_ORIGIN": 403, "UNSUPPORTED_MEDIA_TYPE": 415}

_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)


def check(request: Request) -> None:
    """Raises ``InputRefused`` for a request that must not be answered."""
    host = _HOST.fullmatch(request.headers.get("host", ""))
    if host is None:
        raise InputRefused("FOREIGN_HOST", "the Host header does not name this machine's loopback address", "Host")
    origin = request.headers.get("origin")
    if origin is None:
        return
    named = _HOST.fullmatch(origin.removeprefix("http://")) if origin.startswith("http://") else None
    if named is None or named["port"] != host["port"]:
        raise InputRefused("FOREIGN_ORIGIN", "a page of another origin may not use this server", "Origin")


def check_json(request: Request) -> None:
    """Raises ``InputRefused`` for a POST that does not say it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputRefused("UNSUPPORTED_MEDIA_TYPE", "the content-type must be application/json", "Content-Type")
