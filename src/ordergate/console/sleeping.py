"""Whether this machine goes to sleep by itself, as far as its settings can be read. Nothing is changed.

Each parser is pure: it takes what a program of the system prints. UNVERIFIED on macOS and Windows: compare with the
system's own settings there.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

from ordergate.console.facts import Sleep

_LOGIND = (Path("/etc/systemd/logind.conf"), Path("/etc/systemd/logind.conf.d"))
_GNOME = "org.gnome.settings-daemon.plugins.power"


async def sleeping() -> Sleep:
    """What the settings of this machine say."""
    if sys.platform == "darwin":
        return of_pmset(await _printed("pmset", "-g"))
    if sys.platform == "win32":
        return of_powercfg(await _printed("powercfg", "/query", "SCHEME_CURRENT", "SUB_SLEEP", "STANDBYIDLE"))
    masked = await _printed("systemctl", "is-enabled", "sleep.target", "suspend.target")
    gnome = [await _printed("gsettings", "get", _GNOME, f"sleep-inactive-{on}-type") for on in ("ac", "battery")]
    return of_linux(masked, gnome, _logind_text())


def of_linux(masked: str, gnome: list[str], logind: str) -> Sleep:
    """``masked``: systemd's word on its sleep targets; ``gnome``: what it does idle, plugged in and not."""
    words = masked.split()
    if words and all(word == "masked" for word in words):
        return Sleep(sleeps=False, text="systemd's sleep targets are masked")
    actions = re.findall(r"^\s*IdleAction\s*=\s*(\S+)", logind, re.MULTILINE)
    if actions and actions[-1] not in ("ignore", "lock"):
        return Sleep(sleeps=True, text=f"logind's IdleAction is {actions[-1]}")
    asked = [each.strip().strip("'") for each in gnome if each.strip()]
    if any(each not in ("nothing", "blank", "logout") for each in asked):
        return Sleep(sleeps=True, text=f"GNOME does when idle: {', '.join(asked)} (plugged in, on battery)")
    if asked:
        return Sleep(sleeps=False, text="GNOME and logind do nothing when idle")
    return Sleep(sleeps=None, text="neither GNOME's settings nor masked sleep targets of systemd are here")


def of_pmset(printed: str) -> Sleep:
    """The line ``sleep 10``: minutes until it sleeps, 0 = never; what keeps it awake now stands behind."""
    found = re.search(r"^\s*sleep\s+(\d+)(.*)$", printed, re.MULTILINE)
    if found is None:
        return Sleep(sleeps=None, text="pmset -g does not say")
    minutes = int(found[1])
    if minutes == 0:
        return Sleep(sleeps=False, text="pmset: sleep 0")
    return Sleep(sleeps=True, text=f"pmset: after {minutes} min idle{found[2].rstrip()}")


def of_powercfg(printed: str) -> Sleep:
    """The two values in seconds at the end, plugged in and on battery; their names are in the system's language."""
    values = [int(value, 16) for value in re.findall(r"0x([0-9a-fA-F]{8})", printed)[-2:]]
    if len(values) < 2:  # noqa: PLR2004 - the two
        return Sleep(sleeps=None, text="powercfg does not say")
    if any(values):
        return Sleep(
            sleeps=True, text=f"powercfg: idle for {values[0]} s plugged in, {values[1]} s on battery (0 = never)"
        )
    return Sleep(sleeps=False, text="powercfg: never when idle")


async def _printed(program: str, *words: str) -> str:
    """What a program prints; nothing where it is not here."""
    path = shutil.which(program)
    if path is None:
        return ""
    pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    running = await asyncio.create_subprocess_exec(path, *words, stdin=quiet, stdout=pipe, stderr=quiet)
    try:
        printed, _ = await running.communicate()
    except asyncio.CancelledError:
        running.kill()
        await running.wait()
        raise
    return printed.decode(errors="replace")


def _logind_text() -> str:
    main, folder = _LOGIND
    files = [main, *sorted(folder.glob("*.conf"))]
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())
