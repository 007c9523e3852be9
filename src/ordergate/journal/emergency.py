"""Where events are noted while the journal cannot be written: one JSON line each, best effort, for a person to read."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import structlog

from ordergate.journal.port import Entry

_log = structlog.get_logger(part="journal")


class EmergencyFile:
    """A file that is opened only when it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, entry: Entry) -> None:
        """Add one line. A disk that takes nothing at all leaves only the log."""
        line = msgspec.json.encode(
            {
                "book": entry.book,
                "recorded_ns": entry.recorded_ns,
                "kind": entry.kind,
                "version": entry.version,
                "body": base64.b64encode(entry.body).decode(),
            }
        )
        try:
            with self._path.open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            _log.critical("not even the emergency file takes it", event_kind=entry.kind, error=str(error))
