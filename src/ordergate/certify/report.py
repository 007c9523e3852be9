"""The outcome of a certification: as JSON for programs, and as one page that needs nothing else. PURE.

Invariant: whatever a venue or a case says stands in the page as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec

from ordergate.certify.run import Ended, Played

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
table { border-collapse: collapse; width: 100% } td { border-top: 1px solid #dde2e8; padding: .35rem .5rem }
td { vertical-align: top }
td:first-child { width: 3.5rem; font-weight: 600 } td:last-child { text-align: right; white-space: nowrap; color: #667 }
.pass { color: #15703a } .fail { color: #b3261e } .skip { color: #7a6300 } .why { color: #667; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { background: #12161c; color: #dfe5ec } td { border-color: #2c343f } }
"""


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """``account`` is its name, empty where each case has its own; ``took_s`` and ``started_at`` are the world's."""

    version: str
    venue: str
    account: str
    faults: bool
    seed: int
    started_at: str
    took_s: float
    passed: int
    failed: int
    skipped: int
    cases: tuple[Played, ...]


def report(
    cases: Sequence[Played],
    *,
    version: str,
    venue: str,
    account: str,
    faults: bool,
    seed: int,
    started_at: str,
    took_s: float,
) -> Report:
    """The report of what was played."""

    def count(ended: Ended) -> int:
        return sum(case.ended is ended for case in cases)

    return Report(
        version=version,
        venue=venue,
        account=account,
        faults=faults,
        seed=seed,
        started_at=started_at,
        took_s=took_s,
        passed=count(Ended.PASSED),
        failed=count(Ended.FAILED),
        skipped=count(Ended.SKIPPED),
        cases=tuple(cases),
    )


def as_json(told: Report) -> bytes:
    """Indented, for whoever reads it."""
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def is_certified(told: Report) -> bool:
    """Whether something was played, and nothing of it failed."""
    return bool(told.passed) and not told.failed


def verdict(told: Report) -> str:
    """The outcome in one line."""
    counts = f"{told.passed} passed, {told.failed} failed, {told.skipped} skipped"
    return f"{'certified' if is_certified(told) else 'NOT CERTIFIED'}: {counts}, in {told.took_s:.0f} s"


def as_page(told: Report) -> str:
    """One page of HTML: the verdict, then each subject with its cases."""
    where = f"{told.venue}{f', account {told.account}' if told.account else ''}"
    how = f"faults {'on' if told.faults else 'off'}, seed {told.seed}, ordergate {told.version}, {told.started_at}"
    subjects = dict.fromkeys(case.subject for case in told.cases)
    parts = [_subject(name, [case for case in told.cases if case.subject == name]) for name in subjects]
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Certification: {escape(where)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>Certification of {escape(where)}</h1>\n"
        f'<p class="{"pass" if is_certified(told) else "fail"}">{escape(verdict(told))}</p>\n<p>{escape(how)}</p>\n'
        f"{''.join(parts)}</html>\n"
    )


def _subject(name: str, cases: Sequence[Played]) -> str:
    rows = "".join(_row(case) for case in cases)
    return f"<h2>{escape(name.capitalize())}</h2>\n<table>\n{rows}</table>\n"


def _row(case: Played) -> str:
    why = f'<div class="why">{escape(case.why)}</div>' if case.why else ""
    kind, took = case.ended.value, f"{case.took_s:.2f} s"
    return f'<tr><td class="{kind.lower()}">{kind}</td><td>{escape(case.name)}{why}</td><td>{took}</td></tr>\n'
