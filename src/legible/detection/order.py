"""The order in which the lines of a page are read, and the blocks and rows that they form.

Lines are ordered by two rules of Breuel (2003, "High performance document layout analysis"): one line comes before
another that is under it, and before another to its right unless a third stretches over both in between. That reads
columns one after the other. Where short cells stand side by side, as on receipts and in tables, a row is read across
first; the pairs of cells around a place decide together which of the two it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.arrays import Flags, Floats
from legible.detection.geometry import LineShape
from legible.detection.leveling import leveled
from legible.detection.margin_notes import margin_notes
from legible.detection.rows import AROUND, ROW_OVERLAP, TOLERANCE, on_one_level, rows_of

LEVEL_GAP = 0.35
"""Two lines of columns are on one level where the one begins at most so far below the other, in line heights."""
MIN_TABLE_ROWS = 2
"""The fewest rows of several cells around a lone cell that make it one of a table: a running head and a page number are
one row, and no table.
"""
BAND_GAP = 0.3
"""The white across the whole page, in line heights, that separates a row at its top or bottom from the rest."""
WIDE_BAND_GAP = 0.9
"""The same for a row of several lines, which may be the first of several columns."""
FAR_BAND_GAP = 3.0
"""The same for a row that is not in the middle of the page."""
NUMBER_LENGTH = 3.5
"""The longest page number beside a running head, in line heights."""
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
    notes = margin_notes(boxes, heights)
    rows = rows_of(boxes, heights, apart=notes)
    whole = np.array([_around(boxes[list(row)]) for row in rows])
    high = np.array([float(np.median(heights[list(row)])) for row in rows])
    short = np.array([min(upright[line].length for line in row) for row in rows]) < NUMBER_LENGTH * high
    order = _by_bands(
        _as_wide_as_their_table(rows, whole, high), high, short=short, notes=notes[[row[0] for row in rows]]
    )
    return _blocks([rows[place] for place in order], whole[order], high[order])


def _by_bands(boxes: Floats, heights: Floats, *, short: Flags, notes: Flags) -> npt.NDArray[np.int64]:
    """Return the rows in order: those that stand alone at the top, the others by Breuel's rules, the notes in the
    margin, and those at the bottom.
    """
    body = np.argsort(boxes[:, 1], kind="stable")
    aside = body[notes[body]]
    body = body[~notes[body]]
    heads: list[int] = []
    feet: list[int] = []
    while (row := _margin_row(boxes, heights, body, short)).size:
        heads += row.tolist()
        body = body[row.size :]
    body = body[np.argsort(-boxes[body, 3], kind="stable")]
    mirrored = boxes[:, [0, 3, 2, 1]] * [1, -1, 1, -1]
    while (row := _margin_row(mirrored, heights, body, short)).size:
        feet = row.tolist() + feet
        body = body[row.size :]
    inner = [part[_ordered(boxes[part], heights[part])].tolist() if part.size else [] for part in (body, aside)]
    return np.array([*heads, *inner[0], *inner[1], *feet], np.int64)


def _margin_row(boxes: Floats, heights: Floats, body: npt.NDArray[np.int64], short: Flags) -> npt.NDArray[np.int64]:
    """Return the first of the remaining rows from the top, if it stands apart and in no column alone.

    `short`: rows with a line as short as a page number, which with a running head need not stand in the middle.
    """
    tops, bottoms = boxes[body, 1], boxes[body, 3]
    count = max(int(np.count_nonzero(tops < bottoms[:1] - ROW_OVERLAP * heights[body[:1]])), 1)  # itself, though thin
    row, rest = body[:count], body[count:]
    if not rest.size:
        return rest
    left, right = boxes[rest, 0].min(), boxes[rest, 2].max()
    off = abs(boxes[row, 0].min() + boxes[row, 2].max() - left - right) / 2
    high = float(np.median(heights))
    in_column = any(_begins_like_the_next(boxes[line], boxes[rest], high) for line in row)
    width = float(boxes[row, 2].max() - boxes[row, 0].min())
    is_numbered = bool(short[row].any()) and not in_column and width > NUMBER_LENGTH * high
    is_far = (count == 1 and in_column) or (off > MAX_OFF_CENTER * (right - left) and not is_numbered)
    alone = FAR_BAND_GAP if is_far else BAND_GAP if count == 1 or is_numbered else WIDE_BAND_GAP
    if boxes[rest, 1].min() - boxes[row, 3].max() < alone * high:
        return body[:0]
    return row[np.argsort(boxes[row, 0])]


def _begins_like_the_next(box: Floats, others: Floats, height: float) -> bool:
    """Return whether the next row in the columns of a box, of others in order, begins on the left as it does."""
    under = np.flatnonzero(np.minimum(others[:, 2], box[2]) - np.maximum(others[:, 0], box[0]) > 0)
    return bool(under.size) and bool(abs(others[under[0], 0] - box[0]) < TOLERANCE * height)


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
    level = aside & on_one_level(boxes, heights, overlap=-LEVEL_GAP)
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
