"""The words of a read line: its text split at spaces, its image split at the gaps of ink that fit best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage

NARROW, WIDE = "iljtfr.,;:!|'()[]I1 ", "mwMW@%&"
NARROW_WIDTH, WIDE_WIDTH, CAPITAL_WIDTH = 0.55, 1.5, 1.3
"""The widths of letters as multiples of an ordinary small letter's."""
DISTANCE_WEIGHT = 1.0
"""The weight of a gap's distance from where it is expected, against its width, both in line heights."""
MAX_USEFUL_GAP = 1.0
"""A gap wider than this, in line heights, is no better."""
MIN_INK = 12.0
"""The least difference of ink from paper, in grey levels."""

Span = tuple[float, float]
"""Begin and end, as fractions of the image's width."""


@dataclass(frozen=True)
class Gap:
    """Columns without ink, from start to stop."""

    start: int
    stop: int

    @property
    def middle(self) -> float:
        return (self.start + self.stop) / 2


def word_spans(image: GreyImage, text: str) -> list[Span]:
    """Return where each word of a line's text stands in its picture (H, W)."""
    words = text.split()
    if not words:
        return []
    height, width = image.shape
    inked = columns_of_ink(image)
    filled = np.flatnonzero(inked)
    first, last = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, width)
    expected = expected_breaks(words, first, last)
    gaps = _gaps(inked, first, last)
    enough = len(gaps) >= len(expected)
    breaks = _chosen(gaps, expected, height) if enough else [Gap(round(x), round(x)) for x in expected]
    edges = [first, *(side for gap in breaks for side in (gap.start, gap.stop)), last]
    return [(edges[2 * n] / width, edges[2 * n + 1] / width) for n in range(len(words))]


def expected_breaks(words: Sequence[str], first: float, last: float) -> list[float]:
    """Return where the spaces between words should be, if each letter has its usual width."""
    widths = np.array([sum(_width(letter) for letter in word) for word in words])
    ends = np.cumsum(widths + _width(" "))
    total = ends[-1] - _width(" ")
    middles = ends[:-1] - _width(" ") / 2
    return [float(first + (last - first) * middle / total) for middle in middles]


def columns_of_ink(image: GreyImage) -> npt.NDArray[np.bool_]:
    """Return which columns hold ink, of either polarity."""
    values = image.astype(np.float32)
    paper = float(np.median(values))
    off = np.abs(values - paper)
    strong = max(float(np.percentile(off, 95)) * 0.5, MIN_INK)
    return np.asarray((off > strong).any(axis=0))


def _width(letter: str) -> float:
    if letter in NARROW:
        return NARROW_WIDTH
    if letter in WIDE:
        return WIDE_WIDTH
    return CAPITAL_WIDTH if letter.isupper() else 1.0


def _gaps(inked: npt.NDArray[np.bool_], first: int, last: int) -> list[Gap]:
    inside = inked[first:last].astype(np.int8)
    steps = np.diff(inside)
    starts, stops = np.flatnonzero(steps < 0) + 1 + first, np.flatnonzero(steps > 0) + 1 + first
    return [Gap(int(start), int(stop)) for start, stop in zip(starts, stops, strict=False)]


def _chosen(gaps: Sequence[Gap], expected: Sequence[float], height: int) -> list[Gap]:
    """Return one gap for each space, in order, with the greatest sum of worths (dynamic programming)."""
    widths = np.array([min((gap.stop - gap.start) / height, MAX_USEFUL_GAP) for gap in gaps])
    middles = np.array([gap.middle for gap in gaps])
    worth = np.full((len(expected) + 1, len(gaps) + 1), -np.inf)
    worth[0] = 0.0
    for space, place in enumerate(expected, start=1):
        own = widths - DISTANCE_WEIGHT * np.abs(middles - place) / height
        taken = worth[space - 1, :-1] + own
        worth[space, 1:] = np.maximum.accumulate(taken)
    chosen: list[int] = []
    stop = len(gaps)
    for space in range(len(expected), 0, -1):
        place = expected[space - 1]
        own = widths[:stop] - DISTANCE_WEIGHT * np.abs(middles[:stop] - place) / height
        stop = int(np.argmax(worth[space - 1, :stop] + own))
        chosen.append(stop)
    return [gaps[number] for number in reversed(chosen)]
