"""From the maps of a page to its lines: connected cores, joined and split where the maps say so, with smooth edges.

The page is scaled so that its letters are about as high as those that the network was trained on, and looked at again
where the network finds them higher or lower.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.detection.geometry import LineShape, scaling
from legible.detection.maps import STRIDE, Detector
from legible.detection.pieces import CORE_INSET, Piece, joined, justified, pieces_of

LINE_HEIGHT = 16.0
"""The height of a line, in pixels, at which the network finds it best."""
HEIGHTS_FIT = (0.82, 1.22)
"""A page whose lines differ from LINE_HEIGHT by more than these factors is looked at again."""
MAX_PIXELS = 6_000_000
"""The most pixels of the network's input; more would take more memory than a page is worth."""
MIN_SIDE = 32
EXTREME_FACTORS = (0.1, 4.0)
LETTER_HEIGHTS = (4, 150)
"""The heights of connected ink, in pixels, that counts as a letter before any line is known."""
LINE_PER_LETTER = 1.8
"""The height of a line over the height of its letters, most of which have no ascender."""
MIN_LETTERS = 4
MAX_LETTER_PIXELS = 2_000_000


@dataclass(frozen=True)
class FoundLine:
    """A line, in pixels of the page, and the network's confidence in its core, 0 to 1."""

    shape: LineShape
    score: float


def find_lines(detector: Detector, image: GreyImage, *, factor: float | None = None) -> list[FoundLine]:
    """Return the lines of a page (H, W), from the top; `factor` scales it first, where it is known."""
    first = _fitting(factor or LINE_HEIGHT / estimated_line_height(image), image)
    lines = _lines_at(detector, image, first)
    if factor is None and lines:
        wanted = LINE_HEIGHT / (typical_height(lines) * first)
        second = _fitting(first * wanted, image)
        if not HEIGHTS_FIT[0] < wanted < HEIGHTS_FIT[1] and abs(second / first - 1) > 0.1:  # noqa: PLR2004
            lines = _lines_at(detector, image, second)
    return sorted(lines, key=lambda line: line.shape.box[1])


def typical_height(lines: Sequence[FoundLine]) -> float:
    """Return the height in which most of the page is written: the median, each line by its length."""
    heights = np.array([line.shape.height for line in lines])
    lengths = np.array([line.shape.length for line in lines])
    order = np.argsort(heights)
    place = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    return float(heights[order][min(int(place), len(heights) - 1)])


def estimated_line_height(image: GreyImage) -> float:
    """Estimate the height of a page's lines from the heights of what looks like letters, before lines are found.

    Letters without ascenders are most of a text, and half as high as its lines.
    """
    factor = min(1.0, float(np.sqrt(MAX_LETTER_PIXELS / image.size)))
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) if factor < 1 else image
    ink = _ink(np.asarray(small, np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    low, high = LETTER_HEIGHTS
    letters = (height >= low) & (height < high) & (width < 6 * height) & (height < 8 * width)
    letters &= area > 0.12 * width * height
    if np.count_nonzero(letters) < MIN_LETTERS:
        return float(max(LINE_HEIGHT, min(image.shape) / 30))
    return float(np.median(height[letters]) * LINE_PER_LETTER / factor)


def shape_of(piece: Piece) -> LineShape:
    """Return smooth edges through the columns of a core, out to the ends of the ink."""
    high = piece.height
    left = piece.x[0] - STRIDE / 2 - CORE_INSET * high
    right = piece.x[-1] + STRIDE / 2 + CORE_INSET * high
    degree = int(np.clip((right - left) / (6 * high), 0, 3))
    middle, tall = (piece.upper + piece.lower) / 2, piece.lower - piece.upper
    middle_at = _fitted(piece.x, middle, piece.weights, degree=degree)
    tall_at = _fitted(piece.x, tall, piece.weights, degree=min(degree, 1))
    count = 2 if degree <= 1 else int(np.clip((right - left) / (2 * high), 4, 48))
    x = np.linspace(left, right, count)
    inside = np.clip(x, piece.x[0], piece.x[-1])  # a parabola runs away beyond its ends
    slope = (middle_at(inside[-1]) - middle_at(inside[0])) / max(inside[-1] - inside[0], 1.0)
    center = middle_at(inside) + (x - inside) * slope
    half = np.maximum(tall_at(inside), 0.5 * high) / 2
    return LineShape(np.stack([x, center - half], axis=1), np.stack([x, center + half], axis=1))


def _lines_at(detector: Detector, image: GreyImage, factor: float) -> list[FoundLine]:
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    size = (max(round(image.shape[1] * factor), MIN_SIDE), max(round(image.shape[0] * factor), MIN_SIDE))
    scaled = image if factor == 1 else np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    maps = detector.maps(scaled)
    back = scaling(1 / factor)
    found = [(shape_of(piece), piece.score) for piece in justified(joined(pieces_of(maps), maps))]
    return [FoundLine(shape.moved(back), score) for shape, score in found if shape.height > 0]


def _fitting(factor: float, image: GreyImage) -> float:
    within = float(np.clip(factor, *EXTREME_FACTORS))
    return min(within, float(np.sqrt(MAX_PIXELS / image.size)))


def _ink(image: GreyImage) -> npt.NDArray[np.uint8]:
    """Return the pixels that are darker than their surroundings by a good part of the page's contrast."""
    around = cv2.blur(image, (31, 31)).astype(np.int16)
    difference = around - image
    step = max(float(np.percentile(np.abs(difference), 97)) * 0.5, 12.0)
    dark, light = difference > step, difference < -step
    chosen = dark if np.count_nonzero(dark) >= 0.3 * np.count_nonzero(light) else light
    return np.asarray(chosen, np.uint8)


def _fitted(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], *, degree: int
) -> np.polynomial.Polynomial:
    """Return the polynomial through weighted points, fitted again without those that lie far off."""
    degree = min(degree, len(x) - 1)
    domain = [float(x[0]), float(max(x[-1], x[0] + 1))]
    first = np.polynomial.Polynomial.fit(x, y, degree, domain=domain, w=np.sqrt(weights))
    off = np.abs(y - first(x))
    kept = off <= np.maximum(2.5 * float(np.median(off)), 0.5)
    if np.count_nonzero(kept) <= degree + 1:
        return first
    return np.polynomial.Polynomial.fit(x[kept], y[kept], degree, domain=domain, w=np.sqrt(weights[kept]))
