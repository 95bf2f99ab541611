"""Lines set from single cached glyphs: fast, and the caller sees the place and ink of each glyph.

`synth.typesetting` sets the samples of `print`. This module sets kinds whose letters have an exact size in pixels, are
in two levels, or are pressed unevenly.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.errors import NoInkError
from legible.synth.fonts import Font, load_face
from legible.synth.kerning import kerning

Rng = np.random.Generator
InkLevels = npt.NDArray[np.uint8]
"""InkLevels (H, W), 0 to 255."""


LIGATURES = {"ffi": "ﬃ", "ffl": "ﬄ", "fi": "ﬁ", "fl": "ﬂ", "ff": "ﬀ"}


@dataclass(frozen=True)
class Glyph:
    """A character's coverage, its position from the pen on the line's top, and its advance."""

    coverage: InkLevels
    left: int
    top: int
    advance: float


@dataclass(frozen=True)
class Setting:
    """How a line is set; lengths are fractions of the em."""

    font: Font
    size: int
    """The pixels of an em."""
    bilevel: bool = False
    """Whether pixels are only ink or paper, nothing between."""
    tracking: float = 0.0
    """The distance of letters, beyond the font's own."""
    word_spacing: float = 0.0
    pitch: float = 0.0
    """The width of every letter, as on a typewriter; 0 for its own width."""
    uneven: float = 0.0
    """How far single letters are moved from their place."""
    pressed: float = 0.0
    """How much the ink of single letters differs, 0 to 1."""
    kerned: bool = True
    ligatures: bool = False
    """Whether f and its neighbours are one glyph where the font has it."""

    def drawn(self, text: str) -> str:
        """Return the characters that are set for a text: `file -> ﬁle` with ligatures."""
        for letters, glyph_of_all in LIGATURES.items() if self.ligatures else ():
            if glyph_of_all in self.font.characters:
                text = text.replace(letters, glyph_of_all)
        return text


@dataclass(frozen=True)
class Line:
    """A set line: its coverage, the row of its base line, and the columns of each of its words."""

    coverage: InkLevels
    baseline: int
    ascent: int
    """Rows from the base line up to what the font calls its top."""
    descent: int
    words: tuple[tuple[int, int], ...]


def set_line(text: str, setting: Setting, rng: Rng) -> Line:
    """Set a line in a font. Raise NoInkError where the font draws none of it."""
    text, size = setting.drawn(text), setting.size
    ascent, descent = load_face(setting.font.path, size).getmetrics()
    glyphs = [glyph(setting.font.path, size, character, bilevel=setting.bilevel) for character in text]
    pens = _pens(text, glyphs, setting)
    room = size // 2 + 2
    coverage = np.zeros((ascent + descent + 2 * room, int(pens[-1]) + 2 * room + size), np.uint8)
    ups, rights = _unevenness(len(text), setting, rng)
    inks = 1 - setting.pressed * rng.random(len(text)) if setting.pressed else None
    ends = []
    for place, one in enumerate(glyphs):
        x, y = room + round(pens[place] + rights[place]) + one.left, room + one.top + round(ups[place])
        ends.append((x, x + one.coverage.shape[1]))
        _press(coverage, one.coverage, x, y, 1.0 if inks is None else float(inks[place]))
    return _trimmed(text, coverage, ends, room=room, metrics=(ascent, descent))


@lru_cache(maxsize=20_000)
def glyph(path: Path, size: int, character: str, *, bilevel: bool) -> Glyph:
    face = load_face(path, size)
    mode = "1" if bilevel else "L"
    mask, (left, top) = face.getmask2(character, mode)
    width, height = mask.size
    coverage = np.frombuffer(bytes(mask), np.uint8).reshape(height, width)
    return Glyph(
        np.where(coverage > 0, 255, 0).astype(np.uint8) if bilevel else coverage,
        left,
        top,
        face.getlength(character, mode),
    )


def _pens(text: str, glyphs: list[Glyph], setting: Setting) -> npt.NDArray[np.float64]:
    """Return the position of the pen before each character, and at the end."""
    if setting.pitch:
        advances = np.full(len(text), setting.pitch * setting.size)
    else:
        advances = np.array([one.advance for one in glyphs])
        if setting.kerned and not setting.bilevel:
            advances += kerning(setting.font.path, text) * setting.size
    advances += setting.tracking * setting.size
    if setting.word_spacing:
        advances += np.array([setting.word_spacing * setting.size * (character == " ") for character in text])
    return np.concatenate([[0.0], np.cumsum(np.maximum(advances, 0))])


def _unevenness(count: int, setting: Setting, rng: Rng) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if not setting.uneven:
        return np.zeros(count), np.zeros(count)
    return rng.normal(0, setting.uneven * setting.size, count), rng.normal(
        0, 0.6 * setting.uneven * setting.size, count
    )


def _press(coverage: InkLevels, one: InkLevels, x: int, y: int, ink: float) -> None:
    """Draw into the image the part of a glyph that is inside it."""
    height, width = one.shape
    top, left = max(y, 0), max(x, 0)
    part = coverage[top : y + height, left : x + width]
    if part.size:
        inked = one[top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]]
        np.maximum(part, inked if ink == 1 else (inked * ink).astype(np.uint8), out=part)


def _trimmed(
    text: str, coverage: InkLevels, ends: list[tuple[int, int]], *, room: int, metrics: tuple[int, int]
) -> Line:
    columns = np.flatnonzero(coverage.any(axis=0))
    if columns.size == 0:
        raise NoInkError(f"{text!r} leaves no ink; the font draws none of it")
    first, last = int(columns[0]), int(columns[-1]) + 1
    words, start = [], 0
    for part in text.split(" "):
        if part:
            inside = ends[start : start + len(part)]
            words.append((min(end[0] for end in inside) - first, max(end[1] for end in inside) - first))
        start += len(part) + 1
    ascent, descent = metrics
    return Line(coverage[:, first:last], room + ascent, ascent, descent, tuple(words))
