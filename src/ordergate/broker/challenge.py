"""Proof that the connection manager at an address is this desk's own: it knows the approval key. PURE.

A gate asks before it starts, and again and again while it runs. Another connection manager on the same channels would
carry out every order that it reads there, approved or not; it cannot sign, so no live gate starts beside it.

Invariants:
1. A proof is good for the nonce that it was asked with, and for no other: an old one proves nothing.
2. The key is in no proof, and what is signed here can be no approval: the two are encoded with different names.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from ordergate.net.port import Response

PATH = "/challenge"
# An approval lives 5 s, by the clocks of both.
CLOCKS_APART_NS_MAX = 1_000_000_000

_NONCE = re.compile(r"[0-9a-f]{32}")
_HEADERS = {"content-type": "application/json"}


class Proof(msgspec.Struct, frozen=True, tag="connection manager", rename="camel"):
    """Which broker and login it serves and where, whether on paper, and its clock in nanoseconds since 1970."""

    nonce: str
    venue: str
    login: str
    gateway_url: str
    shadow: bool
    at_ns: int
    signature: str = ""


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Proof)


def prove(proof: Proof, key: bytes) -> Proof:
    """Sign ``proof``."""
    return replace(proof, signature=_signature(proof, key))


def answer(query: Mapping[str, str], proof: Proof, key: bytes) -> Response:
    """The answer to ``GET /challenge?nonce=``; ``proof`` is without nonce."""
    nonce = query.get("nonce", "")
    if _NONCE.fullmatch(nonce) is None:
        return Response(400, b'{"error":"nonce must be 32 characters of 0-9a-f"}', _HEADERS)
    return Response(200, _encoder.encode(prove(replace(proof, nonce=nonce), key)), _HEADERS)


def proven(body: bytes, nonce: str, key: bytes, asked_ns: int, now_ns: int) -> Proof | str:
    """What ``body`` proves, or why it proves nothing. It was asked for at ``asked_ns``. Constant time in the key."""
    try:
        proof = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "it is no connection manager of ordergate"
    if proof.nonce != nonce:
        return "it answers another challenge"
    if not hmac.compare_digest(proof.signature.encode(), _signature(proof, key).encode()):
        return "it has another approval key: give both the same state directory, or the same ORDERGATE_APPROVAL_KEY"
    if not asked_ns - CLOCKS_APART_NS_MAX <= proof.at_ns <= now_ns + CLOCKS_APART_NS_MAX:
        return f"its clock is {(proof.at_ns - now_ns) / 1e9:+.1f} s from ours: set the clocks of both machines"
    return proof


def _signature(proof: Proof, key: bytes) -> str:
    return hmac.new(key, _encoder.encode(replace(proof, signature="")), hashlib.sha256).hexdigest()
