"""Words and lines set in a font: what a printer, or a handwriting font, makes the same way each time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import Coverage
from legible.errors import DataError, NoInkError
from legible.synth.fonts import Font, load_face
from legible.synth.kerning import kerning
from legible.synth.transforms import Boxes, Lettering, Places, around_corners


@dataclass(frozen=True)
class Typesetting:
    """How one style sets its font. Lengths are fractions of `size`, the pixels of an em."""

    font: Font
    size: int
    slant: float
    stretch: float
    spacing: float
    """The distance of letters, beyond the font's own."""
    word_spacing: float
    weight: float
    """How much thicker (above 0) or thinner (below 0) strokes are, in pixels."""
    jitter: float
    """How far single letters leave the line and their size."""
    wave: float
    """How far the base line swings."""
    kerned: bool = False
    """Whether pairs of letters are kerned as the font says."""


def draw_typesetting(fonts: Sequence[Font], rng: np.random.Generator, *, kerned: bool) -> Typesetting:
    """Draw a typesetting from the random state; printed ones are straight, handwritten ones are not."""
    if not fonts:
        raise DataError("no font is left to draw with; fewer families in fonts.unseen, or more fonts")
    font = fonts[int(rng.integers(len(fonts)))]
    by_hand = font.kind == "handwriting"
    return Typesetting(
        font=font,
        size=int(rng.integers(30, 64)) if by_hand else int(rng.integers(20, 56)),
        slant=rng.normal(0, 0.18) if by_hand else rng.normal(0, 0.04),
        stretch=float(np.exp(rng.normal(0, 0.18 if by_hand else 0.08))),
        spacing=rng.normal(0, 0.03) if by_hand else max(rng.normal(0, 0.03), -0.02),
        word_spacing=abs(rng.normal(0, 0.25)),
        weight=rng.normal(0, 0.5),
        jitter=rng.uniform(0, 0.05) if by_hand and rng.random() < 0.6 else 0.0,  # noqa: PLR2004
        wave=rng.uniform(0, 0.06) if by_hand else 0.0,
        kerned=kerned,
    )


def set_text(text: str, style: Typesetting, rng: np.random.Generator) -> Lettering:
    """Return the ink of the text, trimmed to it. Raise NoInkError where the font draws none of it."""
    return _shaped(_letters(text, style, rng), style, rng)


def _letters(text: str, style: Typesetting, rng: np.random.Generator) -> Lettering:
    """Return the text as the font sets it; letter by letter only where the style needs it."""
    face = load_face(style.font.path, style.size)
    by_letter = style.kerned or style.jitter > 0 or style.spacing != 0 or style.word_spacing > 0
    left, top, right, bottom = face.getbbox(text)
    extra = round(len(text) * style.size * (max(style.spacing, 0) + style.word_spacing * 0.5)) if by_letter else 0
    pad = style.size // 3
    canvas = Image.new("L", (int(right - left) + 2 * pad + extra, int(bottom - top) + 2 * pad))
    pen = ImageDraw.Draw(canvas)
    start = (pad - left, pad - top)
    if by_letter:
        boxes = _set_letters(pen, text, style, rng, start=start)
    else:
        pen.text(start, text, font=face, fill=255)
        boxes = [
            _box(style.font, style.size, letter, (start[0] + face.getlength(text[:n]), start[1]))
            for n, letter in enumerate(text)
        ]
    return _trimmed(np.asarray(canvas, np.float32) / np.float32(255), np.array(boxes), text)


def _set_letters(
    pen: ImageDraw.ImageDraw, text: str, style: Typesetting, rng: np.random.Generator, *, start: tuple[float, float]
) -> list[tuple[float, ...]]:
    """Draw each letter, and return their boxes."""
    boxes = []
    x, y = start
    nearer = kerning(style.font.path, text) * style.size if style.kerned else None
    for place, letter in enumerate(text):
        size = style.size if not style.jitter else max(round(style.size * (1 + rng.normal(0, style.jitter))), 8)
        face = load_face(style.font.path, size)
        lift = rng.normal(0, style.jitter) * style.size + (style.size - size) * 0.8
        pen.text((x, y + lift), letter, font=face, fill=255)
        boxes.append(_box(style.font, size, letter, (x, y + lift)))
        x += _advance(face, text[place : place + 2]) if nearer is None else face.getlength(letter) + nearer[place]
        x += style.size * (style.spacing + (style.word_spacing * 0.5 if letter == " " else 0))
    return boxes


def _advance(face: ImageFont.FreeTypeFont, pair: str) -> float:
    """Return the advance of the first of two letters, kerned where the font has the old table; 0 for a last letter."""
    return face.getlength(pair) - face.getlength(pair[1]) if len(pair) > 1 else 0


def _box(font: Font, size: int, letter: str, place: tuple[float, float]) -> tuple[float, ...]:
    left, top, right, bottom = _ink_box(font.path, size, letter)
    x, y = place
    return (x + left, y + top, x + right, y + bottom)


@lru_cache(maxsize=50_000)
def _ink_box(path: Path, size: int, letter: str) -> tuple[float, ...]:
    """Return the box of a letter's ink from the pen's start; `getbbox` would reach from there to the base line."""
    mask, (left, top) = load_face(path, size).getmask2(letter, "L")
    ink = mask.getbbox()
    if ink is None:
        return (np.nan,) * 4
    return (left + ink[0], top + ink[1], left + ink[2], top + ink[3])


def _trimmed(coverage: Coverage, boxes: Boxes, text: str) -> Lettering:
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    if rows.size == 0:
        raise NoInkError(f"{text!r} leaves no ink; the font draws none of it")
    left, top = columns[0], rows[0]
    return Lettering(coverage[top : rows[-1] + 1, left : columns[-1] + 1], boxes - [left, top, left, top])


def _shaped(lettering: Lettering, style: Typesetting, rng: np.random.Generator) -> Lettering:
    """Apply slant, stretch, wave and weight."""
    height, width = lettering.coverage.shape
    slant = style.slant + (rng.normal(0, 0.03) if style.wave else 0)
    lean = abs(slant) * height
    swing = style.wave * style.size
    new_width, new_height = max(round(width * style.stretch + lean), 1), max(round(height + 2 * swing), 1)
    phase = rng.uniform(0, 2 * np.pi)

    def base(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(swing * np.sin(x / (2.5 * style.size) + phase))

    def move(x: Places, y: Places) -> tuple[Places, Places]:
        """Return the inverse of the map that remap gets, to within the change of the base line over a slant's width."""
        across = x * style.stretch + (height - y - swing) * slant - min(slant, 0) * height
        down = y + swing - base(across)
        return x * style.stretch + (height - down) * slant - min(slant, 0) * height, down

    x = np.arange(new_width, dtype=np.float32)
    y = np.arange(new_height, dtype=np.float32)[:, None]
    rows = y - swing + base(x)
    source_x = (x - (height - y) * slant + min(slant, 0) * height) / style.stretch
    shaped = cv2.remap(
        lettering.coverage,
        source_x.astype(np.float32),
        np.broadcast_to(rows, source_x.shape).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    return Lettering(_weighted(np.asarray(shaped, np.float32), style.weight), around_corners(lettering.boxes, move))


def _weighted(coverage: Coverage, weight: float) -> Coverage:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    changed = cv2.dilate(coverage, kernel) if weight > 0 else cv2.erode(coverage, kernel)
    amount = min(abs(weight), 1.0) if weight > 0 else min(abs(weight), 1.0) * 0.4
    return np.asarray(coverage * (1 - amount) + changed * amount, np.float32)
