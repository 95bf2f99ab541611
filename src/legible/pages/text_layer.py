"""The text layer of a PDF's page: its words and lines with their places, where it was never on paper."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw

from legible.arrays import GreyImage
from legible.errors import ImageError
from legible.pages.pdf_pictures import pictured_fraction, pictures_and_texts
from legible.pages.pdf_places import Displayed

MIN_CHARACTERS = 8
"""A text layer with fewer characters is not worth keeping."""
MAX_CHARACTERS = 100_000
"""The most characters of a text layer, far more than a printed page holds: a file of a few kilobytes may hold millions,
whose places take minutes to ask for.
"""
SCAN_FRACTION = 0.6
"""A page of which images cover more than this is a scan, and text over it is somebody else's reading."""
MIN_CONTRAST = 8
"""Grey levels between the darkest and the lightest pixel where a word is; fewer show none: it is covered, or white."""
MAX_NAMELESS = 0.01
"""The greatest fraction of characters in words of which the layer does not say all characters; beyond it the page is
read as a picture.
"""
NAMELESS = "\ufffd"
"""The place of a character of which a font does not say what it is."""
HYPHENS = {"\x02": "-", "\xad": "-"}
"""What PDFium gives for a hyphen at the end of a line, and a hyphen that a program may leave out, which is drawn."""
ROW_OVERLAP = 0.5
MAX_SPACE = 2.0
"""The largest distance of two words of a line, in heights; words further apart are cells."""
RIGHT_TO_LEFT = frozenset({"R", "AL"})
"""The classes of letters, by the bidirectional algorithm of Unicode (UAX 9), that run to the left."""

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


@dataclass(frozen=True)
class _Letter:
    """A character, the box of its line there, and that of its ink."""

    text: str
    box: Box
    ink: Box


def text_layer(page: Any, image: GreyImage, *, scale: float) -> list[LayerLine]:
    """Return the lines of a born-digital page of pypdfium2, in its own order; an empty list for a scan.

    image: the page as it is displayed; words that it does not show are left out. The list is empty too where most text
    is not level as the page is displayed, is not shown, or is of fonts that do not say their characters: the page is
    read as a picture. Raise LongLayerError for more than MAX_CHARACTERS.
    """
    text = page.get_textpage()
    count = text.count_chars()
    if count < MIN_CHARACTERS or _is_scan(page):
        return []
    if count > MAX_CHARACTERS:
        raise LongLayerError(f"the page has {count} characters; at most {MAX_CHARACTERS} are read: send it in parts")
    found = list(_words(text, Displayed.of(page), scale))
    words = [word for word, ink in found if _is_shown(image, ink)]
    shown, written = _length(words), _length([word for word, _ in found])
    level = _length([word for word in words if word.direction == LEVEL])
    nameless = _length([word for word in words if NAMELESS in word.text])
    if 2 * shown < written or 2 * level < shown or nameless > MAX_NAMELESS * shown:
        return []
    return lines_of(words)


def _length(words: Sequence[LayerWord]) -> int:
    return sum(len(word.text) for word in words)


def _is_shown(image: GreyImage, ink: Box) -> bool:
    """Return whether anything is drawn at a place, rather than ground alone, and with a pixel around it."""
    left, top, right, bottom = (max(round(side), 0) for side in (ink[0] - 1, ink[1] - 1, ink[2] + 1, ink[3] + 1))
    drawn = image[top : bottom + 1, left : right + 1]
    return bool(drawn.size) and int(drawn.max()) - int(drawn.min()) >= MIN_CONTRAST


def lines_of(words: Sequence[LayerWord]) -> list[LayerLine]:
    """Return lines of words that follow each other in a row."""
    lines: list[list[LayerWord]] = []
    for word in words:
        former = lines[-1][-1] if lines else None
        if former and former.direction == word.direction and _follows(former, word):
            lines[-1].append(word)
        else:
            lines.append([word])
    return [LayerLine(tuple(line)) for line in lines]


def _follows(former: LayerWord, word: LayerWord) -> bool:
    """Return whether a word goes on with the line of a former one: on its right, or left where it runs to the left."""
    one, other = _along(former), _along(word)
    if _runs_left(former.text) or _runs_left(word.text):
        return _goes_on(one, other) or _goes_on(_mirrored(one), _mirrored(other))
    return _goes_on(one, other)


def _runs_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text)


def _mirrored(box: Box) -> Box:
    return -box[2], box[1], -box[0], box[3]


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


def _words(text: Any, page: Displayed, scale: float) -> Iterator[tuple[LayerWord, Box]]:
    """Yield the words with the box of their ink: characters between spaces; generated line ends count as spaces."""
    letters: list[_Letter] = []
    direction = LEVEL
    for index, character in _characters(text):
        if character.isspace():
            yield from _word(letters, direction)
            letters = []
            continue
        letter, own = _letter(text, index, character, page, scale), _direction(text, index, page)
        if letters and not (own == direction and _is_beside(letters[-1], letter, own)):
            yield from _word(letters, direction)
            letters = []
        direction = own
        letters.append(letter)
    yield from _word(letters, direction)


def _characters(text: Any) -> Iterator[tuple[int, str]]:
    """Yield each character with its number: NAMELESS for one that nobody can name, none that is not drawn.

    PDFium gives a character beyond U+FFFF as two surrogates.
    """
    former = ""
    for index in range(text.count_chars()):
        unit = former + chr(raw.FPDFText_GetUnicode(text, index))
        if len(unit) == 1 and "\ud800" <= unit <= "\udbff":
            former = unit
            continue
        former = ""
        character = unit.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        for one in HYPHENS.get(character, character):
            if one.isspace() or one.isprintable():
                yield index, one
            elif unicodedata.category(one) != "Cf":
                yield index, NAMELESS


def _word(letters: Sequence[_Letter], direction: Direction) -> Iterator[tuple[LayerWord, Box]]:
    """Yield a word of letters, if there are any; a sign alone that nobody can name, as a bullet, is none."""
    content = "".join(letter.text for letter in letters)
    if content.strip() and content != NAMELESS:
        yield (
            LayerWord(content, _around([letter.box for letter in letters]), direction),
            _around([letter.ink for letter in letters]),
        )


def _letter(text: Any, index: int, character: str, page: Displayed, scale: float) -> _Letter:
    box, ink = (_box(text, index, page, scale, is_loose=is_loose) for is_loose in (True, False))
    has_ink = min(ink[2] - ink[0], ink[3] - ink[1]) > 0
    return _Letter(character, box, ink if has_ink else box)


def _box(text: Any, index: int, page: Displayed, scale: float, *, is_loose: bool) -> Box:
    """Return the box of a character as it is displayed, in pixels: as high as its line, or of its ink alone."""
    left, bottom, right, top = text.get_charbox(index, loose=is_loose)
    (x, y), (other_x, other_y) = page.point(left, bottom), page.point(right, top)
    return min(x, other_x) * scale, min(y, other_y) * scale, max(x, other_x) * scale, max(y, other_y) * scale


def _direction(text: Any, index: int, page: Displayed) -> Direction:
    angle = max(raw.FPDFText_GetCharAngle(text, index), 0.0)  # clockwise; -1 where it is not known
    return page.direction(math.cos(angle), -math.sin(angle))


def _is_beside(former: _Letter, letter: _Letter, direction: Direction) -> bool:
    one, other = (turned_box(each.box, direction) for each in (former, letter))
    if _runs_left(former.text) or _runs_left(letter.text):
        return _adjoins(one, other) or _adjoins(_mirrored(one), _mirrored(other))
    return _adjoins(one, other)


def _adjoins(former: Box, box: Box) -> bool:
    shared = min(former[3], box[3]) - max(former[1], box[1])
    return shared > 0 and abs(box[0] - former[2]) < max(former[3] - former[1], box[3] - box[1])


def _is_scan(page: Any) -> bool:
    """Return whether images cover most of the page, or the text is drawn invisibly."""
    parts = pictures_and_texts(page)
    if pictured_fraction(page, parts) > SCAN_FRACTION:
        return True
    hidden = shown = 0
    for part in parts:
        if part.type == raw.FPDF_PAGEOBJ_TEXT:
            invisible = raw.FPDFTextObj_GetTextRenderMode(part) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
            hidden, shown = hidden + invisible, shown + (not invisible)
    return hidden > shown


def _around(boxes: Sequence[Box]) -> Box:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)
