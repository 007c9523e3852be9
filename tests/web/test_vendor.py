"""What is vendored for the page: known, unchanged, complete, and licensed."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "src/ordergate/web/static/vendor"
MANIFEST: list[dict[str, str]] = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))
IMPORTED = re.compile(r'\b(?:from|import)\s*\(?\s*"([^"]+)"')


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: str(row["file"]))
def test_a_vendored_file_is_byte_for_byte_what_the_manifest_says(row: dict[str, str]) -> None:
    assert set(row) == {"file", "name", "version", "licence", "source", "sha256"}
    assert hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest() == row["sha256"]


def test_nothing_is_vendored_but_what_is_in_the_manifest() -> None:
    listed = {"manifest.json"} | {row["file"] for row in MANIFEST}
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_every_vendored_package_comes_with_the_text_of_its_licence() -> None:
    licensed = {row["name"] for row in MANIFEST if row["source"] == "LICENSE"}
    assert {row["name"] for row in MANIFEST} == licensed
    assert {row["licence"] for row in MANIFEST} <= {"MIT", "Apache-2.0"}


def test_the_vendored_versions_are_those_whose_types_are_checked() -> None:
    assert {row["name"]: row["version"] for row in MANIFEST} == read("package.json")["dependencies"]


def test_the_lock_of_npm_pins_every_package_with_a_hash_and_names_no_address_to_load_from() -> None:
    packages = read("package-lock.json")["packages"]
    root = packages.pop("")
    assert {f"node_modules/{name}" for name in root["dependencies"] | root["devDependencies"]} <= set(packages)
    for name, package in packages.items():
        assert re.fullmatch(r"[0-9]+(\.[0-9]+){2}", package["version"]), name
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_vendored_modules_import_nothing_but_each_other_by_bare_names() -> None:
    bare = {"preact", "preact/hooks", "@preact/signals-core"}
    for path in VENDOR.glob("*.mjs"):
        assert set(IMPORTED.findall(path.read_text(encoding="utf-8"))) <= bare, path
