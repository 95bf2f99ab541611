"""Whole pages with the boxes and texts of their lines or words: `pages.jsonl` beside `images/`, or both in one `.tar`.

Each row names an `image` and holds `lines` or `words`: `{"box": [left, top, right, bottom], "text": ...}`, with a
`polygon` where known. `text` may be null where `text_without_spaces` is known instead.
"""

import hashlib
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from legible.arrays import GreyImage
from legible.data.crops import Box, BoxCrop, Pixels, crop_box
from legible.data.dataset import Split, Tally
from legible.data.options import SourceOptions
from legible.data.page_index import INDEX, Page, PageText, pages_of
from legible.data.second_readings import SecondReading, open_second_readings
from legible.errors import DataError, ImageError
from legible.image.decode import DECODER_FAULTS, decode_opened, open_image
from legible.scores import Untold
from legible.untrusted_files import (
    ARCHIVE_FAULTS,
    MAX_IMAGE_BYTES,
    MAX_TABLE_BYTES,
    decode_text,
    read_file,
    read_member,
)

VALIDATION_LIST = "split_validation.txt"
"""The file that lists the pages of an official validation split, where a source has one."""
VALIDATION_FRACTION = 0.1
MIN_VALIDATION_PAGES = 10
MAX_VALIDATION_FRACTION = 0.5
"""The greatest fraction of pages that become `validation`, for sources with few pages."""
TUNE_FRACTION = 0.1
"""The fraction of the remaining pages that become `tune`."""
MIN_PIXELS = 5
"""The shortest side of a box; smaller ones cannot be read."""
MAX_CONTRADICTED = 0.2
"""The fraction of a page's labels that another reader may contradict before the others are doubted too."""
ON_ITS_SIDE = 1.5
"""A box more than this many times as high as wide, with several characters, holds a text that stands on its side."""


@dataclass(frozen=True)
class PageFolder:
    """A folder or archive of pages whose index was read."""

    place: Path
    pages: tuple[Page, ...]
    validation: tuple[str, ...] = ()
    options: SourceOptions = field(default_factory=SourceOptions)
    second_readings: Mapping[tuple[str, int], SecondReading] = field(default_factory=dict)

    def decided(self, page: Page, text: PageText) -> tuple[str, tuple[Untold, ...]]:
        """Return the text for training, its case and spaces decided by a second reading, and what is still untold."""
        reading = self.second_readings.get((page.path, text.number))
        return reading.decided(text.text, text.untold) if reading else (text.text, text.untold)

    @cached_property
    def doubtful_pages(self) -> frozenset[str]:
        """Return the names of pages with so many contradicted labels that the others are doubted too."""
        return frozenset(page.name for page in self.pages if self._contradicted(page) > MAX_CONTRADICTED)

    def _contradicted(self, page: Page) -> float:
        """Return the fraction of a page's labels that a second reading contradicts."""
        pairs = [(text, self.second_readings.get((page.path, text.number))) for text in page.texts]
        return sum(bool(reading and reading.contradicts(text.text)) for text, reading in pairs) / max(len(pairs), 1)

    def splits(self, source: str) -> dict[str, Split]:
        """Return the split of each page, by the page's name."""
        names = [page.name for page in self.pages]
        if self.validation:
            rest = [name for name in names if name not in self.validation]
            return {**_tune_and_train(source, rest), **dict.fromkeys(self.validation, "validation")}
        return splits_of(source, names)

    def crops(self, tally: Tally) -> Iterator[tuple[Page, PageText, GreyImage, Box]]:
        """Yield every text that can be cut out of its page: page, text, grey crop, and box in the crop.

        The tally gets the reasons for all others.
        """
        for page, content in self._contents():
            try:
                pixels = _pixels(content())
            except (ImageError, OSError, KeyError):
                tally.damaged.append(page.path)
                continue
            boxes = [text.box for text in page.texts]
            for text in page.texts:
                reason = _misplaced(page, text, pixels) or self._left_out(page, text)
                if reason:
                    tally.dropped[reason] += 1
                    continue
                crop = crop_box(pixels, text.box, polygon=text.polygon, neighbours=boxes)
                yield page, text, grey(crop), crop.box

    def _left_out(self, page: Page, text: PageText) -> str:
        """Return why a text is left out, or an empty string."""
        left, top, right, bottom = text.box
        if self.options.leaves_out(text.text, page.path):
            return f"{text.kind}: left out by the source's options"
        if not text.text:
            return f"{text.kind}: without text"
        if min(right - left, bottom - top) < MIN_PIXELS:
            return f"{text.kind}: a box of less than {MIN_PIXELS} pixels"
        if bottom - top > ON_ITS_SIDE * (right - left) and len(text.text) > 2:  # noqa: PLR2004
            return f"{text.kind}: stands on its side"
        return self._doubted(page, text)

    def _doubted(self, page: Page, text: PageText) -> str:
        """Return why a label is probably wrong, or an empty string."""
        reading = self.second_readings.get((page.path, text.number))
        if reading and reading.contradicts(text.text):
            return f"{text.kind}: a second reading is of another text"
        if page.name in self.doubtful_pages and not (reading and reading.agrees(text.text)):
            return f"{text.kind}: on a page of wrong labels"
        return ""

    def images(self, pages: Collection[str]) -> Iterator[tuple[Page, GreyImage]]:
        """Yield the named pages that can be decoded, with their grey images."""
        for page, content in self._contents():
            if page.name in pages:
                with suppress(ImageError, OSError, KeyError):
                    yield page, decode_opened(open_image(content()))

    def _contents(self) -> Iterator[tuple[Page, Callable[[], bytes]]]:
        if self.place.is_dir():
            for page in self.pages:
                yield page, partial(read_file, self.place / page.path, limit=MAX_IMAGE_BYTES)
            return
        with tarfile.open(self.place) as tar:
            for page in self.pages:
                yield page, partial(_read, tar, page.path, limit=MAX_IMAGE_BYTES)


def _misplaced(page: Page, text: PageText, pixels: Pixels) -> str:
    """Return why a box cannot be cut out of this picture, or an empty string."""
    height, width = pixels.shape[:2]
    if any(page.size) and page.size != (width, height):
        return f"{text.kind}: boxes of a picture of another size"
    points = np.array([text.box[:2], text.box[2:], *text.polygon])
    slack = max(text.box[3] - text.box[1], 0)  # labels may reach a little over the edge
    if (points < -slack).any() or (points > np.array([width, height]) + slack).any():
        return f"{text.kind}: a box outside the picture"
    return ""


def grey(crop: BoxCrop) -> GreyImage:
    """Return the grey image that the service would make of a file with this crop."""
    return decode_opened(Image.fromarray(crop.image))


def split_of(source: str, page: str, pages: Collection[str]) -> Split:
    """Return the split of one page of a source with these pages. Detection and recognition hold back the same pages."""
    return splits_of(source, pages)[page]


def splits_of(source: str, pages: Collection[str]) -> dict[str, Split]:
    """Return the split of each page, by a hash of source and page.

    A tenth is `validation`, but at least ten pages and at most half of them.
    """
    count = min(
        max(round(VALIDATION_FRACTION * len(pages)), MIN_VALIDATION_PAGES), int(MAX_VALIDATION_FRACTION * len(pages))
    )
    ranked = _ranked(source, pages, "validation")
    return {**dict.fromkeys(ranked[:count], "validation"), **_tune_and_train(source, ranked[count:])}


def _tune_and_train(source: str, pages: Collection[str]) -> dict[str, Split]:
    ranked = _ranked(source, pages, "tune")
    count = max(round(TUNE_FRACTION * len(ranked)), 1) if len(ranked) > 1 else 0
    return {**dict.fromkeys(ranked[:count], "tune"), **dict.fromkeys(ranked[count:], "train")}


def _ranked(source: str, pages: Collection[str], purpose: str) -> list[str]:
    return sorted(set(pages), key=lambda page: hashlib.sha256(f"{purpose}/{source}/{page}".encode()).digest())


def open_pages(folder: Path, options: SourceOptions | None = None) -> PageFolder:
    """Open a folder, the archive in it, or an archive.

    Raise DataError where there is no pages.jsonl, or where a row lacks a field.
    """
    place = _place(folder)
    chosen = options or SourceOptions()
    index = _text_file(place, INDEX)
    if index is None:
        raise DataError(f"{place}: no {INDEX} here; write one with a row for each page: image, and lines or words")
    pages = pages_of(index, place, chosen)
    listed = _text_file(place, VALIDATION_LIST) or ""
    official = tuple(PurePosixPath(name).stem for name in listed.split())
    return PageFolder(place, pages, official, chosen, open_second_readings(folder))


def _place(folder: Path) -> Path:
    archives = sorted(folder.glob("*.tar")) if folder.is_dir() and not (folder / INDEX).is_file() else []
    return archives[0] if len(archives) == 1 else folder


def _text_file(place: Path, name: str) -> str | None:
    """Return the text of a file, or None where there is no such file."""
    try:
        if place.is_dir():
            path = place / name
            return decode_text(read_file(path, limit=MAX_TABLE_BYTES), f"{place}: {name}") if path.is_file() else None
        with tarfile.open(place) as tar:
            return decode_text(_read(tar, name, limit=MAX_TABLE_BYTES), f"{place}: {name}")
    except KeyError:
        return None
    except ARCHIVE_FAULTS as error:
        raise DataError(f"{place}: no tar archive, or a damaged one; pack it anew") from error


def _read(tar: tarfile.TarFile, name: str, *, limit: int) -> bytes:
    return read_member(tar, tar.getmember(name), limit=limit)


def _pixels(content: bytes) -> Pixels:
    image = open_image(content)
    try:
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except DECODER_FAULTS as error:
        raise ImageError("a damaged page") from error
