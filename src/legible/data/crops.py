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
MIN_RISE = 0.12
"""A line that rises or falls by a smaller fraction of its height is not straightened: resampling costs sharpness."""
PEAKS = 0.1
"""The fraction of a polygon's columns in which it may reach further up, or down, than its box: outlines are ragged."""
FINE = 4
"""Rows of a picture of a polygon to a pixel, so that its edges are found to parts of one."""
MAX_TILT_DEGREES = 30.0
"""A greater tilt is not that of a line, but the shape of a short polygon."""
MIN_ASPECT = 3.0
"""Only a polygon at least this many times as wide as high tells the tilt of its text."""


@dataclass(frozen=True)
class BoxCrop:
    """The pixels (H, W) or (H, W, 3) of a crop, and the box of the text in them."""

    image: Pixels
    box: Box


def crop_box(
    page: Pixels, box: Box, *, polygon: Sequence[Sequence[float]] = (), neighbours: Sequence[Box] = ()
) -> BoxCrop:
    """Cut a box out of a page (H, W) or (H, W, 3) with CONTEXT_MARGIN around it.

    A tilted polygon is straightened first. At its sides the crop ends where a neighbour on the same line begins.
    """
    if not is_long(polygon):
        return _upright(page, box, _side_limits(box, neighbours))
    points, tilt = np.array(polygon, np.float64), tilt_degrees(polygon)
    matrix = cv2.getRotationMatrix2D(points.mean(axis=0), tilt, 1.0)
    left, top, right, bottom = trimmed_box(points @ matrix[:, :2].T + matrix[:, 2])
    if np.tan(np.radians(abs(tilt))) * (right - left) < MIN_RISE * (bottom - top):
        trimmed = trimmed_box(points)
        return _upright(page, trimmed, _side_limits(trimmed, neighbours))
    margin = CONTEXT_MARGIN * (bottom - top)
    matrix[:, 2] += margin - np.array([left, top])
    size = (max(round(right - left + 2 * margin), 1), max(round(bottom - top + 2 * margin), 1))
    turned = cv2.warpAffine(page, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return BoxCrop(np.asarray(turned, np.uint8), (margin, margin, margin + right - left, margin + bottom - top))


def tilt_degrees(polygon: Sequence[Sequence[float]]) -> float:
    """Return the angle in degrees by which a polygon's text falls to the right, or 0 where the polygon cannot tell."""
    if not is_long(polygon):
        return 0.0
    filled, _ = _filled(np.array(polygon, np.float64))
    counts = filled.sum(axis=0)
    columns = np.flatnonzero(counts)
    middles = (np.arange(len(filled)) @ filled)[columns] / counts[columns]
    angle = float(np.degrees(np.arctan(np.polyfit(columns, middles, 1)[0] / FINE)))
    return angle if abs(angle) <= MAX_TILT_DEGREES else 0.0


def is_long(polygon: Sequence[Sequence[float]]) -> bool:
    """Return whether a polygon is wide enough to tell the tilt and the height of its text."""
    if len(polygon) < 4:  # noqa: PLR2004
        return False
    width, height = np.ptp(np.array(polygon, np.float64), axis=0)
    return bool(width >= MIN_ASPECT * height)


def trimmed_box(points: npt.NDArray[np.float64]) -> Box:
    """Return the box around a polygon (N, 2), without the few columns in which it reaches furthest up and down."""
    filled, low = _filled(points)
    filled = filled[:, filled.any(axis=0)]
    tops, bottoms = filled.argmax(axis=0), len(filled) - 1 - filled[::-1].argmax(axis=0)
    top, bottom = np.quantile(tops, PEAKS) / FINE, np.quantile(bottoms, 1 - PEAKS) / FINE
    return float(points[:, 0].min()), float(low[1] + top), float(points[:, 0].max()), float(low[1] + bottom)


def _filled(points: npt.NDArray[np.float64]) -> tuple[Pixels, npt.NDArray[np.float64]]:
    """Return a picture of a polygon (N, 2), 1 inside, with FINE rows to a pixel, and the point of its first pixel."""
    low = np.floor(points.min(axis=0))
    fine = (points - low) * (1, FINE)
    width, height = np.ceil(fine.max(axis=0)).astype(int) + 1
    filled = np.zeros((height, width), np.uint8)
    cv2.fillPoly(filled, [np.round(fine).astype(np.int32)], 1)
    return filled, low


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


def _upright(page: Pixels, box: Box, limits: tuple[float, float]) -> BoxCrop:
    margin = CONTEXT_MARGIN * (box[3] - box[1])
    rows, columns = page.shape[:2]
    left = int(max(box[0] - margin, limits[0], 0))
    top = int(max(box[1] - margin, 0))
    right = int(np.ceil(min(box[2] + margin, limits[1], columns)))
    bottom = int(np.ceil(min(box[3] + margin, rows)))
    return BoxCrop(page[top:bottom, left:right], (box[0] - left, box[1] - top, box[2] - left, box[3] - top))


def _side_limits(box: Box, neighbours: Sequence[Box]) -> tuple[float, float]:
    """Return how far a crop may reach to the left and right: to the nearest box on the same line."""
    left, top, right, bottom = box
    middle = (left + right) / 2
    beside = [other for other in neighbours if min(bottom, other[3]) - max(top, other[1]) > (bottom - top) / 2]
    before = [min(other[2], left) for other in beside if other[0] < left and other[2] < middle]
    after = [max(other[0], right) for other in beside if other[2] > right and other[0] > middle]
    return max(before, default=-np.inf), min(after, default=np.inf)
