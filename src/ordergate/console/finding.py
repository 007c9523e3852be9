"""What a check of ``doctor`` says."""

from __future__ import annotations

import enum

import msgspec


class Level(enum.StrEnum):
    """How it is. UNKNOWN: it could not be checked, which is not that it is well."""

    OK = "OK"
    UNKNOWN = "UNKNOWN"
    WARN = "WARN"
    UNSAFE = "UNSAFE"


class Finding(msgspec.Struct, frozen=True):
    """``text`` is what was found, ``todo`` what to do about it; empty where there is nothing to do."""

    level: Level
    text: str
    todo: str = ""


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def unknown(text: str, todo: str = "") -> Finding:
    return Finding(Level.UNKNOWN, text, todo)


def warn(text: str, todo: str) -> Finding:
    return Finding(Level.WARN, text, todo)


def unsafe(text: str, todo: str) -> Finding:
    return Finding(Level.UNSAFE, text, todo)
