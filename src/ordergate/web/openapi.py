"""The OpenAPI document of the HTTP API, made of ``routes.ROUTES`` and the structs that really travel. Pure.

``msgspec.json.schema_components`` does not fit (0.22, 2026-11-22): it says that decimals are strings, and here they are
numbers; it refuses a field that is a decimal or a string; and it cannot know that bodies refuse unknown fields.

Invariant: nothing is described here that is not in the table or in a struct, so the document cannot fall behind.
"""

from __future__ import annotations

import enum
import functools
import re
import types
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, UNSET, UnsetType

from ordergate import __version__
from ordergate.core.answers import UNKNOWN_ACCOUNT, UNKNOWN_ORDER
from ordergate.core.rules import RULES
from ordergate.web.replies import BAD_INPUT, DENIED, STATUS, Failure, encode
from ordergate.web.route import Route
from ordergate.web.routes import EVENT_ROWS, EVENTS, ROUTES
from ordergate.web.rows import BreachRow, NearestRow

_PRIMITIVES: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "string",
    dict: "object",
    types.NoneType: "null",
}
_NAMED = re.compile(r"``([A-Za-z_]+)``")
_DENIED = Failure(
    success=False,
    error="11 contracts is above the largest order of 10; 11 contracts of MES could be held, above 10",
    code="MAX_ORDER_SIZE",
    field=UNSET,
    order_id="too-large",
    breaches=(
        BreachRow("MAX_ORDER_SIZE", Decimal(10), Decimal(11), "11 contracts is above the largest order of 10"),
        BreachRow("MAX_POSITION_SIZE", Decimal(10), Decimal(11), "11 contracts of MES could be held, above 10"),
    ),
    nearest=NearestRow(10, None, None),
)


@functools.cache
def document() -> bytes:
    """The document as JSON. Made when it is first asked for, since few processes are ever asked."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    failure = schemas.of(Failure)
    return encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "ordergate",
                "version": __version__,
                "description": (
                    "The HTTP API of the order page, on this machine's loopback only. Money is US dollars; money and "
                    "prices are JSON numbers. Every failure has the shape Failure: its code is stable, its text is for "
                    "people."
                ),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "responses": {
                    str(status): _failure(status, failure)
                    for status in sorted({status for route in ROUTES for status in route.failures})
                },
                "schemas": schemas.named,
            },
        }
    )


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    answers: dict[str, Any] = {str(status): _success(route, schemas) for status in route.statuses}
    answers |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(route.failures)}
    operation: dict[str, Any] = {"summary": route.summary, "responses": answers}
    if route.note:
        operation["description"] = route.note
    if route.parameters:
        operation["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.required,
                "description": parameter.meaning,
                "schema": schemas.of(parameter.kind),
            }
            for parameter in route.parameters
        ]
    if route.body is not None:
        content = {"schema": schemas.of(route.body, asked=True), "example": route.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _success(route: Route, schemas: _Schemas) -> dict[str, Any]:
    if route.path == EVENTS:
        events = {name: schemas.of(row) for name, row in EVENT_ROWS.items()}
        content: dict[str, Any] = {"schema": {"type": "string"}, "x-events": events}
        return {
            "description": "The data of each event, by its name: x-events.",
            "content": {"text/event-stream": content},
        }
    content = {"schema": schemas.of(route.answer)}
    if route.answered:
        content["example"] = route.answered
    return {"description": route.summary, "content": {"application/json": content}}


def _failure(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if status == DENIED:
        rules = " ".join(f"{rule.__name__}: {_first_line(rule.__doc__)}" for rule in RULES)
        description = f"Denied: breaches has every limit that the order breaks, in the order of the rules. {rules}"
        content["example"] = _DENIED
    elif status == BAD_INPUT:
        description = "Bad input; field names what is wrong. Every code that stands at no other status."
    else:
        codes = {code for code, its_status in STATUS.items() if its_status == status}
        if status == STATUS[UNKNOWN_ORDER]:
            codes.add(UNKNOWN_ACCOUNT)  # of every command but an order, where it is bad input
        description = ", ".join(sorted(codes))
    return {"description": description, "content": {"application/json": content}}


class _Schemas:
    """JSON Schemas of types. ``named`` collects those of structs and enumerations."""

    def __init__(self) -> None:
        self.named: dict[str, dict[str, Any]] = {}

    def of(self, kind: Any, *, asked: bool = False) -> dict[str, Any]:
        """The schema of ``kind``; ``asked``: of what we are sent, else of what we answer."""
        if kind in _PRIMITIVES:
            return {"type": _PRIMITIVES[kind]}
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (Union, types.UnionType):
            return self._one_of([argument for argument in arguments if argument is not UnsetType], asked=asked)
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(arguments[0], asked=asked)}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1], asked=asked)}
        if kind.__name__ not in self.named:
            self.named[kind.__name__] = {}  # a struct that holds itself ends here
            self.named[kind.__name__] = _words(kind) if issubclass(kind, enum.Enum) else self._struct(kind, asked=asked)
        return {"$ref": f"#/components/schemas/{kind.__name__}"}

    def _one_of(self, kinds: list[Any], *, asked: bool) -> dict[str, Any]:
        schemas = [self.of(kind, asked=asked) for kind in kinds]
        if len(schemas) == 1:
            return schemas[0]
        if all(set(schema) == {"type"} for schema in schemas):
            return {"type": [schema["type"] for schema in schemas]}
        return {"anyOf": schemas}

    def _struct(self, kind: type[msgspec.Struct], *, asked: bool) -> dict[str, Any]:
        fields = msgspec.structs.fields(kind)
        properties = {field.encode_name: self.of(field.type, asked=asked) for field in fields}
        for field in fields:
            if asked and field.default not in (NODEFAULT, None, UNSET):
                properties[field.encode_name]["default"] = field.default
        required = [
            field.encode_name
            for field in fields
            if (field.required if asked else UnsetType not in get_args(field.type))
        ]
        schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
        names = {field.name: field.encode_name for field in fields}
        text = _NAMED.sub(lambda found: names.get(found[1], found[1]), _documentation(kind))
        if text:
            schema["description"] = text
        if asked:
            schema["additionalProperties"] = False
        return schema


def _words(kind: type[enum.Enum]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "enum": [word.value for word in kind]}
    return schema | {"description": _documentation(kind)}


def _documentation(kind: type) -> str:
    """A type's own docstring as one paragraph, without what it inherits."""
    return " ".join((kind.__dict__.get("__doc__") or "").split())


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0]
