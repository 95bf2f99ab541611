"""Labels as a source of the data set: each image once, split by document, with a held-out tenth of every version.

The source is a folder of transcribed images (`data.transcribed`) that grows: labels and kept images may be deleted
after their retention, what was added stays. A row keeps its split for ever.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from legible.arrays import GreyImage
from legible.data.dataset import Split
from legible.data.transcribed import INDEX
from legible.errors import DataError, ImageError, NoLabelsError
from legible.files import write_text
from legible.image.decode import decode
from legible.labelling.label_splits import assign_splits
from legible.labelling.labels import Label, LabelBook
from legible.labelling.verdicts import LabelVote, decide
from legible.observations.image_log import kept_image
from legible.observations.lookup import find_row
from legible.untrusted_files import MAX_TABLE_BYTES, parse_table, read_file, stays_inside

COLUMNS = ("path", "text", "writer", "split", "version", "readings", "channel", "drawn")
MAX_HEADING = 1000
DELETED = "the image was deleted before its label was added"
TAKEN_BACK = "its label was taken back"
VERSION = re.compile("[0-9]{1,9}")
SHOWN = 10
"""The number of damaged lines that an error names."""
SHOWN_DIGITS = 24
"""How many digits of an image's sha256 name its file."""


@dataclass(frozen=True)
class LabelledImage:
    """One row of the source's index. `writer` is the group that is never in two splits."""

    path: str
    text: str
    writer: str
    split: Split
    version: int
    readings: tuple[str, ...]
    channel: str = ""
    drawn: str = ""

    def cells(self) -> tuple[str, ...]:
        return (
            self.path, self.text, self.writer, self.split, str(self.version), " ".join(self.readings), self.channel,
            self.drawn,
        )  # fmt: skip


@dataclass(frozen=True)
class MadeLabels:
    """The outcome: all rows, the number of the newest version, and how many images were left out, by reason."""

    rows: tuple[LabelledImage, ...]
    left_out: Mapping[str, int]

    @property
    def version(self) -> int:
        return max((row.version for row in self.rows), default=0)

    def count(self, split: Split, *, version: int | None = None) -> int:
        return sum(row.split == split and version in (None, row.version) for row in self.rows)

    def summary(self) -> str:
        """Return two lines for people, and one for each reason why an image was left out."""
        new = sum(row.version == self.version for row in self.rows)
        lines = [f"version {self.version}: {len(self.rows)} images, {new} of them new in it"]
        lines.append(
            f"train {self.count('train')}, tune {self.count('tune')}, held out for judging {self.count('validation')}"
            f" ({self.count('validation', version=self.version)} of this version)"
        )
        return "\n".join([*lines, *(f"left out: {count} ({reason})" for reason, count in self.left_out.items())])


@dataclass(frozen=True)
class LabelFolders:
    """Where a service keeps what belongs to its labels."""

    images: Path
    observations: Path


@dataclass
class _Found:
    """One image with its readings, its file, and the votes on its text."""

    readings: list[str]
    file: Path
    votes: list[LabelVote]


def make_labels(
    rows: Sequence[Label], folders: LabelFolders, *, former: Path, out: Path, corrections: Mapping[str, str]
) -> MadeLabels:
    """Write the next version of a source to `out`: that of the folder `former`, if it is there, and what is new.

    `corrections` are texts by reading id, of readings that nobody labelled. Raise NoLabelsError where nothing is left.
    """
    known = {row.path: row for row in read_index(former)}
    left_out: Counter[str] = Counter()
    votes = _votes(rows, corrections)
    found = {path: _Found(list(row.readings), former / path, _former_votes(row, votes)) for path, row in known.items()}
    _collect(found, votes, folders.images, left_out)
    texts = _decided(found, known, left_out)
    if not texts:
        raise NoLabelsError("no labelled image to add: label some at /label, with LEGIBLE_KEEP_IMAGES switched on")
    kept = [
        replace(row, readings=tuple(found[path].readings), text=texts[path])
        for path, row in known.items()
        if path in texts
    ]
    new = _described({path: image for path, image in found.items() if path in texts.keys() - known}, folders, rows)
    splits = assign_splits(known.values(), (row.writer for row in new))
    version = max((row.version for row in known.values()), default=0) + 1
    made = [*kept, *(replace(row, text=texts[row.path], split=splits[row.writer], version=version) for row in new)]
    ordered = tuple(sorted(made, key=lambda row: (row.version, row.path)))
    _write(out, ordered, {path: found[path].file for path in texts})
    return MadeLabels(ordered, left_out)


def read_index(folder: Path) -> list[LabelledImage]:
    """Return the rows of a source of labels; an empty list where there is none yet."""
    path = folder / INDEX
    if not path.is_file():
        return []
    table = parse_table(read_file(path, limit=MAX_TABLE_BYTES), str(path))
    if table.columns != COLUMNS:
        raise DataError(
            f"{path}: no source of labels (it needs the columns {', '.join(COLUMNS)}); choose another --name"
        )
    damaged = [str(number) for number, cells in table.rows if not _is_whole(cells)]
    if damaged:
        raise DataError(f"{path}: damaged in line {', '.join(damaged[:SHOWN])}; fetch it anew (dvc checkout, dvc pull)")
    return [_row(cells) for _, cells in table.rows]


def is_of_labels(folder: Path) -> bool:
    """Tell whether a folder's index begins as that of a source of labels."""
    with (folder / INDEX).open("rb") as file:
        return file.readline(MAX_HEADING).rstrip() == "\t".join(COLUMNS).encode()


def _is_whole(cells: Mapping[str | None, Any]) -> bool:
    """Return whether a row has each cell and no further one, and in them what `write_index` writes."""
    return (
        None not in cells
        and None not in cells.values()
        and stays_inside(cells["path"])
        and cells["split"] in get_args(Split)
        and bool(VERSION.fullmatch(cells["version"]))
    )


def _row(cells: Mapping[str | None, Any]) -> LabelledImage:
    return LabelledImage(
        path=cells["path"],
        text=cells["text"],
        writer=cells["writer"],
        split=cast("Split", cells["split"]),
        version=int(cells["version"]),
        readings=tuple(cells["readings"].split()),
        channel=cells["channel"],
        drawn=cells["drawn"],
    )


def write_index(folder: Path, rows: Iterable[LabelledImage]) -> None:
    lines = ["\t".join(COLUMNS), *("\t".join(row.cells()) for row in rows)]
    write_text(folder / INDEX, "\n".join(lines) + "\n")


def digest_of(image: GreyImage) -> str:
    """Return the digest of an image's pixels, the same for the same picture in any file format."""
    height, width = image.shape
    return hashlib.sha256(f"{height} {width} ".encode() + image.tobytes()).hexdigest()[:SHOWN_DIGITS]


def _former_votes(row: LabelledImage, votes: Mapping[str, list[LabelVote]]) -> list[LabelVote]:
    """Return the text of a former version as a vote where a label that it came of is past its retention."""
    return [LabelVote("text", row.text)] if any(reading not in votes for reading in row.readings) else []


def _collect(
    found: dict[str, _Found], votes: Mapping[str, list[LabelVote]], images: Path, left_out: Counter[str]
) -> None:
    """Enter what was said of each reading, and the images that are new, into what is known of images by path."""
    places = {reading: path for path, image in found.items() for reading in image.readings}
    for reading, said in votes.items():
        path = places.get(reading) or _place_of(reading, images, found)
        if path is None:
            left_out[DELETED] += bool(said)
            continue
        found[path].votes += said
        if reading not in found[path].readings:
            found[path].readings.append(reading)


def _votes(rows: Sequence[Label], corrections: Mapping[str, str]) -> dict[str, list[LabelVote]]:
    """Return what labellers say of each reading; nothing of one whose labels were all taken back."""
    votes: dict[str, list[LabelVote]] = {row.reading_id: [] for row in rows}
    for (reading, _), label in LabelBook.of(list(rows)).labels.items():
        votes[reading].append(LabelVote(label.verdict, label.text))
    for reading, text in corrections.items():
        if not votes.get(reading) and text.strip():
            votes[reading] = [LabelVote("text", " ".join(text.split()))]
    return votes


def _place_of(reading: str, images: Path, found: dict[str, _Found]) -> str | None:
    """Return the path of a reading's image in the source, entered into `found`; None where the image is gone."""
    file = kept_image(images, reading)
    try:
        image = decode(file.read_bytes()) if file is not None else None
    except (ImageError, FileNotFoundError):
        image = None
    if file is None or image is None:
        return None
    path = f"images/{digest_of(image)}.png"
    found.setdefault(path, _Found([], file, []))
    return path


def _decided(found: Mapping[str, _Found], known: Mapping[str, LabelledImage], left_out: Counter[str]) -> dict[str, str]:
    """Return the texts of the images that have one; the others are counted."""
    texts = {}
    for path, image in found.items():
        outcome = decide(image.votes)
        if outcome is not None and outcome.text:
            texts[path] = outcome.text
        elif outcome is not None or path in known:
            left_out[outcome.reason if outcome else TAKEN_BACK] += 1
    return texts


def _described(new: Mapping[str, _Found], folders: LabelFolders, rows: Sequence[Label]) -> list[LabelledImage]:
    """Return the rows of new images, with their group and channel; text, split and version are still open."""
    drawn = {row.reading_id: row.drawn for row in rows if row.drawn}
    described = []
    for path, image in new.items():
        first = min(image.readings)
        row = find_row(folders.observations, first)
        group = _group(path, row.document if row else "", row.sender if row else "")
        channel = row.channel if row else ""
        described.append(
            LabelledImage(path, "", group, "train", 0, tuple(image.readings), channel, drawn.get(first, ""))
        )
    return described


def _group(path: str, document: str, sender: str) -> str:
    """Return what is never in two splits: the document, else the sender, else, where neither was told, the image."""
    if document:
        return f"document-{document}"
    return f"sender-{sender}" if sender else f"image-{Path(path).stem}"


def _write(folder: Path, rows: Sequence[LabelledImage], files: Mapping[str, Path]) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for row in rows:
        (folder / row.path).write_bytes(files[row.path].read_bytes())
    write_index(folder, rows)
