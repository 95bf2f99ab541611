"""The layout of a log: a folder `v1` with files whose names begin with their hour (UTC), as reading ids do."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

FOLDER = "v1"
"""The version of the folder's layout; rows have a version of their own."""
HOUR_FORMAT = "%Y%m%dT%H"
READING_ID = re.compile(r"[0-9]{8}T[0-9]{2}-[0-9]+-[0-9a-f]{12}")


def hour(at: float) -> str:
    """Return the hour of a time in Unix seconds: `20261121T08`."""
    return datetime.fromtimestamp(at, UTC).strftime(HOUR_FORMAT)


def hour_of(path: Path) -> str:
    """Return the hour that the name of a log's file begins with, also while the file is being written."""
    return path.name.lstrip(".").partition("-")[0].partition(".")[0]


def new_reading_id(at: float, worker: str) -> str:
    """Name a reading, and by hour and worker the file of its observation: `20261121T08-4711-9f3c52d0a1b4`."""
    return f"{hour(at)}-{worker}-{secrets.token_hex(6)}"
