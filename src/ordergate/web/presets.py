"""The presets as they are told over HTTP. Pure."""

from __future__ import annotations

import msgspec

from ordergate.bus.brackets import BracketAsk, Preset


class PresetRow(msgspec.Struct, frozen=True):
    """``instruments`` are the symbols for which the settings have another bracket in its place; null where for none."""

    name: str
    instruments: tuple[str, ...] | None
    bracket: BracketAsk


class PresetsAnswer(msgspec.Struct, frozen=True):
    """In the order of the settings."""

    presets: tuple[PresetRow, ...]


def presets_answer(presets: tuple[Preset, ...]) -> PresetsAnswer:
    return PresetsAnswer(tuple(PresetRow(each.name, tuple(each.instruments) or None, each.bracket) for each in presets))
