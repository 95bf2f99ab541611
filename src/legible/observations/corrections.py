"""Corrections: the text that a reading should have been, as callers say. They hold text, so they have their own log."""

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from legible.file_numbers import finite_number
from legible.files import parse_row
from legible.observations.layout import FOLDER, hour, log_files
from legible.observations.lines import lines
from legible.observations.log import append_durably
from legible.observations.row import LAST_SECOND
from legible.stores import LocalStore

CORRECTION_VERSION = 1
LONGEST_LINE = 100_000
"""A longer line, in bytes, is no row and is not held in memory."""
LOOK_SECONDS = 10.0
"""The bytes of all workers' corrections are looked up this often; between two looks a worker counts its own."""


class CorrectionRoom:
    """The room that is left for corrections: they are never deleted, so they end at `max_bytes` of all workers."""

    def __init__(self, folder: Path, *, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder / FOLDER
        self._max_bytes = max_bytes
        self._clock = clock
        self._next_look = clock()
        self._held = 0

    def take(self, count: int) -> bool:
        """Tell whether there is room for so many bytes more, and count them where there is."""
        if self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            self._held = sum(LocalStore().sizes(str(self._folder)).values())
        if self._held + count > self._max_bytes:
            return False
        self._held += count
        return True


@dataclass(frozen=True)
class Correction:
    """The text that a reading should have been, as a caller says; `at` in Unix seconds."""

    at: float
    reading_id: str
    text: str

    def to_json(self) -> str:
        """Return one line, with the format's version."""
        return json.dumps({"version": CORRECTION_VERSION, **dataclasses.asdict(self)}, ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> "Correction":
        """Parse a line, also one without a time. Raise ValueError for a torn row, and for a time that cannot be."""
        fields = parse_row(line)
        try:
            at, reading_id, text = fields.get("at", 0.0), fields["reading_id"], fields["text"]
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("no correction") from error
        if not (isinstance(reading_id, str) and isinstance(text, str)):
            raise ValueError("no correction")  # noqa: TRY004  # as for all torn rows
        f"{reading_id}{text}".encode()  # half a character, as no correction is written with, is a ValueError
        return Correction(finite_number(at, "at", low=0, high=LAST_SECOND), reading_id, text)


class CorrectionLog:
    """Appends corrections to `<folder>/v1/<hour>-<worker>.jsonl`; when `append` returns, one is on the disk."""

    def __init__(self, folder: Path, *, worker: str) -> None:
        self._folder = folder / FOLDER
        self._worker = worker

    def append(self, correction: Correction) -> None:
        """Write a correction. Raise OSError where it cannot be kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        append_durably(self._folder / f"{hour(correction.at)}-{self._worker}.jsonl", correction.to_json())


def read_corrections(folder: Path) -> dict[str, str]:
    """Return texts by reading id, the last by time where a reading has several; none where there is no folder.

    Each worker writes files of its own, so the order of files tells nothing. Raise DataError for what is no regular
    file in the folder.
    """
    newest: dict[str, Correction] = {}
    for path in log_files(folder / FOLDER):
        with path.open("rb") as file:
            for line in lines(file, max_bytes=LONGEST_LINE):
                try:
                    found = Correction.from_json(line)
                except ValueError:  # torn, as rows of observations may be
                    continue
                if found.reading_id not in newest or found.at >= newest[found.reading_id].at:
                    newest[found.reading_id] = found
    return {reading_id: found.text for reading_id, found in newest.items()}
