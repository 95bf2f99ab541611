"""A hand: what stays the same in all that one writer writes, drawn from a random state. Lengths are in x-heights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from legible.synth.alphabet import Points, Shape, load_alphabet

Pen = Literal["ball", "felt", "fountain", "pencil"]

PENS: tuple[Pen, ...] = ("ball", "felt", "fountain", "pencil")
PEN_CHANCES = (0.5, 0.15, 0.2, 0.15)
PEN_WIDTHS: Mapping[Pen, tuple[float, float]] = {
    "ball": (0.07, 0.15),
    "felt": (0.14, 0.3),
    "fountain": (0.1, 0.24),
    "pencil": (0.07, 0.16),
}
"""The smallest and greatest width of each pen's line."""


@dataclass(frozen=True)
class Hand:
    """What stays the same in all that one writer writes."""

    shapes: Mapping[str, tuple[Shape, ...]]
    """For each character the shapes that this writer uses, the usual one first, bent to this hand."""
    usual: float
    """How often the usual shape is taken."""
    joins: float
    """How often letters that can be joined are joined."""
    x_height: float
    """The x-height in pixels."""
    width: float
    """The width of letters; 1 is as drawn."""
    slant: float
    """The tangent of the lean to the right."""
    ascent: float
    """The height of what rises above or falls below the small letters; 1 is as drawn."""
    letter_spacing: float
    word_spacing: float
    size_change: float
    """The standard deviation of a letter's size."""
    size_drift: float
    """How much the size grows or falls along a word, as a fraction for each x-height."""
    shift: float
    """The standard deviation of a letter's place."""
    bend: float
    """The standard deviation of each point of a letter."""
    wave: float
    """How far the base line swings."""
    rise: float
    """The tangent of the base line."""
    haste: float
    """How much curves are cut short, 0 to 1."""
    tremor: float
    pen: Pen
    pen_width: float
    pressure: float
    """How much the width changes along the line, 0 to 1."""
    nib: float
    """The angle of a broad nib, in radians."""


def draw_hand(rng: np.random.Generator) -> Hand:
    """Draw a hand from the random state."""
    cursive = float(rng.choice([0.0, 1.0, rng.random()], p=[0.4, 0.3, 0.3]))
    pen = PENS[int(rng.choice(len(PENS), p=PEN_CHANCES))]
    return Hand(
        shapes=_own_shapes(rng, cursive=cursive, bend=float(rng.uniform(0.0, 0.07))),
        usual=float(rng.uniform(0.75, 1.0)),
        joins=float(np.clip(cursive * 1.1 - rng.uniform(0, 0.2), 0, 1)) if cursive else float(rng.random() < 0.3) * 0.3,  # noqa: PLR2004
        x_height=float(rng.uniform(10, 30)),
        width=float(np.exp(rng.normal(-0.05, 0.22))),
        slant=float(rng.normal(0.12, 0.24)),
        ascent=float(np.exp(rng.normal(-0.02, 0.14))),
        letter_spacing=float(np.clip(rng.normal(0.2, 0.09), 0.03, 0.5)),
        word_spacing=float(np.clip(rng.normal(0.9, 0.3), 0.45, 2.0)),
        size_change=float(rng.uniform(0.01, 0.1)),
        size_drift=float(rng.normal(0, 0.008)),
        shift=float(rng.uniform(0.01, 0.07)),
        bend=float(rng.uniform(0.01, 0.06)),
        wave=float(rng.uniform(0, 0.12)),
        rise=float(rng.normal(0, 0.025)),
        haste=float(rng.beta(1, 2.5)),
        tremor=float(rng.exponential(0.008)),
        pen=pen,
        pen_width=float(rng.uniform(*PEN_WIDTHS[pen])),
        pressure=float(rng.uniform(0.05, 0.5)),
        nib=float(rng.uniform(0.3, 1.2)),
    )


def _own_shapes(rng: np.random.Generator, *, cursive: float, bend: float) -> dict[str, tuple[Shape, ...]]:
    """Return for each character a choice and order of the alphabet's shapes, each bent a little for good."""
    own = {}
    for character, shapes in load_alphabet().items():
        wanted = [shape for shape in shapes if shape.is_cursive == (rng.random() < cursive)] or list(shapes)
        chosen = [wanted[place] for place in rng.permutation(len(wanted))[:2]]
        own[character] = tuple(replace(shape, points=bend_points(shape.points, rng, bend)) for shape in chosen)
    return own


def bend_points(points: Points, rng: np.random.Generator, size: float) -> Points:
    """Return points moved a little, each by itself; `size` is the standard deviation."""
    return points + rng.normal(0, size, points.shape).astype(np.float32)
