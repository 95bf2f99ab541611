"""The readings on which a champion and its candidate differ, by the shadow log of a service."""

from pathlib import Path

from legible.errors import DataError
from legible.observations.layout import FOLDER
from legible.observations.shadow import ShadowTally, read_shadow


class Disputes:
    """Reads the log afresh where it has grown. Without a log, or with one of another format, nothing is disputed."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._sizes: tuple[tuple[str, int], ...] = ()
        self._readings: frozenset[str] = frozenset()

    def readings(self) -> frozenset[str]:
        """Return the ids of the readings on which the two differ."""
        if self._folder is None or not (self._folder / FOLDER).is_dir():
            return frozenset()
        files = sorted((self._folder / FOLDER).glob("*.jsonl"))
        sizes = tuple((path.name, path.stat().st_size) for path in files)
        if sizes != self._sizes:
            self._sizes, self._readings = sizes, self._read(self._folder)
        return self._readings

    @staticmethod
    def _read(folder: Path) -> frozenset[str]:
        try:
            rows = read_shadow(folder, tally=ShadowTally())
            return frozenset(row.reading_id for row in rows if not row.agrees)
        except (DataError, FileNotFoundError):  # labelling goes on without them
            return frozenset()
