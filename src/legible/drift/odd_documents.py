"""Few foreign documents among many: each document is scored by how far it lies from the deployment's own ones.

Six forms among sixty receipts are a tenth of the images. They move no signal by much, and the count of single images
(`unusual`) has to allow for a whole receipt of unusual ones. But the mean of a document's images is far less noisy than
one image. Its squared Mahalanobis distance, with the covariance of documents of k images, B + W / k, tells foreign
documents from usual ones. A document's score is how far its distance exceeds the 95 % point, in spreads of the usual
distances, from 0 to MAX_SCORE.

Odd documents of the deployment's own lie each in a direction of its own, foreign ones in one together. So what counts
is the length of the mean of the scores times the directions, without the document that adds most to it: one may be
unlike all others, and a baseline of a hundred need not hold its like. There is drift where it is greater than in
windows that are drawn again and again from the documents of the baseline (Bayesian bootstrap, Rubin 1981), whose scores
are by the covariance of others, in turns of ten. A document that is drawn twice stands for two that are as odd, in
directions that differ as those of two odd documents do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.drift.documents import OUTLIERS
from legible.drift.unusual import normal_scores
from legible.file_numbers import finite_array, finite_number

SHRINKAGE = 0.1
"""How far the covariance is drawn to its mean variance (Ledoit and Wolf 2004)."""
MAX_SCORE = 2.0
"""Where the score ends: one document that is unlike all others counts no more than two that are foreign."""
START, USUAL = 0.95, 0.9
"""The quantiles of the distance that a score begins at, and that its spread is measured to, from the median."""
SIZES = (1, 3, 10)
"""The least images of a document of each class: single images have longer tails than means of some."""
TRIED = ((1, 2), (3, 5), (10, 10**6))
"""The most images of each document that a class is measured at."""
MAX_COUNTED = 30
"""Larger documents count as so large."""
FOLDS, REPEATS = 10, 3
MIN_LIMIT = 0.01
"""Less than this is no drift, where the documents of a baseline hardly differ."""
MIN_DOCUMENTS = 40
"""Fewer documents say too little of how much documents differ."""
MIN_IN_WINDOW = 5
MIN_BUDGET, MAX_BUDGET = 1e-9, 0.5
WINDOWS = (5, 10, 20, 50, 100, 200, 500)
"""The numbers of documents of the windows that are drawn; larger windows are judged as the largest."""
MAX_DRAWN = 1000
"""The most documents that windows are drawn from; of more these are drawn at random."""
AT_ONCE = 1000
BY_SIZE = ("starts", "spreads")

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Spread:
    """The covariance (signals, signals) of documents' means, and of images within a document; `center` of documents."""

    center: Floats
    between: Floats
    within: Floats

    @staticmethod
    def of(means: Floats, counts: Floats, within: Floats) -> "Spread":
        """Return the spread of documents by their means (documents, signals), without those furthest out."""
        first = Spread._of_all(means, counts, within)
        kept = np.argsort(first.distances(means, counts))[: len(means) - OUTLIERS]
        return Spread._of_all(means[kept], counts[kept], within)

    @staticmethod
    def _of_all(means: Floats, counts: Floats, within: Floats) -> "Spread":
        between = np.cov(means.T) - within * float(np.mean(1 / counts))
        values, vectors = np.linalg.eigh(between)
        return Spread(means.mean(axis=0), (vectors * np.maximum(values, 0)) @ vectors.T, within)

    def whitened(self, means: Floats, counts: Floats) -> Floats:
        """Return where documents of so many images lie (documents, signals), in units of their covariance.

        Larger documents than of MAX_COUNTED images count as so large.
        """
        sizes = np.minimum(counts, MAX_COUNTED)
        found = np.empty_like(means)
        for size in np.unique(sizes):
            own = sizes == size
            found[own] = (means[own] - self.center) @ self._whitener(float(size))
        return found

    def distances(self, means: Floats, counts: Floats) -> Floats:
        """Return the squared distances (documents,) of documents."""
        return np.asarray(np.square(self.whitened(means, counts)).sum(axis=1), np.float64)

    def _whitener(self, size: float) -> Floats:
        """Return the inverse of the square root of the covariance of means of so many images."""
        covariance = self.between + self.within / size
        even = covariance.trace() / len(covariance) * np.eye(len(covariance))
        values, vectors = np.linalg.eigh((1 - SHRINKAGE) * covariance + SHRINKAGE * even)
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float64)


@dataclass(frozen=True)
class Lying:
    """The scores of documents (documents,), and the directions (documents, signals) that they lie in, of length 1."""

    scores: Floats
    directions: Floats

    @property
    def length(self) -> float:
        """Return the length of the mean of scores times directions, without the OUTLIERS that add most to it."""
        steps = self.scores[:, None] * self.directions
        left = _without_furthest(np.ones((1, len(steps)), np.int64), steps)[0]
        return float(np.linalg.norm(left @ steps)) / max(len(steps), 1)


@dataclass(frozen=True)
class DocumentRule:
    """How documents lie, and how long their mean may be by chance.

    `starts` and `spreads` of the distances belong to SIZES; `limits` (sizes, windows) are the longest means by chance,
    for each of SIZES and WINDOWS, at the budget.
    """

    spread: Spread
    starts: tuple[float, ...]
    spreads: tuple[float, ...]
    limits: Floats
    budget: float

    def lying(self, means: Floats, counts: Floats) -> Lying:
        """Return how documents lie by the means of their images' normal scores, and how many images these are."""
        return _lying(self.spread.whitened(means, counts), counts, self.starts, self.spreads)

    def threshold(self, counts: Floats, *, tests: int = 1) -> float:
        """Return the longest mean of documents of so many images (documents,) that chance explains."""
        by_size = [np.interp(np.log(len(counts)), np.log(WINDOWS), np.log(limits)) for limits in self.limits]
        limit = float(np.exp(by_size)[_places(counts)].mean())
        # a part of the budget is as much further out as in an exponential distribution: other tails are shorter
        return limit * (1 + math.log(tests) / math.log(1 / self.budget))

    def told(self) -> dict[str, Any]:
        """Return the rule as JSON."""
        numbers = {name: getattr(self, name) for name in (*BY_SIZE, "budget")}
        matrices = {**vars(self.spread), "limits": self.limits}
        return {**numbers, **{name: _told(matrix) for name, matrix in matrices.items()}}

    @staticmethod
    def of_told(content: Mapping[str, Any], *, signals: int) -> "DocumentRule":
        """Return the rule of JSON. Raise ValueError where it is of another number of signals."""
        shapes = {"center": (signals,), "between": (signals, signals), "within": (signals, signals)}
        spread = Spread(*(finite_array(content[name], name, shape=shape) for name, shape in shapes.items()))
        limits = finite_array(content["limits"], "limits", shape=(len(SIZES), len(WINDOWS)))
        starts, spreads = (tuple(finite_array(content[n], n, shape=(len(SIZES),)).tolist()) for n in BY_SIZE)
        budget = finite_number(content["budget"], "budget", low=MIN_BUDGET, high=MAX_BUDGET)
        if np.any(limits <= 0):
            raise ValueError("limits holds one of 0 or less")
        return DocumentRule(spread, starts, spreads, limits, budget)


def _told(numbers: Floats) -> Any:
    return np.vectorize(lambda x: float(f"{x:.6g}"))(numbers).tolist()


def _lying(whitened: Floats, counts: Floats, starts: Sequence[float], spreads: Sequence[float]) -> Lying:
    lengths = np.linalg.norm(whitened, axis=1)
    scores = scores_of(np.square(lengths), counts, starts, spreads)
    return Lying(scores, whitened / np.maximum(lengths, np.finfo(float).tiny)[:, None])


def scores_of(distances: Floats, counts: Floats, starts: Sequence[float], spreads: Sequence[float]) -> Floats:
    """Return scores by distances, with the start and the spread of a document's class of size."""
    place = _places(counts)
    beyond = (distances - np.asarray(starts)[place]) / np.asarray(spreads)[place]
    return np.asarray(np.clip(beyond, 0, MAX_SCORE), np.float64)


def _places(counts: Floats) -> Codes:
    """Return the place in SIZES of documents of so many images: the largest that is not above."""
    return np.maximum(np.searchsorted(SIZES, counts, side="right") - 1, 0)


def make_document_rule(
    ranked: Floats, documents: Sequence[str], *, budget: float, resamples: int, rng: np.random.Generator
) -> DocumentRule | None:
    """Find the rule by the ranks (N, signals) of images of a baseline; None for fewer than MIN_DOCUMENTS documents."""
    codes = np.unique(np.asarray(documents), return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count < MIN_DOCUMENTS:
        return None
    images = normal_scores(ranked)
    whole, within = _means(images, codes, len(images), rng), _within(images, codes)
    found = []
    for sizes in TRIED:
        placed = []
        for size in sizes * REPEATS:
            folds = rng.permutation(count) % FOLDS
            placed.append(_cross_fitted(*_means(images, codes, size, rng), whole, within, folds))
        distances = np.square(np.concatenate(placed)).sum(axis=1)
        start, spread = np.quantile(distances, START), np.quantile(distances, USUAL) - np.median(distances)
        # all are of one class, though a document may have fewer images
        lying = [_lying(own, np.ones(count), (start,) * len(SIZES), (spread,) * len(SIZES)) for own in placed]
        limits = [_limits(one, budget=budget, resamples=resamples, rng=rng) for one in lying]
        found.append((float(start), float(spread), np.mean(limits, axis=0)))
    starts, spreads, highest = zip(*found, strict=True)
    return DocumentRule(Spread.of(*whole, within), starts, spreads, np.stack(highest), budget)


def _means(images: Floats, codes: Codes, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the means (documents, signals) of at most `size` images of each document, and how many these are."""
    order = rng.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    sorted_codes = codes[order]
    place = np.arange(len(codes)) - np.searchsorted(sorted_codes, sorted_codes)
    chosen = order[place < size]
    counts = np.bincount(codes[chosen]).astype(np.float64)
    sums = np.zeros((len(counts), images.shape[1]))
    np.add.at(sums, codes[chosen], images[chosen])
    return sums / counts[:, None], counts


def _within(images: Floats, codes: Codes) -> Floats:
    """Return the covariance (signals, signals) of images within their document."""
    counts = np.bincount(codes)
    sums = np.zeros((len(counts), images.shape[1]))
    np.add.at(sums, codes, images)
    apart = images - (sums / counts[:, None])[codes]
    return np.asarray(apart.T @ apart / max(len(images) - len(counts), 1), np.float64)


def _cross_fitted(
    means: Floats, counts: Floats, whole: tuple[Floats, Floats], within: Floats, folds: npt.NDArray[np.intp]
) -> Floats:
    """Return where each document lies (documents, signals) by the spread of the documents of the other folds."""
    found = np.empty_like(means)
    for fold in range(FOLDS):
        own = folds == fold
        spread = Spread.of(whole[0][~own], whole[1][~own], within)
        found[own] = spread.whitened(means[own], counts[own])
    return found


def _limits(lying: Lying, *, budget: float, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the length that at most `budget` of the windows of each of WINDOWS exceed: (windows,)."""
    drawn = rng.permutation(len(lying.scores))[:MAX_DRAWN]
    count, far = len(drawn), drawn[lying.scores[drawn] > 0]
    steps = lying.scores[far, None] * lying.directions[far]
    alike = _alikeness(lying.directions[far])
    found: dict[int, list[Floats]] = {n: [] for n in WINDOWS}
    for start in range(0, resamples, AT_ONCE):
        # the weights of a Bayesian bootstrap, of the far documents; the others have no length
        weights = rng.standard_exponential((min(AT_ONCE, resamples - start), count))
        part = weights[:, : len(far)] / weights.sum(axis=1, keepdims=True)
        for n, lengths in found.items():
            lengths.append(_lengths(_without_furthest(rng.poisson(n * part), steps), steps, alike) / n)
    highest = [np.quantile(np.concatenate(lengths), 1 - budget, method="higher") for lengths in found.values()]
    return np.maximum(np.asarray(highest, np.float64), MIN_LIMIT)


def _without_furthest(taken: npt.NDArray[np.int64], steps: Floats) -> npt.NDArray[np.int64]:
    """Return how often windows take each step (windows, documents) without the OUTLIERS that add most to their sums."""
    left = taken.copy()
    for _ in range(OUTLIERS if len(steps) else 0):
        added = np.where(left > 0, (left @ steps) @ steps.T, -np.inf)
        windows = np.flatnonzero(left.any(axis=1))
        left[windows, added[windows].argmax(axis=1)] -= 1
    return left


def _lengths(taken: npt.NDArray[np.int64], steps: Floats, alike: float) -> Floats:
    """Return the lengths (windows,) of sums of steps (documents, signals), each taken so often (windows, documents).

    A step that is taken again is one of the same length whose direction is `alike` to the first.
    """
    squares = np.square(steps).sum(axis=1)
    together = np.square(taken @ steps).sum(axis=1) - np.square(taken) @ squares
    again = (taken * (taken - 1)) @ squares * alike
    return np.asarray(np.sqrt(np.maximum(together + taken @ squares + again, 0)), np.float64)


def _alikeness(directions: Floats) -> float:
    """Return the mean of the absolute cosine between two directions (documents, signals); 1 for a single one."""
    count = len(directions)
    if count < 2:  # noqa: PLR2004
        return 1.0
    return float((np.abs(directions @ directions.T).sum() - count) / (count * (count - 1)))
