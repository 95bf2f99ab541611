"""Forget readings: image, observation, labels, corrections, what asks for a label, the label queue and the data set.

Observations tell which readings a channel has. They go last, so that a call that was cut off can be repeated.
"""

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path

from legible.data.sources import add, drop, listed, locked_labels, raw_folder
from legible.data.transcribed import INDEX
from legible.errors import DataError
from legible.files import replace_file, sha256_of
from legible.labelling.add_labels import unlisted_labels
from legible.labelling.label_source import read_index, write_index
from legible.labelling.wanted import changed_wanted, load_wanted
from legible.observations.forget import Unreached, forget_images, forget_rows
from legible.observations.forget_stored import forget_stored
from legible.observations.layout import READING_ID, time_of
from legible.untrusted_files import stays_inside

INDEX_STAYS = (
    "the observations of these readings stay, for a channel's readings are found by them: mend that, run again"
)


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
    wrong = [reading for reading in readings if not _is_reading_id(reading)]
    if wrong:
        raise DataError(f"{wrong[0][:80]!r} is no reading id; an answer of the service names it: reading_id")
    readings, unreached = frozenset(readings), Unreached()
    images = forget_images(held.images, readings, unreached)
    with unreached.noting(held.labels):
        _forget_wanted(held.labels, readings)
    labels = forget_rows(held.labels, readings, unreached)
    corrections = forget_rows(held.corrections, readings, unreached)
    queue = _forget_queue(held.queue, readings, unreached)
    shadow = forget_rows(held.shadow, readings, unreached)
    samples = _forget_samples(held.root, readings, unreached)
    stored = observations = 0
    if unreached.sentences:
        unreached.sentences.append(INDEX_STAYS)
    else:
        stored = _forget_stored(held.store, readings, unreached)
        observations = forget_rows(held.observations, readings, unreached)
    return Forgotten(
        images, observations, labels, corrections, queue, shadow, samples, stored,
        unreached=(*unreached.sentences, *_beyond(held)),
    )  # fmt: skip


def _is_reading_id(text: str) -> bool:
    """Return whether a service may have given this id, which states a time."""
    try:
        return bool(READING_ID.fullmatch(text) and time_of(text))
    except ValueError:
        return False


def _beyond(held: Held) -> list[str]:
    """Return a sentence for a place that services send to, and that nothing is deleted from."""
    if not held.collector:
        return []
    return [f"{held.collector}: a collector holds what it was sent; delete the records of legible.observation there"]


def sources_of_labels(root: Path) -> list[str]:
    """Return the names of the listed sources that `legible data add labels` made."""
    return [source.name for source in listed(root) if source.kind == "labels"]


def _forget_wanted(labels: Path, readings: Collection[str]) -> None:
    if not load_wanted(labels).isdisjoint(readings):
        with changed_wanted(labels) as wanted:
            wanted.difference_update(readings)


def _forget_queue(folder: Path, readings: Collection[str], unreached: Unreached) -> int:
    """Delete images and rows of a queue that `legible queue` wrote, and return how many readings these are of."""
    gone = set()
    for reading in readings:
        path = folder / "images" / f"{reading}.png"
        with unreached.noting(path):
            if path.is_file():
                path.unlink(missing_ok=True)
                gone.add(reading)
    with unreached.noting(folder / INDEX):
        gone |= _forget_queue_rows(folder, readings)
    return len(gone)


def _forget_queue_rows(folder: Path, readings: Collection[str]) -> set[str]:
    """Delete rows and the images that they name, and return the readings; all other bytes stay as people left them.

    Raise DataError for a table in which no rows can be told.
    """
    index = folder / INDEX
    if not index.is_file():
        return set()
    content = index.read_bytes()
    if b"\0" in content:
        raise DataError(
            f"{index}: no table in UTF-8, so its rows cannot be told; save it as UTF-8 with tabs, run again"
        )
    named = [(line, os.fsdecode(line.partition(b"\t")[0])) for line in content.split(b"\n")]
    gone = {Path(path).stem: path for _, path in named if Path(path).stem in readings}
    for path in gone.values():
        if stays_inside(path):
            (folder / path).unlink(missing_ok=True)
    if gone:
        with replace_file(index) as fresh:
            fresh.write_bytes(b"\n".join(line for line, path in named if Path(path).stem not in gone))
    return set(gone)


def _forget_samples(root: Path, readings: Collection[str], unreached: Unreached) -> int:
    """Take readings out of all sources of labels, and return how many images went with them."""
    names: list[str] = []
    with unreached.noting(root):
        names = [*unlisted_labels(root), *sources_of_labels(root)]
    gone = 0
    for name in names:
        with unreached.noting(raw_folder(root, name)), locked_labels(root, name) as folder:
            gone += _forget_source(root, name, folder, readings)
    return gone


def _forget_source(root: Path, name: str, folder: Path, readings: Collection[str]) -> int:
    """Take readings out of a source of labels; an image that no other reading showed goes with its last one."""
    rows = read_index(folder)
    kept = [replace(row, readings=tuple(one for one in row.readings if one not in readings)) for row in rows]
    is_listed = name in sources_of_labels(root)
    if kept == rows and (_is_as_listed(root, name) or not is_listed):
        return 0
    gone = {new.path for old, new in zip(rows, kept, strict=True) if old.readings and not new.readings}
    left = [row for row in kept if row.path not in gone]
    for path in gone:
        (folder / path).unlink(missing_ok=True)
    write_index(folder, left)
    if left and is_listed:
        add(root, kind="labels", path=folder, name=name)
    elif not left:
        if is_listed:
            drop(root, name)
        shutil.rmtree(folder)
    return len(rows) - len(left)


def _is_as_listed(root: Path, name: str) -> bool:
    """Return whether the list knows the table as it is; a call that was cut off may have changed the table alone."""
    index = raw_folder(root, name) / INDEX
    sums = next((source.sha256 for source in listed(root) if source.name == name), {})
    return not index.is_file() or sums.get(INDEX) == sha256_of(index)


def _forget_stored(address: str, readings: Collection[str], unreached: Unreached) -> int:
    if not address:
        return 0
    with unreached.noting(address):
        stored = forget_stored(address, readings)
        unreached.sentences += stored.unreached
        return stored.rows
    return 0
