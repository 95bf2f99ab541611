"""Single-stroke handwriting: pen paths joined to words, in a hand that a seed fixes, drawn by a pen with pressure.

Lengths are in x-heights until `_in_pixels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import Coverage, Flags
from legible.synth.alphabet import Points, Shape
from legible.synth.hand import Hand, bend_points
from legible.synth.transforms import Boxes, Lettering

Owners = npt.NDArray[np.int64]
STEPS = 6
"""The number of straight pieces of a curve between two points."""
OVER = np.array([0.12, 0.08], np.float32)
"""How far to the left of and below its second point a letter that begins at its right is reached."""
OVERSAMPLING = 3
"""The factor by which lines are drawn larger and scaled down, because OpenCV's lines have whole widths."""
FRACTION_BITS = 4
"""The precision of OpenCV's points: sixteenths of a pixel."""


def write(text: str, hand: Hand, rng: np.random.Generator) -> Lettering:
    """Write the text in this hand, each time a little differently, with at least a pixel of paper around it."""
    path = _lay_out(text, hand, rng)
    fine = _curve(replace(path, points=_hastened(path, hand.haste)))
    return _ink(replace(fine, points=_pixels(fine.points, hand, rng)), hand, rng, count=len(text))


@dataclass(frozen=True)
class Path:
    """The points (n, 2) that the pen goes through, with `starts` and `corners` (n,) as in a shape."""

    points: Points
    starts: Flags
    corners: Flags
    owners: Owners
    """The index in the text of each point's character, (n,)."""


def _lay_out(text: str, hand: Hand, rng: np.random.Generator) -> Path:
    """Return the points of all characters at their places."""
    letters = [None if character == " " else _shape(character, hand, rng) for character in text]
    pieces: list[Path] = []
    late: list[Path] = []
    """Dots and bars of joined letters, written when the word is done."""
    edge, joined = -hand.letter_spacing, False
    for place, (shape, following) in enumerate(zip(letters, [*letters[1:], None], strict=True)):
        if shape is None:
            edge += hand.word_spacing * _about(1, 0.15, rng)
            continue
        left, right = (x * hand.width for x in shape.body)
        edge += hand.letter_spacing * (0.3 if joined else 1.0) * _about(1, 0.3, rng)
        points = _varied(shape, hand, rng, origin=edge - left)
        letter = Path(points, shape.starts, shape.corners, np.full(len(points), place))
        edge += right - left
        joins = following is not None and _can_join(shape, following) and rng.random() < hand.joins
        main, rest = _parted(letter, shape.main_end)
        pieces.append(_led_in(main) if joined else main)
        late.append(rest)
        joined = joins
        if not joins:
            pieces, late = pieces + late, []
    return _together(pieces)


def _about(value: float, spread: float, rng: np.random.Generator) -> float:
    return value * float(np.exp(rng.normal(0, spread)))


def _shape(character: str, hand: Hand, rng: np.random.Generator) -> Shape:
    return hand.shapes[character][0 if rng.random() < hand.usual else -1]


def _varied(shape: Shape, hand: Hand, rng: np.random.Generator, *, origin: float) -> Points:
    """Return the points of a shape as it is written this time, from `origin` on."""
    points = bend_points(shape.points, rng, hand.bend)
    outside = np.where(points[:, 1] > 1, points[:, 1] - 1, np.minimum(points[:, 1], 0))
    points[:, 1] += outside * (hand.ascent - 1)
    points *= _about(1, hand.size_change, rng) * (1 + hand.size_drift * origin)
    points[:, 0] = points[:, 0] * hand.width + origin
    points[:, 1] += rng.normal(0, hand.shift)
    return points


def _can_join(shape: Shape, following: Shape) -> bool:
    """Return whether the pen may stay down: from the right of a stroke to one that begins among the small letters."""
    if not (shape.character.isalpha() and following.character.islower()):
        return False
    if not shape.is_cursive and shape.main_end < len(shape.points):
        return False
    (end_x, end_y), start_y = shape.points[shape.main_end - 1], following.points[0, 1]
    low, high = -0.15, 1.15
    return bool(low < end_y < high and low < start_y < high and end_x > 0.6 * shape.body[1])


def _parted(letter: Path, end: int) -> tuple[Path, Path]:
    """Return the first stroke and the others."""
    return _picked(letter, slice(end)), _picked(letter, slice(end, None))


def _picked(path: Path, part: slice) -> Path:
    return Path(path.points[part], path.starts[part], path.corners[part], path.owners[part])


def _led_in(main: Path) -> Path:
    """Return the stroke without its pen-down.

    One that begins at its right is reached over its top, as in a joined a.
    """
    starts, corners = main.starts.copy(), main.corners.copy()
    starts[0] = False
    first, second = main.points[:2]
    if first[0] <= second[0]:
        return replace(main, starts=starts, corners=corners)
    corners[0] = True
    before = Path((second - OVER)[None], starts[:1], np.zeros(1, bool), main.owners[:1])
    return _together([before, replace(main, starts=starts, corners=corners)])


def _together(pieces: Sequence[Path]) -> Path:
    columns = zip(*((piece.points, piece.starts, piece.corners, piece.owners) for piece in pieces), strict=True)
    return Path(*(np.concatenate(column) for column in columns))


def _hastened(path: Path, haste: float) -> Points:
    """Return the points, each moved towards its neighbours of the same stroke, as a quick hand does."""
    points, inner = path.points, np.zeros(len(path.points), bool)
    inner[1:-1] = ~path.starts[1:-1] & ~path.starts[2:]
    middle = (points[np.flatnonzero(inner) - 1] + points[np.flatnonzero(inner) + 1]) / 2
    cut = points.copy()
    cut[inner] += 0.35 * haste * (middle - points[inner])
    return cut


def _curve(path: Path) -> Path:
    """Return fine points along the path.

    Cubic Hermite pieces with the tangents of a centripetal Catmull-Rom spline (Yuksel et al. 2011); corners and ends
    take the tangent of their own piece.
    """
    points = path.points
    steps = np.diff(points, axis=0)
    lengths = np.maximum(np.sqrt(np.hypot(*steps.T)), 1e-3)[:, None]
    slopes = steps / lengths
    before, after = lengths[:-1], lengths[1:]
    inner = (slopes[:-1] * after + slopes[1:] * before) / (before + after)
    breaks = path.starts | path.corners
    leave, arrive = slopes.copy(), slopes.copy()
    smooth = ~breaks[1:-1] & ~path.starts[2:]
    leave[1:][smooth] = inner[smooth]
    arrive[:-1][smooth] = inner[smooth]
    pieces = np.einsum(
        "sb,nbd->nsd", _basis(), np.stack([points[:-1], leave * lengths, points[1:], arrive * lengths], 1)
    )
    rows = np.concatenate([points[:1, None].repeat(STEPS, axis=1), pieces])
    rows[path.starts] = points[path.starts][:, None]
    kept = np.ones(rows.shape[:2], bool)
    kept[path.starts, :-1] = False
    down = np.zeros(rows.shape[:2], bool)
    down[path.starts, -1] = True
    owners = np.repeat(path.owners[:, None], STEPS, axis=1)
    return Path(rows[kept], down[kept], np.zeros(int(kept.sum()), bool), owners[kept])


@lru_cache(maxsize=1)
def _basis() -> npt.NDArray[np.float32]:
    """Return the four Hermite polynomials (STEPS, 4): start, its tangent, end, its tangent."""
    t = np.arange(1, STEPS + 1, dtype=np.float32) / STEPS
    return np.stack([2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2], axis=1)


def _pixels(points: Points, hand: Hand, rng: np.random.Generator) -> Points:
    """Return the fine points with this hand's movements, in oversampled pixels, y downwards."""
    x, y = points.T
    base = hand.wave * np.sin(x / rng.uniform(2, 6) + rng.uniform(0, 2 * np.pi)) + hand.rise * x
    shaking = _smooth_noise(len(x), rng, every=3) * hand.tremor
    moved = np.stack([x + hand.slant * y + shaking[0], -(y + base + shaking[1])], axis=1)
    return np.asarray(moved * hand.x_height * OVERSAMPLING, np.float32)


def _smooth_noise(count: int, rng: np.random.Generator, *, every: int) -> npt.NDArray[np.float64]:
    """Return two rows (2, count) of normal noise that change over `every` points."""
    coarse = rng.normal(0, 1, (2, count // every + 2))
    places = np.arange(count) / every
    return np.stack([np.interp(places, np.arange(coarse.shape[1]), row) for row in coarse])


def _widths(points: Points, hand: Hand, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the width of the line at each point, in oversampled pixels, by direction and pressure."""
    step = np.gradient(points, axis=0)
    angle = np.arctan2(-step[:, 1], step[:, 0])
    width = np.full(len(points), hand.pen_width * hand.x_height * OVERSAMPLING)
    if hand.pen == "fountain":
        width *= 0.4 + 0.6 * np.abs(np.sin(angle - hand.nib))
    width *= np.exp(hand.pressure * (0.35 * _smooth_noise(len(points), rng, every=10)[0] - 0.5 * np.sin(angle)))
    return np.maximum(np.round(width), OVERSAMPLING * 0.8).astype(np.int64)


def _ink(path: Path, hand: Hand, rng: np.random.Generator, *, count: int) -> Lettering:
    """Draw a path in oversampled pixels, and scale it down to pixels."""
    points, down = path.points, path.starts
    widths = _widths(points, hand, rng)
    border = int(widths.max()) + OVERSAMPLING
    low = points.min(axis=0) - border
    size = np.ceil((points.max(axis=0) + border - low) / OVERSAMPLING).astype(int) * OVERSAMPLING
    canvas = np.zeros(size[::-1], np.uint8)
    fixed = np.round((points - low) * 2**FRACTION_BITS).astype(np.int32)
    for start, stop in _runs(widths, down):
        line = fixed[max(start - 1, 0) if not down[start] else start : stop]
        cv2.polylines(canvas, [line], isClosed=False, color=255, thickness=int(widths[start]), shift=FRACTION_BITS)
    coverage = cv2.resize(canvas, tuple(size // OVERSAMPLING), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    boxes = _boxes(points - low, widths, path.owners, count) / OVERSAMPLING
    return Lettering(_grained(coverage, hand, rng), boxes)


def _boxes(points: Points, widths: npt.NDArray[np.int64], owners: Owners, count: int) -> Boxes:
    """Return the box around the line of each character; NaN for spaces."""
    boxes = np.full((count, 4), np.nan)
    half = widths[:, None] / 2
    for owner in np.unique(owners):
        own = owners == owner
        boxes[owner] = [*(points - half)[own].min(axis=0), *(points + half)[own].max(axis=0)]
    return boxes


def _runs(widths: npt.NDArray[np.int64], down: Flags) -> list[tuple[int, int]]:
    """Yield the runs of points of one stroke and one width."""
    breaks = np.flatnonzero((np.diff(widths) != 0) | down[1:]) + 1
    edges = [0, *breaks.tolist(), len(widths)]
    return list(pairwise(edges))


def _grained(coverage: Coverage, hand: Hand, rng: np.random.Generator) -> Coverage:
    """Leave the hollows of the paper white, as a pencil does."""
    if hand.pen != "pencil":
        return coverage
    return np.asarray(coverage * rng.uniform(0.35, 1.0, coverage.shape).astype(np.float32), np.float32)
