"""The OpenAPI document: whole, of the server's routes and no others, and true of what a desk really answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ordergate.broker.bars import Bar, Bars
from ordergate.core.rules import RULES
from ordergate.net.port import Request, Response
from ordergate.web.openapi import document
from ordergate.web.replies import STATUS, encode
from ordergate.web.routes import ROUTES
from tests.simulation.virtual_time import run
from tests.web.desk import Desk, desk
from tests.web.history import MES, MES_TICKS, A
from tests.web.page import NAMES, events, exact
from tests.web.test_asking import at_a_desk
from tests.web.test_server import ASKING, BOTH, READING, listened

DOCUMENT = msgspec.json.decode(document())
JSON_TYPES = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": type(None),
    "number": (int, Decimal),
    "object": dict,
    "string": str,
}
KEYWORDS = {"$ref", "additionalProperties", "anyOf", "default", "description", "enum", "items", "properties"}
KEYWORDS |= {"required", "type"}


def test_the_document_is_well_formed() -> None:
    assert re.fullmatch(r"3\.1\.\d", DOCUMENT["openapi"])
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            assert method in ("get", "post")
            assert operation["summary"]
            assert all(named(answer)["description"] for answer in operation["responses"].values())
            in_path = {said["name"] for said in operation.get("parameters", []) if said["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert ("requestBody" in operation) == (method == "post")
    for schema in schemas(DOCUMENT):
        assert set(schema) <= KEYWORDS
        assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
        kinds = schema.get("type", [])
        assert set([kinds] if isinstance(kinds, str) else kinds) <= set(JSON_TYPES)


def test_every_reference_leads_somewhere_and_nothing_is_described_that_nothing_refers_to() -> None:
    referred = {node["$ref"] for node in nodes(DOCUMENT) if isinstance(node, dict) and "$ref" in node}
    parts = DOCUMENT["components"]
    assert referred == {f"#/components/{kind}/{name}" for kind, named_parts in parts.items() for name in named_parts}


def test_texts_call_fields_by_the_names_they_have_on_the_wire() -> None:
    texts = [node["description"] for node in nodes(DOCUMENT) if isinstance(node, dict) and "description" in node]
    schemas_named = DOCUMENT["components"]["schemas"]
    assert [text for text in texts if "``" in text] == []
    assert "stopLoss and takeProfit are the leg" in schemas_named["OrderRow"]["description"]


def test_it_has_the_routes_that_the_server_has_and_no_others() -> None:
    said = {(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    reading = {("GET", path.replace("/MES", "/{symbol}")) for path in READING} | {("GET", "/api/bars")}
    reading |= {("GET", path) for path in BOTH}
    assert said == reading | {("POST", path) for path in ASKING} | {("GET", "/openapi.json")}


def test_it_is_made_when_it_is_first_asked_for_and_once() -> None:
    async def main() -> None:
        document.cache_clear()
        async with desk(started=False) as at:
            assert document.cache_info().currsize == 0
            assert await at.get("/openapi.json") == exact(document())
            await at.get("/openapi.json")
            assert document.cache_info().misses == 1

    run(main())


def test_what_a_desk_answers_is_what_the_document_says() -> None:
    async def main() -> None:
        async with desk(connection_manager=bars) as at:
            assert (await at.order(orderId="my-limit", orderType="LIMIT", limitPrice=4_900))[0] == 200
            told = listened(at)
            await asyncio.sleep(0.01)
            for route in ROUTES:
                if route.method == "POST":
                    status, answer = await at.call("POST", route.path, dict(route.example))
                    same = {"asOf": route.answered["asOf"]} if "asOf" in answer else {}  # it counts every event
                    assert (status, answer | same) == (200, route.answered), route.path
                    check("POST", route.path, status, answer)
                    assert not list(faults(schema_of_body(route.path), dict(route.example)))
                    await read_everything(at)
            at.gate.quote(MES, MES_TICKS + 9)
            await at.shown()
            await at.web.close()
            for _, name, row in events(await told):
                stream = DOCUMENT["paths"]["/api/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
                assert not list(faults(stream["x-events"][name], row)), (name, row)
                assert set(stream["x-events"]) == set(NAMES)

    run(main())


@at_a_desk
async def test_the_example_of_a_denial_is_one(at: Desk) -> None:
    status, answer = await at.order(orderId="too-large", quantity=11)
    (said,) = DOCUMENT["components"]["responses"][str(status)]["content"].values()
    assert answer == said["example"]
    check("POST", "/api/order", status, answer)
    assert all(f"{rule.__name__}: " in DOCUMENT["components"]["responses"]["422"]["description"] for rule in RULES)


FAILING: list[tuple[str, str, object]] = [
    *[(method, path, {}) for path in READING for method in ("POST", "PUT")],
    *[("GET", path, None) for path in ASKING if path not in BOTH],
    *[("POST", path, body) for path in ASKING for body in (b"{", {"x": 1}, b'{"accountId":NaN}')],
    *[("POST", path, {"accountId": 7, "instrument": "MES", "side": "BUY", "quantity": 1}) for path in ASKING],
    ("POST", "/api/cancel-order", {"orderId": "o9"}),
    ("POST", "/api/cancel-all", {"accountId": 9}),
    ("POST", "/api/flatten", {"accountId": 9}),
    ("POST", "/api/modify-order", {"orderId": "o1", "quantity": 2}),
    ("POST", "/api/modify-order", {"orderId": "o9", "quantity": 2}),
    ("POST", "/api/update-sl-tp", {"positionId": "9:9"}),
    ("POST", "/api/update-sl-tp", {"positionId": f"{A}:{MES}", "stopLoss": 4_000}),
    ("POST", "/api/close-position", {"accountId": A, "instrument": "MNQ"}),
    ("POST", "/api/order", {"instrument": "MES", "side": "SELL", "quantity": 1, "accountId": A, "orderId": "o1"}),
    ("GET", "/api/prices/NOPE", None),
    ("GET", "/api/bars?symbol=NOPE", None),
    ("GET", "/api/bars?symbol=MES", None),
]


@at_a_desk
async def test_every_failure_is_one_that_the_document_says(at: Desk) -> None:
    await at.order(orderId="o1", quantity=2)
    seen = set()
    for method, path, body in FAILING:
        status, answer = await at.call(method, path, body)
        if method == "PUT":
            method = "POST" if path in ASKING else "GET"  # noqa: PLW2901 - what is there instead
        check("POST" if path in ASKING else "GET", path, status, answer)
        assert answer["success"] is False, (path, answer)
        seen.add(status)
    assert {400, 404, 405, 409, 422, 503} <= seen
    for path in (*READING, *ASKING):
        method = "POST" if path in ASKING else "GET"
        check(method, path, *await at.call(method, path, {}, {"host": "evil.example"}))
    for path in ASKING:
        check("POST", path, *await at.call("POST", path, b"{}", {"content-type": "text/plain"}))


@pytest.mark.parametrize("path", [path for path in (*READING, "/api/bars?symbol=MES") if path != "/api/events"])
def test_before_the_gates_state_is_known_the_answers_are_as_said_too(path: str) -> None:
    async def main() -> None:
        async with desk(started=False) as at:
            check("GET", path, *await at.call("GET", path))

    run(main())


def test_every_code_with_a_status_of_its_own_is_named_there() -> None:
    for code, status in STATUS.items():
        assert code in DOCUMENT["components"]["responses"][str(status)]["description"].split(", ")


async def bars(_request: Request) -> Response:
    price = Decimal("1.25")
    bar = Bar("2026-11-23T15:00:00.000000+00:00", open=price, high=price, low=price, close=price, volume=3)
    return Response(200, encode(Bars(MES, 1, (bar,))))


async def read_everything(at: Desk) -> None:
    for path in (*READING, "/api/bars?symbol=MES"):
        if path != "/api/events":
            check("GET", path, *await at.call("GET", path))


def check(method: str, path: str, status: int, answer: Any) -> None:
    """That the document says this answer of this route."""
    name = path.partition("?")[0]
    name = "/api/prices/{symbol}" if name.startswith("/api/prices/") else name
    responses = DOCUMENT["paths"][name][method.lower()]["responses"]
    assert str(status) in responses, (method, path, status, answer)
    (content,) = named(responses[str(status)])["content"].values()
    assert not list(faults(content["schema"], answer)), (path, status)


def schema_of_body(path: str) -> dict[str, Any]:
    content: dict[str, Any] = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]
    return dict(content["application/json"]["schema"])


def named(node: dict[str, Any]) -> Any:
    """What ``node`` refers to, or itself."""
    found: Any = node
    if "$ref" in node:
        found = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return found


def faults(schema: dict[str, Any], value: Any, path: str = "$") -> Iterator[str]:
    """Where ``value`` is not as ``schema`` says; a field that the schema does not have is a fault too."""
    schema = named(schema)
    if "anyOf" in schema:
        if all(list(faults(option, value, path)) for option in schema["anyOf"]):
            yield f"{path}: {value!r} is none of {schema['anyOf']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is not in {schema['enum']}"
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_a(kind, value) for kind in kinds):
        yield f"{path}: {value!r} is no {kinds}"
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(schema["items"], item, f"{path}[{number}]")
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{path}: {name} is missing" for name in schema["required"] if name not in value)
    if isinstance(value, dict):
        for name, item in value.items():
            known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if known:
                yield from faults(known, item, f"{path}.{name}")
            else:
                yield f"{path}: {name} is not described"


def is_a(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    types: Any = JSON_TYPES[kind]
    return isinstance(value, types)


def nodes(node: Any) -> Iterator[Any]:
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes(child)


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema of the document, nested ones too."""
    tops = [child["schema"] for child in nodes(node) if isinstance(child, dict) and "schema" in child]
    tops += DOCUMENT["components"]["schemas"].values()
    while tops:
        schema = tops.pop()
        yield schema
        tops += [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
        tops += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
