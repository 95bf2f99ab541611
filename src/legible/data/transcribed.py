"""A folder of transcribed images: `index.tsv` with the columns path and text, and writer or page where they are known.

The folder, or the one `.tar` in it, holds index.tsv and the images that its paths name.
"""

import csv
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from legible.data.dataset import Kind, Tally
from legible.errors import DataError, ImageError
from legible.image.decode import GreyImage, decode

INDEX = "index.tsv"


@dataclass(frozen=True)
class Transcription:
    """One row of the index."""

    path: str
    text: str
    writer: str

    @property
    def kind(self) -> Kind:
        return "line" if " " in self.text else "word"


@dataclass(frozen=True)
class TranscribedFolder:
    """A folder or archive with an index, the index read."""

    place: Path
    rows: tuple[Transcription, ...]

    def images(self, tally: Tally) -> Iterator[tuple[Transcription, GreyImage]]:
        """Every row whose image can be decoded, in the order of the index; the others are named in the tally."""
        for row, content in self._contents():
            try:
                yield row, decode(content())
            except (ImageError, OSError, KeyError):
                tally.damaged.append(row.path)

    def _contents(self) -> Iterator[tuple[Transcription, Callable[[], bytes]]]:
        if self.place.is_dir():
            yield from ((row, (self.place / row.path).read_bytes) for row in self.rows)
            return
        with tarfile.open(self.place) as tar:
            for row in self.rows:
                yield row, lambda row=row: _read(tar, row.path)  # type: ignore[misc]


def open_transcribed(folder: Path) -> TranscribedFolder:
    """Raises DataError where no index.tsv is found, or it lacks a column."""
    if (folder / INDEX).is_file():
        return TranscribedFolder(folder, _rows((folder / INDEX).read_text(encoding="utf-8"), folder))
    archives = sorted(folder.glob("*.tar"))
    if len(archives) != 1:
        raise DataError(f"{folder}: no {INDEX} here; write one with the columns path and text")
    with tarfile.open(archives[0]) as tar:
        if INDEX not in tar.getnames():
            raise DataError(f"{archives[0]}: no {INDEX} in it; add one with the columns path and text")
        return TranscribedFolder(archives[0], _rows(_read(tar, INDEX).decode("utf-8"), archives[0]))


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _rows(text: str, place: Path) -> tuple[Transcription, ...]:
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    lacking = {"path", "text"} - set(reader.fieldnames or ())
    if lacking:
        raise DataError(f"{place}: {INDEX} lacks the column {' and '.join(sorted(lacking))}")
    return tuple(Transcription(row["path"], row["text"], _writer(row)) for row in reader)


def _writer(row: Mapping[str, str]) -> str:
    """The writer, else the page, else the image itself: what may not stand in two splits."""
    return row.get("writer") or row.get("page") or row["path"]
