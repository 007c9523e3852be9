"""The page's files: which there are, how they are answered, and what they may load."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import ordergate.web
from ordergate.clock import SystemClock
from ordergate.core.preview import MEASURES
from ordergate.net.http import HttpNetwork
from ordergate.net.port import Request, Response
from ordergate.web import pages
from tests.web.desk import Desk, desk
from tests.web.test_asking import at_a_desk

STATIC = Path(ordergate.web.__file__).parent / "static"
FILES = pages.load()
INDEX = FILES["/"].body.decode()
# An import, or an export from elsewhere, at the start of a line, as the page's own modules write it.
IMPORTED = re.compile(r'^(?:import|export)\b(?:[^;"]*\bfrom)?\s*"([^"]+)"', re.MULTILINE)


def on_disk(path: str) -> Path:
    return STATIC / ("index.html" if path == "/" else path.removeprefix("/static/"))


def import_map() -> dict[str, str]:
    (text,) = re.findall(r'<script type="importmap">(.*?)</script>', INDEX, re.DOTALL)
    imports: dict[str, str] = json.loads(text)["imports"]
    return imports


def asked(path: str, **headers: str) -> Response:
    return pages.answer(FILES[path], Request("GET", path, headers=headers))


def test_every_file_of_the_page_is_served_as_it_is_and_the_page_itself_only_at_the_root() -> None:
    assert {on_disk(path) for path in FILES} == {path for path in STATIC.rglob("*") if path.is_file()}
    assert "/static/index.html" not in FILES
    for path, file in FILES.items():
        assert file.body == on_disk(path).read_bytes()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/static/app.js", "text/javascript; charset=utf-8"),
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/static/vendor/preact.mjs", "text/javascript; charset=utf-8"),
        ("/static/vendor/LICENSE-preact.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_says_what_it_is_and_that_a_browser_has_to_ask_again(path: str, kind: str) -> None:
    headers = asked(path).headers
    assert headers["content-type"] == kind
    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"


def test_what_a_browser_has_is_not_sent_again() -> None:
    tag = asked("/static/app.js").headers["etag"]
    for kept in (tag, f"W/{tag}", f'"another", {tag}'):
        answer = asked("/static/app.js", **{"if-none-match": kept})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    for kept in ("", '"another"', tag.strip('"'), asked("/").headers["etag"]):
        assert asked("/static/app.js", **{"if-none-match": kept}).status == 200


def test_the_tag_of_a_file_is_that_of_its_content() -> None:
    for path, file in FILES.items():
        assert file.headers["etag"] == f'"{hashlib.sha256(on_disk(path).read_bytes()).hexdigest()}"'


def test_the_page_may_run_its_files_and_its_import_map_and_nothing_else() -> None:
    text = re.findall(r"<script[^>]*>([^<]+)</script>", INDEX)
    assert len(text) == 1, "the import map is the only inline script"
    policy = dict(part.split(maxsplit=1) for part in asked("/").headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": f"'self' 'sha256-{base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()}'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert asked("/").headers["referrer-policy"] == "no-referrer"
    assert asked("/").headers["cross-origin-opener-policy"] == "same-origin"


def test_all_that_the_page_loads_is_among_its_files() -> None:
    loaded = re.findall(r'<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"', INDEX)
    assert '<link rel="icon"' in INDEX, "browsers ask for /favicon.ico otherwise"
    assert {*loaded, *import_map().values()} <= set(FILES)


def test_every_module_imports_only_what_the_import_map_names_or_what_lies_beside_it() -> None:
    for path, file in FILES.items():
        if path.endswith(".js"):
            for name in IMPORTED.findall(file.body.decode()):
                beside = f"{path.rpartition('/')[0]}/{name.removeprefix('./')}"
                assert name in import_map() or (name.startswith("./") and beside in FILES), (path, name)


def test_the_page_shows_a_room_in_dollars_only_where_its_limit_is_dollars() -> None:
    (counted,) = re.findall(r"const COUNTED = new Set\(\[(.*?)\]\)", FILES["/static/preview.js"].body.decode())
    dollars = {"MAX_ORDER_VALUE", "EXCESSIVE_RISK", "DAILY_LOSS_LIMIT", "MAXIMUM_LOSS_LIMIT"}
    assert set(re.findall(r'"(\w+)"', counted)) == set(MEASURES) - dollars


@at_a_desk
async def test_what_is_no_file_of_the_page_is_not_found_in_the_one_shape_of_failure(at: Desk) -> None:
    for path in (
        "/static", "/static/", "/static/nothing.js", "/static/index.html", "/static/vendor", "/static/vendor/",
        "/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static//app.js",
        "//static/app.js", "/static/app.js/", "/static/app.js?v=1", "/?v=1", "/favicon.ico", "/index.html",
    ):  # fmt: skip
        answer = await at.call("GET", path)
        assert_not_found(answer, path)


def assert_not_found(answer: tuple[int, Any], path: str) -> None:
    status, body = answer
    assert body.pop("error")
    assert (status, body) == (404, {"success": False, "code": "NOT_FOUND", "breaches": []}), path


async def test_on_real_sockets_a_file_comes_whole_once_and_then_only_its_tag() -> None:
    async with desk(network=HttpNetwork(), clock=SystemClock(), started=False) as at:
        url = at.web.url + "/static/app.js"
        first = await at.network.request("GET", url, timeout_s=10)
        assert (first.status, first.body) == (200, FILES["/static/app.js"].body)
        again = await at.network.request("GET", url, headers={"If-None-Match": first.headers["etag"]}, timeout_s=10)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
        for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/app.js?v=1"):
            assert_not_found(await at.call("GET", path), path)
