"""The rows of a page: which lines side by side are cells of one row, and which are of columns of running text."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from legible.arrays import Flags, Floats

ROW_OVERLAP = 0.5
"""Two lines that share this fraction of the lower one's height stand side by side."""
AROUND = 16.0
"""The distance above and below a pair of cells, in line heights, within which other pairs decide with it."""
TOLERANCE = 0.5
"""How far lines may reach into each other's columns, in line heights, without counting as one above the other."""
STAGGERED_OVERLAP = 0.2
"""The same for lines of columns whose rows are not on one level; they only tell whether a pair is of cells."""
CELL_LENGTH = 9.0
"""Lines side by side are cells of rows where the shorter one is hardly ever longer than this, in line heights."""
FULL_COLUMN = 0.85
"""The middle length over the long ones of a column of running text; cells differ more, and count as shorter for it."""
MAX_CELL_LENGTH = 11.0
"""Longer lines are running text, though a table among it makes lengths differ."""
MARK_LENGTH, MARK_GAP = 2.0, 1.6
"""A line at most so long, and at most so far before a longer one, in line heights, is the mark of an item of a list,
unless it is still nearer to what is before it: the last word of a line.
"""


def rows_of(boxes: Floats, heights: Floats, *, apart: Flags) -> list[tuple[int, ...]]:
    """Return the rows: lines side by side that are cells of one row, and each other line alone, as are those apart."""
    pairs, others = (
        [pair for pair in _side_by_side(boxes, heights, overlap=overlap) if not apart[list(pair)].any()]
        for overlap in (ROW_OVERLAP, STAGGERED_OVERLAP)
    )
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


def on_one_level(boxes: Floats, heights: Floats, *, overlap: float) -> Flags:
    """Return whether two lines share this fraction of the lower one's height; below 0 the gap between them: (n, n)."""
    top, bottom = boxes[:, 1], boxes[:, 3]
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    return np.asarray(shared > overlap * np.minimum(heights[:, None], heights))


def _side_by_side(boxes: Floats, heights: Floats, *, overlap: float) -> list[tuple[int, int]]:
    """Return pairs of lines of which the second is the nearest to the right of the first, each second line once."""
    left, right = boxes[:, 0], boxes[:, 2]
    beside = on_one_level(boxes, heights, overlap=overlap)
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
    usual = [min(_usual_length(side[around]) for side in sides) for around in near]
    return [
        (a, b, bool(mark) or length < CELL_LENGTH)
        for (a, b), mark, length in zip(pairs, marks[own], usual, strict=True)
    ]


def _usual_length(lengths: Floats) -> float:
    """Return what lines around are hardly ever longer than, less where their lengths differ as those of cells do."""
    middle, high, highest = np.percentile(lengths, [50, 75, 90])
    if high > MAX_CELL_LENGTH:
        return float(high)
    return float(high * min(1.0, middle / highest / FULL_COLUMN) ** 0.5)
