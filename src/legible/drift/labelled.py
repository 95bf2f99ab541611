"""The exact match of a window by a few labels drawn at random: prediction-powered inference.

The mean confidence of all N readings is precise, but off where confidence is; the labels of n of them are right, but
few. PPI++ (Angelopoulos, Duchi and Zrnic 2023, sections 3 and 6) takes the mean of w * confidence over all, and adds
the mean of (right - w * confidence) over the labelled ones. Whatever the weight w this is unbiased; the w used here
makes its variance least. Labels that were chosen because the reading looked doubtful would bias it: they stay out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from legible.arrays import Floats

MIN_LABELS = 20
"""Fewer labels say too little of their own variance."""
NORMAL = 1.959964
"""The 97.5 % point of the normal distribution."""


@dataclass(frozen=True)
class LabelledReading:
    """A reading whose text somebody has told: its confidence, whether it is right, and its document, if it has one."""

    confidence: float
    is_right: bool
    document: str = ""


@dataclass(frozen=True)
class LabelledEstimate:
    """Exact match with its 95 % interval, by so many labels; `weight` is that of confidence, 0 to 1."""

    exact_match: float
    low: float
    high: float
    labels: int
    weight: float


def by_labels(
    labels: Sequence[LabelledReading], *, confidence: float, deviation: float, images: int
) -> LabelledEstimate | None:
    """Estimate from labels drawn at random; None where there are fewer than MIN_LABELS.

    confidence, deviation: mean and standard deviation of the confidences of all images of the window.
    """
    if len(labels) < MIN_LABELS:
        return None
    given = np.asarray([label.confidence for label in labels])
    right = np.asarray([label.is_right for label in labels], np.float64)
    weight = _weight(right, given, images=images)
    rest = right - weight * given
    documents = [label.document or f"{place}" for place, label in enumerate(labels)]
    few, freedom = _variance_of_mean(rest, documents)
    off = _student(freedom) * math.sqrt(few + (weight * deviation) ** 2 / images)
    mean = weight * confidence + float(rest.mean())
    low, high = (min(max(bound, 0.0), 1.0) for bound in (mean - off, mean + off))
    return LabelledEstimate(min(max(mean, 0.0), 1.0), low, high, len(labels), weight)


def _weight(right: Floats, given: Floats, *, images: int) -> float:
    """Return the weight of least variance (PPI++, example 6.1), within 0 and 1."""
    spread = float(given.var()) * (1 + len(given) / images)
    if spread <= 0:
        return 0.0
    together = float(np.mean((right - right.mean()) * (given - given.mean())))
    return min(max(together / spread, 0.0), 1.0)


def _variance_of_mean(values: Floats, documents: Sequence[str]) -> tuple[float, int]:
    """Return the variance of the mean, summed over documents, whose images are alike, and its degrees of freedom.

    A mean of values that are all equal has no variance of its own: it is taken to be that of one value that differs.
    """
    _, codes = np.unique(np.asarray(documents), return_inverse=True)
    sums = np.bincount(codes, weights=values - values.mean())
    count, n = len(sums), len(values)
    least = (1 - 1 / n) / n**2
    if count < 2:  # noqa: PLR2004
        return 1.0, 1
    return max(float(np.square(sums).sum()) / n**2 * count / (count - 1), least), count - 1


def _student(freedom: int) -> float:
    """Return the 97.5 % point of Student's distribution (Cornish and Fisher 1938): 2.0 at 60 degrees of freedom.

    From 10 degrees on it is right to half a hundredth; labels of fewer documents have wider intervals than it says.
    """
    z = NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
