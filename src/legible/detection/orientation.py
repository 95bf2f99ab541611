"""The orientation of a page: its tilt, by the rows of its ink, and which side is up, by how well it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage, Matrix

MAX_SKEW_DEGREES = 15.0
COARSE_DEGREES, FINE_DEGREES = 1.0, 0.1
SEEN_PIXELS = 250_000
"""The pixels of the page at which its tilt is measured."""
MIN_GAIN = 1.15
"""How much sharper the rows of ink must be at the found tilt than without it."""
SURE = 0.9
"""The mean confidence of the characters of a page's longest lines above which no other orientation is tried.

Measured: 0.93 and more the right way up, 0.68 to 0.85 upside down, up to 0.71 on its side.
"""
MAX_SIDEWAYS = 0.75
"""A page of long lines that reads better than this does not lie on its side."""
MIN_CHARACTERS = 20
"""Fewer characters, on a page of short lines, do not make an orientation certain: rules are read as letters too."""
MIN_TEXT = 0.3
"""An orientation in which less than this fraction of the characters is read, than in another, is not the right one."""
MIN_GAIN_OF_TURN = 0.04
"""How much higher that confidence must be after a turn than without it."""
MIN_ELONGATION = 3.0
"""Lines are usually longer than this many times their height; on a page that lies on its side none are found so."""

Ink = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """How well a page reads in one orientation.

    confidence: mean of the characters of some lines. characters: how many those are. elongation: the median length of
    all lines found, in heights; 0 where none was.
    """

    confidence: float
    characters: int
    elongation: float = 0.0


def skew_degrees(image: GreyImage) -> float:
    """Return by how much the text of a page falls to the right, to a tenth of a degree; 0 where the ink cannot tell.

    The rows of a level text are full or empty: of all angles the right one has the sharpest profile (Postl 1986).
    """
    ink = _small_ink(image)
    if not ink.any():
        return 0.0
    coarse = np.arange(-MAX_SKEW_DEGREES, MAX_SKEW_DEGREES + COARSE_DEGREES, COARSE_DEGREES)
    near = _sharpest(ink, coarse)
    fine = near + np.arange(-COARSE_DEGREES, COARSE_DEGREES + FINE_DEGREES, FINE_DEGREES)
    found = _sharpest(ink, fine)
    if _sharpness(ink, found) < MIN_GAIN * _sharpness(ink, 0.0):
        return 0.0
    return round(float(found), 1)


def best_turn(evidence: Callable[[int], Evidence], *, sure: float = SURE) -> int:
    """Return the quarter turns after which a page is upright; others than none are tried only where it reads badly.

    evidence: finds and reads lines after so many quarter turns.
    """
    found = {0: evidence(0)}
    if not found[0].elongation:
        return _turn_without_lines(evidence, sure)
    for turn in _others(found[0], sure):
        found[turn] = evidence(turn)
        if _is_sure(found[turn], sure):
            return turn
    most = max(one.characters for one in found.values())
    likely = {turn: one for turn, one in found.items() if one.characters >= MIN_TEXT * most}
    best = max(likely, key=lambda turn: likely[turn].confidence)
    stays = 0 in likely and likely[best].confidence <= likely[0].confidence + MIN_GAIN_OF_TURN
    return 0 if stays else best


def _turn_without_lines(evidence: Callable[[int], Evidence], sure: float) -> int:
    """Return the turns of a page on which no line was found as it is: on its side it may have some, and enough."""
    first = evidence(1)
    if first.elongation < MIN_ELONGATION:
        return 0
    if _is_sure(first, sure):
        return 1
    other = evidence(3)
    turn, best = (1, first) if first.confidence >= other.confidence else (3, other)
    return turn if best.characters >= MIN_CHARACTERS else 0


def _others(first: Evidence, sure: float) -> tuple[int, ...]:
    """Return the turns to be tried after no turn, the likely ones first."""
    if _is_sure(first, sure):
        return ()
    if first.elongation < MIN_ELONGATION:
        return (1, 3, 2)
    return (2,) if first.confidence > MAX_SIDEWAYS else (2, 1, 3)


def _is_sure(one: Evidence, sure: float) -> bool:
    told = one.characters >= MIN_CHARACTERS or (one.characters > 0 and one.elongation >= MIN_ELONGATION)
    return one.confidence >= sure and told


def turned(image: GreyImage, turn: int) -> GreyImage:
    """Return the page after a number of quarter turns counter-clockwise."""
    return np.ascontiguousarray(np.rot90(image, turn))


def turned_back(turn: int, *, shape: tuple[int, int]) -> Matrix:
    """Return the matrix from a rotated page to the page of `shape` (height, width) as it was."""
    height, width = shape
    matrices = (
        np.eye(3),
        np.array([[0, -1, width], [1, 0, 0], [0, 0, 1]]),
        np.array([[-1, 0, width], [0, -1, height], [0, 0, 1]]),
        np.array([[0, 1, 0], [-1, 0, height], [0, 0, 1]]),
    )
    return np.asarray(matrices[turn % 4], np.float64)


def evidence_of(confidences: Sequence[float], characters: Sequence[int], elongations: Sequence[float] = ()) -> Evidence:
    """Return the evidence of read lines, each weighted by its characters."""
    total = sum(characters)
    elongation = float(np.median(elongations)) if len(elongations) else 0.0
    if not total:
        return Evidence(0.0, 0, elongation)
    mean = sum(c * n for c, n in zip(confidences, characters, strict=True)) / total
    return Evidence(mean, total, elongation)


def _small_ink(image: GreyImage) -> Ink:
    """Return where the page is darker or lighter than around it, without anything as large as a picture."""
    factor = min(1.0, float(np.sqrt(SEEN_PIXELS / image.size)))
    small = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32)
    off = np.abs(small - cv2.blur(small, (25, 25)))
    strong = off > max(float(np.percentile(off, 90)), 12.0)
    return np.asarray(strong, np.float32)


def _sharpest(ink: Ink, degrees: npt.NDArray[np.float64]) -> float:
    return float(max(degrees, key=lambda angle: _sharpness(ink, float(angle))))


def _sharpness(ink: Ink, degrees: float) -> float:
    """Return how much the ink of neighbouring rows differs, when rows fall by this angle (sheared, not rotated)."""
    rows, columns = ink.shape
    shear = np.array([[1, 0, 0], [-np.tan(np.deg2rad(degrees)), 1, 0]])
    shear[1, 2] = -shear[1, 0] * columns / 2
    profile = cv2.warpAffine(ink, shear, (columns, rows), flags=cv2.INTER_LINEAR).sum(axis=1)
    return float(np.square(np.diff(profile)).sum())
