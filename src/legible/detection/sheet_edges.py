"""The sides of a sheet in a photograph, moved to the nearest edges of the picture: the detector's mask is coarse."""

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

Side = tuple[PagePoints, PagePoints]
"""A point of a side, and its direction."""


def with_edges(image: GreyImage, corners: PagePoints) -> list[Side]:
    """Return the sides of a sheet in a picture (H, W), clockwise from the top; its corners (4, 2) are about known."""
    factor = SEEN_SIDE / max(image.shape)
    size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
    small = cv2.GaussianBlur(cv2.resize(image, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]])
    ring = corners * scale
    found = [_side(np.asarray(small, np.uint8), ring[place], ring[(place + 1) % 4]) for place in range(4)]
    return [(point / scale, direction / scale) for point, direction in found]


def _side(image: GreyImage, start: PagePoints, stop: PagePoints) -> Side:
    along = stop - start
    unit = along / max(float(np.linalg.norm(along)), 1e-9)
    outward = np.array([unit[1], -unit[0]])
    places = start + np.linspace(ENDS, 1 - ENDS, PLACES)[:, None] * along
    steps = _steps(image, places, outward)
    best = steps.argmax(axis=1)
    strong = steps[np.arange(PLACES), best] > MIN_STEP
    if np.count_nonzero(strong) < MIN_PLACES * PLACES:
        return start, unit
    points = (places + (best - REACH)[:, None] * outward)[strong]
    vx, vy, x, y = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01)[:, 0].tolist()
    return np.array([x, y]), np.array([vx, vy])


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
