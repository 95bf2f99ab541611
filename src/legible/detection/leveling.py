"""Lines made level before they are put in order, on a page that is tilted, seen from the side, or curved.

A rotation makes the lines of a flat page level. On a sheet that bends or that was photographed from the side, lines
lean by another angle at each place: the slope is fitted as a smooth function of the place, and taken away. Then the
left edges of columns may lean still, and are made upright.
"""

from collections.abc import Sequence

import numpy as np

from legible.arrays import Floats
from legible.detection.geometry import LineShape, PagePoints, rotation

MIN_LENGTH = 4.0
"""Shorter lines, in line heights, lean by chance and say nothing of the page."""
MIN_LINES = 8
"""The fewest lines, or pairs of a line and the next one, that show how a page bends or leans."""
MIN_SLOPE, MAX_SLOPE = 0.02, 0.6
"""The slope that is left after the rotation, at its steepest place, from which and up to which lines are moved."""
MIN_GAIN = 0.5
"""Lines are moved where that leaves at most this fraction of their slopes, in the median over the lines."""
ROUNDS = 8
NEARLY_ZERO = 5e-3
"""Errors of slopes below this weigh alike."""
MIN_STEP, MAX_STEP = 0.5, 2.5
"""How far below a line the next one of its column begins, in line heights."""
COMPARED = 128
"""The lines that are compared with all lines at a time, in little memory."""


def leveled(lines: Sequence[LineShape]) -> list[LineShape]:
    """Return the lines moved so that most are level and columns upright, whatever the page's tilt and bend."""
    turn = rotation(-_usual_lean(lines), center=(0.0, 0.0))
    return _upright(_unbent([line.moved(turn) for line in lines]))


def _usual_lean(lines: Sequence[LineShape]) -> float:
    lengths = np.array([line.length for line in lines])
    angles = np.array([line.angle for line in lines])
    order = np.argsort(angles)
    middle = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    return float(angles[order][min(int(middle), len(lines) - 1)])


def _unbent(lines: list[LineShape]) -> list[LineShape]:
    """Return the lines less the slope that the page has where they stand."""
    long = [line for line in lines if line.length > MIN_LENGTH * max(line.height, 1.0)]
    if len(long) < MIN_LINES:
        return lines
    steps = np.concatenate([np.diff(line.middle, axis=0) for line in long])
    middles = np.concatenate([(line.middle[:-1] + line.middle[1:]) / 2 for line in long])
    slopes = np.clip(steps[:, 1] / np.maximum(steps[:, 0], 1e-6), -2, 2)
    center, size = middles.mean(axis=0), float(max(np.ptp(middles, axis=0).max(), 1.0)) / 2
    terms = _slope_terms((middles - center) / size)
    fitted = _least_absolute(terms, slopes, weights=np.hypot(*steps.T))
    if not _helps(slopes, terms @ fitted):
        return lines

    def lowered(edge: PagePoints) -> PagePoints:
        rise = _risen((edge - center) / size) @ fitted * size
        return np.stack([edge[:, 0], edge[:, 1] - rise], axis=1)

    return [LineShape(lowered(line.upper), lowered(line.lower)) for line in lines]


def _upright(lines: list[LineShape]) -> list[LineShape]:
    """Return the lines sheared so that the left edges of most columns are upright."""
    starts = np.array([line.middle[0] for line in lines])
    boxes = np.array([line.box for line in lines])
    heights = np.array([max(line.height, 1.0) for line in lines])
    parts = (slice(first, first + COMPARED) for first in range(0, len(lines), COMPARED))
    slopes = np.concatenate([_edge_slopes(part, starts, boxes, heights) for part in parts])
    if slopes.size < MIN_LINES:
        return lines
    lean = np.median(slopes)
    if not _helps(slopes, np.full_like(slopes, lean)):
        return lines
    shear = np.array([[1, -lean, 0], [0, 1, 0], [0, 0, 1]])
    return [line.moved(shear) for line in lines]


def _edge_slopes(part: slice, starts: PagePoints, boxes: Floats, heights: Floats) -> Floats:
    """Return how far aside of some lines the next one of their column begins, for each pixel down; none without one."""
    left, _, right, _ = boxes.T
    high = heights[part, None]
    aside, down = np.moveaxis(starts[None, :] - starts[part, None], 2, 0)
    shared = np.minimum(right[part, None], right) - np.maximum(left[part, None], left)
    follows = (down > MIN_STEP * high) & (down < MAX_STEP * high)
    follows &= (shared > high) & (np.abs(aside) < MAX_SLOPE * down)
    first = np.flatnonzero(follows.any(axis=1))
    second = np.where(follows, down, np.inf)[first].argmin(axis=1)
    return np.asarray(aside[first, second] / down[first, second])


def _helps(slopes: Floats, found: Floats) -> bool:
    """Return whether lines that have these slopes become level where the slopes that were found are taken away."""
    left, whole = np.median(np.abs(slopes - found)), np.median(np.abs(slopes))
    return bool(MIN_SLOPE < np.abs(found).max() < MAX_SLOPE and left < MIN_GAIN * whole)


def _slope_terms(places: PagePoints) -> Floats:
    """Return the terms of the slope at places (n, 2): (n, 5)."""
    x, y = places.T
    return np.stack([np.ones_like(x), x, y, x * y, x * x], axis=1)


def _risen(places: PagePoints) -> Floats:
    """Return the integral of each term along a level line from the middle of the page to places (n, 2): (n, 5)."""
    x, y = places.T
    return np.stack([x, x * x / 2, x * y, x * x * y / 2, x**3 / 3], axis=1)


def _least_absolute(terms: Floats, values: Floats, *, weights: Floats) -> Floats:
    """Return the coefficients of least absolute error, by least squares weighted anew (Schlossmacher, 1973, "An
    iterative technique for absolute deviations curve fitting").
    """
    trust = weights
    for _ in range(ROUNDS):
        root = np.sqrt(trust)
        found = np.linalg.lstsq(terms * root[:, None], values * root, rcond=1e-6)[0]
        trust = weights / np.maximum(np.abs(values - terms @ found), NEARLY_ZERO)
    return np.asarray(found)
