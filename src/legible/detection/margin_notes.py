"""Notes in the margin of running text: they are no cells of its rows, and are read after it."""

import numpy as np
import numpy.typing as npt

from legible.arrays import Flags, Floats

Ints = npt.NDArray[np.int64]

LONG_LINE = 13.0
"""Lines at least so long, in line heights, are running text."""
MIN_LONG_LINES = 5
MAX_WIDTH = 0.5
"""The widest note, as a fraction of the width of the text beside it."""
MAX_HEIGHT = 0.85
"""The height of a note's lines over that of the text's, at most: notes are set smaller."""
MAX_PITCH = 0.9
"""The distance of a note's lines over that of the text's, at most. Cells of rows are as far apart as their rows."""
OFF_LEVEL = 0.25
"""A single line is a note where its foot is so far, in line heights, from the feet of all lines of the text."""
MAX_SINGLES = 3
"""The most such single lines beside a text; more of them are cells, of a sheet that is bent."""
OUTSIDE = 3.0
"""How far above or below the text a note may stand, in line heights."""
TOLERANCE = 0.5
"""How far a note may reach into the text's column, in line heights."""
PARAGRAPH_PITCH = 2.2
"""The greatest distance of two lines of one note or paragraph, in line heights."""


def margin_notes(boxes: Floats, heights: Floats) -> Flags:
    """Return which lines (n,) are notes in a margin, of upright boxes (n, 4) and line heights (n,).

    Running text stands beside them on its own: they are smaller, closer to each other and on no level of its lines.
    """
    nothing = np.zeros(len(boxes), bool)
    lengths = boxes[:, 2] - boxes[:, 0]
    text = np.flatnonzero(lengths >= LONG_LINE * heights)
    if text.size < MIN_LONG_LINES or 2 * lengths[text].sum() < lengths.sum():
        return nothing
    high = float(np.median(heights[text]))
    left, right = np.percentile(boxes[text, 0], 10), np.percentile(boxes[text, 2], 90)
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    first, last = boxes[text, 1].min() - OUTSIDE * high, boxes[text, 3].max() + OUTSIDE * high
    beside = (middles > first) & (middles < last) & (heights < MAX_HEIGHT * high)
    beside &= lengths < MAX_WIDTH * (right - left)
    slack = TOLERANCE * high
    found = nothing
    for side in (boxes[:, 2] < left + slack, boxes[:, 0] > right - slack):
        places = np.flatnonzero(side & beside)
        if places.size and _are_notes(boxes[places], heights[places], boxes[text], high):
            found[places] = True
    return found


def _are_notes(boxes: Floats, heights: Floats, text: Floats, high: float) -> bool:
    """Return whether the lines in one margin are notes: several that are closer than the text's, or off its levels."""
    pitch, own = _pitch(text[:, 3], high), _pitch(boxes[:, 3], float(np.median(heights)))
    if np.isfinite(own):
        return bool(own < MAX_PITCH * pitch)
    off = np.abs(boxes[:, 3, None] - text[:, 3]).min(axis=1) / high
    return len(boxes) <= MAX_SINGLES and bool((off > OFF_LEVEL).all())


def _pitch(feet: Floats, high: float) -> float:
    """Return the usual distance of lines that follow each other; nan where none do."""
    steps = np.diff(np.sort(feet))
    steps = steps[(steps > TOLERANCE * high) & (steps < PARAGRAPH_PITCH * high)]
    return float(np.median(steps)) if steps.size else float("nan")
