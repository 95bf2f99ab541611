"""The text layer of a PDF's page: its words and lines with their places, where it was never on paper."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw

from legible.errors import ImageError
from legible.pages.pdf_places import Displayed

MIN_CHARACTERS = 8
"""A text layer with fewer characters is not worth keeping."""
MAX_CHARACTERS = 100_000
"""The most characters of a text layer, far more than a printed page holds: a file of a few kilobytes may hold millions,
whose places take minutes to ask for.
"""
SCAN_FRACTION = 0.6
"""A page of which one image covers more than this is a scan, and text over it is somebody else's reading."""
ROW_OVERLAP = 0.5
MAX_SPACE = 2.0
"""The largest distance of two words of a line, in heights; words further apart are cells."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the rendered page."""


class LongLayerError(ImageError):
    """The text layer has more characters than MAX_CHARACTERS."""

    code = "crowded_page"
    status = 422


Direction = tuple[int, int]
"""The quarter in which text runs as it is displayed: (1, 0) to the right, (0, 1) downwards."""
LEVEL: Direction = (1, 0)


@dataclass(frozen=True)
class LayerWord:
    """A word and its box."""

    text: str
    box: Box
    direction: Direction = LEVEL


@dataclass(frozen=True)
class LayerLine:
    """Words of a line, from left to right."""

    words: tuple[LayerWord, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        return _around([word.box for word in self.words])


def text_layer(page: Any, *, scale: float) -> list[LayerLine]:
    """Return the lines of a born-digital page of pypdfium2, in its own order; an empty list for a scan.

    The list is empty too where most text is not level as the page is displayed: the page is turned and read as a
    picture. Raise LongLayerError for more than MAX_CHARACTERS.
    """
    text = page.get_textpage()
    count = text.count_chars()
    if count < MIN_CHARACTERS or _is_scan(page):
        return []
    if count > MAX_CHARACTERS:
        raise LongLayerError(f"the page has {count} characters; at most {MAX_CHARACTERS} are read: send it in parts")
    words = list(_words(text, Displayed.of(page), scale))
    level = sum(len(word.text) for word in words if word.direction == LEVEL)
    return lines_of(words) if 2 * level >= sum(len(word.text) for word in words) else []


def lines_of(words: Sequence[LayerWord]) -> list[LayerLine]:
    """Return lines of words that follow each other in a row."""
    lines: list[list[LayerWord]] = []
    for word in words:
        former = lines[-1][-1] if lines else None
        if former and former.direction == word.direction and _goes_on(_along(former), _along(word)):
            lines[-1].append(word)
        else:
            lines.append([word])
    return [LayerLine(tuple(line)) for line in lines]


def _along(word: LayerWord) -> Box:
    return turned_box(word.box, word.direction)


def turned_box(box: Box, direction: Direction) -> Box:
    """Return a box turned so that text which runs in this direction runs to the right."""
    right, down = direction
    across = [x * right + y * down for x, y in (box[:2], box[2:])]
    below = [y * right - x * down for x, y in (box[:2], box[2:])]
    return min(across), min(below), max(across), max(below)


def _goes_on(former: Box, box: Box) -> bool:
    height = min(former[3] - former[1], box[3] - box[1])
    shared = min(former[3], box[3]) - max(former[1], box[1])
    room = box[0] - former[2]
    return shared > ROW_OVERLAP * height and -height < room < MAX_SPACE * max(former[3] - former[1], box[3] - box[1])


def _words(text: Any, page: Displayed, scale: float) -> Iterator[LayerWord]:
    """Yield the words: characters between spaces; generated line ends count as spaces."""
    letters: list[str] = []
    boxes: list[Box] = []
    direction = LEVEL
    for index in range(text.count_chars()):
        character = chr(raw.FPDFText_GetUnicode(text, index))
        if character.isspace() or not character.isprintable():
            if letters:
                yield LayerWord("".join(letters), _around(boxes), direction)
            letters, boxes = [], []
            continue
        box, own = _box(text, index, page, scale), _direction(text, index, page)
        if boxes and not (own == direction and _is_beside(*(turned_box(one, own) for one in (boxes[-1], box)))):
            yield LayerWord("".join(letters), _around(boxes), direction)
            letters, boxes = [], []
        direction = own
        letters.append(character)
        boxes.append(box)
    if letters:
        yield LayerWord("".join(letters), _around(boxes), direction)


def _box(text: Any, index: int, page: Displayed, scale: float) -> Box:
    """Return the box of a character as it is displayed, in pixels."""
    left, bottom, right, top = text.get_charbox(index, loose=True)
    (x, y), (other_x, other_y) = page.point(left, bottom), page.point(right, top)
    return min(x, other_x) * scale, min(y, other_y) * scale, max(x, other_x) * scale, max(y, other_y) * scale


def _direction(text: Any, index: int, page: Displayed) -> Direction:
    angle = max(raw.FPDFText_GetCharAngle(text, index), 0.0)  # clockwise; -1 where it is not known
    return page.direction(math.cos(angle), -math.sin(angle))


def _is_beside(former: Box, box: Box) -> bool:
    shared = min(former[3], box[3]) - max(former[1], box[1])
    return shared > 0 and box[0] - former[2] < box[3] - box[1]


def _is_scan(page: Any) -> bool:
    """Return whether one image covers most of the page, or the text is drawn invisibly."""
    width, height = page.get_size()
    hidden = shown = 0
    for part in page.get_objects(max_depth=2):
        if part.type == raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = part.get_bounds()
            if (right - left) * (top - bottom) > SCAN_FRACTION * width * height:
                return True
        if part.type == raw.FPDF_PAGEOBJ_TEXT:
            invisible = raw.FPDFTextObj_GetTextRenderMode(part) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
            hidden, shown = hidden + invisible, shown + (not invisible)
    return hidden > shown


def _around(boxes: Sequence[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
