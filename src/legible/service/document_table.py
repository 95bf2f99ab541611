"""How many images of each document the workers of a service have read in this hour and the last, counted together.

The table is a file that all workers map into memory, so that a document whose images are spread over them is known. It
holds counts by hash, no names.
"""

import logging
import mmap
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.observations.layout import HOUR_SECONDS
from legible.recognition.named_bundles import DEFAULT
from legible.service.internals.of_prometheus import locked
from legible.service.mapped_files import fill_with_zeros

log = logging.getLogger(__name__)
FILE = "documents_{model}.bin"
"""A table for each model, named by it: rules compare the images of one model."""
SLOTS, BUCKETS = 2, 65_536
"""An hour each; documents that meet in a bucket count as one."""
HEADER = SLOTS
"""The hours of the slots come before their counts."""


@dataclass(frozen=True)
class DocumentTally:
    """What some images add: documents that they begin, and ordered pairs of images of one document."""

    begun: int
    pairs: int


class DocumentTable:
    """Counts images by document. Without a folder the counts are of this process alone."""

    def __init__(self, folder: Path | None, *, model: str = DEFAULT) -> None:
        self._folder = folder
        self._cells = _mapped(folder / FILE.format(model=model)) if folder else _in_memory()
        self._hours = self._cells[:HEADER]
        self._counts = self._cells[HEADER:].reshape(SLOTS, BUCKETS)

    @staticmethod
    def of_environment(model: str) -> "DocumentTable":
        """Return the table of a model of the service that this worker belongs to."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        return DocumentTable(Path(folder) if folder else None, model=model)

    def add(self, documents: Sequence[str], *, at: float) -> DocumentTally:
        """Count images by their documents' digests, empty where an image has none; those are left out."""
        places = np.asarray([int(name[:8], 16) % BUCKETS for name in documents if name], np.intp)
        if not len(places):
            return DocumentTally(0, 0)
        found, counts = np.unique(places, return_counts=True)
        with self._lock():
            slot = self._slot(int(at // HOUR_SECONDS))
            before = self._counts[:, found].sum(axis=0).astype(np.int64)
            self._counts[slot, found] += counts.astype(np.uint32)
        pairs = counts * (counts - 1) + 2 * counts * before
        return DocumentTally(int((before == 0).sum()), int(pairs.sum()))

    def _lock(self) -> AbstractContextManager[None]:
        return locked(self._folder) if self._folder else nullcontext()

    def _slot(self, hour: int) -> int:
        """Return the slot of an hour; counts that are older than the hour before are forgotten."""
        for slot in range(SLOTS):
            if not hour - 1 <= int(self._hours[slot]) <= hour:
                self._counts[slot] = 0
                self._hours[slot] = 0
        slot = hour % SLOTS
        self._hours[slot] = hour
        return slot


def _in_memory() -> npt.NDArray[np.uint32]:
    return np.zeros(HEADER + SLOTS * BUCKETS, np.uint32)


def _mapped(path: Path) -> npt.NDArray[np.uint32]:
    """Return the file's cells, shared with all who map it; cells of this process alone where the disk is full."""
    size = (HEADER + SLOTS * BUCKETS) * np.dtype(np.uint32).itemsize
    try:
        with locked(path.parent):
            fill_with_zeros(path, size)
    except OSError as error:
        log.error("%s: %s; images of one document are counted by each worker alone", path.name, error.strerror)  # noqa: TRY400
        return _in_memory()
    with path.open("r+b") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint32)
