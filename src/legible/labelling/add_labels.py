"""Add the labels of a service to the data set: the next version of one source, listed and put under DVC."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from legible.data.options import SourceOptions
from legible.data.sources import LABELS_LOCK, Source, add, listed, locked_labels
from legible.files import recover_folder
from legible.labelling.label_source import LabelFolders, MadeLabels, is_of_labels, make_labels
from legible.labelling.labels import read_rows
from legible.locks import lock_file
from legible.observations.corrections import read_corrections

SCRATCH = ".labels-"
"""The begin of the name of the folder in data/ in which the next version is made."""
TERMS = "labels of this service's own traffic"


@dataclass(frozen=True)
class Told:
    """What the list of sources states of the labels beyond what they hold."""

    name: str = "labels"
    terms: str = ""
    is_open: bool | None = None
    options: SourceOptions | None = None


def add_labels(
    root: Path, labels: Path, folders: LabelFolders, *, corrections: Path | None = None, told: Told | None = None
) -> tuple[Source, MadeLabels]:
    """Make the next version of root/data/raw/<name> of a folder of labels. Where nothing is new, nothing changes.

    Of two at once the second waits for the first, and goes on from its version. Raise NoLabelsError where there is no
    label, or none whose image is still there.
    """
    told = told or Told()
    texts = read_corrections(corrections) if corrections else {}
    with locked_labels(root, told.name) as former:
        remove_killed(root)
        fresh = Path(tempfile.mkdtemp(dir=root / "data", prefix=SCRATCH, suffix=".new")) / told.name
        try:
            made = make_labels(read_rows(labels), folders, former=former, out=fresh, corrections=texts)
            source = add(
                root,
                kind="labels",
                path=fresh,
                name=told.name,
                terms=told.terms or ("" if former.is_dir() else TERMS),
                is_open=told.is_open,
                options=told.options,
            )
        finally:
            shutil.rmtree(fresh.parent)
    return source, made


def remove_killed(root: Path) -> None:
    """Delete what killed commands made of labels and have not listed; only the holder of the labels' lock may."""
    for scratch in (root / "data").glob(f"{SCRATCH}*.new"):
        for made in scratch.iterdir():
            recover_folder(root / "data/raw" / made.name)
        shutil.rmtree(scratch)


def unlisted_labels(root: Path) -> list[str]:
    """Return the names of sources of labels that are here and not listed, as after a kill or `legible data drop`.

    Wait for a command that adds labels, and finish what a killed one left.
    """
    lock = root / LABELS_LOCK
    if lock.is_file():
        with lock_file(lock):
            remove_killed(root)
    names = {source.name for source in listed(root)}
    found = (path.parent for path in sorted((root / "data/raw").glob("*/index.tsv")))
    return [one.name for one in found if one.name not in names and not one.is_symlink() and is_of_labels(one)]
