"""Small fractions: a count of images that lie further out than nearly all of the reference's.

Where a tenth of the images is foreign, no signal as a whole moves by much, but most foreign images are unusual in
several at once: their Mahalanobis distance is great, by the normal scores of their ranks. The fraction of images beyond
the reference's 98 % point is drift where it exceeds 2 % by more than

    sqrt(2 p (1 - p) v L) + 2 v L / 3,    p = 0.02, v = 1/n + 1/m

(the form of Bernstein's inequality), in windows worth n independent images and a reference worth m. The level L, m and
the correlation within documents are found on the windows that the other rules are found on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.drift.documents import OUTLIERS, effective_images
from legible.file_numbers import finite_array, finite_number

EXPECTED = 0.02
"""The fraction of the reference's own images that lies beyond the point."""
SPREAD = math.sqrt(2 * EXPECTED * (1 - EXPECTED))
SHRINKAGE = 0.1
"""How far the covariance is drawn to its mean variance (Ledoit and Wolf 2004): other documents differ by more."""
MAX_SCORE = 2.8
"""Normal scores of ranks are taken to be this far from 0 at most: cells of a reference end at 0.0025 and 0.9975."""
GRID = np.linspace(0.0005, 0.9995, 1000)
SCORES = np.asarray([NormalDist().inv_cdf(float(p)) for p in GRID])
CORRELATIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)
WORTHS = 10
MIN_M = 1e-3
"""A smaller m of a rule is none: its threshold would be beyond every window."""
"""Values of m that are tried, from MIN_WORTH to all images."""
MIN_WORTH = 10.0


@dataclass(frozen=True)
class Distance:
    """The squared distance of images from the middle of a reference; `precision` is (signals, signals)."""

    precision: Floats

    @staticmethod
    def of(ranked: Floats) -> "Distance":
        """Return the distance by the covariance of these images, by their ranks (N, signals)."""
        covariance = np.atleast_2d(np.cov(normal_scores(ranked).T))
        even = covariance.trace() / len(covariance) * np.eye(len(covariance))
        return Distance(np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * even))

    def __call__(self, ranked: Floats) -> Floats:
        """Return the squared distances (N,) of images by their ranks (N, signals)."""
        scores = normal_scores(ranked)
        return np.asarray(np.einsum("ni,ij,nj->n", scores, self.precision, scores), np.float64)

    def point(self, ranked: Floats) -> float:
        """Return the squared distance that EXPECTED of these images exceed."""
        return float(np.quantile(self(ranked), 1 - EXPECTED))


def outlying(ranked: Floats, documents: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Mark the images (N,) of the OUTLIERS documents that lie furthest out: they would hide others like them."""
    _, codes, sizes = np.unique(documents, return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=Distance.of(ranked)(ranked)) / sizes
    return np.isin(codes, np.argsort(means)[-OUTLIERS:])


def normal_scores(ranked: Floats) -> Floats:
    """Return where a normal variable of these ranks would lie: 0.5 -> 0, 0.975 -> 1.96."""
    return np.asarray(np.clip(np.interp(ranked, GRID, SCORES), -MAX_SCORE, MAX_SCORE), np.float64)


@dataclass(frozen=True)
class UnusualRule:
    """`point`: the reference's 98 % point of the squared distance; `level`: the L of the rule, `m` its m."""

    distance: Distance
    point: float
    level: float
    m: float
    correlation: float

    def is_unusual(self, ranked: Floats) -> npt.NDArray[np.bool_]:
        """Tell of images by the ranks (N, signals) of their statistics whether they are beyond the point."""
        return np.asarray(self.distance(ranked) > self.point, np.bool_)

    def threshold(self, images: float, *, bunching: float = 1.0, tests: int = 1) -> float:
        """Return the largest excess over EXPECTED that chance explains."""
        worth = effective_images(images, bunching=bunching, correlation=self.correlation)
        x = math.sqrt((self.level + math.log(tests)) * (1 / worth + 1 / self.m))
        return SPREAD * x + 2 * x**2 / 3

    def told(self) -> dict[str, Any]:
        """Return the rule as JSON."""
        precision = [[float(f"{x:.6g}") for x in row] for row in self.distance.precision]
        numbers = {name: getattr(self, name) for name in ("point", "level", "m", "correlation")}
        return {**numbers, "precision": precision}

    @staticmethod
    def of_told(content: dict[str, Any], *, signals: int) -> "UnusualRule":
        """Return the rule of JSON. Raises ValueError where it is of another number of signals."""
        return UnusualRule(
            Distance(finite_array(content["precision"], "precision", shape=(signals, signals))),
            point=finite_number(content["point"], "point", low=0.0),
            level=finite_number(content["level"], "level", low=0.0),
            m=finite_number(content["m"], "m", low=MIN_M),
            correlation=finite_number(content["correlation"], "correlation", low=0.0, high=1.0),
        )


def levels(excess: Floats, *, worth: Floats, m: float) -> Floats:
    """Return the level at which the excess of each window would just be no drift: the inverse of `threshold`."""
    x = (np.sqrt(SPREAD**2 + 8 * np.maximum(excess, 0) / 3) - SPREAD) * 3 / 4
    return np.asarray(x**2 / (1 / worth + 1 / m), np.float64)


@dataclass(frozen=True)
class UnusualWindows:
    """Windows (windows,) of about one size: the fraction beyond the point, the images, and how bunched these are."""

    fractions: Floats
    images: Floats
    bunching: Floats

    def level(self, *, m: float, correlation: float, budget: float) -> float:
        """Return the level that at most `budget` of the windows exceed."""
        worth = self.images / (1 + (self.bunching - 1) * correlation)
        found = levels(self.fractions - EXPECTED, worth=worth, m=m)
        return float(np.quantile(found, 1 - budget, method="higher"))


def sharpest(
    sizes: Sequence[UnusualWindows], *, images: int, budget: float, at: UnusualWindows
) -> tuple[float, float, float]:
    """Return level, m and correlation that keep the budget in windows of all sizes, and find most in those of `at`.

    `sizes` are windows beside a reference of half of the documents, worth half of the m that is returned.
    """
    found = []
    size, bunching = float(at.images.mean()), float(at.bunching.mean())
    for m, correlation in product(np.geomspace(MIN_WORTH, max(images, 2 * MIN_WORTH), WORTHS), CORRELATIONS):
        level = max(one.level(m=m / 2, correlation=correlation, budget=budget) for one in sizes)
        v = 1 / effective_images(size, bunching=bunching, correlation=correlation) + 1 / m
        found.append((v * level, level, float(m), correlation))
    _, level, m, correlation = min(found)
    return level, m, correlation
