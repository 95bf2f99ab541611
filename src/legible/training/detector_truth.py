"""The truth for the line detector: from the lines of a page to the maps that its network is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage, Matrix
from legible.detection.geometry import LineShape, PagePoints, moved_points
from legible.detection.maps import HEIGHT_UNIT, STRIDE

Maps = npt.NDArray[np.float32]
"""(H / STRIDE, W / STRIDE, 8): see `network.detector.detector_loss`."""

CORE = (0.25, 0.75)
"""The middle of a line, as fractions of its height."""
CORE_INSET = 0.15
"""Line heights that the core ends before the line does."""
MAX_GAP = 6.0
"""Line heights between two lines of a row up to which the room between them is a gap."""
MIN_HEIGHT = 6.0
"""Pixels; lower lines are neither taught nor held against the network."""
MAX_HEIGHT = 90.0
FRACTION_BITS = 4
"""OpenCV takes points in sixteenths of a pixel."""


@dataclass(frozen=True)
class TruePage:
    """A page and what is known of it.

    complete: whether every line is listed, so that the rest is background. measured: whether the edges of the lines
    lie at their ink. corners: of the sheet, None where nobody told them.
    """

    image: GreyImage
    lines: tuple[LineShape, ...]
    ignored: tuple[PagePoints, ...] = ()
    corners: PagePoints | None = None
    complete: bool = True
    measured: bool = True


def truth_maps(page: TruePage, matrix: Matrix, *, shape: tuple[int, int]) -> Maps:
    """Return the maps of the part of a page that a matrix brings into a picture of `shape` (height, width)."""
    lines = [line.moved(matrix) for line in page.lines]
    taught = [line for line in lines if MIN_HEIGHT <= line.height <= MAX_HEIGHT]
    unclear = [line.polygon for line in lines if not MIN_HEIGHT <= line.height <= MAX_HEIGHT]
    unclear += [moved_points(polygon, matrix) for polygon in page.ignored]
    core = _painted([shortened(line).band(*CORE) for line in taught], shape)
    gap = _painted(row_gaps(taught), shape) * (1 - core)
    above, below = _edge_distances(taught, core)
    known = np.ones_like(core) if page.complete else _painted([line.polygon for line in taught], shape)
    known = known * (1 - _painted(unclear, shape))
    measured = np.full_like(core, float(page.measured))
    mapped = np.full_like(core, float(page.corners is not None))
    sheet = np.zeros_like(core) if page.corners is None else _painted([moved_points(page.corners, matrix)], shape)
    return np.stack([core, gap, sheet, above, below, known, measured, mapped], axis=-1).astype(np.float32)


def shortened(line: LineShape) -> LineShape:
    """Return a line that ends a little before its ink does; a lone sign keeps a third of its width."""
    inset = min(CORE_INSET * line.height, line.length / 3)
    steps = np.linalg.norm(np.diff(line.middle, axis=0), axis=1)
    places = np.concatenate([[0.0], np.cumsum(steps)])
    inner = places[(places > inset) & (places < places[-1] - inset)]
    wanted = np.concatenate([[inset], inner, [places[-1] - inset]])

    def cut(points: PagePoints) -> PagePoints:
        return np.stack([np.interp(wanted, places, points[:, axis]) for axis in (0, 1)], axis=1)

    return LineShape(cut(line.upper), cut(line.lower))


def row_gaps(lines: Sequence[LineShape]) -> list[PagePoints]:
    """Return the quadrangles between lines that stand side by side in a row."""
    if len(lines) < 2:  # noqa: PLR2004
        return []
    boxes = np.array([line.box for line in lines])
    left, top, right, bottom = boxes.T
    heights = np.array([line.height for line in lines])
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    beside = shared > 0.5 * np.minimum(heights[:, None], heights)
    room = left[None, :] - right[:, None]
    near = beside & (room > -0.3 * heights[:, None]) & (room < MAX_GAP * heights[:, None])
    np.fill_diagonal(near, val=False)
    room = np.where(near, room, np.inf)
    found = []
    for place in np.flatnonzero(near.any(axis=1)).tolist():
        first, second = lines[place], lines[int(room[place].argmin())]
        found.append(np.stack([first.upper[-1], second.upper[0], second.lower[0], first.lower[-1]]))
    return found


def _painted(polygons: Sequence[PagePoints], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the fraction of each cell that the polygons cover."""
    canvas = np.zeros(shape, np.uint8)
    # OpenCV's places are middles of pixels, and what it fills reaches half a pixel beyond them
    centers = [np.clip(polygon, -4000, 4000) - 0.5 for polygon in polygons]
    fixed = [np.round(points * (1 << FRACTION_BITS)).astype(np.int32) for points in centers]
    for polygon in fixed:  # one by one: together, where two overlap would count as outside
        cv2.fillPoly(canvas, [polygon], 255, shift=FRACTION_BITS)
    cells = cv2.resize(canvas, (shape[1] // STRIDE, shape[0] // STRIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float32) / np.float32(255)


def _edge_distances(
    lines: Sequence[LineShape], core: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return for each cell of a core its distance to the line's upper and lower edge, in units of HEIGHT_UNIT."""
    above, below = np.zeros_like(core), np.zeros_like(core)
    rows, columns = core.shape
    for line in lines:
        left, top, right, bottom = line.box
        part = np.s_[
            max(int(top / STRIDE), 0) : min(int(bottom / STRIDE) + 2, rows),
            max(int(left / STRIDE), 0) : min(int(right / STRIDE) + 2, columns),
        ]
        y = (np.arange(rows)[part[0]] + 0.5) * STRIDE
        x = (np.arange(columns)[part[1]] + 0.5) * STRIDE
        upper = np.interp(x, line.upper[:, 0], line.upper[:, 1])
        lower = np.interp(x, line.lower[:, 0], line.lower[:, 1])
        up, down = y[:, None] - upper, lower - y[:, None]
        within = (up > 0) & (down > 0) & (core[part] > 0)
        above[part][within] = up[within] / HEIGHT_UNIT
        below[part][within] = down[within] / HEIGHT_UNIT
    return above, below
