"""A document as the service answers it: pages, lines and words, for the client. Needs the standard library alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_NUMBER = 1e15
"""No number of an answer is as large."""
Place = tuple[tuple[float, float], ...]
"""Corners in pixels of the page as it was sent."""


@dataclass(frozen=True)
class RemoteWord:
    """A word of a line."""

    text: str
    confidence: float
    polygon: Place


@dataclass(frozen=True)
class RemoteLine:
    """A line of a page; lines of one `block` and one `row` stand side by side."""

    text: str
    confidence: float
    accepted: bool
    polygon: Place
    words: tuple[RemoteWord, ...]
    block: int
    row: int
    reading_id: str = ""


@dataclass(frozen=True)
class RemotePage:
    """A page; its lines are in reading order. outline: the corners of the sheet in a photograph, else empty."""

    number: int
    size: tuple[int, int]
    outline: Place
    angle: float
    turns: int
    source: str
    lines: tuple[RemoteLine, ...]


@dataclass(frozen=True)
class RemoteDocument:
    """The pages of a document."""

    pages: tuple[RemotePage, ...]
    bundle: str

    @property
    def text(self) -> str:
        """The lines, one below the other, with a form feed between pages."""
        return "\f".join("\n".join(line.text for line in page.lines) for page in self.pages)


def remote_document(content: Any) -> RemoteDocument:
    """Return the document of an answer; fields that are new are left alone.

    Raise KeyError, TypeError or ValueError for another shape.
    """
    return RemoteDocument(tuple(_page(page) for page in content["pages"]), text_of(content["bundle"]))


def _page(page: Any) -> RemotePage:
    width, height = page["size"]
    return RemotePage(
        int(number_of(page["number"])),
        (int(number_of(width)), int(number_of(height))),
        _place(page["outline"]),
        number_of(page["angle"]),
        int(number_of(page["turns"])),
        text_of(page["source"]),
        tuple(_lines(page["blocks"])),
    )


def _lines(blocks: Any) -> Iterator[RemoteLine]:
    for number, block in enumerate(blocks):
        for line in block["lines"]:
            yield RemoteLine(
                text_of(line["text"]),
                number_of(line["confidence"]),
                bool(line["accepted"]),
                _place(line["polygon"]),
                tuple(map(_word, line["words"])),
                block=number,
                row=int(number_of(line["row"])),
                reading_id=text_of(line.get("reading_id", "")),
            )


def _word(word: Any) -> RemoteWord:
    return RemoteWord(text_of(word["text"]), number_of(word["confidence"]), _place(word["polygon"]))


def _place(points: Any) -> Place:
    return tuple((number_of(x), number_of(y)) for x, y in points)


def text_of(value: Any) -> str:
    """Return a text of an answer. Raise TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def number_of(value: Any) -> float:
    """Return a number of an answer. Raise TypeError or ValueError for anything else, also for one without end."""
    if not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} in place of a number")
    if not abs(value) < MAX_NUMBER:
        raise ValueError("a number without end")
    return float(value)
