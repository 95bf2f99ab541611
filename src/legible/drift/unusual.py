"""Small fractions: a count of images that lie further out than nearly all of the reference's.

Where a tenth of the images is foreign, no signal as a whole moves by much, but many images are unusual in several at
once. The fraction of images beyond the reference's 98 % point is drift where it exceeds 2 % by more than

    sqrt(2 p (1 - p) v L) + 2 v L / 3,    p = 0.02, v = 1/n + 1/m

(the form of Bernstein's inequality). n and m are those of the image rule; the level L is found on the same windows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legible.arrays import Floats

EXPECTED = 0.02
"""The fraction of the reference's own images that lies beyond the point."""
SPREAD = math.sqrt(2 * EXPECTED * (1 - EXPECTED))


@dataclass(frozen=True)
class UnusualRule:
    """`point` is the 98 % point of the unusualness of the reference's images, `level` the L of the rule."""

    point: float
    level: float

    def threshold(self, worth: float, *, reference_worth: float, tests: int = 1) -> float:
        """Return the largest excess over EXPECTED that chance explains in a window worth so many images."""
        x = math.sqrt((self.level + math.log(tests)) * (1 / worth + 1 / reference_worth))
        return SPREAD * x + 2 * x**2 / 3


def unusualness(ranked: Floats) -> Floats:
    """Score images by the ranks (N, signals) of their statistics: the mean logarithm of how few lie further out."""
    outside = 2 * np.minimum(ranked, 1 - ranked)
    return np.asarray(-np.log10(np.maximum(outside, 1e-4)).mean(axis=1), np.float64)


def levels(excess: Floats, *, worth: Floats, reference_worth: float) -> Floats:
    """Return the level at which the excess of each window would just be no drift: the inverse of `threshold`."""
    x = (np.sqrt(SPREAD**2 + 8 * np.maximum(excess, 0) / 3) - SPREAD) * 3 / 4
    return np.asarray(x**2 / (1 / worth + 1 / reference_worth), np.float64)


def point_of(scores: Floats) -> float:
    """Return the unusualness that EXPECTED of these images exceed."""
    return float(np.quantile(scores, 1 - EXPECTED))


def lowest_level(by_size: Sequence[Floats], *, budget: float) -> float:
    """Return the level that at most `budget` of the windows of each size exceed."""
    return max(float(np.quantile(found, 1 - budget, method="higher")) for found in by_size)
