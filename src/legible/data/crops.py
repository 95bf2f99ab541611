"""Cut a line or word out of a page as a detector would: upright, with some context around its box."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

CONTEXT_MARGIN = 0.35
"""The margin stored on each side of a box, as a fraction of its height; training crops between this and nothing."""
READING_MARGIN = 0.1
"""The margin on each side, as a fraction of the height, that figures, choices and statistics are made with."""
MIN_TILT_DEGREES = 0.4
"""A smaller tilt is not straightened, because resampling costs sharpness."""
MAX_TILT_DEGREES = 30.0
"""A greater tilt is not that of a line, but the shape of a short polygon."""
MIN_ASPECT = 3.0
"""Only a polygon at least this many times as wide as high tells the tilt of its text."""


@dataclass(frozen=True)
class Crop:
    """The pixels (H, W) or (H, W, 3) of a crop, and the box of the text in them."""

    image: Pixels
    box: Box


def crop_box(
    page: Pixels, box: Box, *, polygon: Sequence[Sequence[float]] = (), neighbours: Sequence[Box] = ()
) -> Crop:
    """Cut a box out of a page (H, W) or (H, W, 3) with CONTEXT_MARGIN around it.

    A tilted polygon is straightened first. At its sides the crop ends where a neighbour on the same line begins.
    """
    tilt = tilt_degrees(polygon)
    if abs(tilt) < MIN_TILT_DEGREES:
        return _upright(page, box, _side_limits(box, neighbours))
    center = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    matrix = cv2.getRotationMatrix2D(center, tilt, 1.0)
    corners = np.array(polygon, np.float64) @ matrix[:, :2].T + matrix[:, 2]
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    margin = CONTEXT_MARGIN * (bottom - top)
    matrix[:, 2] += margin - np.array([left, top])
    size = (max(round(right - left + 2 * margin), 1), max(round(bottom - top + 2 * margin), 1))
    turned = cv2.warpAffine(page, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Crop(np.asarray(turned, np.uint8), (margin, margin, margin + right - left, margin + bottom - top))


def tilt_degrees(polygon: Sequence[Sequence[float]]) -> float:
    """Return the angle in degrees by which a polygon's text falls to the right, or 0 where the polygon cannot tell."""
    if len(polygon) < 4:  # noqa: PLR2004
        return 0.0
    points = np.array(polygon, np.float64)
    low = np.floor(points.min(axis=0))
    width, height = np.ceil(points.max(axis=0) - low).astype(int) + 1
    if width < MIN_ASPECT * height:
        return 0.0
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [np.round(points - low).astype(np.int32)], 1)
    counts = filled.sum(axis=0)
    columns = np.flatnonzero(counts)
    middles = (np.arange(height) @ filled)[columns] / counts[columns]
    angle = float(np.degrees(np.arctan(np.polyfit(columns, middles, 1)[0])))
    return angle if abs(angle) <= MAX_TILT_DEGREES else 0.0


def cut_out(image: Pixels, box: Box, margins: Sequence[float]) -> Pixels:
    """Return the box with margins (left, top, right, bottom) in heights of the box, as far as the image goes."""
    left, top, right, bottom = box
    height = bottom - top
    rows, columns = image.shape[:2]
    first_row = min(max(round(top - margins[1] * height), 0), rows - 1)
    first_column = min(max(round(left - margins[0] * height), 0), columns - 1)
    last_row = max(round(bottom + margins[3] * height), first_row + 1)
    last_column = max(round(right + margins[2] * height), first_column + 1)
    return image[first_row:last_row, first_column:last_column]


def _upright(page: Pixels, box: Box, limits: tuple[float, float]) -> Crop:
    margin = CONTEXT_MARGIN * (box[3] - box[1])
    rows, columns = page.shape[:2]
    left = int(max(box[0] - margin, limits[0], 0))
    top = int(max(box[1] - margin, 0))
    right = int(np.ceil(min(box[2] + margin, limits[1], columns)))
    bottom = int(np.ceil(min(box[3] + margin, rows)))
    return Crop(page[top:bottom, left:right], (box[0] - left, box[1] - top, box[2] - left, box[3] - top))


def _side_limits(box: Box, neighbours: Sequence[Box]) -> tuple[float, float]:
    """Return how far a crop may reach to the left and right: to the nearest box on the same line."""
    left, top, right, bottom = box
    middle = (left + right) / 2
    beside = [other for other in neighbours if min(bottom, other[3]) - max(top, other[1]) > (bottom - top) / 2]
    before = [min(other[2], left) for other in beside if other[0] < left and other[2] < middle]
    after = [max(other[0], right) for other in beside if other[2] > right and other[0] > middle]
    return max(before, default=-np.inf), min(after, default=np.inf)
