"""Writer styles: what is the same in everything that one hand or one printer makes, and drawing with it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legible.arrays import Coverage, GreyImage, Matrix
from legible.synth.alphabet import PEN_PATHS
from legible.synth.augment import augment_moved
from legible.synth.effects import NO_EFFECTS, Effects
from legible.synth.fonts import Font
from legible.synth.hand import Hand, draw_hand
from legible.synth.handwriting import write
from legible.synth.paper import Ink, Paper, draw_ink, draw_paper, lay
from legible.synth.transforms import STILL, Boxes, Moved, move_boxes, shifted
from legible.synth.typesetting import Typesetting, draw_typesetting, set_text

CUT_OUT = 0.3
"""The fraction of images cut out at their ink, as a program that splits a page into words does.

Of a full stop only the corners of paper are left then, and it is not certain which is paper and which is ink.
"""
MIN_CUT_OUT = 4
"""The smallest number of rows and columns that a cut leaves."""


@dataclass(frozen=True)
class Style:
    """One writer style."""

    letters: Typesetting | Hand
    ink: Ink
    paper: Paper
    strength: float
    margins: tuple[float, float] | None = None
    """The least and most paper around the ink, as fractions of its height; None: tight or loose, sometimes none."""
    effects: Effects = NO_EFFECTS

    @property
    def name(self) -> str:
        """The name of the font's family, or of the hand's pen."""
        return f"{PEN_PATHS}, {self.letters.pen}" if isinstance(self.letters, Hand) else self.letters.font.family

    def draws(self, text: str) -> bool:
        """Return whether every character of a text can be drawn."""
        if isinstance(self.letters, Hand):
            return self.letters.shapes.keys() | {" "} >= set(text)
        return self.letters.font.draws(text)


def draw_style(fonts: Sequence[Font], rng: np.random.Generator, *, strength: float, kerned: bool = False) -> Style:
    """Draw a style from the random state, set in one of the fonts."""
    return _on_paper(draw_typesetting(fonts, rng, kerned=kerned), rng, strength=strength)


def draw_hand_style(rng: np.random.Generator, *, strength: float) -> Style:
    """Draw a style from the random state, written with pen paths."""
    return _on_paper(draw_hand(rng), rng, strength=strength)


@dataclass(frozen=True)
class Drawing:
    """An image (H, W), and the boxes of its text's characters."""

    image: GreyImage
    boxes: Boxes


def draw_text(text: str, style: Style, rng: np.random.Generator) -> GreyImage:
    """Return an image of the text in this style, each time a little different."""
    return draw_with_boxes(text, style, rng).image


def draw_with_boxes(text: str, style: Style, rng: np.random.Generator) -> Drawing:
    """Return what `draw_text` does, with the box of each character; the boxes do not follow an elastic change."""
    letters = style.letters
    written = write(text, letters, rng) if isinstance(letters, Hand) else set_text(text, letters, rng)
    framed = _margins(written.coverage, style, rng)
    inked = style.effects.apply("ink", framed.image, rng)
    surrounded = _surrounded(lay(inked.image, style.paper, style.ink, rng), style.effects, rng)
    changed = augment_moved(surrounded.image, rng, style.strength)
    matrix = changed.matrix @ surrounded.matrix @ inked.matrix @ framed.matrix
    drawn = changed.image
    if style.margins is None and rng.random() < CUT_OUT:
        cut = _cut_out(drawn, written.coverage, matrix)
        drawn, matrix = cut.image, cut.matrix @ matrix
    return Drawing(drawn, _within(move_boxes(written.boxes, matrix), drawn))


def _surrounded(image: GreyImage, effects: Effects, rng: np.random.Generator) -> Moved[GreyImage]:
    if not effects.names:
        return Moved(image, STILL)
    sheet = effects.apply("sheet", image.astype(np.float32), rng)
    taken = effects.apply("camera", sheet.image, rng)
    return Moved(np.clip(taken.image, 0, 255).astype(np.uint8), taken.matrix @ sheet.matrix)


def _on_paper(letters: Typesetting | Hand, rng: np.random.Generator, *, strength: float) -> Style:
    return Style(letters, draw_ink(rng, strength=strength), draw_paper(rng, strength=strength), strength)


def _margins(coverage: Coverage, style: Style, rng: np.random.Generator) -> Moved[Coverage]:
    least, most = style.margins or (0.0, 0.1 if rng.random() < 0.5 else 0.5)  # noqa: PLR2004
    top, bottom, left, right = (rng.uniform(least, most, 4) * coverage.shape[0]).astype(int) + 1
    return Moved(np.pad(coverage, ((top, bottom), (left, right))), shifted(right=left, down=top))


def _within(boxes: Boxes, image: GreyImage) -> Boxes:
    """Return the parts of the boxes that are in the image; NaN where nothing is."""
    height, width = image.shape
    kept = np.clip(boxes, 0, [width, height, width, height])
    kept[(kept[:, 0] >= kept[:, 2]) | (kept[:, 1] >= kept[:, 3])] = np.nan
    return kept


def _cut_out(image: GreyImage, coverage: Coverage, matrix: Matrix) -> Moved[GreyImage]:
    """Return the part of the image with the ink that the matrix moved, to whole pixels."""
    inked = coverage > coverage.max() / 2
    rows = np.flatnonzero(inked.any(axis=1))
    first, last = inked[rows].argmax(axis=1), inked.shape[1] - inked[rows, ::-1].argmax(axis=1)
    ink = move_boxes(np.stack([first, rows, last, rows + 1], axis=1).astype(np.float64), matrix)
    (height, width), low, high = image.shape, ink[:, :2].min(axis=0), ink[:, 2:].max(axis=0)
    left, top = np.clip(np.round(low).astype(int), 0, [max(width - MIN_CUT_OUT, 0), max(height - MIN_CUT_OUT, 0)])
    right, bottom = np.maximum(np.round(high).astype(int), [left + MIN_CUT_OUT, top + MIN_CUT_OUT])
    return Moved(image[top:bottom, left:right], shifted(right=-float(left), down=-float(top)))
