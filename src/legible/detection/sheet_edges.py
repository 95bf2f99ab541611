"""The sides of a sheet in a photograph, moved to the nearest edges of the picture: the detector's mask is coarse."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from legible.arrays import Floats, GreyImage
from legible.detection.geometry import PagePoints

SEEN_SIDE = 640
"""The longer side, in pixels, of the picture in which edges are looked for."""
REACH = 14
"""How far from a side its edge is looked for, in those pixels."""
BAND = 4
"""The pixels on either side of an edge that are compared."""
PLACES = 64
"""The places along a side at which its edge is looked for."""
ENDS = 0.06
"""The fraction of a side, at each end, that is left out: corners are often bent."""
MIN_STEP = 8.0
"""The least difference of grey levels of an edge."""
MIN_PLACES = 0.4
"""The fraction of a side's places that need an edge; a side with fewer stays where it is."""
STRAIGHT = 2.0
"""How far from a straight line the places of an edge may be, in those pixels: lines of text are no edge of a sheet."""
AT_BORDER = 3.0
"""How far from a border of the picture a side may be that lies along it, in those pixels: the sheet goes on outside."""
MAX_UNSEEN, MIN_STRAIGHT = 1, 2
"""The most sides of a sheet with neither edge nor border, and the fewest that are a straight edge in the picture.

On 232 scans and photographs in which the mask alone was sure, a tenth pass, most of them scanned with a black margin;
of 153 sheets in photographs whose corners were right, 98 %."""

Side = tuple[PagePoints, PagePoints]
"""A point of a side, and its direction."""


@dataclass(frozen=True)
class SheetSide:
    """A side of a sheet, whether it is at an edge of the picture, a straight one, or along the picture's border."""

    side: Side
    has_edge: bool
    is_straight: bool
    at_border: bool


def is_seen(sides: Sequence[SheetSide]) -> bool:
    """Return whether the picture shows the sheet's sides; on a scan the mask may end in its white margins."""
    unseen = sum(not (side.has_edge or side.at_border) for side in sides)
    straight = sum(side.is_straight and not side.at_border for side in sides)
    return unseen <= MAX_UNSEEN and straight >= MIN_STRAIGHT


def with_edges(image: GreyImage, corners: PagePoints) -> list[SheetSide]:
    """Return the sides of a sheet in a picture (H, W), clockwise from the top; its corners (4, 2) are about known."""
    factor = SEEN_SIDE / max(image.shape)
    size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
    ring = corners * scale
    found = [_side(np.asarray(small, np.uint8), ring[place], ring[(place + 1) % 4]) for place in range(4)]
    return [replace(one, side=(one.side[0] / scale, one.side[1] / scale)) for one in found]


def _side(image: GreyImage, start: PagePoints, stop: PagePoints) -> SheetSide:
    along = stop - start
    unit = along / max(float(np.linalg.norm(along)), 1e-9)
    outward = np.array([unit[1], -unit[0]])
    places = start + np.linspace(ENDS, 1 - ENDS, PLACES)[:, None] * along
    at_border = _is_at_border(image, places)
    steps = _steps(image, places, outward)
    best = steps.argmax(axis=1)
    strong = steps[np.arange(PLACES), best] > MIN_STEP
    if np.count_nonzero(strong) < MIN_PLACES * PLACES:
        return SheetSide((start, unit), has_edge=False, is_straight=False, at_border=at_border)
    points = (places + (best - REACH)[:, None] * outward)[strong]
    vx, vy, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)[:, 0].tolist()
    near = np.abs((points - (x, y)) @ np.array([-vy, vx])) < STRAIGHT
    straight = int(np.count_nonzero(near)) >= MIN_PLACES * PLACES
    return SheetSide((np.array([x, y]), np.array([vx, vy])), has_edge=True, is_straight=straight, at_border=at_border)


def _is_at_border(image: GreyImage, places: PagePoints) -> bool:
    """Return whether all places of a side (PLACES, 2) are along one border of the picture."""
    height, width = image.shape
    x, y = places.T
    return bool(min(np.abs(off).max() for off in (x, y, width - x, height - y)) <= AT_BORDER)


def _steps(image: GreyImage, places: PagePoints, outward: PagePoints) -> Floats:
    """Return how much brighter (or darker, where the sheet is) it is inside than outside, at each place and distance.

    (PLACES, 2 * REACH + 1), from inside to outside; edges far from the side count less.
    """
    distances = np.arange(-REACH - BAND, REACH + BAND + 1)
    points = places[:, None] + distances[:, None] * outward
    grey = cv2.remap(
        image,
        points[..., 0].astype(np.float32),
        points[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
    summed = np.concatenate([np.zeros((len(grey), 1)), grey.cumsum(axis=1)], axis=1)
    middle = np.arange(BAND, BAND + 2 * REACH + 1)
    inside = summed[:, middle] - summed[:, middle - BAND]
    outside = summed[:, middle + BAND + 1] - summed[:, middle + 1]
    steps = (inside - outside) / BAND
    sign = 1.0 if steps[:, REACH // 2 : -(REACH // 2)].mean() >= 0 else -1.0
    return np.asarray(sign * steps * np.exp(-0.5 * (distances[BAND:-BAND] / (0.5 * REACH)) ** 2))
