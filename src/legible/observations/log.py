"""The log that a service writes: rows as lines of JSON, a file for each hour and worker, from a thread of its own."""

import itertools
import os
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from legible.observations.layout import FOLDER, hour
from legible.observations.retention import Retention

BATCH = 500
GATHER_SECONDS = 0.2
"""The time that a row may wait for others to be written with."""
MAX_FILE_FRACTION = 0.1
"""A file that holds this fraction of the bytes allowed is put aside before its hour is over."""


class Row(Protocol):
    """A row of a log: a line of JSON, and the time it came to be."""

    @property
    def at(self) -> float: ...

    def to_json(self) -> str: ...


class RowLog:
    """Writes rows to `<folder>/v1/<hour>-<worker>.jsonl` from a thread of its own, a file for each hour (UTC).

    `put` never blocks and never raises: what a full queue or a failing disk costs is counted in `dropped` and `failed`,
    and told to `on_lost`. `Retention` deletes what is older than `retention_days` before the row that is written, and
    the oldest files while all hold more than about `retention_bytes`. A file that holds a tenth of these bytes before
    its hour is over is put aside as `<hour>-<worker>.<number>.jsonl`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        worker: str,
        queue_size: int,
        retention_days: int | None,
        retention_bytes: int | None = None,
        on_lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder = folder / FOLDER
        self._worker = worker
        self._retention = Retention(self._folder, days=retention_days, max_bytes=retention_bytes)
        self._max_bytes = retention_bytes
        self._on_lost = on_lost
        self._queue: queue.Queue[Row | None] = queue.Queue(maxsize=queue_size)
        self.written = 0
        self.dropped = 0
        self.failed = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observations", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> bool:
        """Queue one row, or drop and count it where the queue is full; tell whether it was queued."""
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            self.dropped += 1
            self._on_lost(1)
            return False
        return True

    def put_waiting(self, row: Row) -> None:
        """Queue one row, and wait for room: for a caller that nobody waits for."""
        self._queue.put(row)

    def close(self, *, timeout_seconds: float) -> None:
        """Write what is queued, for at most this long."""
        self._closing.set()
        try:
            self._queue.put(None, timeout=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        running = True
        while running:
            batch = self._next_batch()
            running = None not in batch
            self._write([row for row in batch if row is not None])

    def _next_batch(self) -> list[Row | None]:
        """Wait for the next row and those soon after it: opening a file for each would cost as much as reading."""
        batch = [self._queue.get()]
        self._closing.wait(GATHER_SECONDS)
        while batch[-1] is not None and len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _write(self, batch: Sequence[Row]) -> None:
        by_hour = defaultdict(list)
        for row in batch:
            by_hour[hour(row.at)].append(row)
        for name, rows in by_hour.items():
            try:
                self._append(name, rows)
            except (OSError, ValueError):  # a full disk, or half a character in a text: the thread goes on
                self.failed += len(rows)
                self._on_lost(len(rows))

    def _append(self, name: str, rows: Sequence[Row]) -> None:
        now = rows[0].at
        self._folder.mkdir(parents=True, exist_ok=True)
        self._retention.before_write(now)
        path = self._folder / f"{name}-{self._worker}.jsonl"
        content = "".join(f"{row.to_json()}\n" for row in rows).encode()
        with path.open("ab") as file:
            file.write(b"\n" + content if is_torn(path) else content)
        self.written += len(rows)
        if self._retention.is_due(written=len(content)):
            self._put_aside(path)
            self._retention.delete_beyond_bytes(now)

    def _put_aside(self, path: Path) -> None:
        """Rename a large file, so that a busy hour consists of several, the oldest of which can be deleted."""
        if self._max_bytes is None:
            return
        with suppress(FileNotFoundError):  # another worker took it for the oldest
            if path.stat().st_size >= MAX_FILE_FRACTION * self._max_bytes:
                path.rename(_first_free(path))


def _first_free(path: Path) -> Path:
    """Return the first name that is not taken: `20261121T08-4711.jsonl` -> `20261121T08-4711.1.jsonl`, or the next."""
    names = (path.with_name(f"{path.stem}.{number}.jsonl") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def append_durably(path: Path, row: str, *, mode: int = 0o666) -> None:
    """Append a row to a file that this process alone writes, and wait for the disk. Raise OSError where it is not kept.

    `mode` holds for a new file.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, mode)
    with os.fdopen(handle, "r+b") as file:
        file.write((b"\n" if is_torn(path) else b"") + row.encode() + b"\n")
        file.flush()
        os.fsync(handle)


def is_torn(path: Path) -> bool:
    """Tell whether a full disk or a killed process left a line without its end."""
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"
