"""JSON bodies to structs, each fault told by code and field. Pure.

The standard library's parser, because it lets NaN, Infinity and a name that stands twice be told by their field;
numbers become exact decimals.

Invariants:
1. A number is a JSON number: not a string, not a boolean.
2. A name that the struct does not have is refused, and so is one that stands twice.
3. Whatever the bytes are, the outcome is a struct or ``InputRefused``.
"""

from __future__ import annotations

import decimal
import json
import re
from decimal import Decimal
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from ordergate.errors import InputRefused

_INTEGER_DIGITS_MAX = 18  # what surely fits 64 bits
_TEXT_MAX = 256  # in characters; the longest id of ours has below 100
_PLACE = re.compile(r"\[\d+\]")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])|\.")

T = TypeVar("T", bound=msgspec.Struct)


def read(body: bytes, kind: type[T]) -> T:
    """``body`` as a ``kind``. Raises ``InputRefused``."""
    try:
        said = json.loads(
            body, parse_int=_integer, parse_float=_number, parse_constant=_number, object_pairs_hook=_object
        )
    except (ValueError, RecursionError) as error:
        raise InputRefused("BAD_JSON", f"the body is not JSON: {_printable(str(error))}") from None
    if not isinstance(said, dict):
        raise InputRefused("BAD_JSON", "the body is not a JSON object")
    return _struct(said, kind, "")


def _struct(said: dict[str, Any], kind: type[T], path: str) -> T:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in said:
        if name not in fields:
            raise InputRefused("UNKNOWN_FIELD", f"there is no field {_printable(path + name)}", _printable(path + name))
    values = {}
    for name, field in fields.items():
        if name in said:
            values[field.name] = _value(said[name], field.type, path + name)
        elif field.required:
            raise InputRefused("MISSING_FIELD", f"{path}{name} is missing", path + name)
    return kind(**values)


def _value(value: Any, kind: Any, path: str) -> Any:
    kinds = (kind, *get_args(kind))
    for nested in kinds:
        if isinstance(nested, msgspec.StructMeta) and isinstance(value, dict):
            return _struct(value, cast("type[msgspec.Struct]", nested), f"{path}.")
        if get_origin(nested) is tuple and isinstance(value, list):
            return tuple(_value(each, get_args(nested)[0], f"{path}[{place}]") for place, each in enumerate(value))
    code = f"BAD_{_CAPITAL.sub('_', _PLACE.sub('', path)).upper()}"
    if isinstance(value, str) and Decimal in kinds:
        raise InputRefused(code, f"{path} must be a number, not text", path)
    if isinstance(value, str) and (len(value) > _TEXT_MAX or _printable(value) != value):
        raise InputRefused(code, f"{path} must be at most {_TEXT_MAX} printable characters", path)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputRefused(code, f"{path}: {error}", path) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        names = [name for name, _ in pairs]
        twice = _printable(next(name for name in names if names.count(name) > 1))
        raise InputRefused("DUPLICATE_FIELD", f"{twice} stands twice", twice)
    return said


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INTEGER_DIGITS_MAX else _number(digits)


def _number(text: str) -> Decimal:
    """What no decimal can hold is not a number; the field that it stands in refuses that by its own code."""
    try:
        return Decimal(text)
    except decimal.InvalidOperation:
        return Decimal("NaN")


def _printable(text: str) -> str:
    """``text`` short, and without what cannot be written as UTF-8 or on one line."""
    return text[:_TEXT_MAX].encode("ascii", "backslashreplace").decode() if not text.isprintable() else text[:_TEXT_MAX]
