"""How labelled images were drawn: labels of images that are kept at random tell what is right of all that was read.

An image that was chosen for doubt or unusualness has no known probability of being labelled: which ones are chosen
depends on what was read before. So its label says nothing of the others, and is counted apart.
"""

from dataclasses import dataclass
from pathlib import Path

from legible.labelling.labels import Label, LabelBook, read_rows


@dataclass(frozen=True)
class DrawnLabels:
    """Texts by reading id of images that were drawn at random; how many others were chosen, or drawn who knows how.

    `unreadable` counts images that were drawn at random and that nobody can read: right and wrong mean nothing there.
    """

    texts: dict[str, str]
    chosen: int
    unknown: int
    unreadable: int


def drawn_labels(folder: Path) -> DrawnLabels:
    """Read a folder of labels, the newest one of each image. Raise DataError for no folder."""
    book = LabelBook.of(read_rows(folder))
    newest: dict[str, Label] = {}
    for label in sorted(book.labels.values(), key=lambda one: one.at):
        newest[label.reading_id] = label
    said = [label for _, label in sorted(newest.items()) if label.verdict != "skip"]
    blind = [label for label in said if label.drawn == "blind"]
    return DrawnLabels(
        {label.reading_id: label.text for label in blind if label.verdict != "unreadable"},
        sum(label.drawn == "chosen" for label in said),
        sum(label.drawn not in ("blind", "chosen") for label in said),
        sum(label.verdict == "unreadable" for label in blind),
    )
