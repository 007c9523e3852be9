"""What our own topics carry, as JSON by msgspec. The documented channels are in ``messages``."""

from __future__ import annotations

import types
from typing import Any

import msgspec

from ordergate.core.account import Group
from ordergate.core.commands import Answer, Command
from ordergate.core.events import Event
from ordergate.core.order import Order
from ordergate.core.orders import Orders
from ordergate.core.persistent import Map


class StateWanted(msgspec.Struct, frozen=True, tag="state wanted"):
    """A follower starts, or has missed a number: send the whole state."""


class Happened(msgspec.Struct, frozen=True, tag="event"):
    """One durable event; ``number`` counts every event of the risk group, so a gap shows."""

    number: int
    event: Event


class State(msgspec.Struct, frozen=True, tag="state"):
    """The whole state; true at the number ``group.version``."""

    group: Group


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """The gate lives, and its last event had this number (0: it has told none yet); told every ``ALIVE_S``.

    ``trouble`` says in words what is wrong with the gate itself, which no event can; empty where nothing is.
    """

    number: int
    trouble: str = ""


# Followers give up a gate that they have not heard for some of these.
ALIVE_S = 1.0

Request = Command | StateWanted
News = Happened | State | Answer | Alive


def _encode_map(value: Any) -> object:
    if isinstance(value, Map | Orders):
        return dict(value.items())
    # How msgspec wants a type of no message to be refused (its documentation of ``enc_hook``).
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


def _decode_map(kind: Any, value: Any) -> object:
    if kind is Orders:
        return Orders(msgspec.convert(value, dict[str, Order]))
    return Map(msgspec.convert(value, types.GenericAlias(dict, kind.__args__), str_keys=True))


_encoder = msgspec.json.Encoder(enc_hook=_encode_map)
_request = msgspec.json.Decoder(Request)
_news = msgspec.json.Decoder(News, dec_hook=_decode_map)


def encode(message: Request | News) -> bytes:
    """The bytes of a message on ``orders`` or ``events``."""
    return _encoder.encode(message)


def request(message: bytes) -> Request:
    """A message of the topic ``orders``."""
    decoded: Request = _request.decode(message)
    return decoded


def news(message: bytes) -> News:
    """A message of the topic ``events``."""
    decoded: News = _news.decode(message)
    return decoded
