"""Observe readings that no service makes: those of `legible read` and `legible page`, for `legible drift` to judge."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from legible.arrays import GreyImage
from legible.observations.layout import new_reading_id
from legible.observations.log import RowLog
from legible.observations.origin import digest, shared_key
from legible.observations.row import observe
from legible.reading import Reading

CHANNEL = "command"
"""The channel of readings whose caller names none."""
RETENTION_DAYS, RETENTION_BYTES = 30, 1_000_000_000
QUEUE_SIZE = 1000


@dataclass(frozen=True)
class NamedOrigin:
    """The origin of images as the caller names it; an observation holds digests of document and sender."""

    channel: str = ""
    document: str = ""
    sender: str = ""
    lexicon: str = ""
    """The lexicon whose words were preferred."""


class Recorder(AbstractContextManager["Recorder"]):
    """Writes an observation for each reading to a log's folder, as the service does; leaving it writes what waits."""

    def __init__(self, folder: Path, *, bundle: str, clock: Callable[[], float] = time.time) -> None:
        self._worker = str(os.getpid())
        self._bundle = bundle
        self._clock = clock
        self._key = shared_key(folder)
        self.lost = 0
        """The number of observations that could not be written."""
        self._log = RowLog(
            folder,
            worker=self._worker,
            queue_size=QUEUE_SIZE,
            retention_days=RETENTION_DAYS,
            retention_bytes=RETENTION_BYTES,
            on_lost=self._count_lost,
        )

    def record(self, image: GreyImage, reading: Reading, origin: NamedOrigin) -> str:
        """Observe one reading and return its id; where the disk is slower than reading, wait for it."""
        at = self._clock()
        reading_id = new_reading_id(at, self._worker)
        row = observe(
            image,
            reading,
            channel=origin.channel or CHANNEL,
            at=at,
            reading_id=reading_id,
            bundle=self._bundle,
            document=digest(origin.document, self._key),
            sender=digest(origin.sender, self._key),
            lexicon=origin.lexicon,
        )
        self._log.put_waiting(row)
        return reading_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close(timeout_seconds=60.0)

    def _count_lost(self, rows: int) -> None:
        self.lost += rows
