"""The layout of a log: a folder `v1` with files whose names begin with their hour (UTC), as reading ids do."""

import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from legible.errors import DataError

FOLDER = "v1"
"""The version of the folder's layout; rows have a version of their own."""
HOUR_FOLDER = "hour="
"""Before the hour in the name of a folder of one hour, as DuckDB and Hive have it."""
HOUR_FORMAT = "%Y%m%dT%H"
READING_ID = re.compile(r"[0-9]{8}T[0-9]{2}-[0-9]{1,20}-[0-9a-f]{12}")
HOUR_SECONDS, PARTS_OF_HOUR = 3600, 0x10000
"""A reading id states its time in this many parts of its hour, in four digits: to 55 milliseconds."""


def hour(at: float) -> str:
    """Return the hour of a time in Unix seconds: `20261121T08`."""
    return datetime.fromtimestamp(at, UTC).strftime(HOUR_FORMAT)


def hour_of(path: Path) -> str:
    """Return the hour that the name of a log's file begins with, also while the file is being written."""
    return path.name.lstrip(".").partition("-")[0].partition(".")[0]


def log_files(place: Path) -> list[Path]:
    """Return the files of rows in a log's folder `v1`, by name; none where there is no such folder.

    Raise DataError for what is no regular file: opening a pipe would wait for ever.
    """
    found = sorted(place.glob("*.jsonl"))
    for path in found:
        if path.exists() and not path.is_file():  # one that is gone is past its retention
            raise DataError(f"{path}: no regular file, so it holds no rows; delete it")
    return found


def new_worker_name() -> str:
    """Return a number that no other process has, on this machine, on another, or later: files are named by it.

    The process id alone does not do: in each of two containers that share a folder it may be 7.
    """
    return f"{os.getpid()}{secrets.randbelow(10**9):09d}"


def new_reading_id(at: float, worker: str) -> str:
    """Name a reading, and by hour and worker the file of its observation: `20261121T08-4711-9f3c52d0a1b4`.

    The first four of the last digits state the time within the hour, so that the row is found by it.
    """
    part = int(at % HOUR_SECONDS * PARTS_OF_HOUR / HOUR_SECONDS)
    return f"{hour(at)}-{worker}-{part:04x}{secrets.token_hex(4)}"


def time_of(reading_id: str) -> float:
    """Return the time that a reading id states, in Unix seconds. Raise ValueError where it states none."""
    begun = datetime.strptime(reading_id.partition("-")[0], HOUR_FORMAT).replace(tzinfo=UTC).timestamp()
    part = int(reading_id.rpartition("-")[2][:4], 16)
    return begun + (part + 0.5) * HOUR_SECONDS / PARTS_OF_HOUR
