"""Checks the types in the page's JSDoc with TypeScript, as tsconfig.json says: a part of ``make check``.

Without node it is skipped, and where npm cannot install TypeScript too, but for CI (the variable ``CI``), where that is
a failure. One line says so.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tools.vendor import PACKAGES, ROOT, install


def main() -> str | int:
    """Zero, TypeScript's own status, or why the types are not checked."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        print("page types: skipped, there is no node with npm")  # noqa: T201 - what a person waits for
        return 0
    if failure := install():
        if "CI" in os.environ:
            return f"page types: {failure}"
        print(f"page types: skipped, {failure}")  # noqa: T201 - as above
        return 0
    return subprocess.run([node, PACKAGES / "typescript/bin/tsc"], cwd=ROOT, check=False).returncode  # noqa: S603 - ours


if __name__ == "__main__":
    sys.exit(main())
