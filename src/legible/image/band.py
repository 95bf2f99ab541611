"""Find the rows and columns of the text, among specks, rules, frames, scan edges and parts of other lines.

Whatever may be text is inside. Letters are distinguished by the connected components of the ink alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
"""A mask (H, W), 1 where there is ink."""
Column = npt.NDArray[np.int64]
Chosen = npt.NDArray[np.bool_]

RULE, UPRIGHT = 8, 6
"""A rule, level or upright, is more than this many times as long as it is thick."""
RULE_LENGTH, UPRIGHT_LENGTH = 0.5, 0.8
"""A rule is also longer than this fraction of the image's width or height."""
ON_LINE, BESIDE = 0.2, 1.0
"""A rule this near to the line, in heights of the line, may be a dash, an underscore or a letter: it stays in view."""
TALL, BEYOND = 1.8, 0.1
"""A bar is no letter if it is this many times as tall as those beside it, or reaches this far beyond both their
ends.
"""
FRAME_SIDE = 0.6
"""Each side of a frame around text is inked along this fraction of its length."""
CORE = 0.5
"""The rows of letters hold at least this fraction of the ink that the fullest row holds."""
OVERLAP = 0.3
"""A component that shares this fraction of its rows with the core belongs to the line."""
NEAR, FAR = 0.5, 1.2
"""Accents, dots and commas are this near to the core, as a fraction of its height; farther where the image is tight."""
SPECK = 0.08
"""A component smaller than this fraction of the core's height is a speck: it does not enlarge the band."""


@dataclass(frozen=True)
class Band:
    """The place of the text in an image (ends not included), and the thickness of its strokes, all in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    stroke: float

    @property
    def height(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True)
class Components:
    """The connected components of ink, each one an entry of these arrays."""

    left: Column
    top: Column
    width: Column
    height: Column
    area: Column

    @property
    def right(self) -> Column:
        return self.left + self.width

    @property
    def bottom(self) -> Column:
        return self.top + self.height

    @property
    def longer(self) -> Column:
        return np.maximum(self.width, self.height)


def find_band(ink: npt.NDArray[np.bool_]) -> Band | None:
    """Return where text lies among ink (H, W), or None where there is none."""
    mask = ink.astype(np.uint8)
    _, _, found, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_16U, cv2.CCL_DEFAULT)
    if len(found) <= 1:
        return None
    parts = Components(*found[1:].astype(np.int64).T)
    text, beside = _text(parts, mask)
    _, top, _, bottom = _box(parts, text)
    left, _, right, _ = _box(parts, beside)
    return Band(left, top, right, bottom, stroke_width(mask[top:bottom, left:right]))


def stroke_width(mask: Mask) -> float:
    """Return twice the area over the outline: near the thickness of a long stroke, half the size of a dot."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    outline = cv2.countNonZero(padded[1:] ^ padded[:-1]) + cv2.countNonZero(padded[:, 1:] ^ padded[:, :-1])
    return 2.0 * cv2.countNonZero(mask) / max(outline, 1)


def _text(parts: Components, mask: Mask) -> tuple[Chosen, Chosen]:
    """Return which components give the text its rows and which its columns: those, and what may be text beside."""
    rules = _rules(parts, mask.shape)
    other = rules | _frames(parts, mask)
    line = _line(parts, np.ones_like(other) if other.all() else ~other, mask.shape[0])
    if not rules.any():
        return line, line
    beside = rules & _may_be_text(parts, line)
    return np.asarray(line | (beside & ~_is_taller(parts, line))), np.asarray(line | beside)


def _may_be_text(parts: Components, line: Chosen) -> Chosen:
    """Return which components are near the line, not under it, and end with it above or below."""
    left, top, right, bottom = _box(parts, line)
    height = bottom - top
    apart = np.maximum(np.maximum(parts.top - bottom, top - parts.bottom), 0)
    aside = np.maximum(np.maximum(parts.left - right, left - parts.right), 0)
    under = np.minimum(parts.right, right) - np.maximum(parts.left, left) > 0.5 * parts.width
    beyond = (parts.top < top - BEYOND * height) & (parts.bottom > bottom + BEYOND * height)
    upright = parts.height > parts.width
    return np.asarray((apart <= ON_LINE * height) & (aside <= BESIDE * height) & ~beyond & (upright | ~under))


def _is_taller(parts: Components, line: Chosen) -> Chosen:
    _, top, _, bottom = _box(parts, line)
    return np.asarray(parts.height > TALL * (bottom - top))


def _box(parts: Components, chosen: Chosen) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom of the components."""
    left, top = int(parts.left[chosen].min()), int(parts.top[chosen].min())
    return left, top, int(parts.right[chosen].max()), int(parts.bottom[chosen].max())


def _line(parts: Components, possible: Chosen, rows: int) -> Chosen:
    """Return the components of the line with most ink, or what there is where nothing looks like one."""
    top, bottom = _core(parts, possible, rows)
    height = bottom - top
    shared = np.minimum(parts.bottom, bottom) - np.maximum(parts.top, top)
    large = possible & (parts.longer >= max(SPECK * height, 2))
    line = large & (shared >= OVERLAP * np.minimum(parts.height, height))
    line = next(chosen for chosen in (line, large, possible) if chosen.any())
    at_border = (parts.top <= 0) | (parts.bottom >= rows)
    if (at_border & line).any():  # a tight image: what else is in view belongs to the line
        return np.asarray(line | (large & (-shared <= FAR * height)))
    return np.asarray(line | (large & (-shared <= NEAR * height) & ~(at_border & (shared <= 0))))


def _core(parts: Components, possible: Chosen, rows: int) -> tuple[int, int]:
    """Return the rows that hold most of the components' widths."""
    widths = np.minimum(parts.width, 3 * parts.height) * possible
    begun, ended = (np.bincount(ends, widths, rows + 1) for ends in (parts.top, parts.bottom))
    cover = (begun - ended).cumsum()
    full = np.concatenate([[False], cover >= CORE * cover.max(), [False]])
    starts, ends = np.flatnonzero(full[1:] != full[:-1]).reshape(-1, 2).T
    sums = np.concatenate([[0], cover.cumsum()])
    best = int(np.argmax(sums[ends] - sums[starts]))
    return int(starts[best]), int(ends[best])


def _rules(parts: Components, shape: tuple[int, ...]) -> Chosen:
    """Return which components may be rules across the image or upright ones, or edges of a scan."""
    rows, columns = shape
    across = (parts.width > RULE_LENGTH * columns) & (parts.width > RULE * parts.height)
    upright = (parts.height > UPRIGHT_LENGTH * rows) & (parts.height > UPRIGHT * parts.width)
    return np.asarray(across | upright)


def _frames(parts: Components, mask: Mask) -> Chosen:
    """Return which components are a frame around the others."""
    rows, columns = mask.shape
    large = (parts.width > columns // 2) & (parts.height > rows // 2) & (parts.area < 0.4 * parts.width * parts.height)
    found = np.zeros(len(large), np.bool_)
    for number in np.flatnonzero(large):
        top, left = int(parts.top[number]), int(parts.left[number])
        inside = mask[top : top + int(parts.height[number]), left : left + int(parts.width[number])]
        found[number] = _sides(inside) > FRAME_SIDE
    return found


def _sides(mask: Mask) -> float:
    """Return how far the least inked of the four sides is inked: the fullest row or column of the outer quarter."""
    across, down = mask.mean(axis=1), mask.mean(axis=0)
    quarters = ((side[: len(side) // 4 + 1], side[-(len(side) // 4) - 1 :]) for side in (across, down))
    return float(min(part.max() for both in quarters for part in both))
