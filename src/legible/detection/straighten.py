"""A line cut out of its page, upright and straight, with a little of its surroundings."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.detection.geometry import LineShape, PagePoints

MARGIN = 0.1
"""The margin on each side, as a fraction of the line's height, with which reading is measured too."""
MIN_LEAN = 0.12
"""A smaller lean from end to end, in line heights, is left as it is, because resampling costs sharpness."""
MAX_COLUMNS = 12_000


def cut_line(image: GreyImage, shape: LineShape, *, margin: float = MARGIN) -> GreyImage:
    """Return the line (H, W) of a page, straightened where it leans or curves by more than it may."""
    middle = shape.middle
    high = max(shape.height, 1.0)
    if float(np.ptp(middle[:, 1])) < MIN_LEAN * high:
        return _upright(image, shape, margin * high)
    columns = int(np.clip(round(shape.length + 2 * margin * high), 1, MAX_COLUMNS))
    rows = max(round(high * (1 + 2 * margin)), 1)
    upper, lower = _edges_at(shape, columns, margin)
    down = (np.arange(rows) + 0.5)[:, None, None] / rows * (1 + 2 * margin) - margin
    places = (upper + down * (lower - upper) - 0.5).astype(np.float32)
    return np.asarray(
        cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def page_polygon(shape: LineShape, start: float, stop: float) -> PagePoints:
    """Return the part of a line between two fractions of the length of its cut, MARGIN included, as a polygon on the
    page.
    """
    return page_polygons(shape, [(start, stop)])[0]


def page_polygons(shape: LineShape, spans: Sequence[tuple[float, float]]) -> list[PagePoints]:
    """Return `page_polygon` of several parts of one line."""
    edges = _edges_at(shape, 64, MARGIN)
    return [_between(edges, start, stop, len(shape.upper)) for start, stop in spans]


def _between(edges: tuple[PagePoints, PagePoints], start: float, stop: float, points: int) -> PagePoints:
    """Return the polygon between two fractions of edges; a whole line has so many points on each."""
    places = np.linspace(start, stop, max(2, round((stop - start) * points) + 1))
    index = np.arange(len(edges[0]))
    at = np.clip(places * len(index) - 0.5, 0, len(index) - 1)
    upper, lower = (np.stack([np.interp(at, index, edge[:, axis]) for axis in (0, 1)], axis=1) for edge in edges)
    return np.concatenate([upper, lower[::-1]])


def _upright(image: GreyImage, shape: LineShape, margin: float) -> GreyImage:
    rows, columns = image.shape
    left, _, right, _ = shape.box
    top, bottom = float(np.median(shape.upper[:, 1])), float(np.median(shape.lower[:, 1]))
    first_row = int(np.clip(round(top - margin), 0, rows - 1))
    first_column = int(np.clip(round(left - margin), 0, columns - 1))
    last_row = int(np.clip(round(bottom + margin), first_row + 1, rows))
    last_column = int(np.clip(round(right + margin), first_column + 1, columns))
    return image[first_row:last_row, first_column:last_column]


def _edges_at(shape: LineShape, count: int, margin: float) -> tuple[PagePoints, PagePoints]:
    """Return the points of both edges in the middles of `count` columns, equally far apart along the line and its
    margins.
    """
    middle = shape.middle
    steps = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    extra = margin * shape.height
    wanted = (np.arange(count) + 0.5) / count * (along[-1] + 2 * extra) - extra
    return _interpolated(shape.upper, along, wanted), _interpolated(shape.lower, along, wanted)


def _interpolated(points: PagePoints, along: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> PagePoints:
    """Return the points at places along a line, beyond its ends in the direction that it has there."""
    inner = np.stack([np.interp(wanted, along, points[:, axis]) for axis in (0, 1)], axis=1)
    first = (points[1] - points[0]) / max(along[1] - along[0], 1e-9)
    last = (points[-1] - points[-2]) / max(along[-1] - along[-2], 1e-9)
    before, after = np.minimum(wanted - along[0], 0), np.maximum(wanted - along[-1], 0)
    return np.asarray(inner + before[:, None] * first + after[:, None] * last)
