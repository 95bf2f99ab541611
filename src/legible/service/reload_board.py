"""Where the worker processes of one service tell each other which bundle each model is served by now."""

import json
import logging
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from legible.errors import DataError, LegibleError
from legible.files import write_text
from legible.locks import lock_file
from legible.untrusted_files import read_file

log = logging.getLogger(__name__)
FILE = "reloads.json"
LOCK = "reloads.lock"
"""The lock is not that of the metrics: a reload holds it for as long as a bundle takes to load."""
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the folder that all workers of a service have, and no other service."""
PAUSE_SECONDS = 5.0
"""The pause before a worker tries again to follow an announcement that it could not follow."""
MAX_BYTES = 1_000_000
"""The largest file of announcements; a larger one holds more than names of models and their bundles."""
Stamp = tuple[int, int]


class AnnouncementError(LegibleError):
    """A reload cannot be announced to the other workers."""


class ReloadBoard:
    """A file with the bundle id of each model that was reloaded; without a folder there is one worker alone.

    What is on the board is news to a worker until it says with `settle` that it has followed all of it.
    """

    def __init__(self, folder: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = folder / FILE if folder else None
        self._clock = clock
        self._read_at: Stamp = (0, 0)
        self._settled: Stamp = (0, 0)
        self._postponed: Stamp = (0, 0)
        self._again_at = 0.0

    @staticmethod
    def of_service() -> "ReloadBoard":
        return ReloadBoard(Path(os.environ[SHARED_FOLDER]) if SHARED_FOLDER in os.environ else None)

    @property
    def has_news(self) -> bool:
        """Whether there is an announcement to follow now. Postponed ones count again after a pause."""
        if self._path is None:
            return False
        stamp = self._stamp()
        return stamp != self._settled and (stamp != self._postponed or self._clock() >= self._again_at)

    def news(self) -> dict[str, str]:
        """Return the bundle id of each model that was ever reloaded."""
        self._read_at = self._stamp()  # first: what is announced meanwhile stays news
        return self._read()

    def settle(self) -> None:
        """Take what `news` returned for done."""
        self._settled = self._read_at

    def postpone(self) -> None:
        """Keep what `news` returned as news, for another try after a pause."""
        self._postponed, self._again_at = self._read_at, self._clock() + PAUSE_SECONDS

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the board from the reading of a folder to its announcement, so that both come in one order."""
        if self._path is None:
            yield
            return
        with ExitStack() as held:
            with _announcing(self._path):
                held.enter_context(lock_file(self._path.parent / LOCK))
            yield

    def announce(self, name: str, bundle_id: str, *, known: Collection[str]) -> None:
        """Tell all workers, this one too, by which bundle a model is served. Call it within a `turn`.

        `known` are the names of all models; what the file holds beside them is dropped. Raise AnnouncementError where
        the file cannot be written.
        """
        if self._path is None:
            return
        rows = {model: found for model, found in self._read().items() if model in known}
        with _announcing(self._path):
            write_text(self._path, json.dumps(rows | {name: bundle_id}))

    def _read(self) -> dict[str, str]:
        """Return what was announced; nothing where the file is damaged, which the next announcement writes anew."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            content = json.loads(read_file(self._path, limit=MAX_BYTES))
        except (OSError, ValueError, RecursionError, DataError) as error:
            log.warning("%s cannot be read (%s); reloads before it are not known to this worker", self._path, error)
            return {}
        rows = content.items() if isinstance(content, dict) else ()
        return {name: bundle_id for name, bundle_id in rows if isinstance(bundle_id, str)}

    def _stamp(self) -> Stamp:
        """Return what changes with each announcement: a file is renamed into its place, so its inode is a new one."""
        if self._path is not None:
            with suppress(OSError):
                found = os.stat(self._path)  # noqa: PTH116  # for each request, and a Path costs three times as much
                return found.st_mtime_ns, found.st_ino
        return 0, 0


@contextmanager
def _announcing(path: Path) -> Iterator[None]:
    """Raise AnnouncementError where the file of announcements, or its lock, cannot be written."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        reason = getattr(error, "strerror", None) or str(error)
        raise AnnouncementError(
            f"{path.name} cannot be written ({reason}), so other workers would not follow"
        ) from error
