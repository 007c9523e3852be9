"""The limits by the names that people know: those of the settings. Pure.

Invariant: a limit that can be set in the file can be set and seen here, by the same name and within the same bounds.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Any, get_type_hints

from ordergate.core.account import Group
from ordergate.core.limits import Blackout, Limits
from ordergate.core.tighter import differing
from ordergate.errors import InputRefused
from ordergate.setting_table import SETTINGS, Setting

_PREFIX = "limits."
# More digits before or after the point than any setting may have: written out, 1e999999999999 would fill the memory.
_DIGITS_MAX = 30
BY_FIELD: Mapping[str, Setting] = {
    setting.field.removeprefix(_PREFIX): setting for setting in SETTINGS if setting.field.startswith(_PREFIX)
}
# What JSON has no form for is written as in the settings.
TYPES: Mapping[str, Any] = get_type_hints(Limits) | {
    "blackouts": tuple[str, ...] | None,
    "must_be_flat": str | None,
}


def parsed(setting: Setting, value: Any, field: str) -> Any:
    """``value`` as the settings would read it. Raises ``InputRefused``."""
    try:
        return setting.kind.parse(_text(value))
    except ValueError:
        raise InputRefused(f"BAD_{setting.key.upper()}", f"{field} must be {setting.kind.allowed}", field) from None


def waiting_text(group: Group) -> str:
    """Both values of every limit that waits, in one line; empty where none does."""
    if group.limits_waiting is None:
        return ""
    changes = [
        f"{name(field)} {_text(getattr(group.limits, field))}, then {_text(getattr(group.limits_waiting, field))}"
        for field in differing(group.limits, group.limits_waiting)
    ]
    return f"looser limits wait for the trading day {group.limits_from}: {'; '.join(changes)}"


def name(field: str) -> str:
    """The setting's name of a field of ``Limits``; its own where there is no setting for it."""
    return BY_FIELD[field].key if field in BY_FIELD else field


def plain(value: Any) -> Any:
    """A value as JSON has it: see ``TYPES``."""
    match value:
        case time():
            return f"{value:%H:%M}"
        case Blackout():
            return value.text
        case tuple():
            return tuple(plain(member) for member in value)
        case _:
            return value


def _text(value: Any) -> str:
    """A value as it would be written in the environment."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case enum.Enum():
            return str(value.value)
        case time() | Blackout():
            return str(plain(value))
        case tuple():
            return ",".join(_text(member) for member in value)
        case Decimal():
            return f"{value:f}" if abs(value.adjusted()) <= _DIGITS_MAX else str(value)
        case _:
            return str(value)
