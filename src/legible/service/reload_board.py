"""Where the worker processes of one service tell each other which bundle each model is served by now."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from legible.files import write_text
from legible.service.internals.of_prometheus import locked

log = logging.getLogger(__name__)
FILE = "reloads.json"
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the folder that all workers of a service have, and no other service."""


class ReloadBoard:
    """A file with the bundle id of each model that was reloaded; without a folder there is one worker alone."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder else None
        self._seen = self._stamp()

    @staticmethod
    def of_service() -> "ReloadBoard":
        return ReloadBoard(Path(os.environ[SHARED_FOLDER]) if SHARED_FOLDER in os.environ else None)

    @property
    def has_news(self) -> bool:
        return self._path is not None and self._stamp() != self._seen

    def news(self) -> dict[str, str]:
        """Return the bundle id of each model that was ever reloaded; from now on that is no news."""
        self._seen = self._stamp()
        return self._read()

    def announce(self, name: str, bundle_id: str) -> None:
        if self._path is None:
            return
        with locked(self._path.parent):
            write_text(self._path, json.dumps(self._read() | {name: bundle_id}))
        self._seen = self._stamp()

    def _read(self) -> dict[str, str]:
        """Return what was announced; nothing where the file is damaged, which the next announcement writes anew."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read (%s); reloads before it are not known to this worker", self._path, error)
            return {}
        rows = content.items() if isinstance(content, dict) else ()
        return {name: bundle_id for name, bundle_id in rows if isinstance(bundle_id, str)}

    def _stamp(self) -> tuple[int, int]:
        """Return what changes with each announcement: a file is renamed into its place, so its inode is a new one."""
        if self._path is not None:
            with suppress(OSError):
                found = os.stat(self._path)  # noqa: PTH116  # for each request, and a Path costs three times as much
                return found.st_mtime_ns, found.st_ino
        return 0, 0
