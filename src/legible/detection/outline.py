"""The corners of a sheet in a photograph, from the detector's mask of the sheet, and the page flattened by them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage, Matrix
from legible.detection.geometry import PagePoints, homography, polygon_area
from legible.detection.maps import Detector, Map
from legible.detection.sheet_edges import SheetSide, Side, is_seen, with_edges

SEEN_SIDE = 320
"""The longer side, in pixels, at which the network looks for the sheet, as it was trained."""
FINER = 4
"""How much finer than the mask's cells its outline is drawn; an edge inside a cell is as far as the mask is sure."""
MIN_AREA, MAX_AREA = 0.15, 0.97
"""Smaller fractions of the image are not trusted as a sheet; larger ones are scans that need no straightening."""
MIN_FIT = 0.93
"""The least intersection over union of the mask and the quadrangle through its sides."""
MAX_STRETCH = 3.0
"""The largest ratio of opposite sides in a photograph of a sheet."""


@dataclass(frozen=True)
class Outline:
    """The sheet's corners from the top left, clockwise, in pixels, and how well a quadrangle fits its mask, 0 to 1.

    seen: whether the picture shows the sides; a scan that is flattened by sides it does not have would be warped.
    """

    corners: PagePoints
    fit: float
    seen: bool = False

    @property
    def is_sure(self) -> bool:
        return self.seen and self.fit >= MIN_FIT


def find_outline(detector: Detector, image: GreyImage) -> Outline | None:
    """Return the outline of the sheet in a picture (H, W); None where the picture is all sheet, or shows none."""
    factor = SEEN_SIDE / max(image.shape)
    size = (max(round(image.shape[1] * factor), 32), max(round(image.shape[0] * factor), 32))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    sheet = detector.maps(small).sheet
    found = outline_of(sheet)
    if found is None:
        return None
    scale = np.array([image.shape[1] / sheet.shape[1], image.shape[0] / sheet.shape[0]])
    sides = with_edges(image, found.corners * scale)
    return Outline(_moved(found.corners * scale, sides), found.fit, is_seen(sides))


def _moved(corners: PagePoints, sides: Sequence[SheetSide]) -> PagePoints:
    """Return corners (4, 2) moved to where the sides meet, or as they were where those are no sheet."""
    found = _corners_of([side.side for side in sides])
    return corners if found is None or not is_plausible(found) else found


def outline_of(sheet: Map) -> Outline | None:
    """Return the quadrangle of a mask's largest part, in cells of the mask."""
    finer = cv2.resize(sheet, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR)
    mask = _largest(finer > 0.5)  # noqa: PLR2004
    if not MIN_AREA < mask.mean() < MAX_AREA:
        return None
    found = [
        Outline(clockwise(corners), _fit(mask, corners)) for corners in _quadrangles(mask) if is_plausible(corners)
    ]
    best = max(found, key=lambda one: one.fit, default=None)
    return best and Outline(best.corners / FINER, best.fit)


def flattened(image: GreyImage, corners: PagePoints) -> tuple[GreyImage, Matrix]:
    """Return the sheet as a rectangle of its own size, and the matrix from it back to the image."""
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    width, height = max(round(float(max(top, bottom))), 1), max(round(float(max(left, right))), 1)
    rectangle = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    back = homography(rectangle, corners)
    flat = cv2.warpPerspective(
        image, back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(flat, np.uint8), back


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the largest connected part with its holes (dark pictures, text) filled."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _quadrangles(mask: npt.NDArray[np.bool_]) -> Iterator[PagePoints]:
    """Yield where straight lines fitted to the four sides of a mask meet, by different guesses of its corners."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    points = contour[:, 0].astype(np.float64) + 0.5
    for rough in _four_corners(cv2.convexHull(contour)):
        sides = [_side(points, rough[place], rough[(place + 1) % 4]) for place in range(4)]
        corners = _corners_of(sides)
        if corners is not None:
            yield corners


def _four_corners(hull: npt.NDArray[np.int32]) -> Iterator[PagePoints]:
    """Yield the convex hull simplified to four corners, and the corners of the least rectangle around it."""
    around = cv2.arcLength(hull, closed=True)
    for fraction in np.arange(0.01, 0.12, 0.005):
        simple = cv2.approxPolyDP(hull, fraction * around, closed=True)
        if len(simple) == 4:  # noqa: PLR2004
            yield np.asarray(simple[:, 0], np.float64)
        if len(simple) <= 4:  # noqa: PLR2004
            break
    yield np.asarray(cv2.boxPoints(cv2.minAreaRect(hull)), np.float64)


def _side(points: PagePoints, start: PagePoints, stop: PagePoints) -> Side:
    """Return a point and the direction of the line through the outline between two corners, without the corners."""
    along = stop - start
    length = max(float(np.linalg.norm(along)), 1e-9)
    unit = along / length
    place = (points - start) @ unit / length
    off = np.abs((points - start) @ np.array([-unit[1], unit[0]]))
    near = points[(place > 0.1) & (place < 0.9) & (off < 0.06 * length + 2 * FINER)]  # noqa: PLR2004
    if len(near) < 4:  # noqa: PLR2004
        return start, unit
    vx, vy, x, y = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)[:, 0].tolist()
    return np.array([x, y]), np.array([vx, vy])


def _corners_of(sides: Sequence[Side]) -> PagePoints | None:
    """Return where each of four sides meets the one before."""
    corners = [_meeting(sides[place - 1], sides[place]) for place in range(4)]
    return None if any(corner is None for corner in corners) else np.array(corners)


def _meeting(first: Side, second: Side) -> PagePoints | None:
    (p, u), (q, v) = first, second
    cross = u[0] * v[1] - u[1] * v[0]
    if abs(cross) < 0.1:  # sides that hardly turn meet nowhere near  # noqa: PLR2004
        return None
    along = ((q - p)[0] * v[1] - (q - p)[1] * v[0]) / cross
    return np.asarray(p + along * u)


def clockwise(corners: PagePoints) -> PagePoints:
    """Return the corners clockwise (y goes down), from the one nearest to the top left on."""
    center = corners.mean(axis=0)
    order = np.argsort(np.arctan2(*(corners - center).T[::-1]))
    ring = corners[order]
    return np.roll(ring, -int(ring.sum(axis=1).argmin()), axis=0)


def is_plausible(corners: PagePoints) -> bool:
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    if sides.min() < 1:
        return False
    ratios = np.array([sides[0] / sides[2], sides[1] / sides[3]])
    return bool(np.all((ratios < MAX_STRETCH) & (ratios > 1 / MAX_STRETCH))) and polygon_area(corners) > 0


def _fit(mask: npt.NDArray[np.bool_], corners: PagePoints) -> float:
    """Return the intersection over union."""
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(drawn, [np.round((corners - 0.5) * 16).astype(np.int32)], 1, shift=4)
    both, either = np.count_nonzero(mask & (drawn > 0)), np.count_nonzero(mask | (drawn > 0))
    return float(both) / max(float(either), 1.0)
