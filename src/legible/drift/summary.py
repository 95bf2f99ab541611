"""A window of observations in counts: all that a verdict needs of it, in memory that does not grow with the window."""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.batched import batched
from legible.drift.labelled import LabelledReading
from legible.drift.rank_counts import ONE, RankCounts, in_parts
from legible.drift.reference import KINDS, Reference, ranks, table
from legible.drift.ties import row_uniforms
from legible.observations.row import NO_CHECK, Observation, check_of

CHUNK = 5000
"""The number of observations that are ranked together."""
SAMPLE = 5000
"""The number of observations kept for the report, each with the same probability."""
UNUSUAL = 12
"""The number of the most unusual readings that are named."""
MAX_CHANNELS = 100
"""Where there are more, those whose names come last in the alphabet are not told apart, whichever comes first."""
MAX_CHANNEL_DOCUMENTS = 500
"""The most documents of a channel that are scored, all with the same probability."""
NO_CORRECTIONS: Mapping[str, str] = MappingProxyType({})


@dataclass
class Summary:
    """The counts of a window, which grow by `add`, in whatever order; `random` draws the sample.

    `seed` decides the ranks of equal values.
    """

    reference: Reference
    seed: int
    random: np.random.Generator
    counts: RankCounts
    channels: dict[str, RankCounts] = field(default_factory=dict)
    corrections: Mapping[str, str] = field(default_factory=dict)
    """Texts by reading id, as callers say."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Texts by reading id, of readings that were drawn at random to be labelled."""
    labelled: list[LabelledReading] = field(default_factory=list)
    corrected: int = 0
    confirmed: int = 0
    """The number of corrected readings that were right as read."""
    confidence_sum: int = 0
    """The sum of confidences, in parts of ONE."""
    doubt_sum: int = 0
    """The sum of confidence * (1 - confidence), in parts of ONE."""
    sample: list[Observation] = field(default_factory=list)
    unusual: list[tuple[float, str]] = field(default_factory=list)
    """Unusualness and id of readings, the most unusual first."""

    @staticmethod
    def empty(
        reference: Reference,
        *,
        seed: int = 0,
        corrections: Mapping[str, str] = NO_CORRECTIONS,
        labels: Mapping[str, str] = NO_CORRECTIONS,
    ) -> "Summary":
        counts = RankCounts.of_none(tuple(reference.quantiles), block=reference.block)
        rng = np.random.default_rng(seed)
        return Summary(reference, seed, rng, counts, corrections=corrections, labels=labels)

    @staticmethod
    def of(reference: Reference, observations: Iterable[Observation], *, seed: int = 0) -> "Summary":
        summary = Summary.empty(reference, seed=seed)
        for chunk in chunks(observations):
            summary.add(chunk)
        return summary

    @property
    def images(self) -> int:
        return self.counts.images

    @property
    def confidence(self) -> float:
        """Return the sum of confidences."""
        return self.confidence_sum / ONE

    @property
    def doubt(self) -> float:
        """Return the sum of confidence * (1 - confidence)."""
        return self.doubt_sum / ONE

    @property
    def confidence_spread(self) -> tuple[float, float]:
        """Return the mean and the standard deviation of the confidences."""
        n = max(self.images, 1)
        mean = self.confidence / n
        return mean, math.sqrt(max((self.confidence - self.doubt) / n - mean**2, 0.0))

    def add(self, observations: Sequence[Observation]) -> None:
        uniforms = row_uniforms(observations, len(self.reference.quantiles), seed=self.seed)
        ranked = ranked_with(self.reference, observations, uniforms)
        self._keep_sample(observations)
        rule = self.reference.unusual
        images = image_ranks(self.reference, ranked)
        unusual = rule.is_unusual(images) if rule else np.zeros(len(ranked), np.bool_)
        documents = [row.document for row in observations]
        comparable = np.asarray([row.lexicon == self.reference.lexicon for row in observations], np.bool_)
        self.counts.add(ranked, documents, unusual=unusual.tolist(), comparable=comparable)
        if self.reference.documents:
            self.counts.scores.add(images, documents)
        self._count_channels(observations, ranked, unusual, comparable)
        confidences = np.asarray([row.confidence for row in observations])
        self.confidence_sum += int(in_parts(confidences).sum())
        self.doubt_sum += int(in_parts(confidences * (1 - confidences)).sum())
        self._note_unusual(observations, unusual_of(self.reference, ranked))
        if self.corrections:
            self._compare(observations)
        if self.labels:
            self._compare_labels(observations)

    def merge(self, other: "Summary") -> None:
        """Add the summary of other rows by the same reference; its sample is left out."""
        self.counts.merge(other.counts)
        for name, counts in other.channels.items():
            if own := self.channel_counts(name):
                own.merge(counts)
        self.corrected += other.corrected
        self.confirmed += other.confirmed
        self.confidence_sum += other.confidence_sum
        self.doubt_sum += other.doubt_sum
        self.unusual = heapq.nlargest(UNUSUAL, self.unusual + other.unusual)

    def _keep_sample(self, observations: Sequence[Observation]) -> None:
        """Keep each as likely as the others (Vitter 1985, algorithm R)."""
        places = self.random.integers(0, self.images + 1 + np.arange(len(observations)))
        for row, place in zip(observations, places.tolist(), strict=True):
            if len(self.sample) < SAMPLE:
                self.sample.append(row)
            elif place < SAMPLE:
                self.sample[place] = row

    def _count_channels(
        self,
        observations: Sequence[Observation],
        ranked: Floats,
        unusual: npt.NDArray[np.bool_],
        comparable: npt.NDArray[np.bool_],
    ) -> None:
        names = np.asarray([row.channel for row in observations])
        documents = np.asarray([row.document for row in observations])
        for name in np.unique(names).tolist():
            if counts := self.channel_counts(name):
                own = names == name
                named = documents[own].tolist()
                counts.add(ranked[own], named, unusual=unusual[own].tolist(), comparable=comparable[own])
                if self.reference.documents:
                    counts.scores.add(image_ranks(self.reference, ranked[own]), named)

    def channel_counts(self, name: str) -> RankCounts | None:
        """Return the counts of a channel, made where they are none yet; None for one too many."""
        if name not in self.channels:
            if len(self.channels) == MAX_CHANNELS:
                if name > max(self.channels):
                    return None
                del self.channels[max(self.channels)]
            names = tuple(self.reference.quantiles)
            block = self.reference.block
            self.channels[name] = RankCounts.of_none(names, block=block, max_documents=MAX_CHANNEL_DOCUMENTS)
        return self.channels[name]

    def _compare(self, observations: Sequence[Observation]) -> None:
        for row in observations:
            text = self.corrections.get(row.reading_id)
            if text is not None and row.check != NO_CHECK:
                self.corrected += 1
                self.confirmed += check_of(row.reading_id, text) == row.check

    def _compare_labels(self, observations: Sequence[Observation]) -> None:
        for row in observations:
            text = self.labels.get(row.reading_id)
            if text is not None and row.check != NO_CHECK:
                is_right = check_of(row.reading_id, text) == row.check
                self.labelled.append(LabelledReading(row.confidence, is_right, row.document))

    def _note_unusual(self, observations: Sequence[Observation], scores: Floats) -> None:
        least = self.unusual[-1][0] if len(self.unusual) == UNUSUAL else 0.0
        likely = np.flatnonzero(scores >= least).tolist()
        found = [(float(scores[i]), observations[i].reading_id) for i in likely if observations[i].reading_id]
        self.unusual = heapq.nlargest(UNUSUAL, self.unusual + found)


def ranked_by(reference: Reference, observations: Sequence[Observation], rng: np.random.Generator) -> Floats:
    """Return ranks (N, signals) in a reference, those of equal values drawn at random."""
    return ranked_with(reference, observations, rng.random((len(observations), len(reference.quantiles))))


def ranked_with(reference: Reference, observations: Sequence[Observation], uniforms: Floats) -> Floats:
    """Return ranks (N, signals) in a reference; `uniforms` (N, signals) are the places of equal values."""
    values = table(observations, tuple(reference.quantiles))
    columns = [
        ranks(grid, values[:, i], uniforms=uniforms[:, i]) for i, grid in enumerate(reference.quantiles.values())
    ]
    return np.stack(columns, axis=1)


def unusual_of(reference: Reference, ranked: Floats) -> Floats:
    """Return the unusualness (N,) of images by the ranks (N, signals) of all their signals."""
    return unusualness(image_ranks(reference, ranked))


def image_ranks(reference: Reference, ranked: Floats) -> Floats:
    """Return the ranks of the image statistics among those (N, signals) of all signals."""
    return ranked[:, [i for i, name in enumerate(reference.quantiles) if name in KINDS["image"]]]


def unusualness(ranked: Floats) -> Floats:
    """Score images by the ranks (N, signals) of their statistics: the mean logarithm of how few lie further out."""
    outside = 2 * np.minimum(ranked, 1 - ranked)
    return np.asarray(-np.log10(np.maximum(outside, 1e-4)).mean(axis=1), np.float64)


def chunks(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    return batched(observations, CHUNK)
