"""The rules of the house that a machine can check. CONTRIBUTING.md has those that a reader must."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ordergate.core.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/ordergate"

# Who may catch every exception: app.py reports a crash before it stops. An adapter that translates foreign exceptions
# through one table may be added here.
CATCHES_ALL = {f"{PACKAGE}/app.py"}

IMPURE_MODULES = {"asyncio", "logging", "random", "secrets", "socket", "structlog", "threading", "time", "uuid"}
IMPURE_ATTRIBUTES = {"now", "today", "utcnow"}  # of datetime and date
IMPURE_CALLS = {"input", "open", "print"}

# Put together here, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|home|Users)/|\b[A-Z]:\\+Users\b")
REGISTRY = re.compile(
    "|".join(("py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.org", "debian" + r"\.org/debian"))
)
OUTSIDE = re.compile(r"\.\./" + "shared")


def test_core_has_no_float() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees(f"{PACKAGE}/core")
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
    ]
    assert found == []


def test_core_asks_no_clock_no_chance_and_nobody_outside() -> None:
    found = [
        f"{path}:{line}: {what}"
        for path, tree in trees(f"{PACKAGE}/core")
        for node in ast.walk(tree)
        for line, what in impurities(node)
    ]
    assert found == []


def test_only_the_listed_places_catch_every_exception() -> None:
    found = [
        f"{path}:{line}"
        for folder in ("src", "tests")
        for path, tree in trees(folder, "Exception")
        if path not in CATCHES_ALL
        for line in catches_all(tree)
    ]
    assert found == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    assert matches(MACHINE_PATH) == []
    assert matches(REGISTRY) == []


def test_only_tests_read_what_lies_beside_the_project() -> None:
    assert [found for found in matches(OUTSIDE) if not found.startswith("tests/")] == []


def test_no_file_holds_a_marker_of_unfinished_work() -> None:
    assert matches(UNFINISHED) == []


def test_every_module_says_what_it_is() -> None:
    assert [path for path, tree in trees("src") if not ast.get_docstring(tree)] == []


def test_every_rule_is_in_rules() -> None:
    written = [
        node.name
        for path, tree in trees("src")
        if path.startswith(f"{PACKAGE}/core/rules/")
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.returns
        and ast.unparse(node.returns) == "Breach | None"
        and [ast.unparse(argument.annotation) for argument in node.args.args if argument.annotation] == ["Proposal"]
    ]
    assert written
    assert sorted(rule.__name__ for rule in RULES) == sorted(written)


def test_every_invariant_has_its_row_and_every_test_that_is_said_to_prove_one_exists() -> None:
    page = (ROOT / "tests/README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| I(\d+) ", page, re.MULTILINE) == [str(number) for number in range(1, 19)]
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert named
    written = {path: tree for path, tree in trees("tests", "def test") if path.removeprefix("tests/") in dict(named)}
    tests = [
        (path.removeprefix("tests/"), node.name)
        for path, tree in written.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [each for each in named if each not in tests] == []


def test_the_makefile_has_fewer_than_60_lines() -> None:
    assert len((ROOT / "Makefile").read_text(encoding="utf-8").splitlines()) < 60


def test_locks_pin_every_package_with_a_hash_and_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in lock
        assert not re.search(r"^\s*-", lock.replace("    --hash=", ""), re.MULTILINE), "an option, such as an index"
        requirements = [entry for entry in re.split(r"\n(?=\S)", lock) if not entry.startswith("#")]
        assert requirements
        for entry in requirements:
            assert re.match(r"[a-z0-9-]+==[^ ]+ ", entry), entry
            assert "--hash=sha256:" in entry, entry


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def trees(folder: str, word: str = "") -> Iterator[tuple[str, ast.Module]]:
    """Every Python file of a folder in which that word stands: its path from the root, and its syntax tree."""
    for path in python_files(folder):
        if word in (text := path.read_text(encoding="utf-8")):
            yield relative(path), ast.parse(text)


def impurities(node: ast.AST) -> Iterator[tuple[int, str]]:
    """What a node imports, reads or calls that the core must not: its line and its name."""
    match node:
        case ast.Import():
            yield from ((node.lineno, name.name) for name in node.names if name.name.split(".")[0] in IMPURE_MODULES)
        case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE_MODULES:
            yield node.lineno, module
        case ast.Attribute(attr=attr) if attr in IMPURE_ATTRIBUTES:
            yield node.lineno, attr
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            yield node.lineno, name
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            yield node.lineno, "async"


def catches_all(tree: ast.Module) -> Iterator[int]:
    """The lines that catch or suppress ``Exception`` or ``BaseException``, alone or among others."""
    for node in ast.walk(tree):
        match node:
            case ast.ExceptHandler(type=ast.expr() as caught):
                kinds = [caught]
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress")):
                kinds = node.args
            case _:
                continue
        names = {part.id for kind in kinds for part in ast.walk(kind) if isinstance(part, ast.Name)}
        if names & {"Exception", "BaseException"}:
            yield node.lineno


def matches(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern stands in the project's own files: tracked, or new and not ignored; vendored files excepted."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        f"{name}:{number}: {line.strip()}"
        for name in sorted(filter(None, listing.stdout.split("\0")))
        if "vendor" not in Path(name).parts and (text := text_of(ROOT / name)) is not None
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def text_of(path: Path) -> str | None:
    """A file's text; None if it is not text, or was deleted and the deletion is not committed yet."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return None
