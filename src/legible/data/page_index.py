"""The rows of `pages.jsonl`: pages with the boxes and texts of their lines or words, checked one by one."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from legible.data.crops import Box
from legible.data.dataset import Kind
from legible.data.options import SourceOptions
from legible.errors import DataError
from legible.files import parse_row
from legible.scores import Untold
from legible.untrusted_files import stays_inside

INDEX = "pages.jsonl"
CORNERS = 4
MAX_POINTS = 10_000
"""The most points of a polygon."""


@dataclass(frozen=True)
class PageText:
    """A line or word of a page: its box, and what is known of its text."""

    number: int
    box: Box
    text: str
    kind: Kind
    polygon: tuple[tuple[float, float], ...] = ()
    untold: tuple[Untold, ...] = ()


@dataclass(frozen=True)
class Page:
    """One row of pages.jsonl."""

    path: str
    texts: tuple[PageText, ...]
    corners: tuple[tuple[float, float], ...] = ()
    """The corners of the sheet in a photograph, clockwise from the top left, where they are known."""
    complete: bool = False
    """Whether the row says that all lines of the page are listed."""
    size: tuple[int, int] = (0, 0)
    """The width and height in pixels that the boxes are of, 0 where the row does not say them."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).stem


def pages_of(index: str, place: Path, options: SourceOptions) -> tuple[Page, ...]:
    """Return the pages of an index. Raise DataError for a row that cannot be meant, and for a page that comes twice."""
    pages = tuple(_page(row, place, number, options) for number, row in index_rows(index))
    twice = [path for path, times in Counter(page.path for page in pages).items() if times > 1]
    if twice:
        raise DataError(f"{place}: {INDEX} has several rows of {twice[0]}; list all of a page's lines in one row")
    return pages


def index_rows(index: str) -> list[tuple[int, str]]:
    """Return the rows of an index that are not blank, each with the number of its line.

    A text may hold other ends of lines than the newline, such as U+2028.
    """
    return [(number, row) for number, row in enumerate(index.split("\n"), start=1) if row.strip()]


def _page(row: str, place: Path, number: int, options: SourceOptions) -> Page:
    try:
        content = parse_row(row)
        path = content["image"]
        is_inside = stays_inside(path)
        kind: Kind = "word" if "words" in content else "line"
        texts = tuple(_text(n, one, kind, options) for n, one in enumerate(content.get(f"{kind}s", ())))
        corners = _points(content.get("corners"), counts=(CORNERS,))
        size = int(content.get("width") or 0), int(content.get("height") or 0)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{place}: row {number} of {INDEX} needs an image, and lines or words with a box of four numbers and a text"
            f" each ({type(error).__name__}: {error})"
        ) from error
    if not is_inside:
        raise DataError(
            f"{place}: row {number} of {INDEX} names {path!r}, an image outside the source; copy it into it"
        )
    return Page(path, texts, corners, complete=bool(content.get("complete", False)), size=size)


def _text(number: int, content: Mapping[str, Any], kind: Kind, options: SourceOptions) -> PageText:
    left, top, right, bottom = map(_finite, content["box"])
    label, untold = content["text"], options.untold
    if "text_without_spaces" in content and " " not in (label or ""):
        untold = tuple(dict.fromkeys((*untold, "spaces")))
    label = content.get("text_without_spaces") or "" if label is None else label
    polygon = _points(content.get("polygon"), counts=range(3, MAX_POINTS + 1))
    return PageText(number, (left, top, right, bottom), options.text(label), kind, polygon, untold)


def _points(content: Any, *, counts: Collection[int]) -> tuple[tuple[float, float], ...]:
    """Return points, or none where there are none. Raise ValueError for another number of them than one of `counts`."""
    points = tuple((_finite(x), _finite(y)) for x, y in content or ())
    if points and len(points) not in counts:
        raise ValueError(f"{len(points)} points")
    return points


def _finite(number: float | str) -> float:
    if not np.isfinite(value := float(number)):
        raise ValueError(f"{number} is no coordinate")
    return value
