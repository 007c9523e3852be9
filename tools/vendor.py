"""Copies the page's libraries from npm's packages into ``static/vendor/``: ``make vendor``.

Byte for byte, with their licences and a manifest. The page has no build step and its users need no npm; a copy is made
only when a version in package.json is changed, with ``npm install`` before it. npm's own configuration says where
packages come from; package-lock.json holds what must arrive, and ``npm ci`` checks it.
"""
# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDOR = ROOT / "src/ordergate/web/static/vendor"

# Name of the copy: its package, and the path in there. The modules import each other by bare names, which the page's
# import map resolves.
COPIES = {
    "htm.mjs": ("htm", "dist/htm.mjs"),
    "lightweight-charts.mjs": ("lightweight-charts", "dist/lightweight-charts.standalone.production.mjs"),
    "preact-hooks.mjs": ("preact", "hooks/dist/hooks.mjs"),
    "preact.mjs": ("preact", "dist/preact.mjs"),
    "signals-core.mjs": ("@preact/signals-core", "dist/signals-core.mjs"),
    "signals.mjs": ("@preact/signals", "dist/signals.mjs"),
    "LICENSE-htm.txt": ("htm", "LICENSE"),
    "LICENSE-lightweight-charts.txt": ("lightweight-charts", "LICENSE"),
    "LICENSE-preact.txt": ("preact", "LICENSE"),
    "LICENSE-signals-core.txt": ("@preact/signals-core", "LICENSE"),
    "LICENSE-signals.txt": ("@preact/signals", "LICENSE"),
}


def install() -> str:
    """``npm ci``, unless what the lock names is installed. What went wrong, or nothing."""
    lock, installed = ROOT / "package-lock.json", PACKAGES / ".package-lock.json"  # npm writes the second one last
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm"
    command = [npm, "ci", "--loglevel=error", "--prefer-offline"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - npm of the PATH
    return (
        ""
        if done.returncode == 0
        else f"npm ci failed: {(done.stderr.strip() or 'it does not say why').splitlines()[0]}"
    )


def main() -> str:
    """Make ``static/vendor/`` anew. What went wrong, or nothing."""
    if failure := install():
        return failure
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    manifest = [copied(name, package, source) for name, (package, source) in COPIES.items()]
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8", newline="\n")
    return ""


def copied(name: str, package: str, source: str) -> dict[str, str]:
    """Copy one file; its row of the manifest."""
    about = json.loads((PACKAGES / package / "package.json").read_text(encoding="utf-8"))
    data = (PACKAGES / package / source).read_bytes()
    (VENDOR / name).write_bytes(data)
    return {
        "file": name,
        "name": package,
        "version": about["version"],
        "licence": about["license"],
        "source": source,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    sys.exit(main() or 0)
