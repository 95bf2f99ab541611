"""From the maps of a page to its lines: connected cores, joined and split where the maps say so, with smooth edges.

The page is scaled so that its letters are about as high as those that the network was trained on, and looked at again
where the network finds them higher or lower.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.detection.geometry import LineShape, scaling
from legible.detection.maps import STRIDE, Detector, Map, PageMaps

LINE_HEIGHT = 16.0
"""The height of a line, in pixels, at which the network finds it best."""
HEIGHTS_FIT = (0.82, 1.22)
"""A page whose lines differ from LINE_HEIGHT by more than these factors is looked at again."""
MAX_PIXELS = 6_000_000
"""The most pixels of the network's input; more would take more memory than a page is worth."""
MIN_SIDE = 32
THRESHOLDS = (0.5, 0.7, 0.85)
"""The thresholds of the core: where lines touch each other at one, they separate at the next."""
MIN_CELLS = 3
MAX_THICKNESS = 0.8
"""A core thicker than this fraction of a line's height holds two lines."""
CORE_INSET = 0.15
"""How much earlier than its line a core ends, in line heights, as the network is trained."""
JOIN_GAP = 1.4
"""The largest gap between two pieces of one line, in line heights."""
MAX_JOIN_GAP_PROBABILITY = 0.35
"""The largest probability of a gap between two pieces that are joined."""
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


@dataclass(frozen=True)
class Piece:
    """The core of a line, column by column, from left to right, in pixels of the network's input.

    x: (n,) middles of the columns. upper, lower: (n,) the line's edges as the core's cells there say. weights: (n,) sum
    of the core's probabilities in each column.
    """

    x: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    score: float

    @cached_property
    def height(self) -> float:
        return float(np.median(self.lower - self.upper))

    @cached_property
    def slope(self) -> float:
        """The slope of its middle, or 0 where it is too short to tell."""
        if self.x[-1] - self.x[0] < 4 * self.height:
            return 0.0
        return float(np.polyfit(self.x, (self.upper + self.lower) / 2, 1)[0])

    @cached_property
    def first(self) -> tuple[float, float]:
        """The middle, x and y, of its first columns."""
        return float(self.x[0]), float((self.upper[:4] + self.lower[:4]).mean() / 2)

    @cached_property
    def last(self) -> tuple[float, float]:
        """The middle, x and y, of its last columns."""
        return float(self.x[-1]), float((self.upper[-4:] + self.lower[-4:]).mean() / 2)


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


def pieces_of(maps: PageMaps) -> list[Piece]:
    """Return the cores of a page, each of them one line or a part of one."""
    core = np.where(maps.gap > 0.6, maps.core * 0.5, maps.core)  # noqa: PLR2004
    return list(_pieces(maps, core, (0, 0), np.ones(core.shape, bool), level=0))


def joined(pieces: Sequence[Piece], maps: PageMaps) -> list[Piece]:
    """Return the pieces that follow each other on one line put together, unless the maps see a gap between them."""
    row = sorted(pieces, key=lambda piece: piece.x[0])
    starts = [float(piece.x[0]) for piece in row]
    taken: set[int] = set()
    whole: list[Piece] = []
    for number, first in enumerate(row):
        if number in taken:
            continue
        taken.add(number)
        piece = first
        while (following := _following(piece, row, starts, taken, maps.gap)) is not None:
            taken.add(following)
            piece = _together(piece, row[following])
        whole.append(piece)
    return whole


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
    found = [(shape_of(piece), piece.score) for piece in joined(pieces_of(maps), maps)]
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


def _pieces(
    maps: PageMaps, core: Map, corner: tuple[int, int], within: npt.NDArray[np.bool_], *, level: int
) -> Iterator[Piece]:
    """Yield the pieces of a mask whose top left cell is at `corner`, (row, column)."""
    region = np.s_[corner[0] : corner[0] + within.shape[0], corner[1] : corner[1] + within.shape[1]]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        ((core[region] > THRESHOLDS[level]) & within).astype(np.uint8), connectivity=8
    )
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < MIN_CELLS:
            continue
        left, top, width, height = stats[label, :4].tolist()
        own = labels[top : top + height, left : left + width] == label
        top, left = top + corner[0], left + corner[1]
        piece = _piece(maps, np.s_[top : top + height, left : left + width], own)
        if _is_double(piece, own) and level + 1 < len(THRESHOLDS):
            parts = list(_pieces(maps, core, (top, left), own, level=level + 1))
            if parts:
                yield from parts
                continue
        yield piece


def _piece(maps: PageMaps, part: tuple[slice, slice], own: npt.NDArray[np.bool_]) -> Piece:
    weights = np.where(own, maps.core[part], 0.0).astype(np.float64)
    columns = weights.sum(axis=0)
    y = (np.arange(own.shape[0]) + part[0].start + 0.5)[:, None] * STRIDE
    upper = (weights * (y - maps.above[part])).sum(axis=0) / columns
    lower = (weights * (y + maps.below[part])).sum(axis=0) / columns
    x = (np.arange(own.shape[1]) + part[1].start + 0.5) * STRIDE
    return Piece(x, upper, np.maximum(lower, upper + 1), columns, float(maps.core[part][own].mean()))


def _is_double(piece: Piece, own: npt.NDArray[np.bool_]) -> bool:
    """Return whether the core is thicker than that of one line, in a good part of its columns."""
    thick = own.sum(axis=0) * STRIDE > np.maximum(MAX_THICKNESS * piece.height, 2 * STRIDE)
    extent = (own.shape[0] - own.argmax(axis=0) - own[::-1].argmax(axis=0)) * STRIDE
    apart = extent > 1.5 * np.maximum(piece.height, 2 * STRIDE)
    return float(thick.mean()) > 0.3 or float(apart.mean()) > 0.1  # noqa: PLR2004


def _following(
    piece: Piece, row: Sequence[Piece], starts: Sequence[float], taken: Container[int], gap: Map
) -> int | None:
    """Return the number of the nearest piece that goes on where this one ends; `starts` are those of `row`, sorted."""
    high, end = piece.height, float(piece.x[-1])
    first = bisect_right(starts, end - 0.5 * high)
    last = bisect_left(starts, end + (JOIN_GAP + 2 * CORE_INSET) * high)
    near = (number for number in range(first, last) if number not in taken)
    return next((number for number in near if _continues(piece, row[number], gap)), None)


def _continues(piece: Piece, other: Piece, gap: Map) -> bool:
    """Return whether two pieces lie on one line: of about one height, in one direction, with no gap between them."""
    heights = sorted((piece.height, other.height))
    if heights[1] > 1.7 * heights[0]:
        return False
    end, start = piece.last, other.first
    longer = max(piece, other, key=lambda one: one.x[-1] - one.x[0])
    if abs(start[1] - end[1] - longer.slope * (start[0] - end[0])) > 0.35 * heights[1]:
        return False
    steps = max(int(abs(start[0] - end[0]) / STRIDE), 1)
    x = np.linspace(end[0], start[0], steps + 1) / STRIDE
    y = np.linspace(end[1], start[1], steps + 1) / STRIDE
    rows, columns = np.clip(y.astype(int), 0, gap.shape[0] - 1), np.clip(x.astype(int), 0, gap.shape[1] - 1)
    return float(gap[rows, columns].max()) < MAX_JOIN_GAP_PROBABILITY


def _together(piece: Piece, other: Piece) -> Piece:
    pairs = ("x", "upper", "lower", "weights")
    x, upper, lower, weights = (np.concatenate([getattr(piece, name), getattr(other, name)]) for name in pairs)
    order = np.argsort(x, kind="stable")
    score = float(np.average([piece.score, other.score], weights=[piece.x.size, other.x.size]))
    return Piece(x[order], upper[order], lower[order], weights[order], score)


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
