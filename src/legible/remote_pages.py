"""A document as the service answers it: pages, lines and words, for the client. Needs the standard library alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    return RemoteDocument(tuple(_page(page) for page in content["pages"]), str(content["bundle"]))


def _page(page: Any) -> RemotePage:
    width, height = page["size"]
    return RemotePage(
        int(page["number"]),
        (int(width), int(height)),
        _place(page["outline"]),
        float(page["angle"]),
        int(page["turns"]),
        str(page["source"]),
        tuple(_lines(page["blocks"])),
    )


def _lines(blocks: Any) -> Iterator[RemoteLine]:
    for number, block in enumerate(blocks):
        for line in block["lines"]:
            words = (RemoteWord(str(w["text"]), float(w["confidence"]), _place(w["polygon"])) for w in line["words"])
            yield RemoteLine(
                str(line["text"]),
                float(line["confidence"]),
                bool(line["accepted"]),
                _place(line["polygon"]),
                tuple(words),
                block=number,
                row=int(line["row"]),
                reading_id=str(line.get("reading_id", "")),
            )


def _place(points: Any) -> Place:
    return tuple((float(x), float(y)) for x, y in points)
