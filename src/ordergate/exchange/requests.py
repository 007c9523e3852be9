"""A request's body as a message, or why it is none: what ASP.NET model binding does (section 2.2). PURE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from ordergate.exchange import models

_PROBLEM_TYPE = "https://tools.ietf.org/html/rfc9110#section-15.5.1"

_Message = TypeVar("_Message", bound=msgspec.Struct)

# Numbers with a fraction stay exact. Bodies are decoded first and named afterwards: members are matched without case.
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_NAMES: Mapping[str, str] = {
    field.encode_name.casefold(): field.encode_name
    for message in vars(models).values()
    if isinstance(message, type) and issubclass(message, msgspec.Struct)
    for field in msgspec.structs.fields(message)
}
_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")


class Problem(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a 400 (section 2.2, INF: ASP.NET's default). ``errors`` are texts by the member's path."""

    errors: dict[str, list[str]]
    trace_id: str
    type: str = _PROBLEM_TYPE
    title: str = "One or more validation errors occurred."
    status: int = 400


class Malformed(ValueError):
    """A body that is not the message; ``path`` says where."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path
        self.text = text


def message(body: bytes, of: type[_Message]) -> _Message:
    """The message in a body. Unknown members are ignored. Raises ``Malformed``."""
    if not body.strip() and not msgspec.structs.fields(of):
        return of()
    try:
        return msgspec.convert(_named(_decoder.decode(body)), of, builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        text = str(error)
        found, missing = _PATH.search(text), _MISSING.search(text)
        path = found["path"] if found else "$"
        raise Malformed(f"{path}.{missing['field']}" if missing else path, _PATH.sub("", text)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed("$", "The body is not valid JSON.") from error


def is_json(content_type: str) -> bool:
    """Whether a request's media type is accepted (section 1); an absent one is. UNVERIFIED: the absent one."""
    media_type = content_type.partition(";")[0].strip().casefold()
    return media_type in {"", "application/json", "text/json"} or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _named(value: object) -> object:
    """The value with known members under the names that the schema gives them; two levels are as deep as it goes."""
    if not isinstance(value, dict):
        return value
    return {
        _NAMES.get(name.casefold(), name): (
            {_NAMES.get(inner.casefold(), inner): kept for inner, kept in member.items()}
            if isinstance(member, dict)
            else member
        )
        for name, member in value.items()
    }
