"""Private parts of prometheus_client: its histogram's buckets, and the files in which each worker counts."""

import errno
import logging
import mmap
import os
import shutil
from bisect import bisect_left
from collections import Counter as CountOf
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import prometheus_client.values
from prometheus_client import Histogram
from prometheus_client.mmap_dict import MmapedDict

from legible.locks import lock_file
from legible.service.mapped_files import fill_with_zeros
from legible.service.parent import is_alive

log = logging.getLogger(__name__)
FILE_BYTES = 1 << 16
"""The size of a new file."""
MEMORY_BYTES = 1 << 24
"""The most bytes of counts in memory; only those that are used take some."""
ENTRY_BYTES = 32
"""What an entry takes at most beside its key."""
FOLDED = "0"
"""The name that takes the place of a process id in the files of what dead workers counted."""


class ManyHistogram(Histogram):
    """A histogram that takes many values at once, at the price of few: a worker writes each count to a shared file."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Do the same as `observe` of each."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        self._sum.inc(sum(values))
        for bucket, count in CountOf(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[bucket].inc(count)


class AllocatedDict(MmapedDict):
    """The counts of a process in a file that has its bytes on the disk; in memory, where the disk is full.

    Those in memory are seen by nobody, but the process lives and answers.
    """

    is_on_disk = True

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002  # as the library has it
        try:
            if not read_mode:
                fill_with_zeros(Path(filename), FILE_BYTES)
        except OSError as error:
            self._f, self._fname, self._positions, self._used = None, filename, {}, 8  # type: ignore[assignment]
            self._count_in_memory(b"", error)
        else:
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        needed = self._used + len(key.encode()) + ENTRY_BYTES
        if self.is_on_disk and needed > self._capacity:
            try:
                fill_with_zeros(Path(self._fname), 2 * self._capacity)
            except OSError as error:
                self._count_in_memory(self._m[: self._used], error)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _count_in_memory(self, content: bytes, error: OSError) -> None:
        log.error("%s: %s; what this process counts is not in /metrics", self._fname, error.strerror)
        self.is_on_disk = False
        self._m, self._capacity = mmap.mmap(-1, MEMORY_BYTES), MEMORY_BYTES
        self._m[: len(content)] = content


def use_allocated_files() -> None:
    """Have the library count in such files. Call it before the first metric is made."""
    prometheus_client.values.MmapedDict = AllocatedDict  # type: ignore[attr-defined]


def locked(folder: Path) -> AbstractContextManager[None]:
    """Hold the folder's lock: no other worker folds or collects meanwhile, so that no count is seen twice or not."""
    return lock_file(folder / ".lock")


def fold_dead_workers(folder: Path) -> None:
    """Add what dead workers counted to one file of a kind, and remove theirs; their gauges are gone with them.

    Where the disk is full theirs stay as they are.

    Files are named `<kind>_<pid>.db`. Call it with the folder locked.
    """
    dead: dict[str, list[Path]] = defaultdict(list)
    for path in folder.glob("*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if pid.isdecimal() and pid != FOLDED and not is_alive(int(pid)):
            dead[kind].append(path)
    for kind, paths in dead.items():
        with suppress(OSError):
            if not kind.startswith("gauge"):
                _fold(folder / f"{kind}_{FOLDED}.db", paths)
            for path in paths:
                path.unlink(missing_ok=True)


def _fold(whole: Path, paths: Sequence[Path]) -> None:
    """Write the sums beside their place, and rename them into it. Raise OSError where there is no room for them."""
    fresh = whole.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    if whole.exists():
        shutil.copyfile(whole, fresh)
    fill_with_zeros(fresh, FILE_BYTES)
    sums = AllocatedDict(str(fresh))
    for path in paths:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    if not sums.is_on_disk:
        fresh.unlink(missing_ok=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(whole))
    sums.close()  # type: ignore[no-untyped-call]
    fresh.replace(whole)
