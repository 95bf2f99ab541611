"""Private parts of prometheus_client: its histogram's buckets, and the files in which each worker counts."""

import shutil
from bisect import bisect_left
from collections import Counter as CountOf
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from prometheus_client import Histogram
from prometheus_client.mmap_dict import MmapedDict

from legible.locks import lock_file
from legible.service.parent import is_alive

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


def locked(folder: Path) -> AbstractContextManager[None]:
    """Hold the folder's lock: no other worker folds or collects meanwhile, so that no count is seen twice or not."""
    return lock_file(folder / ".lock")


def fold_dead_workers(folder: Path) -> None:
    """Add what dead workers counted to one file of a kind, and remove theirs; their gauges are gone with them.

    Files are named `<kind>_<pid>.db`. Call it with the folder locked.
    """
    dead: dict[str, list[Path]] = defaultdict(list)
    for path in folder.glob("*.db"):
        kind, _, pid = path.stem.rpartition("_")
        if pid.isdecimal() and pid != FOLDED and not is_alive(int(pid)):
            dead[kind].append(path)
    for kind, paths in dead.items():
        if not kind.startswith("gauge"):
            _fold(folder / f"{kind}_{FOLDED}.db", paths)
        for path in paths:
            path.unlink(missing_ok=True)


def _fold(whole: Path, paths: Sequence[Path]) -> None:
    """Write the sums beside their place, and rename them into it."""
    fresh = whole.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    if whole.exists():
        shutil.copyfile(whole, fresh)
    sums = MmapedDict(str(fresh))  # type: ignore[no-untyped-call]
    for path in paths:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    fresh.replace(whole)
