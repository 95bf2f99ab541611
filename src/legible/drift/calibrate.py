"""The constants of the drift rules, found by resampling windows by writer from the rows of the reference.

Half of the writers, drawn at random, make a reference; windows of n images come from the others. The KS that at most
the budget of such windows exceeds, over all signals of a kind together, is q(n). Then c and m are those with
`c * sqrt(1/n + 1/m) >= q(n)` for every size of window that was tried, and as little above it as can be. The reference
in use is by all writers, twice as many as a half, so that its m is twice as large. Were all images independent, m would
be of the order of their number, and c about 2.3 for a budget of one in a thousand.

Windows of whole documents (a writer's images, or a document's) come from the same splits: the correlation is the lowest
one at which they keep the budget too, with n the number of independent images that they are worth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from legible.arrays import Floats
from legible.config import ReferenceParams
from legible.drift.documents import OUTLIERS
from legible.drift.reference import EDGES, KINDS, KnownSignals, Reference, Rule, SignalKind, quantiles_of, ranks, table
from legible.drift.unusual import Distance, UnusualRule, UnusualWindows, outlying, sharpest
from legible.errors import DataError
from legible.observations.row import Observation

WINDOW_FACTORS = (1, 2, 4, 10, 20, 40, 100)
"""The sizes of windows that are tried, as multiples of the smallest window."""
MIN_SPLITS, MAX_SPLITS = 100, 250
RULES = len(KINDS) + 1
"""How many rules share the budget of false alarms equally: one for each kind, and the one on unusual images."""
TYPICAL_FACTOR = 20
"""The size of window, in smallest windows, at which the rule on unusual images is to be sharpest."""
MIN_WINDOWS = 50
"""Windows of a size from each split, where there are more splits than MIN_SPLITS."""
MAX_SPLIT_ROWS = 500_000
"""Rows that are ranked in all splits together: few rows are split more often, as their splits differ more."""
MIN_WRITERS = 4
MIN_BUNCHING = 1.5
CORRELATIONS = 41
PROGRESS_AFTER = 2.0
"""Seconds before a progress bar is shown."""
AT_ONCE = 100
"""The number of windows that are counted together, which bounds the memory."""

Marks = npt.NDArray[np.bool_]
Indicators = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """The signals (N, signals) of one kind, and the writers (N,) of their images."""

    values: Floats
    writers: tuple[str, ...]


def rows_of(observations: Sequence[Observation], kind: SignalKind) -> Rows:
    return Rows(table(observations, KINDS[kind]), tuple(row.writer for row in observations))


def make_reference(rows: Mapping[SignalKind, Rows], params: ReferenceParams, *, seed: int) -> Reference:
    """Make the reference of these rows, with its rules. Raise DataError where there are too few."""
    rng = np.random.default_rng(seed)
    known = {kind: _known(kind, rows[kind], params, rng) for kind in KINDS}
    unusual = calibrate_unusual(rows["image"], params, rng=rng)
    return Reference(known, params.false_alarms_per_window, params.smallest_window, unusual=unusual)


def _known(kind: SignalKind, rows: Rows, params: ReferenceParams, rng: np.random.Generator) -> KnownSignals:
    images, writers = len(rows.values), len(set(rows.writers))
    if images < params.smallest_window or writers < MIN_WRITERS:
        raise DataError(
            f"{images} images by {writers} writers make no reference; it takes "
            f"{params.smallest_window} by {MIN_WRITERS}: take more samples"
        )
    quantiles = {name: quantiles_of(rows.values[:, column]) for column, name in enumerate(KINDS[kind])}
    rule = calibrate(rows, params, budget=params.false_alarms_per_window / RULES, rng=rng)
    return KnownSignals(quantiles, images, writers, rule)


def calibrate(rows: Rows, params: ReferenceParams, *, budget: float, rng: np.random.Generator) -> Rule:
    """Find the rule that at most the fraction `budget` of the windows of such rows exceed."""
    sizes = params.smallest_window * np.asarray(WINDOW_FACTORS)
    (ordered_rng,) = rng.spawn(1)
    singly, ordered = _scores(rows, sizes, params.resamples, rng, ordered_rng)
    highest = np.quantile(singly, 1 - budget, axis=1, method="higher")
    c, m = _fit(sizes, highest, images=len(rows.values) // 2)
    return _with_correlation(Rule(c, m), ordered, budget)


def _scores(
    rows: Rows,
    sizes: npt.NDArray[np.int_],
    resamples: int,
    rng: np.random.Generator,
    ordered_rng: np.random.Generator,
) -> tuple[Floats, list["DocumentWindows"]]:
    """Return the largest KS of windows of single images (sizes, resamples), and windows of whole documents by size.

    Each split of the writers gives as many windows.
    """
    splits = _splits(len(rows.values), resamples)
    each = -(-resamples // splits)
    writers = np.unique(rows.writers, return_inverse=True)[1]
    rounds, ordered = [], []
    for _ in tqdm(range(splits), desc="rule", unit="split", delay=PROGRESS_AFTER):
        is_known = _half(writers, rng)
        below = below_edges([quantiles_of(column) for column in rows.values[is_known].T], rows.values[~is_known], rng)
        rounds.append([window_scores(below, int(n), each, rng) for n in sizes])
        documents = DocumentSums.of(below, writers[~is_known])
        ordered.append([documents.windows(int(n), each, ordered_rng) for n in sizes])
    return np.concatenate(rounds, axis=1), [joined(windows) for windows in zip(*ordered, strict=True)]


def calibrate_unusual(rows: Rows, params: ReferenceParams, *, rng: np.random.Generator) -> UnusualRule:
    """Find the rule on unusual images, on windows of single images and of whole documents."""
    writers = np.unique(rows.writers, return_inverse=True)[1]
    sizes = [params.smallest_window * factor for factor in WINDOW_FACTORS]
    splits = _splits(len(rows.values), params.resamples)
    each = -(-params.resamples // splits)
    found: list[list[UnusualWindows]] = [[] for _ in range(2 * len(sizes))]
    for _ in tqdm(range(splits), desc="unusual", unit="split", delay=PROGRESS_AFTER):
        unusual, documents = _unusual_of_others(rows.values, writers, rng)
        for place, n in enumerate(sizes):
            singly = rng.binomial(n, unusual, each) / n
            found[2 * place].append(UnusualWindows(singly, np.full(each, float(n)), np.ones(each)))
            found[2 * place + 1].append(documents.unusual_windows(n, each, rng))
    windows = [_joined_unusual(parts) for parts in found]
    typical = windows[2 * WINDOW_FACTORS.index(TYPICAL_FACTOR) + 1]
    budget = params.false_alarms_per_window / RULES
    level, m, correlation = sharpest(windows, images=len(rows.values), budget=budget, at=typical)
    ranked = ranked_in([quantiles_of(column) for column in rows.values.T], rows.values, rng)
    ranked = ranked[~outlying(ranked, writers)]
    distance = Distance.of(ranked)
    return UnusualRule(distance, distance.point(ranked), level, m, correlation)


def _unusual_of_others(
    values: Floats, writers: npt.NDArray[np.intp], rng: np.random.Generator
) -> tuple[float, "DocumentSums"]:
    """Return the fraction of unusual images among those of half of the writers, and their documents, by the others."""
    is_known = _half(writers, rng)
    quantiles = [quantiles_of(column) for column in values[is_known].T]
    known = ranked_in(quantiles, values[is_known], rng)
    known = known[~outlying(known, writers[is_known])]
    distance = Distance.of(known)
    unusual = distance(ranked_in(quantiles, values[~is_known], rng)) > distance.point(known)
    return float(unusual.mean()), DocumentSums.of(unusual[:, None].astype(np.float32), writers[~is_known])


def _joined_unusual(parts: Sequence[UnusualWindows]) -> UnusualWindows:
    names = ("fractions", "images", "bunching")
    return UnusualWindows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _splits(rows: int, resamples: int) -> int:
    """Return how often the writers are split: more often where rows are few, as their splits differ more."""
    return int(np.clip(min(MAX_SPLIT_ROWS / rows, resamples / MIN_WINDOWS), MIN_SPLITS, MAX_SPLITS))


def _half(writers: npt.NDArray[np.intp], rng: np.random.Generator) -> Marks:
    """Mark the images (N,) that are by a random half of the writers."""
    count = int(writers.max()) + 1
    return np.isin(writers, rng.permutation(count)[: count // 2])


def below_edges(quantiles: Sequence[Floats], values: Floats, rng: np.random.Generator) -> Indicators:
    """Return 1 where an image ranks at or below an edge: values (images, signals) -> (images, signals * edges)."""
    below = ranked_in(quantiles, values, rng)[:, :, None] <= np.asarray(EDGES)
    return below.reshape(len(values), -1).astype(np.float32)


def ranked_in(quantiles: Sequence[Floats], values: Floats, rng: np.random.Generator) -> Floats:
    """Return the ranks of values (images, signals) in the quantiles of each signal."""
    columns = [
        ranks(grid, column, uniforms=rng.random(len(column))) for grid, column in zip(quantiles, values.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def window_scores(below: Indicators, n: int, windows: int, rng: np.random.Generator) -> Floats:
    """Return the largest KS (windows,) of windows of n images, drawn with replacement."""
    edges = np.tile(np.asarray(EDGES), below.shape[1] // len(EDGES))
    scores = []
    for start in range(0, windows, AT_ONCE):
        fractions = _drawn(len(below), n, min(AT_ONCE, windows - start), rng) @ below / n
        scores.append(np.abs(fractions - edges).max(axis=1))
    return np.concatenate(scores)


def _drawn(images: int, n: int, windows: int, rng: np.random.Generator) -> Indicators:
    """Draw windows of n images, and count how often each image is in each: (windows, images)."""
    places = rng.integers(images, size=(windows, n)) + images * np.arange(windows)[:, None]
    return np.bincount(places.ravel(), minlength=windows * images).reshape(windows, images).astype(np.float32)


@dataclass(frozen=True)
class DocumentWindows:
    """Windows (windows,) of whole documents: the largest KS, the images, and how bunched these are."""

    scores: Floats
    images: Floats
    bunching: Floats

    def beyond(self, rule: Rule) -> Floats:
        """Return the scores in thresholds of a rule."""
        worth = self.images / (1 + (self.bunching - 1) * rule.correlation)
        return np.asarray(self.scores / (rule.c * np.sqrt(1 / worth + 1 / rule.m)), np.float64)


@dataclass(frozen=True)
class DocumentSums:
    """Documents: their images (documents,), and how many of these rank at or below each edge (documents, edges)."""

    sizes: npt.NDArray[np.intp]
    sums: Floats

    @staticmethod
    def of(below: Indicators, documents: npt.NDArray[np.intp]) -> "DocumentSums":
        order = np.argsort(documents, kind="stable")
        _, starts, sizes = np.unique(documents[order], return_index=True, return_counts=True)
        return DocumentSums(sizes, np.add.reduceat(below[order], starts, axis=0, dtype=np.float64))

    def windows(self, n: int, windows: int, rng: np.random.Generator) -> DocumentWindows:
        """Draw windows of whole documents, and score them by the largest KS."""
        taken, images, bunching = self._draw(n, windows, rng)
        edges = np.tile(np.asarray(EDGES), self.sums.shape[1] // len(EDGES))
        return DocumentWindows(np.abs(taken @ self.sums / images[:, None] - edges).max(axis=1), images, bunching)

    def unusual_windows(self, n: int, windows: int, rng: np.random.Generator) -> UnusualWindows:
        """Draw windows of whole documents; the sums are of unusual images, and the most unusual documents left out."""
        taken, images, bunching = self._draw(n, windows, rng)
        counts = taken * self.sums[:, 0]
        largest = np.partition(counts, -OUTLIERS, axis=1)[:, -OUTLIERS:].sum(axis=1)
        return UnusualWindows((counts.sum(axis=1) - largest) / images, images, bunching)

    def _draw(self, n: int, windows: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
        """Draw windows of whole documents, in random order until they hold n images, or all there are.

        Return which documents are taken (windows, documents), the images and how bunched they are (windows,).
        """
        order = np.argsort(rng.random((windows, len(self.sizes))), axis=1)
        before = np.cumsum(self.sizes[order], axis=1) - self.sizes[order]
        taken = np.zeros(order.shape)
        np.put_along_axis(taken, order, (before < n).astype(np.float64), axis=1)
        images, squares = taken @ self.sizes, taken @ self.sizes**2
        return taken, images, squares / images


def joined(parts: Sequence[DocumentWindows]) -> DocumentWindows:
    return DocumentWindows(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("scores", "images", "bunching"))
    )


def _with_correlation(rule: Rule, sizes: Sequence[DocumentWindows], budget: float) -> Rule:
    """Add the lowest correlation that keeps the budget in windows of whole documents, and a greater c where none does.

    Half of the writers made the reference of these windows: the m of all is twice as large. Where documents have hardly
    more than one image each, nothing is known of their correlation.
    """
    if max(float(windows.bunching.mean()) for windows in sizes) < MIN_BUNCHING:
        return Rule(rule.c, 2 * rule.m)
    beyond = 1.0
    for correlation in np.linspace(0, 1, CORRELATIONS):
        tried = Rule(rule.c, rule.m, float(correlation))
        beyond = max(float(np.quantile(windows.beyond(tried), 1 - budget, method="higher")) for windows in sizes)
        if beyond <= 1:
            return Rule(rule.c, 2 * rule.m, float(correlation))
    return Rule(rule.c * beyond, 2 * rule.m, 1.0)


@dataclass(frozen=True)
class _Fit:
    c: float
    m: float
    slack: float


def _fit(sizes: npt.NDArray[np.int_], highest: Floats, *, images: int) -> tuple[float, float]:
    """Find c and m of the lowest thresholds that are nowhere below the highest scores; m is at most `images`."""
    fits = [_fit_for(m, sizes, highest) for m in np.geomspace(1, images, 200)]
    best = min(fits, key=lambda fit: fit.slack)
    return best.c, best.m


def _fit_for(m: float, sizes: npt.NDArray[np.int_], highest: Floats) -> _Fit:
    ratios = highest / np.sqrt(1 / sizes + 1 / m)
    return _Fit(c=float(ratios.max()), m=float(m), slack=float(ratios.max() / ratios.min()))
