"""The order in which the lines of a page are read, and the blocks and rows that they form.

Lines are ordered by two rules of Breuel (2003, "High performance document layout analysis"): one line comes before
another that is under it, and before another to its right unless a third stretches over both in between. That reads
columns one after the other. Where short cells stand side by side, as on receipts and in tables, a row is read across
first; the pairs of cells around a place decide together which of the two it is.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.arrays import Flags, Floats
from legible.detection.geometry import LineShape, rotation

ROW_OVERLAP = 0.5
"""Two lines that share this fraction of the lower one's height stand side by side."""
STAGGERED_OVERLAP = 0.2
"""The same for lines of columns whose rows are not on one level; they only tell whether a pair is of cells."""
LEVEL_GAP = 0.35
"""Two lines of columns are on one level where the one begins at most so far below the other, in line heights."""
CELL_LENGTH = 8.0
"""Lines side by side are cells of rows where the shorter one is hardly ever longer than this, in line heights."""
MARK_LENGTH, MARK_GAP = 2.0, 1.6
"""A line at most so long, and at most so far before a longer one, in line heights, is the mark of an item of a list,
unless it is still nearer to what is before it: the last word of a line.
"""
AROUND = 8.0
"""The distance above and below a pair of cells, in line heights, within which other pairs decide with it."""
MIN_TABLE_ROWS = 2
"""The fewest rows of several cells around a lone cell that make it one of a table: a running head and a page number are
one row, and no table.
"""
TOLERANCE = 0.5
"""How far lines may reach into each other's columns, in line heights, without counting as one above the other."""
BAND_GAP = 0.3
"""The white across the whole page, in line heights, that separates a row at its top or bottom from the rest."""
WIDE_BAND_GAP = 0.9
"""The same for a row of several lines, which may be the first of several columns."""
FAR_BAND_GAP = 3.0
"""The same for a row that is not in the middle of the page."""
MAX_OFF_CENTER = 0.12
"""How far from the middle of the text a row at the top or bottom may be, as a fraction of the text's width."""
MAX_ORDERED = 700
"""The most rows and lines to which the rules are applied, because their cost grows with the third power."""
PARAGRAPH_GAP = 0.9
"""The gap between two rows, in line heights, from which on a new block begins."""
MAX_HEIGHT_RATIO = 1.6
"""The largest ratio of heights of two rows of one block."""


@dataclass(frozen=True)
class Block:
    """Rows of a block from the top, each the numbers of its lines from left to right."""

    rows: tuple[tuple[int, ...], ...]

    @property
    def lines(self) -> tuple[int, ...]:
        return tuple(line for row in self.rows for line in row)


def reading_order(lines: Sequence[LineShape]) -> list[Block]:
    """Return the blocks of a page in reading order; every line is in one of them."""
    if not lines:
        return []
    upright = leveled(lines)
    boxes = np.array([line.box for line in upright])
    heights = np.array([max(line.height, 1.0) for line in upright])
    rows = _rows(boxes, heights)
    whole = np.array([_around(boxes[list(row)]) for row in rows])
    high = np.array([float(np.median(heights[list(row)])) for row in rows])
    order = _by_bands(_as_wide_as_their_table(rows, whole, high), high)
    return _blocks([rows[place] for place in order], whole[order], high[order])


def leveled(lines: Sequence[LineShape]) -> list[LineShape]:
    """Return the lines rotated so that most of them are level, whatever the page's own tilt."""
    lengths = np.array([line.length for line in lines])
    angles = np.array([line.angle for line in lines])
    order = np.argsort(angles)
    middle = np.searchsorted(np.cumsum(lengths[order]), lengths.sum() / 2)
    lean = float(angles[order][min(int(middle), len(lines) - 1)])
    turn = rotation(-lean, center=(0.0, 0.0))
    return [line.moved(turn) for line in lines]


def _rows(boxes: Floats, heights: Floats) -> list[tuple[int, ...]]:
    """Return the rows: lines side by side that are cells of one row, and each other line alone."""
    pairs = _side_by_side(boxes, heights, overlap=ROW_OVERLAP)
    others = _side_by_side(boxes, heights, overlap=STAGGERED_OVERLAP)
    following = {first: second for first, second, joins in _decided(pairs, others, boxes, heights) if joins}
    starts = set(range(len(boxes))) - set(following.values())
    rows: list[tuple[int, ...]] = []
    placed: set[int] = set()
    for start in (*sorted(starts), *np.argsort(boxes[:, 0], kind="stable").tolist()):  # the latter: circles
        row = list(_chain(start, following, placed))
        placed |= set(row)
        rows += [tuple(row)] if row else []
    return rows


def _chain(start: int, following: Mapping[int, int], placed: Collection[int]) -> Iterator[int]:
    """Yield a line and those that follow it, up to one that has its place already."""
    seen = set(placed)
    current: int | None = start
    while current is not None and current not in seen:
        yield current
        seen.add(current)
        current = following.get(current)


def _on_one_level(boxes: Floats, heights: Floats, *, overlap: float) -> Flags:
    """Return whether two lines share this fraction of the lower one's height; below 0 the gap between them: (n, n)."""
    top, bottom = boxes[:, 1], boxes[:, 3]
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    return np.asarray(shared > overlap * np.minimum(heights[:, None], heights))


def _side_by_side(boxes: Floats, heights: Floats, *, overlap: float) -> list[tuple[int, int]]:
    """Return pairs of lines of which the second is the nearest to the right of the first, each second line once."""
    left, right = boxes[:, 0], boxes[:, 2]
    beside = _on_one_level(boxes, heights, overlap=overlap)
    room = left[None, :] - right[:, None]
    room = np.where(beside & (room > -TOLERANCE * heights[:, None]), room, np.inf)
    np.fill_diagonal(room, np.inf)
    nearest = room.argmin(axis=1)
    found = [(first, int(nearest[first])) for first in range(len(boxes)) if np.isfinite(room[first, nearest[first]])]
    closest: dict[int, int] = {}
    for first, second in found:
        if second not in closest or room[first, second] < room[closest[second], second]:
            closest[second] = first
    return [(first, second) for second, first in sorted(closest.items(), key=lambda item: item[1])]


def _decided(
    pairs: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]], boxes: Floats, heights: Floats
) -> list[tuple[int, int, bool]]:
    """Return for each pair whether it is of cells of one row, decided together with the others around it.

    Cells are short on one of the two sides. The last line of a paragraph is short too, but few of a column are, and the
    mark of an item is as long as its text.
    """
    if not pairs:
        return []
    both = np.array([*pairs, *(set(others) - set(pairs))])
    first, second = both.T
    lengths = (boxes[:, 2] - boxes[:, 0]) / heights
    gaps = np.stack([boxes[first, 2], boxes[second, 0]], axis=1)
    room = gaps[:, 1] - gaps[:, 0]
    before = np.full(len(boxes), np.inf)
    before[second] = room
    marks = (lengths[first] <= MARK_LENGTH) & (room <= MARK_GAP * heights[second]) & (room < before[first])
    marks &= lengths[second] >= CELL_LENGTH
    with_text = lengths.copy()
    with_text[first[marks]] += lengths[second[marks]]
    middles = (boxes[first, 1] + boxes[first, 3]) / 2
    own = np.s_[: len(pairs)]
    high = np.minimum(heights[first], heights[second])[own, None]
    near = np.abs(middles[own, None] - middles) < AROUND * high
    near &= np.minimum(gaps[own, None, 1], gaps[:, 1]) > np.maximum(gaps[own, None, 0], gaps[:, 0]) - high
    near &= marks[own, None] | ~marks
    np.fill_diagonal(near, True)  # each pair is around itself, though its lines overlap
    sides = [lengths[first], with_text[second]]
    usual = [min(float(np.percentile(side[around], 75)) for side in sides) for around in near]
    return [
        (a, b, bool(mark) or length < CELL_LENGTH)
        for (a, b), mark, length in zip(pairs, marks[own], usual, strict=True)
    ]


def _by_bands(boxes: Floats, heights: Floats) -> npt.NDArray[np.int64]:
    """Return the rows in order: those that stand alone at the top, then the others by Breuel's rules, then the
    bottom.
    """
    body = np.argsort(boxes[:, 1], kind="stable")
    heads: list[int] = []
    feet: list[int] = []
    while (row := _margin_row(boxes, heights, body)).size:
        heads += row.tolist()
        body = body[row.size :]
    body = body[np.argsort(-boxes[body, 3], kind="stable")]
    mirrored = boxes[:, [0, 3, 2, 1]] * [1, -1, 1, -1]
    while (row := _margin_row(mirrored, heights, body)).size:
        feet = row.tolist() + feet
        body = body[row.size :]
    return np.array([*heads, *body[_ordered(boxes[body], heights[body])].tolist(), *feet], np.int64)


def _margin_row(boxes: Floats, heights: Floats, body: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first of the remaining rows from the top, if it stands apart and in no column alone."""
    tops, bottoms = boxes[body, 1], boxes[body, 3]
    count = max(int(np.count_nonzero(tops < bottoms[:1] - ROW_OVERLAP * heights[body[:1]])), 1)  # itself, though thin
    row, rest = body[:count], body[count:]
    if not rest.size:
        return rest
    left, right = boxes[rest, 0].min(), boxes[rest, 2].max()
    off = abs(boxes[row, 0].min() + boxes[row, 2].max() - left - right) / 2
    alone = FAR_BAND_GAP if off > MAX_OFF_CENTER * (right - left) else BAND_GAP if count == 1 else WIDE_BAND_GAP
    if boxes[rest, 1].min() - boxes[row, 3].max() < alone * float(np.median(heights)):
        return body[:0]
    return row[np.argsort(boxes[row, 0])]


def _as_wide_as_their_table(rows: Sequence[tuple[int, ...]], boxes: Floats, heights: Floats) -> Floats:
    """Return the boxes of rows; a lone cell among rows of several cells is made as wide as those."""
    several = np.flatnonzero([len(row) > 1 for row in rows])
    wide = boxes.copy()
    for place in np.flatnonzero([len(row) == 1 for row in rows]) if several.size else ():
        box, high = boxes[place], heights[place]
        apart = np.abs((boxes[several, 1] + boxes[several, 3] - box[1] - box[3]) / 2)
        inside = (boxes[several, 0] - high < box[0]) & (box[2] < boxes[several, 2] + high)
        near = several[inside & (apart < AROUND * high)]
        if near.size >= MIN_TABLE_ROWS:
            wide[place, 0] = min(box[0], boxes[near, 0].min())
            wide[place, 2] = max(box[2], boxes[near, 2].max())
    return wide


def _ordered(boxes: Floats, heights: Floats) -> npt.NDArray[np.int64]:
    """Return a topological order of Breuel's relation; in a circle the upper row comes first."""
    if len(boxes) > MAX_ORDERED:
        return np.lexsort((boxes[:, 0], np.round((boxes[:, 1] + boxes[:, 3]) / 2 / np.median(heights))))
    before = _before(boxes, heights)
    waiting = before.sum(axis=0).astype(np.float64)
    upper = (boxes[:, 1] - boxes[:, 1].min()) / max(float(np.ptp(boxes[:, 1])), 1.0)
    order = []
    for _ in range(len(boxes)):
        place = int((waiting + 0.9 * upper).argmin())
        order.append(place)
        waiting -= before[place]
        waiting[place] = np.inf
    return np.array(order)


def _before(boxes: Floats, heights: Floats) -> Flags:
    """Return whether one row comes before the other: (n, n).

    A row to the left comes before one above it only where both stand in columns side by side, with a row of each on one
    level and none across both in between. The salutation of a letter comes after an address at the right above it.
    """
    left, top, right, bottom = boxes.T
    slack = TOLERANCE * np.minimum(heights[:, None], heights)
    over = np.minimum(right[:, None], right) - np.maximum(left[:, None], left) > slack
    middle = (top + bottom) / 2
    above = middle[:, None] < middle
    before = over & above
    aside = ~over & ((left + right)[:, None] < (left + right))
    level = aside & _on_one_level(boxes, heights, overlap=-LEVEL_GAP)
    beside_column = over.astype(np.float32) @ level.astype(np.float32) > 0  # (n, n): a column's row, one to its right
    for first in range(len(boxes)):
        candidates = np.flatnonzero(aside[first])
        if not candidates.size:
            continue
        low = np.minimum(middle[first], middle[candidates])[:, None]
        high = np.maximum(middle[first], middle[candidates])[:, None]
        across = over[first] & over[candidates]
        parted = (across & (middle > low) & (middle < high)).any(axis=1)
        start = np.where(across & (middle <= low), middle, -np.inf).max(axis=1, keepdims=True)
        stop = np.where(across & (middle >= high), middle, np.inf).min(axis=1, keepdims=True)
        columns = (beside_column[first] & over[candidates] & (middle > start) & (middle < stop)).any(axis=1)
        before[first, candidates] = ~parted & (columns | above[first, candidates])
    return np.asarray(before)


def _blocks(rows: Sequence[tuple[int, ...]], boxes: Floats, heights: Floats) -> list[Block]:
    """Return blocks of rows that follow each other closely, in order."""
    blocks: list[list[tuple[int, ...]]] = []
    for place, row in enumerate(rows):
        if place and _goes_on(boxes[place - 1], boxes[place], heights[place - 1], heights[place]):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return [Block(tuple(block)) for block in blocks]


def _goes_on(former: Floats, box: Floats, former_height: float, height: float) -> bool:
    room = box[1] - former[3]
    low, high = sorted((former_height, height))
    shared = min(former[2], box[2]) - max(former[0], box[0])
    return bool(-high < room < PARAGRAPH_GAP * low and shared > 0 and high < MAX_HEIGHT_RATIO * low)


def _around(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
