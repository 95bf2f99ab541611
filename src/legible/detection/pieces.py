"""The cores of lines in the maps of a page: connected parts, split where they hold two lines, joined to whole lines."""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import cv2
import numpy as np
import numpy.typing as npt

from legible.detection.justified import RowPieces, close_rows, justified_rows
from legible.detection.maps import STRIDE, Map, PageMaps

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


def justified(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with those put together that are words of one line, though the maps see a gap between them."""
    for rows_of in (close_rows, justified_rows):
        rows = rows_of(_leveled(pieces)) if pieces else []
        taken = {number for row in rows for number in row}
        whole = [reduce(_together, (pieces[number] for number in row)) for row in rows]
        pieces = whole + [piece for number, piece in enumerate(pieces) if number not in taken]
    return list(pieces)


def _leveled(pieces: Sequence[Piece]) -> RowPieces:
    """Return where the pieces are after a turn that makes most of them level."""
    lengths = np.array([piece.x[-1] - piece.x[0] for piece in pieces])
    slopes = np.array([piece.slope for piece in pieces])
    long = slopes != 0
    lean = float(np.average(slopes[long], weights=lengths[long])) if long.any() else 0.0
    x = np.array([(piece.first[0], piece.last[0]) for piece in pieces])
    y = np.array([(piece.first[1], piece.last[1]) for piece in pieces])
    across, down = x + lean * y, y - lean * x
    return RowPieces(across[:, 0], across[:, 1], down.mean(axis=1), np.array([piece.height for piece in pieces]))


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
