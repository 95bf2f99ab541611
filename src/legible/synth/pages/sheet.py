"""A sheet that is written on line by line: its ink, and the place of each line, in reading order."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage
from legible.detection.geometry import LineShape, PagePoints
from legible.synth.fonts import Font, load_face
from legible.synth.hand import Hand
from legible.synth.handwriting import write

Rng = np.random.Generator

EDGE = 0.06
"""The distance of a line's edges from its ink, as a fraction of the line's height."""


@dataclass(frozen=True)
class DrawnLine:
    """A line of text on a drawn page."""

    shape: LineShape
    text: str


@dataclass(frozen=True)
class DrawnPage:
    """The image of a page, its lines in reading order, and the sheet's corners, clockwise from the top left."""

    image: GreyImage
    lines: tuple[DrawnLine, ...]
    corners: PagePoints
    """The corners (4, 2)."""
    kind: str
    ignored: tuple[PagePoints, ...] = ()
    """Polygons of signs that some count as lines and others do not: stamps, scribbles, barcodes."""


@dataclass(frozen=True)
class Face:
    """A font at a size in pixels."""

    font: Font
    size: int

    @property
    def pillow(self) -> ImageFont.FreeTypeFont:
        return load_face(self.font.path, self.size)

    def width(self, text: str) -> float:
        return self.pillow.getlength(text)

    def resized(self, factor: float) -> "Face":
        return Face(self.font, max(round(self.size * factor), 6))


@dataclass
class Sheet:
    """White paper (height, width) in the making."""

    width: int
    height: int
    lines: list[DrawnLine] = field(default_factory=list)
    ignored: list[PagePoints] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._picture = Image.new("L", (self.width, self.height), 255)
        self.pen = ImageDraw.Draw(self._picture)

    def write(self, text: str, face: Face, *, x: float, base: float, grey: int = 0) -> float:
        """Write a line on the base line `base`, and return where its ink ends.

        Text that leaves the sheet is not written.
        """
        return self.write_words([(text, x)], face, base=base, grey=grey)

    def write_words(self, words: list[tuple[str, float]], face: Face, *, base: float, grey: int = 0) -> float:
        """Write words of one line, each from its own x on, and return where the ink ends."""
        boxes = [(*face.pillow.getbbox(word, anchor="ls"), x) for word, x in words]
        left, right = min(b[0] + b[4] for b in boxes), max(b[2] + b[4] for b in boxes)
        top, bottom = min(b[1] for b in boxes) + base, max(b[3] for b in boxes) + base
        if left < 0 or top < 0 or right > self.width or bottom > self.height or right <= left or bottom <= top:
            return float(right)
        for word, x in words:
            self.pen.text((x, base), word, font=face.pillow, fill=grey, anchor="ls")
        self._add(" ".join(word for word, _ in words), left, top, right, bottom)
        return float(right)

    def write_by_hand(self, text: str, hand: Hand, rng: Rng, *, x: float, base: float, high: float) -> float:
        """Write a line of pen strokes, `high` from its lowest to its highest ink, and return where it ends."""
        coverage = write(text, hand, rng).coverage
        factor = high / coverage.shape[0]
        size = (max(round(coverage.shape[1] * factor), 1), max(round(high), 1))
        if x < 0 or base - high < 0 or x + size[0] > self.width or base > self.height:
            return float(x + size[0])
        ink = Image.fromarray((coverage * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        self._picture.paste(int(rng.integers(0, 90)), (round(x), round(base - high)), ink)
        self._add(text, x, base - high, x + size[0], base)
        return float(x + size[0])

    def paste(self, picture: GreyImage, *, left: int, top: int) -> None:
        """Darken the sheet by a picture; what hangs over the edge is lost."""
        part = self.pixels[max(top, 0) : top + picture.shape[0], max(left, 0) : left + picture.shape[1]]
        own = picture[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
        darkened = Image.fromarray(np.minimum(part, own))
        self._picture.paste(darkened, (max(left, 0), max(top, 0)))

    def ignore(self, left: float, top: float, right: float, bottom: float) -> None:
        self.ignored.append(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float))

    @property
    def pixels(self) -> GreyImage:
        return np.array(self._picture)

    def finished(self, kind: str) -> DrawnPage:
        corners = np.array([[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]], float)
        return DrawnPage(self.pixels, tuple(self.lines), corners, kind, tuple(self.ignored))

    def _add(self, text: str, left: float, top: float, right: float, bottom: float) -> None:
        room = EDGE * (bottom - top)
        self.lines.append(DrawnLine(LineShape.from_box(left - room, top - room, right + room, bottom + room), text))
