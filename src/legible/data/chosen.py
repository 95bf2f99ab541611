"""A data set that shares its shards with a larger one and holds the samples of some of its sources alone."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from legible.data.dataset import FORMAT, LATER, Dataset
from legible.data.sources import GENERATED
from legible.errors import DataError
from legible.files import replace_folder


def open_sources(data_set: Dataset) -> list[str]:
    """Return the sources that anyone may use for any purpose: generated images, and those whose terms say so."""
    return [
        name
        for name in data_set.manifest.present
        if name.startswith(GENERATED) or name in data_set.manifest.open_sources
    ]


def closed_sources(data_set: Dataset) -> list[str]:
    """Return the sources that are here and not open."""
    return sorted(set(data_set.manifest.present) - set(open_sources(data_set)))


def choose_sources(data_set: Dataset, folder: Path, sources: Sequence[str]) -> Dataset:
    """Write a data set of some sources into a folder: links to the shards, and a manifest of what is chosen.

    Raise DataError for a source that the data set does not hold, and for none.
    """
    missing = sorted(set(sources) - set(data_set.manifest.present))
    if missing or not sources:
        raise DataError(f"{data_set.folder} holds no source {', '.join(missing) or 'of those asked for'}")
    counts = {
        split: {group: count for group, count in groups.items() if group.split("/")[0] in sources}
        for split, groups in data_set.manifest.counts.items()
    }
    manifest = dataclasses.replace(
        data_set.manifest,
        counts={split: groups for split, groups in counts.items() if groups},
        present=sorted(sources),
        absent=sorted({*data_set.manifest.absent, *data_set.manifest.present} - set(sources)),
        chosen=sorted(sources),
    )
    with replace_folder(folder) as fresh:
        for name in manifest.shards:
            (fresh / name).symlink_to((data_set.folder / name).resolve())
        stated = {name: value for name, value in dataclasses.asdict(manifest).items() if name not in LATER or value}
        FORMAT.save(fresh / "manifest.json", stated)
    return Dataset.open(folder)
