"""The answer for a document: pages, blocks, lines and words, with their places in the image as it was sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Polygon = tuple[tuple[float, float], ...]
"""The corners in pixels of the page's image: along the upper edge, and back along the lower one."""
TextSource = Literal["image", "text layer"]


class PageFormat(StrEnum):
    """The formats in which a read document can be written."""

    text = "text"
    json = "json"
    hocr = "hocr"
    alto = "alto"
    page = "page"
    pdf = "pdf"


MEDIA_TYPES: Mapping[PageFormat, str] = {
    PageFormat.json: "application/json",
    PageFormat.text: "text/plain; charset=utf-8",
    PageFormat.hocr: "application/xhtml+xml",
    PageFormat.alto: "application/xml",
    PageFormat.page: "application/xml",
    PageFormat.pdf: "application/pdf",
}
ZIP = "application/zip"
"""The media type of several files, one for each page."""


@dataclass(frozen=True)
class WordResult:
    """A word of a line. `confidence` is the probability that all of it is right."""

    text: str
    confidence: float
    polygon: Polygon

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom."""
        return box_of(self.polygon)


@dataclass(frozen=True)
class LineResult:
    """A line of a page. `reading_id` names its observation, where it was observed."""

    text: str
    confidence: float
    polygon: Polygon
    words: tuple[WordResult, ...]
    reading_id: str = ""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom."""
        return box_of(self.polygon)


@dataclass(frozen=True)
class BlockResult:
    """A block of lines that belong together; each row holds the lines side by side, from left to right."""

    rows: tuple[tuple[LineResult, ...], ...]

    @property
    def lines(self) -> tuple[LineResult, ...]:
        return tuple(line for row in self.rows for line in row)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom."""
        return box_of(tuple(corner for line in self.lines for corner in line.polygon))


@dataclass(frozen=True)
class PageResult:
    """A page: the size of its image in pixels, its orientation, and its blocks in reading order.

    angle: degrees, clockwise, by which its text leans. turns: quarter turns, counter-clockwise, that make it upright.
    outline: the corners of the sheet in a photograph, else none. source: whether the text was read from the image, or
    taken from a born-digital PDF. dpi: the resolution of a rendered page, else None.
    """

    number: int
    width: int
    height: int
    blocks: tuple[BlockResult, ...]
    angle: float = 0.0
    turns: int = 0
    outline: Polygon = ()
    source: TextSource = "image"
    dpi: float | None = None

    @property
    def lines(self) -> tuple[LineResult, ...]:
        return tuple(line for block in self.blocks for line in block.lines)

    @property
    def text(self) -> str:
        """The text: each row of a block on a line, its cells separated by tabs, a blank line between blocks."""
        return "\n\n".join(
            "\n".join("\t".join(line.text for line in row) for row in block.rows) for block in self.blocks
        )


@dataclass(frozen=True)
class DocumentResult:
    """The pages of a file."""

    pages: tuple[PageResult, ...]

    @property
    def text(self) -> str:
        """The pages one after the other, a form feed between them."""
        return "\f".join(page.text for page in self.pages)

    def words(self) -> Iterator[WordResult]:
        for page in self.pages:
            for line in page.lines:
                yield from line.words


def box_of(polygon: Polygon) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of a polygon."""
    across, down = zip(*polygon, strict=True)
    return min(across), min(down), max(across), max(down)
