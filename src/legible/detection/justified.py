"""Lines of justified text: pieces of a row that are one line, however wide the gaps between them are.

A gap between cells or columns goes on in the rows above and below: a white channel runs through several of them.
A word gap of justified text is closed by the next rows, and its row begins and ends where those rows do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats

MAX_PIECES = 6000
"""The most pieces that are looked at; a page with more of them is no page of text."""
MAX_HEIGHT_RATIO = 1.6
SAME_ROW = 0.45
"""How far the middles of two pieces of one row may lie apart, in line heights."""
REACH = 7.0
"""How far above and below a gap the rows are looked at, in line heights."""
MIN_CHANNEL = 0.5
"""A channel narrower than this, in line heights, is closed."""
MAX_BLANK = 2.6
"""Rows farther apart than this, in line heights, belong to different paragraphs, and end a channel."""
MAX_CHANNEL = 4.2
"""The longest channel through a word gap, in line heights."""
MAX_EVEN_CHANNEL = 8.0
"""The same where all gaps of the row are as wide as each other, as in justified text."""
MAX_UNEVEN = 0.5
"""How much the gaps of one row may differ in width, in line heights, to be as wide as each other."""
MIN_CELL_GAP = 0.95
"""Cores of pieces that are closer than this, in line heights, are words of one line; cells are farther apart."""
MIN_GUTTER_OVERLAP = 0.8
"""A gap that shares so much of its width, in line heights, with a channel that does not end is a part of it."""
ALIGNED, LEAN = 0.8, 0.15
"""How far the ends of two rows of one column may lie apart, in line heights, and how much more for each line height
between the rows.
"""
MAX_INDENT = 4.0
"""How far the first row of a paragraph may begin after the others, in line heights."""
SAME_CELL = 0.5
"""Gaps whose starts or stops lie closer than this, in line heights, are of the same column of cells."""
MIN_SUPPORT = 2
"""The number of near rows that begin and end where a row does, from which it is justified text."""

Span = tuple[float, float]
Row = tuple[int, ...]
"""The numbers of the pieces of a row, from left to right."""


@dataclass(frozen=True)
class RowPieces:
    """Pieces of lines on a level page, each array (n,): their ends, and the middle and the height of their lines."""

    left: Floats
    right: Floats
    middle: Floats
    height: Floats

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True)
class RowGap:
    """The white between two neighbours of a row.

    channel: how far the white goes on above and below, in line heights; inf where it does not end. gutters: the parts
    of the gap that do not end within REACH.
    """

    first: int
    second: int
    channel: float
    gutters: tuple[Span, ...]


@dataclass(frozen=True)
class Way:
    """What becomes of a gap on the way up or down: where its channel ends, and what of it is left there.

    length: in line heights; inf where it goes on. closed: whether rows close it, and not the end of a paragraph.
    """

    length: float
    closed: bool
    left: tuple[Span, ...] = ()


def close_rows(pieces: RowPieces) -> list[Row]:
    """Return the pieces that are one line each because they are closer than cells, from left to right."""
    if len(pieces) > MAX_PIECES:
        return []
    found = _without_gutters([_gap(pieces, *pair) for pair in _neighbours(pieces)], pieces)
    gaps = [gap for gap in found if not gap.gutters]
    high = np.maximum(pieces.height[[gap.first for gap in gaps]], pieces.height[[gap.second for gap in gaps]])
    room = pieces.left[[gap.second for gap in gaps]] - pieces.right[[gap.first for gap in gaps]]
    close = {gap.first: gap.second for gap, near in zip(gaps, room < MIN_CELL_GAP * high, strict=True) if near}
    return [row for row in _rows(close, len(pieces)) if len(row) > 1]


def justified_rows(pieces: RowPieces) -> list[Row]:
    """Return the pieces that are one line each, from left to right, of all lines of two pieces and more."""
    if len(pieces) > MAX_PIECES:
        return []
    gaps = _without_gutters([_gap(pieces, *pair) for pair in _neighbours(pieces)], pieces)
    even = [row for row in _supported(gaps, pieces, MAX_EVEN_CHANNEL) if _is_even(row, pieces)]
    taken = {number for row in even for number in row}
    return even + [row for row in _supported(gaps, pieces, MAX_CHANNEL) if taken.isdisjoint(row)]


def _neighbours(pieces: RowPieces) -> list[tuple[int, int]]:
    """Return the pairs of pieces of a row of which each is the nearest to the other."""
    former: dict[int, int] = {}
    for first in range(len(pieces)):
        second = _next(pieces, first)
        if second is not None and (second not in former or pieces.right[first] > pieces.right[former[second]]):
            former[second] = first
    return [(first, second) for second, first in former.items()]


def _next(pieces: RowPieces, first: int) -> int | None:
    """Return the nearest piece to the right of one in its row."""
    high = np.maximum(pieces.height, pieces.height[first])
    fits = np.abs(pieces.middle - pieces.middle[first]) < SAME_ROW * high
    fits &= high < MAX_HEIGHT_RATIO * np.minimum(pieces.height, pieces.height[first])
    fits &= pieces.left > np.maximum(pieces.left[first], pieces.right[first] - ALIGNED * high)
    candidates = np.flatnonzero(fits)
    return int(candidates[pieces.left[candidates].argmin()]) if candidates.size else None


def _gap(pieces: RowPieces, first: int, second: int) -> RowGap:
    high = float(max(pieces.height[first], pieces.height[second]))
    off = (pieces.middle - (pieces.middle[first] + pieces.middle[second]) / 2) / high
    beside = (pieces.right > pieces.left[first]) & (pieces.left < pieces.right[second]) & (np.abs(off) < REACH)
    gap = (float(pieces.right[first]), float(pieces.left[second]))
    ways = [_way(pieces, gap, side * off, np.flatnonzero(beside & (side * off > SAME_ROW)), high) for side in (-1, 1)]
    channel = sum(way.length for way in ways) if any(way.closed for way in ways) else np.inf
    gutters = tuple(part for way in ways if np.isinf(way.length) for part in way.left)
    return RowGap(first, second, channel, gutters)


def _way(pieces: RowPieces, gap: Span, off: Floats, rows: npt.NDArray[np.intp], high: float) -> Way:
    """Follow a gap through the pieces `rows` in one direction, where each is `off` line heights away."""
    free: tuple[Span, ...] = (gap,)
    reached = 0.0
    for row in rows[np.argsort(off[rows])].tolist():
        if off[row] - reached > MAX_BLANK:
            return Way(reached, closed=False)
        reached = float(off[row])
        free = tuple(_without(free, (float(pieces.left[row]), float(pieces.right[row])), MIN_CHANNEL * high))
        if not free:
            return Way(reached, closed=True)
    return Way(np.inf, closed=False, left=free) if REACH - reached < MAX_BLANK else Way(reached, closed=False)


def _without(spans: Sequence[Span], ink: Span, min_width: float) -> Iterator[Span]:
    """Yield what is left of spans beside some ink, where it is wide enough."""
    for start, stop in spans:
        for part in ((start, min(stop, ink[0])), (max(start, ink[1]), stop)):
            if part[1] - part[0] >= min_width:
                yield part


def _without_gutters(gaps: Sequence[RowGap], pieces: RowPieces) -> list[RowGap]:
    """Return the gaps that are no part of a channel that does not end in a row nearby."""
    gutters = [(*part, pieces.middle[gap.first]) for gap in gaps for part in gap.gutters]
    if not gutters:
        return list(gaps)
    start, stop, middle = np.array(gutters).T
    kept = []
    for gap in gaps:
        high = max(pieces.height[gap.first], pieces.height[gap.second])
        shared = np.minimum(stop, pieces.left[gap.second]) - np.maximum(start, pieces.right[gap.first])
        near = np.abs(middle - pieces.middle[gap.first]) < REACH * high
        if not (near & (shared > MIN_GUTTER_OVERLAP * high)).any():
            kept.append(gap)
    return kept


def _supported(gaps: Sequence[RowGap], pieces: RowPieces, max_channel: float) -> list[Row]:
    """Return the rows of several pieces between whose gaps no channel is longer, and that the rows around support."""
    rows = list(_rows({gap.first: gap.second for gap in gaps if gap.channel < max_channel}, len(pieces)))
    ends = _ends(rows, pieces)
    return [row for number, row in enumerate(rows) if len(row) > 1 and _is_supported(number, rows, ends, pieces)]


def _rows(following: Mapping[int, int], count: int) -> Iterator[Row]:
    for start in sorted(set(range(count)) - set(following.values())):
        row = [start]
        while row[-1] in following:
            row.append(following[row[-1]])
        yield tuple(row)


def _ends(rows: Sequence[Row], pieces: RowPieces) -> RowPieces:
    """Return the rows as if each were one piece."""
    parts = [list(row) for row in rows]
    return RowPieces(
        np.array([pieces.left[row].min() for row in parts]),
        np.array([pieces.right[row].max() for row in parts]),
        np.array([np.median(pieces.middle[row]) for row in parts]),
        np.array([np.median(pieces.height[row]) for row in parts]),
    )


def _is_supported(number: int, rows: Sequence[Row], ends: RowPieces, pieces: RowPieces) -> bool:
    """Return whether enough near rows begin and end where this one does, most of them with gaps at other places."""
    aligned = _aligned(number, ends)
    alike = sum(_has_same_cells(rows[number], rows[other], pieces) for other in aligned)
    return len(aligned) - alike >= max(MIN_SUPPORT, alike + 1)


def _aligned(number: int, ends: RowPieces) -> list[int]:
    high = ends.height[number]
    off = np.abs(ends.middle - ends.middle[number]) / high
    slack = ALIGNED + LEAN * off
    indent = (ends.left[number] - ends.left) / high
    fits = (off < REACH) & (np.abs(ends.right - ends.right[number]) < slack * high)
    fits &= (indent > -slack) & (indent < MAX_INDENT)
    fits &= np.maximum(ends.height, high) < MAX_HEIGHT_RATIO * np.minimum(ends.height, high)
    fits[number] = False
    found: list[int] = np.flatnonzero(fits).tolist()
    return found


def _has_same_cells(row: Row, other: Row, pieces: RowPieces) -> bool:
    """Return whether most gaps of a row begin or end where a gap of the other does."""
    near = SAME_CELL * float(np.median(pieces.height[list(row)]))
    sides = ((pieces.right, slice(None, -1)), (pieces.left, slice(1, None)))
    same = [np.abs(edge[list(row[part])][:, None] - edge[list(other[part])]) < near for edge, part in sides]
    return bool(np.count_nonzero((same[0] | same[1]).any(axis=1)) > (len(row) - 1) / 2)


def _is_even(row: Row, pieces: RowPieces) -> bool:
    """Return whether a row has several gaps, all about as wide."""
    widths = pieces.left[list(row[1:])] - pieces.right[list(row[:-1])]
    return len(row) > 2 and bool(np.ptp(widths) < MAX_UNEVEN * np.median(pieces.height[list(row)]))  # noqa: PLR2004
