"""Find the row of a reading in a log by the time that its id states, without searching whole files.

Rows are written in order of time, except that a row may be up to a minute late, as long as a request may take; so the
place is found by bisection.
"""

import mmap
import re
from contextlib import suppress
from pathlib import Path

from legible.errors import DataError
from legible.observations.layout import FOLDER, READING_ID, time_of
from legible.observations.row import Observation

AT = re.compile(rb'"at": ?([0-9.]+)')
SLACK_SECONDS = 60.0
"""The most seconds that a row may be written before or after its turn."""


def is_logged(folder: Path, reading_id: str) -> bool:
    """Tell whether a log's folder holds the observation of a reading."""
    return _line_of(folder, reading_id) is not None


def find_row(folder: Path, reading_id: str) -> Observation | None:
    """Return the observation of a reading; None where the log holds it not, or holds it torn or of an old format."""
    line = _line_of(folder, reading_id)
    if line is None:
        return None
    try:
        return Observation.from_json(line.decode("utf-8"))
    except (ValueError, TypeError, DataError):
        return None


def _line_of(folder: Path, reading_id: str) -> bytes | None:
    if not READING_ID.fullmatch(reading_id):
        return None
    stem = reading_id.rpartition("-")[0]
    paths = (folder / FOLDER / f"{stem}.jsonl", *(folder / FOLDER).glob(f"{stem}.*.jsonl"))
    return next((line for path in paths if (line := _found(path, reading_id)) is not None), None)


def _found(path: Path, reading_id: str) -> bytes | None:
    """Return the line of a reading in a file, looked for where its time is; a file that is gone holds none."""
    with (
        suppress(FileNotFoundError, ValueError),  # ValueError: an empty file cannot be mapped; an id of no date
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        at = time_of(reading_id)
        first, last = _place(content, at - SLACK_SECONDS), _place(content, at + SLACK_SECONDS)
        place = content.find(f'"reading_id": "{reading_id}"'.encode(), first, _line_end(content, last))
        return content[content.rfind(b"\n", 0, place) + 1 : _line_end(content, place)] if place >= 0 else None
    return None


def _place(content: mmap.mmap, at: float) -> int:
    """Return where the first row stands that is not before a time, by bisection."""
    low, high = 0, len(content)
    while low < high:
        middle = (low + high) // 2
        start = content.rfind(b"\n", low, middle) + 1 or low
        end = _line_end(content, middle)
        found = AT.search(content, start, end)
        if found is not None and float(found[1]) < at:
            low = end
        else:
            high = start
    return low


def _line_end(content: mmap.mmap, place: int) -> int:
    return content.find(b"\n", place) + 1 or len(content)
