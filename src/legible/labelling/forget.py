"""Forget readings: image, observation, labels, corrections, what asks for a label, the label queue and the data set."""

import shutil
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path

from legible.data.sources import add, drop, listed, raw_folder
from legible.data.transcribed import INDEX
from legible.errors import DataError
from legible.files import write_text
from legible.labelling.label_source import read_index, write_index
from legible.labelling.wanted import load_wanted, save_wanted
from legible.observations.forget import forget_images, forget_rows
from legible.observations.forget_stored import StoredForgotten, forget_stored
from legible.observations.layout import READING_ID


@dataclass(frozen=True)
class Held:
    """The folders in which something may be held of a reading."""

    observations: Path
    images: Path
    labels: Path
    corrections: Path
    queue: Path
    shadow: Path
    root: Path
    """The project whose data set may hold labels."""
    store: str = ""
    """The store that services send observations to, where there is one."""
    collector: str = ""
    """The collector that they send them to, which nothing can be deleted from here."""


@dataclass(frozen=True)
class Forgotten:
    """How much was deleted, by place."""

    images: int
    observations: int
    labels: int
    corrections: int
    queue: int
    shadow: int
    samples: int
    stored: int = 0
    unreached: tuple[str, ...] = ()
    """A sentence for each place that could not be reached, in which something may still be held."""

    def said(self) -> str:
        counts = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "unreached"}
        counted = [f"{count} {name}" for name, count in counts.items() if count]
        return f"deleted: {', '.join(counted)}" if counted else "nothing was held of it" + self._as_far_as_reached()

    def _as_far_as_reached(self) -> str:
        return " where it could be looked for" if self.unreached else ""


def forget(readings: Collection[str], held: Held) -> Forgotten:
    """Delete all that is held of some readings. Raise DataError for what is no reading id, with nothing deleted."""
    wrong = [reading for reading in readings if not READING_ID.fullmatch(reading)]
    if wrong:
        raise DataError(f"{wrong[0][:80]!r} is no reading id; an answer of the service names it: reading_id")
    readings = frozenset(readings)
    wanted = load_wanted(held.labels)
    if wanted & readings:
        save_wanted(held.labels, wanted - readings)
    stored = forget_stored(held.store, readings) if held.store else StoredForgotten(0)
    return Forgotten(
        images=forget_images(held.images, readings),
        observations=forget_rows(held.observations, readings),
        labels=forget_rows(held.labels, readings),
        corrections=forget_rows(held.corrections, readings),
        queue=_forget_queue(held.queue, readings),
        shadow=forget_rows(held.shadow, readings),
        samples=sum(_forget_samples(held.root, name, readings) for name in sources_of_labels(held.root)),
        stored=stored.rows,
        unreached=(*stored.unreached, *_beyond(held)),
    )


def _beyond(held: Held) -> list[str]:
    """Return a sentence for a place that services send to, and that nothing is deleted from."""
    if not held.collector:
        return []
    return [f"{held.collector}: a collector holds what it was sent; delete the records of legible.observation there"]


def sources_of_labels(root: Path) -> list[str]:
    """Return the names of the listed sources that `legible data add labels` made."""
    return [source.name for source in listed(root) if source.kind == "labels"]


def _forget_queue(folder: Path, readings: Collection[str]) -> int:
    """Delete images and rows of a queue that `legible queue` wrote."""
    index = folder / INDEX
    if not index.is_file():
        return 0
    head, *rows = index.read_text(encoding="utf-8").splitlines()
    gone = [row for row in rows if Path(row.partition("\t")[0]).stem in readings]
    for row in gone:
        (folder / row.partition("\t")[0]).unlink(missing_ok=True)
    if gone:
        write_text(index, "\n".join([head, *(row for row in rows if row not in gone)]) + "\n")
    return len(gone)


def _forget_samples(root: Path, name: str, readings: Collection[str]) -> int:
    """Take readings out of a source of labels; an image that no other reading showed goes with its last one."""
    folder = raw_folder(root, name)
    rows = read_index(folder)
    kept = [replace(row, readings=tuple(one for one in row.readings if one not in readings)) for row in rows]
    if kept == rows:
        return 0
    left = [row for row in kept if row.readings]
    for row in kept:
        if not row.readings:
            (folder / row.path).unlink(missing_ok=True)
    write_index(folder, left)
    if left:
        add(root, kind="labels", path=folder, name=name)
    else:
        drop(root, name)
        shutil.rmtree(folder)
    return len(rows) - len(left)
