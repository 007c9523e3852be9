"""The limits over HTTP: what holds, what waits, and what a person asks to change. Pure.

Every limit has the name of its setting here, and its bounds.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ordergate.core.account import Group
from ordergate.core.limits import Limits
from ordergate.core.tighter import differing
from ordergate.limit_settings import BY_FIELD, TYPES, parsed, plain

Value = Decimal | int | bool | str | tuple[str, ...] | None

# Left out = unchanged; null where there can be no limit.
LimitsBody: type[msgspec.Struct] = msgspec.defstruct(
    "LimitsBody",
    [(setting.key, TYPES[field] | UnsetType, UNSET) for field, setting in BY_FIELD.items()],
    namespace={"__doc__": "What is left out stays as it is."},
    frozen=True,
    rename="camel",
)
_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(LimitsBody)}


class LimitsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """``in_force`` hold now: all limits, or those that were asked for. ``waiting`` hold from ``waiting_from`` on.

    ``waiting_from`` is a trading day; null where nothing waits.
    """

    in_force: dict[str, Value]
    waiting: dict[str, Value]
    waiting_from: str | None
    success: bool = True


def asked(body: msgspec.Struct) -> tuple[Limits, tuple[str, ...]]:
    """The values that ``body``, a ``LimitsBody``, names, and the fields of ``Limits`` they are for."""
    values = {}
    for field, setting in BY_FIELD.items():
        value = getattr(body, setting.key)
        if value is not UNSET:
            values[field] = None if value is None else parsed(setting, value, _NAMES[setting.key])
    return replace(Limits(), **values), tuple(values)


def answer(group: Group, fields: tuple[str, ...] = tuple(BY_FIELD)) -> LimitsAnswer:
    """How the limits stand; in force only ``fields``."""
    later = group.limits if group.limits_waiting is None else group.limits_waiting
    return LimitsAnswer(
        in_force=_named(group.limits, fields),
        waiting=_named(later, differing(group.limits, later)),
        waiting_from=group.limits_from or None,
    )


def _named(limits: Limits, fields: tuple[str, ...]) -> dict[str, Value]:
    return {_NAMES[BY_FIELD[field].key]: plain(getattr(limits, field)) for field in fields if field in BY_FIELD}
