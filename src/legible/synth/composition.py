"""A line with its surroundings on a sheet, and the crop that a detector or a person cuts out.

Everything here is coverage, 0 to 255: 255 is full ink.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.errors import NoInkError
from legible.synth.glyphs import InkLevels, Line

Rng = np.random.Generator

MAX_BETWEEN = 0.35
"""The largest margin between lines, as a fraction of the height: of other lines only feet and heads are in view."""


@dataclass(frozen=True)
class Surroundings:
    """The probabilities of what is near the line; each writer style has its own."""

    above: float = 0.0
    """The probability of another line whose feet may be seen above."""
    below: float = 0.0
    beside: float = 0.0
    """The probability of the edge of a word at the left or right, cut off by the crop."""
    underline: float = 0.0
    strike: float = 0.0
    box: float = 0.0
    """The probability of a frame around the text, of one or two rules at its sides, or of one below."""
    pale: float = 0.0
    """The probability of a word that is paler than the others."""
    selected: float = 0.0
    """The probability of a first word, or a whole text, that is light on a dark ground."""
    tab: float = 0.0
    """The probability of a gap between two words as wide as a column."""
    leading: float = 1.15
    """The distance of base lines, in heights of the line."""


@dataclass(frozen=True)
class Crop:
    """The part of a sheet that is cut out around the line. Lengths are fractions of its height."""

    tight: float = 0.5
    """The probability that the ink's own rows decide, not those that the font has for all its letters."""
    margins: tuple[float, float] = (0.0, 0.3)
    loose: float = 0.05
    """The probability of margins of up to three heights."""
    degrees: float = 0.5
    """The standard deviation of the rotation."""
    max_degrees: float = 8.0
    width: float = 1.0
    """The width of letters as a multiple of the font's."""
    stretch: float = 0.05
    """The standard deviation of the logarithm of that multiple."""


@dataclass(frozen=True)
class Canvas:
    """A part of a sheet, and where the line is on it: the rows and columns of its ink and of its font's box."""

    coverage: InkLevels
    left: int
    right: int
    ink_top: int
    ink_bottom: int
    font_top: int
    font_bottom: int
    crowded: bool = False
    """Whether there are other lines above or below."""

    @property
    def height(self) -> int:
        return self.font_bottom - self.font_top


def compose(line: Line, surroundings: Surroundings, neighbour: Callable[[], Line], rng: Rng) -> Canvas:
    """Return the line with its surroundings; `neighbour` sets another line of the same writer style."""
    line = _with_tab(line, surroundings, rng)
    height = line.ascent + line.descent
    pad = round(0.8 * height)
    coverage = cv2.copyMakeBorder(line.coverage, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    rows = np.flatnonzero(line.coverage.any(axis=1))
    if not rows.size:
        raise NoInkError("a line lost all of its ink; set it thicker, or larger")
    base = pad + line.baseline
    steps = [step for step, chance in ((-1, surroundings.above), (1, surroundings.below)) if rng.random() < chance]
    canvas = Canvas(
        coverage,
        pad,
        pad + line.coverage.shape[1],
        pad + int(rows[0]),
        pad + int(rows[-1]) + 1,
        base - line.ascent,
        base + line.descent,
        crowded=bool(steps),
    )
    _emphasize(canvas, line, surroundings, rng)
    for step in steps:
        away = round(step * surroundings.leading * height * rng.uniform(0.95, 1.1))
        _put(coverage, neighbour(), base + away, round(pad + rng.normal(0, height)))
    if rng.random() < surroundings.beside:
        _put_beside(canvas, neighbour(), base, rng)
    _rule(canvas, surroundings, rng)
    return canvas


def crop_of(canvas: Canvas, crop: Crop, scale: float, rng: Rng) -> InkLevels:
    """Return the part of the canvas with the line, rotated, stretched and scaled in one resampling."""
    top, bottom = rows_of(canvas, crop, rng)
    margins = margins_of(canvas, crop, rng) * canvas.height
    turn = (
        float(np.deg2rad(np.clip(rng.normal(0, crop.degrees), -crop.max_degrees, crop.max_degrees)))
        if crop.degrees
        else 0.0
    )
    across = scale * crop.width * float(np.exp(rng.normal(0, crop.stretch)))
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([across, scale])
    corners = linear @ np.array(
        [[canvas.left, canvas.right, canvas.left, canvas.right], [top, top, bottom, bottom]], np.float64
    )
    low = corners.min(axis=1) - margins[:2] * scale
    size = np.maximum(np.rint(corners.max(axis=1) + margins[2:] * scale - low), 4).astype(int)
    matrix = np.hstack([linear, -low[:, None]])
    if turn == 0 and across == scale == 1:
        return _sliced(canvas.coverage, np.rint(low).astype(int), size)
    return np.asarray(
        cv2.warpAffine(softened(canvas.coverage, scale), matrix, (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR),
        np.uint8,
    )


def rows_of(canvas: Canvas, crop: Crop, rng: Rng) -> tuple[int, int]:
    """Return the rows between which the text stands: those of its ink, or those that the font has for all letters."""
    if rng.random() < crop.tight:
        return canvas.ink_top, canvas.ink_bottom
    return min(canvas.font_top, canvas.ink_top), max(canvas.font_bottom, canvas.ink_bottom)


def margins_of(canvas: Canvas, crop: Crop, rng: Rng) -> npt.NDArray[np.float64]:
    """Return the margins left, top, right and bottom as fractions of the height, too small to hold another line."""
    margins = rng.uniform(*crop.margins, 4)
    if canvas.crowded:
        return np.minimum(margins, MAX_BETWEEN)
    return margins + rng.exponential(0.7, 4).clip(0, 3) if rng.random() < crop.loose else margins


def softened(coverage: InkLevels, scale: float) -> InkLevels:
    """Return the coverage without what would alias when it is scaled down."""
    if scale > 0.6:
        return coverage
    return np.asarray(cv2.GaussianBlur(coverage, (0, 0), 0.35 / scale), np.uint8)


def _sliced(coverage: InkLevels, low: npt.NDArray[np.int_], size: npt.NDArray[np.int_]) -> InkLevels:
    """Return the canvas from a corner on, with paper where it ends."""
    (left, top), (width, height) = low, size
    found = np.zeros((height, width), np.uint8)
    inside = coverage[max(top, 0) : top + height, max(left, 0) : left + width]
    y, x = max(-top, 0), max(-left, 0)
    found[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return found


def _with_tab(line: Line, surroundings: Surroundings, rng: Rng) -> Line:
    """Return the text, sometimes with a gap of a column's width before its last or after its first word."""
    if len(line.words) < 2 or rng.random() >= surroundings.tab:
        return line
    at = int(rng.choice([1, len(line.words) - 1]))
    gap = round(rng.uniform(0.5, 8) * (line.ascent + line.descent))
    cut = (line.words[at - 1][1] + line.words[at][0]) // 2
    coverage = np.hstack(
        [line.coverage[:, :cut], np.zeros((line.coverage.shape[0], gap), np.uint8), line.coverage[:, cut:]]
    )
    words = line.words[:at] + tuple((left + gap, right + gap) for left, right in line.words[at:])
    return Line(coverage, line.baseline, line.ascent, line.descent, words)


def _emphasize(canvas: Canvas, line: Line, surroundings: Surroundings, rng: Rng) -> None:
    """Draw pale and selected words."""
    words = [(canvas.left + left, canvas.left + right) for left, right in line.words]
    if len(words) > 1 and rng.random() < surroundings.pale:
        start = 0 if rng.random() < 0.6 else int(rng.integers(len(words)))
        stop = start + 1 if rng.random() < 0.7 else int(rng.integers(start + 1, len(words) + 1))
        part = canvas.coverage[:, words[start][0] : words[min(stop, len(words)) - 1][1]]
        part[:] = (part * rng.uniform(0.25, 0.7)).astype(np.uint8)
    if rng.random() < surroundings.selected:
        last = 0 if rng.random() < 0.6 else int(rng.integers(len(words)))
        rim = max(round(0.12 * canvas.height), 1)
        part = canvas.coverage[
            max(canvas.font_top - rim // 2, 0) : canvas.font_bottom + rim // 2,
            max(words[0][0] - rim, 0) : words[last][1] + rim,
        ]
        ground = int(rng.integers(110, 256))
        part[:] = ground - (part.astype(np.int32) * (ground - int(rng.integers(0, 40))) // 255)


def _put(coverage: InkLevels, other: Line, base: int, left: int) -> None:
    """Draw another line with its base line on a row."""
    top = base - other.baseline
    y, x = max(top, 0), max(left, 0)
    part = coverage[y : max(top + other.coverage.shape[0], 0), x : max(left + other.coverage.shape[1], 0)]
    if part.size:
        own = other.coverage[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]]
        np.maximum(part, own, out=part)


def _put_beside(canvas: Canvas, other: Line, base: int, rng: Rng) -> None:
    """Draw the near edge of a word on the same line, far enough away to be another word."""
    gap = round(canvas.height * rng.uniform(0.25, 0.6))
    if rng.random() < 0.5:
        _put(canvas.coverage, other, base, canvas.right + gap)
    else:
        _put(canvas.coverage, other, base, canvas.left - gap - other.coverage.shape[1])


def _rule(canvas: Canvas, surroundings: Surroundings, rng: Rng) -> None:
    """Draw underlines, strikes, and the rules of tables and fields."""
    coverage, height = canvas.coverage, canvas.height
    ink = int(rng.integers(90, 256))
    thickness = max(round(height * rng.uniform(0.02, 0.07)), 1)
    if rng.random() < surroundings.underline:
        y = canvas.font_bottom - round(height * rng.uniform(-0.05, 0.22))
        _stroke(
            coverage, (canvas.left, y), (canvas.right, y), rng, ink=ink, thickness=thickness, dashed=rng.random() < 0.15
        )
    if rng.random() < surroundings.strike:
        y = canvas.ink_top + round((canvas.ink_bottom - canvas.ink_top) * rng.uniform(0.4, 0.65))
        _stroke(coverage, (canvas.left, y), (canvas.right, y), rng, ink=ink, thickness=max(thickness * 2 // 3, 1))
    if rng.random() < surroundings.box:
        _frame(canvas, ink, thickness, rng)


def _frame(canvas: Canvas, ink: int, thickness: int, rng: Rng) -> None:
    """Draw a frame, or some of its sides, that may touch the text and go on beyond it."""
    rows, columns = canvas.coverage.shape
    gaps = (rng.uniform(-0.04, 0.3, 4) * canvas.height).astype(int)
    left, right = canvas.left - gaps[0] - thickness, canvas.right + gaps[1] + thickness
    top, bottom = canvas.ink_top - gaps[2] - thickness, canvas.ink_bottom + gaps[3] + thickness
    far = rng.random() < 0.6
    ends = ((0, columns), (0, rows)) if far else ((left, right), (top, bottom))
    sides = rng.random(4) < (1.0 if rng.random() < 0.3 else 0.35)
    if not sides.any():
        sides[int(rng.integers(4))] = True
    dashed = rng.random() < 0.08
    for shown, y in zip(sides[:2], (top, bottom), strict=True):
        if shown:
            _stroke(
                canvas.coverage,
                (ends[0][0], int(y)),
                (ends[0][1], int(y)),
                rng,
                ink=ink,
                thickness=thickness,
                dashed=dashed,
            )
    for shown, x in zip(sides[2:], (left, right), strict=True):
        if shown:
            _stroke(
                canvas.coverage,
                (int(x), ends[1][0]),
                (int(x), ends[1][1]),
                rng,
                ink=ink,
                thickness=thickness,
                dashed=dashed,
            )


def _stroke(
    coverage: InkLevels,
    start: tuple[int, int],
    end: tuple[int, int],
    rng: Rng,
    *,
    ink: int,
    thickness: int,
    dashed: bool = False,
) -> None:
    layer = np.zeros_like(coverage)
    slip = round(rng.normal(0, 0.6))
    cv2.line(layer, start, (end[0], end[1] + slip if start[1] == end[1] else end[1]), ink, thickness, cv2.LINE_AA)
    if dashed:
        period = max(3 * thickness, 4)
        along = np.arange(layer.shape[1]) if start[1] == end[1] else np.arange(layer.shape[0])[:, None]
        layer *= (along % period < period // 2).astype(np.uint8)
    np.maximum(coverage, layer, out=coverage)
