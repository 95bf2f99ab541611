"""Add the labels of a service to the data set: the next version of one source, listed and put under DVC."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from legible.data.options import SourceOptions
from legible.data.sources import Source, add, locked_labels
from legible.labelling.label_source import LabelFolders, MadeLabels, make_labels
from legible.labelling.labels import read_rows
from legible.observations.corrections import read_corrections

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
    with locked_labels(root, told.name) as former, tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / told.name
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
    return source, made
