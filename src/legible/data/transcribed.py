"""A folder of transcribed images: `index.tsv` with the columns path and text, and writer or page and split where known.

The folder, or the one `.tar` in it, holds index.tsv and the images that its paths name.
"""

import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from legible.arrays import GreyImage
from legible.data.dataset import Kind, Split, Tally
from legible.data.options import SourceOptions
from legible.errors import DataError, ImageError
from legible.image.decode import decode
from legible.untrusted_files import (
    ARCHIVE_FAULTS,
    MAX_IMAGE_BYTES,
    MAX_TABLE_BYTES,
    parse_table,
    read_file,
    read_member,
    stays_inside,
)

INDEX = "index.tsv"
SHOWN = 10
"""The number of faulty lines that an error names."""


@dataclass(frozen=True)
class Transcription:
    """One row of the index."""

    path: str
    text: str
    writer: str
    split: Split | None = None
    """The split that the index states; None where it states none, and a hash of the writer decides."""

    @property
    def kind(self) -> Kind:
        return "line" if " " in self.text else "word"


@dataclass(frozen=True)
class TranscribedFolder:
    """A folder or archive whose index was read."""

    place: Path
    rows: tuple[Transcription, ...]
    options: SourceOptions = field(default_factory=SourceOptions)

    def images(self, tally: Tally) -> Iterator[tuple[Transcription, GreyImage]]:
        """Yield every row whose image can be decoded, in the order of the index; the tally names the others."""
        for row, content in self._contents():
            if self.options.leaves_out(row.text, row.path):
                tally.dropped[f"{row.kind}: left out by the source's options"] += 1
                continue
            try:
                yield row, self._band(decode(content()))
            except (ImageError, OSError, KeyError):
                tally.damaged.append(row.path)

    def _band(self, image: GreyImage) -> GreyImage:
        """Return the rows of an image that hold the text, where the options say which."""
        if not self.options.band:
            return image
        top, bottom = (round(fraction * len(image)) for fraction in self.options.band)
        return image[top : max(bottom, top + 1)]

    def _contents(self) -> Iterator[tuple[Transcription, Callable[[], bytes]]]:
        if self.place.is_dir():
            for row in self.rows:
                yield row, partial(read_file, self.place / row.path, limit=MAX_IMAGE_BYTES)
            return
        with tarfile.open(self.place) as tar:
            for row in self.rows:
                yield row, partial(_read, tar, row.path, limit=MAX_IMAGE_BYTES)


def open_transcribed(folder: Path, options: SourceOptions | None = None) -> TranscribedFolder:
    """Open a folder, the archive in it, or an archive.

    Raise DataError where there is no index.tsv, or where it lacks a row or column.
    """
    chosen = options or SourceOptions()
    if (folder / INDEX).is_file():
        return TranscribedFolder(
            folder, _rows(read_file(folder / INDEX, limit=MAX_TABLE_BYTES), folder, chosen), chosen
        )
    archives = sorted(folder.glob("*.tar")) if folder.is_dir() else [folder]
    if len(archives) != 1:
        raise DataError(f"{folder}: no {INDEX} here; write one with the columns path and text")
    return TranscribedFolder(archives[0], _rows(_packed_index(archives[0]), archives[0], chosen), chosen)


def _packed_index(archive: Path) -> bytes:
    try:
        with tarfile.open(archive) as tar:
            return _read(tar, INDEX, limit=MAX_TABLE_BYTES)
    except KeyError as error:
        raise DataError(f"{archive}: no {INDEX} in it; add one with the columns path and text") from error
    except ARCHIVE_FAULTS as error:
        raise DataError(f"{archive}: no tar archive, or a damaged one; pack it anew") from error


def _read(tar: tarfile.TarFile, name: str, *, limit: int) -> bytes:
    return read_member(tar, tar.getmember(name), limit=limit)


def _rows(content: bytes, place: Path, options: SourceOptions) -> tuple[Transcription, ...]:
    table = parse_table(content, f"{place}: {INDEX}")
    lacking = {"path", "text"} - set(table.columns)
    if lacking:
        raise DataError(f"{place}: {INDEX} lacks the column {' and '.join(sorted(lacking))}")
    faulty = [str(line) for line, row in table.rows if not _is_whole(row)]
    if faulty:
        raise DataError(
            f"{place}: each row of {INDEX} needs a path in it, a tab and a text without tabs; mend "
            f"{'line' if len(faulty) == 1 else 'lines'} {', '.join(faulty[:SHOWN])}{' ...' if faulty[SHOWN:] else ''}"
        )
    _check_splits({row.get("split") or "" for _, row in table.rows}, place)
    return tuple(
        Transcription(
            row["path"],
            options.text(row["text"]),
            _writer(row, options),
            cast("Split | None", row.get("split") or None),
        )
        for _, row in table.rows
    )


def _check_splits(stated: Iterable[str], place: Path) -> None:
    unknown = sorted(set(stated) - {"", *get_args(Split)})
    if unknown:
        known = ", ".join(get_args(Split))
        raise DataError(f"{place}: {INDEX} names the split {unknown[0]!r}; known: {known}, or an empty cell")


def _is_whole(row: Mapping[str | None, Any]) -> bool:
    """Return whether a row has a path and a text (which may be empty) and nothing after the last column."""
    return row["text"] is not None and not any(row.get(None, ())) and bool(row["path"]) and stays_inside(row["path"])


def _writer(row: Mapping[str | None, Any], options: SourceOptions) -> str:
    """Return what may not be in two splits: the writer, else the page, else what the path names, else the image."""
    return row.get("writer") or row.get("page") or options.page_of(row["path"])
