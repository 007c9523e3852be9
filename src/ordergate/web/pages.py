"""The page's files, read from the package once and answered from memory. Pure but for that reading.

A fixed table from path to answer: no path is ever made of what a request says.

Invariants:
1. What a browser keeps, it asks about before it uses it again; what has not changed is answered 304, without a body.
2. The page runs and loads nothing but files of this table: its policy names this server, and its import map by hash.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable

from ordergate.net.port import Request, Response

# A file of another kind stops the start, and so every test.
_KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)
# Styles are files too. The one inline style of lightweight-charts 5.2.1 is its logo's, so charts are made with
# ``attributionLogo: false``, and the page itself carries the link that the licence asks for. Styles that scripts set
# on elements are not inline in the policy's sense (seen in Chromium 156, 2026-11-22).
_POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{import_map}'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def load() -> Mapping[str, Response]:
    """Every file by its path: ``/`` is index.html, the others are below ``/static/``."""
    static = importlib.resources.files("ordergate.web").joinpath("static")
    files = dict(_files(static, "/static/"))
    index = files.pop("/static/index.html")
    import_map = _IMPORT_MAP.search(index)
    assert import_map is not None
    policy = _POLICY.format(import_map=base64.b64encode(hashlib.sha256(import_map[1]).digest()).decode())
    page_headers = {
        "content-security-policy": policy,
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "no-referrer",
    }
    return {path: _file(path, body, {}) for path, body in files.items()} | {"/": _file(".html", index, page_headers)}


def answer(file: Response, request: Request) -> Response:
    """``file`` as ``load`` made it, or 304 where the browser has it."""
    kept = request.headers.get("if-none-match", "").split(",")
    if file.headers["etag"] in [tag.strip().removeprefix("W/") for tag in kept]:
        return Response(304, headers=file.headers)
    return file


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        else:
            yield path + entry.name, entry.read_bytes()


def _file(path: str, body: bytes, headers: Mapping[str, str]) -> Response:
    return Response(
        200,
        body,
        {
            "content-type": _KINDS[path.rpartition(".")[2]],
            "cache-control": "no-cache",
            "etag": f'"{hashlib.sha256(body).hexdigest()}"',
            "x-content-type-options": "nosniff",
            **headers,
        },
    )
