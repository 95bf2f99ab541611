"""The corners of a sheet that somebody says are right: four points of the picture, checked before it is flattened."""

import cv2
import numpy as np

from legible.arrays import GreyImage
from legible.detection.geometry import PagePoints, polygon_area
from legible.detection.outline import clockwise, is_plausible
from legible.errors import ImageError
from legible.pages.result import Polygon

COUNT = 4
MIN_SIDE = 16
"""The shortest side of a sheet, in pixels."""
MAX_GROWTH = 2.0
"""The flattened sheet may have at most so many times the pixels of the picture."""


class CornersError(ImageError):
    """The points are not the corners of a sheet in this picture."""

    code = "bad_corners"


def sheet_corners(corners: Polygon, image: GreyImage) -> PagePoints:
    """Return four corners (4, 2) clockwise from the top left, within the picture. Raise CornersError for others."""
    height, width = image.shape
    points = np.array(corners, float)
    if points.shape != (COUNT, 2) or not np.isfinite(points).all():
        raise CornersError("the corners are no four points; send eight numbers, x and y of each")
    if points.min() < 0 or (points > (width, height)).any():
        raise CornersError(f"a corner is outside the picture of {width} x {height} pixels; send corners inside it")
    ring = clockwise(points)
    sides = np.linalg.norm(ring - np.roll(ring, -1, axis=0), axis=1)
    if sides.min() < MIN_SIDE or not cv2.isContourConvex(ring.astype(np.float32)) or not is_plausible(ring):
        raise CornersError(f"the corners make no sheet; each side needs {MIN_SIDE} pixels, and none may be dented")
    if max(sides[0], sides[2]) * max(sides[1], sides[3]) > MAX_GROWTH * polygon_area(ring):
        raise CornersError("the corners make too slanted a sheet; set them on the sheet's own corners")
    return ring
