"""Delete what a log holds of some readings, while services may be writing to it.

A row is overwritten by blanks in its place: no file is replaced, so that no row is lost that is being appended. An
empty line at the end tells `legible compact` that the file has changed.
"""

import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from legible.errors import LegibleError
from legible.files import unfinished_of
from legible.observations.image_log import place_of
from legible.observations.layout import FOLDER, READING_ID

NAMED = re.compile(rb'"reading_id": ?"(%b)"' % READING_ID.pattern.encode())
"""The reading that a row names. In a text its quotes would be escaped."""


@dataclass
class Unreached:
    """A sentence for each place that could not be reached, in which something may still be held."""

    sentences: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self, place: Path | str) -> Iterator[None]:
        """Note an error about a place and go on, so that the other places are reached all the same."""
        try:
            yield
        except OSError as error:
            self.sentences.append(f"{place}: {error.strerror or error}; make it readable and writable, then run again")
        except LegibleError as error:
            self.sentences.append(str(error))


def forget_rows(folder: Path, readings: Collection[str], unreached: Unreached) -> int:
    """Blank the rows of some readings in all files of a log, and return their number; none without a folder."""
    blanked = 0
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        with unreached.noting(path):
            blanked += blank_rows(path, readings)
    return blanked


def forget_images(folder: Path, readings: Collection[str], unreached: Unreached) -> int:
    """Delete the kept images of some readings, also those that a kill left unfinished, and return their number."""
    places = [place for reading in readings if (place := place_of(folder, reading)) is not None]
    there = [path for place in places for path in (place, unfinished_of(place)) if path.is_file()]
    deleted = 0
    for path in there:
        with unreached.noting(path):
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted


def blank_rows(path: Path, readings: Collection[str]) -> int:
    """Blank the rows of some readings in a file, and return their number."""
    blanked = 0
    with path.open("r+b") as file:
        for line in iter(file.readline, b""):
            if reading_of(line) in readings:
                end = file.tell()
                if not blanked:
                    _append_empty_line(path)
                text = line.rstrip(b"\n")
                file.seek(end - len(line))
                file.write(b" " * len(text))
                file.seek(end)
                blanked += 1
        if blanked:
            file.flush()
            os.fsync(file.fileno())
    return blanked


def _append_empty_line(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\n")


def reading_of(line: bytes) -> str | None:
    """Return the reading that a row is of, also one that a full disk or a kill has torn after its id; else None."""
    try:
        fields = json.loads(line)
        return str(fields["reading_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        torn = NAMED.search(line)
        return torn[1].decode() if torn else None
