"""Delete what a log holds of some readings, while services may be writing to it.

A row is overwritten by blanks in its place: no file is replaced, so that no row is lost that is being appended.
"""

import json
import os
from collections.abc import Collection
from pathlib import Path

from legible.observations.image_log import kept_image
from legible.observations.layout import FOLDER


def forget_rows(folder: Path, readings: Collection[str]) -> int:
    """Blank the rows of some readings in all files of a log, and return their number; none without a folder."""
    return sum(blank_rows(path, readings) for path in sorted((folder / FOLDER).glob("*.jsonl")))


def forget_images(folder: Path, readings: Collection[str]) -> int:
    """Delete the kept images of some readings, and return their number."""
    paths = [path for reading in readings if (path := kept_image(folder, reading)) is not None]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def blank_rows(path: Path, readings: Collection[str]) -> int:
    """Blank the rows of some readings in a file, and return their number."""
    blanked = 0
    with path.open("r+b") as file:
        for line in iter(file.readline, b""):
            if reading_of(line) in readings:
                end = file.tell()
                text = line.rstrip(b"\n")
                file.seek(end - len(line))
                file.write(b" " * len(text))
                file.seek(end)
                blanked += 1
        if blanked:
            file.flush()
            os.fsync(file.fileno())
    return blanked


def reading_of(line: bytes) -> str | None:
    """Return the reading that a row is of; None for a blank or torn one."""
    try:
        fields = json.loads(line)
        return str(fields["reading_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
