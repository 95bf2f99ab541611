"""The retention of a log: a number of days, and a number of bytes in all, for rows and for images alike.

The clock may jump, and the log must outlive it. Where it jumps ahead, every file looks too old: none is deleted until a
second hour agrees. Where it jumps back, files are left that are dated ahead: they count as written when the file system
says, and where that is ahead too, as written now, which is noted as their time of modification.
"""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from legible.observations.layout import hour, hour_of

LOOKS = 100
"""The bytes allowed are looked after each time that this fraction of them was written."""
HOUR = re.compile(r"[0-9]{8}T[0-9]{2}")
DAY_SECONDS = 86_400


@dataclass(frozen=True, order=True)
class StoredFile:
    """A file of a log, in order of age: the hour it belongs to, its time of modification, its bytes, its path."""

    hour: str
    modified_ns: int
    size: int
    path: Path


class Retention:
    """Deletes files of the log in `folder`, other workers' too; None keeps all."""

    def __init__(self, folder: Path, *, days: int | None, max_bytes: int | None) -> None:
        self._folder = folder
        self._days = days
        self._max_bytes = max_bytes
        self._hour = ""
        self._written = 0

    def before_write(self, now: float) -> None:
        """Look after the files where the hour is another than at the last look, be it later or earlier."""
        if hour(now) == self._hour:
            return
        self._hour = hour(now)
        self._delete_old(now)
        self.delete_beyond_bytes(now)

    def is_due(self, *, written: int) -> bool:
        """Note that so many bytes were written, and tell whether it is time to call `delete_beyond_bytes`."""
        if self._max_bytes is None:
            return False
        self._written += written
        if self._written * LOOKS < self._max_bytes:
            return False
        self._written = 0
        return True

    def _delete_old(self, now: float) -> None:
        if self._days is None:
            return
        oldest = hour(max(now - self._days * DAY_SECONDS, 0.0))
        files = self._files(now)
        if all(file.hour < oldest for file in files if file.hour != self._hour):  # the clock may have jumped
            return
        self._delete(file.path for file in files if file.hour < oldest)

    def delete_beyond_bytes(self, now: float) -> None:
        """Delete the oldest files while all hold more than the bytes allowed."""
        if self._max_bytes is None:
            return
        left, beyond = self._max_bytes, []
        for file in sorted(self._files(now), reverse=True):
            left -= file.size
            if left < 0:
                beyond.append(file.path)
        self._delete(beyond)

    def _files(self, now: float) -> list[StoredFile]:
        found = (_stored(path, now) for path in self._folder.rglob("*") if HOUR.fullmatch(hour_of(path)))
        return [file for file in found if file is not None]

    def _delete(self, paths: Iterable[Path]) -> None:
        folders = set()
        for path in paths:
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders - {self._folder}:
            with suppress(OSError):  # another file is still in it, or it is gone
                folder.rmdir()


def _stored(path: Path, now: float) -> StoredFile | None:
    """Return what is known of a file; None for what is no file, and for one that another worker has just deleted."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None
        if hour_of(path) <= hour(now):
            return StoredFile(hour_of(path), status.st_mtime_ns, status.st_size, path)
        if status.st_mtime > now:
            os.utime(path, (now, now))
        return StoredFile(hour(min(status.st_mtime, now)), status.st_mtime_ns, status.st_size, path)
    except FileNotFoundError:
        return None
