"""The constant of the drift rule, found by resampling windows by writer from the observations of the reference.

Half of the writers, drawn at random, make a reference; windows of n images come from the others. The KS that at most
the budget of such windows exceeds, over all signals together, is q(n). Then c and m are those with
`c * sqrt(1/n + 1/m) >= q(n)` for every size of window that was tried, and as little above it as can be. The reference
in use is by all writers, twice as many as a half, so that its m is twice as large. Were all images independent, m would
be of the order of their number, and c about 2.3 for a budget of one in a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.config import ReferenceParams
from legible.drift.reference import EDGES, Floats, Reference, Rule, quantiles_of, ranks, table
from legible.errors import DataError
from legible.observations import SIGNALS, Observation

WINDOW_FACTORS = (1, 2, 4, 10, 20)
"""Sizes of window tried, in smallest windows."""
SPLITS = 100
LEAST_WRITERS = 4
IMAGES_AT_ONCE = 20_000
"""Bounds the memory."""

Marks = npt.NDArray[np.bool_]


def make_reference(observations: Sequence[Observation], params: ReferenceParams, *, seed: int) -> Reference:
    """The reference of these observations, with its rule. Raises DataError where there are too few."""
    writers = {row.writer for row in observations}
    if len(observations) < params.smallest_window or len(writers) < LEAST_WRITERS:
        raise DataError(
            f"{len(observations)} observations by {len(writers)} writers make no reference; it takes "
            f"{params.smallest_window} by {LEAST_WRITERS}: evaluate more samples"
        )
    values = table(observations)
    quantiles = {name: quantiles_of(values[:, column]) for column, name in enumerate(SIGNALS)}
    rule = calibrate(values, [row.writer for row in observations], params, rng=np.random.default_rng(seed))
    return Reference(quantiles, len(observations), len(writers), rule)


def calibrate(values: Floats, writers: Sequence[str], params: ReferenceParams, *, rng: np.random.Generator) -> Rule:
    """The rule for signals (N, signals) of images by these N writers."""
    sizes = params.smallest_window * np.asarray(WINDOW_FACTORS)
    scores = _window_scores(values, np.unique(writers, return_inverse=True)[1], sizes, params.resamples, rng)
    budget = params.false_alarms_per_window
    highest = np.quantile(scores, 1 - budget, axis=1, method="higher")
    c, m = _fit(sizes, highest, images=len(values) // 2)
    return Rule(c, 2 * m, budget, params.smallest_window)


def _window_scores(
    values: Floats, writers: npt.NDArray[np.intp], sizes: npt.NDArray[np.int_], resamples: int, rng: np.random.Generator
) -> Floats:
    """Max over signals of KS (sizes, resamples at least), each split giving the same number of windows."""
    each = -(-resamples // SPLITS)
    rounds = []
    for _ in range(SPLITS):
        below = _below_edges(values, _half(writers, rng), rng)
        rounds.append([_scores(below, n, each, rng) for n in sizes])
    return np.concatenate(rounds, axis=1)


def _half(writers: npt.NDArray[np.intp], rng: np.random.Generator) -> Marks:
    """Which images (N,) are by a random half of the writers."""
    count = int(writers.max()) + 1
    return np.isin(writers, rng.permutation(count)[: count // 2])


def _below_edges(values: Floats, is_reference: Marks, rng: np.random.Generator) -> Marks:
    """Whether each image outside the reference ranks at or below each edge: (images, signals, edges)."""
    current = values[~is_reference]
    columns = [
        ranks(quantiles_of(values[is_reference, i]), current[:, i], uniforms=rng.random(len(current)))
        for i in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)[:, :, None] <= np.asarray(EDGES)


def _scores(below: Marks, n: int, windows: int, rng: np.random.Generator) -> Floats:
    """Max KS (windows,) of windows of n images, drawn with replacement."""
    at_once = max(1, IMAGES_AT_ONCE // n)
    scores = []
    for start in range(0, windows, at_once):
        drawn = rng.integers(len(below), size=(min(at_once, windows - start), n))
        shares = below[drawn].sum(axis=1, dtype=np.int32) / n
        scores.append(np.abs(shares - np.asarray(EDGES)).max(axis=(1, 2)))
    return np.concatenate(scores)


@dataclass(frozen=True)
class _Fit:
    c: float
    m: float
    slack: float


def _fit(sizes: npt.NDArray[np.int_], highest: Floats, *, images: int) -> tuple[float, float]:
    """c and m of the lowest thresholds that are nowhere below the highest scores; m is at most `images`."""
    fits = [_fit_for(m, sizes, highest) for m in np.geomspace(1, images, 200)]
    best = min(fits, key=lambda fit: fit.slack)
    return best.c, best.m


def _fit_for(m: float, sizes: npt.NDArray[np.int_], highest: Floats) -> _Fit:
    ratios = highest / np.sqrt(1 / sizes + 1 / m)
    return _Fit(c=float(ratios.max()), m=float(m), slack=float(ratios.max() / ratios.min()))
