"""The readings that are to be labelled first: `wanted.json` beside the labels, written by `legible respond`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from legible.errors import DataError
from legible.files import JsonFormat
from legible.locks import lock_file

FORMAT = JsonFormat("list of wanted labels", 1, "run legible respond queue again", DataError)
FILE = "wanted.json"


@contextmanager
def changed_wanted(labels: Path) -> Iterator[set[str]]:
    """Yield the reading ids to change, and write them when the block ends; whoever else changes them waits."""
    labels.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock_file(labels / f".{FILE}.lock"):
        wanted = set(load_wanted(labels))
        yield wanted
        save_wanted(labels, wanted)


def save_wanted(labels: Path, readings: Iterable[str]) -> None:
    """Write the list where it differs from the one that is there."""
    wanted = sorted(readings)
    if wanted == sorted(load_wanted(labels)):
        return
    labels.mkdir(mode=0o700, parents=True, exist_ok=True)
    FORMAT.save(labels / FILE, {"readings": wanted})


def load_wanted(labels: Path) -> frozenset[str]:
    """Return the reading ids; none where nothing is asked for."""
    path = labels / FILE
    if not path.is_file():
        return frozenset()
    with FORMAT.parse(path) as content:
        readings = content["readings"]
        if not isinstance(readings, list):
            raise TypeError("readings is no list")
        return frozenset(str(reading) for reading in readings)
