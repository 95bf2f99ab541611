"""Corrections: the text that a reading should have been, as callers say. They hold text, so they have their own log."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from legible.files import parse_row
from legible.observations.layout import FOLDER, log_files

CORRECTION_VERSION = 1


@dataclass(frozen=True)
class Correction:
    """The text that a reading should have been, as a caller says; `at` in Unix seconds."""

    at: float
    reading_id: str
    text: str

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        return json.dumps({"version": CORRECTION_VERSION, **dataclasses.asdict(self)}, ensure_ascii=False)


def read_corrections(folder: Path) -> dict[str, str]:
    """Return texts by reading id, the last by time where a reading has several; none where there is no folder.

    Each worker writes files of its own, so the order of files tells nothing. Raise DataError for what is no regular
    file in the folder.
    """
    texts: dict[str, tuple[float, str]] = {}
    for path in log_files(folder / FOLDER):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    fields = parse_row(line)
                    reading_id, text, at = fields["reading_id"], fields["text"], float(fields.get("at", 0.0))
                    if reading_id not in texts or at >= texts[reading_id][0]:
                        texts[reading_id] = at, text
                except (ValueError, KeyError, TypeError, OverflowError):  # torn, as rows of observations may be
                    continue
    return {reading_id: text for reading_id, (_, text) in texts.items()}
