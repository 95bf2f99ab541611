"""The shape of a line of text on a page: its upper and its lower edge, straight or curved."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import Matrix

PagePoints = npt.NDArray[np.float64]
"""PagePoints (n, 2): x and y in pixels."""

SAMPLED_EVERY = 2.0
"""The distance of the points at which the edges of a curved line are sampled, in line heights."""
MAX_SAMPLES = 48


@dataclass(frozen=True)
class LineShape:
    """The upper and the lower edge of a line, both from its left to its right end, each as k >= 2 points (k, 2)."""

    upper: PagePoints
    lower: PagePoints

    @staticmethod
    def from_box(left: float, top: float, right: float, bottom: float) -> "LineShape":
        return LineShape(
            np.array([[left, top], [right, top]], float), np.array([[left, bottom], [right, bottom]], float)
        )

    @staticmethod
    def from_polygon(points: PagePoints) -> "LineShape":
        """Return the smooth line through a ragged polygon: a parabola through its middle, of one height everywhere."""
        left, top = points.min(axis=0)
        right, bottom = points.max(axis=0)
        count = int(np.clip((right - left) / max(bottom - top, 1.0) / SAMPLED_EVERY, 3, MAX_SAMPLES))
        inset = (right - left) / (4 * count)
        x = np.linspace(left + inset, right - inset, 4 * count)
        above, below = _extent(points, x)
        degree = 2 if right - left > 8 * (bottom - top) else 1
        middle = np.polynomial.Polynomial.fit(x, (above + below) / 2, degree)
        half = float(np.median(below - above)) / 2
        places = np.linspace(left, right, count)
        center = middle(places)
        return LineShape(np.stack([places, center - half], axis=1), np.stack([places, center + half], axis=1))

    @property
    def polygon(self) -> PagePoints:
        """The polygon (2k, 2): along the upper edge and back along the lower one."""
        return np.concatenate([self.upper, self.lower[::-1]])

    @cached_property
    def middle(self) -> PagePoints:
        return (self.upper + self.lower) / 2

    @cached_property
    def height(self) -> float:
        """The median distance between the edges."""
        return float(np.median(np.linalg.norm(self.lower - self.upper, axis=1)))

    @cached_property
    def length(self) -> float:
        return float(np.linalg.norm(np.diff(self.middle, axis=0), axis=1).sum())

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom of all its points."""
        points = self.polygon
        return cast("tuple[float, float, float, float]", (*points.min(axis=0).tolist(), *points.max(axis=0).tolist()))

    @cached_property
    def angle(self) -> float:
        """The angle of the straight line from end to end, in radians; above 0 it falls to the right."""
        across, down = (self.middle[-1] - self.middle[0]).tolist()
        return float(np.arctan2(down, across))

    def moved(self, matrix: Matrix) -> "LineShape":
        return LineShape(moved_points(self.upper, matrix), moved_points(self.lower, matrix))

    def band(self, start: float, stop: float) -> PagePoints:
        """Return the polygon between two fractions of the way from the upper to the lower edge: band(0, 1) is all of
        it.
        """
        down = self.lower - self.upper
        return np.concatenate([self.upper + start * down, (self.upper + stop * down)[::-1]])

    def padded(self, fraction: float) -> "LineShape":
        """Return each edge moved out by a fraction of the height, the ends too."""
        down = (self.lower - self.upper) * fraction
        along = np.zeros_like(self.middle)
        steps = np.diff(self.middle[[0, 1]], axis=0)[0], np.diff(self.middle[[-2, -1]], axis=0)[0]
        along[0] = -_unit(steps[0]) * self.height * fraction
        along[-1] = _unit(steps[1]) * self.height * fraction
        return LineShape(self.upper - down + along, self.lower + down + along)


def moved_points(points: PagePoints, matrix: Matrix) -> PagePoints:
    """Return the points (n, 2) after a homography."""
    moved = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def scaling(factor: float) -> Matrix:
    return np.diag([factor, factor, 1.0])


def rotation(radians: float, *, center: tuple[float, float]) -> Matrix:
    """Turn by an angle about a point; above 0 clockwise, as y goes down."""
    cos, sin = np.cos(radians), np.sin(radians)
    x, y = center
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


def homography(source: PagePoints, target: PagePoints) -> Matrix:
    """Return the homography that takes four points to four others."""
    return np.asarray(cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32)), np.float64)


def polygon_area(points: PagePoints) -> float:
    x, y = points.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the length that two intervals (start, stop) have in common, or minus the distance between them."""
    return min(first[1], second[1]) - max(first[0], second[0])


def _unit(vector: PagePoints) -> PagePoints:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _extent(points: PagePoints, x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the least and greatest y of a polygon's outline at each place x, which lie within the polygon's width."""
    start, stop = points, np.roll(points, -1, axis=0)
    steps = stop[:, 0] - start[:, 0]
    crossed = (np.minimum(start[:, 0], stop[:, 0]) <= x[:, None]) & (x[:, None] <= np.maximum(start[:, 0], stop[:, 0]))
    slopes = (stop[:, 1] - start[:, 1]) / np.where(steps == 0, 1.0, steps)
    y = start[:, 1] + (x[:, None] - start[:, 0]) * slopes
    return np.where(crossed, y, np.inf).min(axis=1), np.where(crossed, y, -np.inf).max(axis=1)
