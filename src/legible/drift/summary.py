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
from legible.drift.document_sums import ScoreSums
from legible.drift.documents import DocumentCounts
from legible.drift.labelled import LabelledReading
from legible.drift.reference import EDGES, KINDS, Reference, SignalKind, ranks, table
from legible.drift.ties import row_uniforms
from legible.observations.row import NO_CHECK, Observation, check_of

CHUNK = 5000
"""The number of observations that are ranked together."""
SAMPLE = 5000
"""The number of observations kept for the report, each with the same probability."""
UNUSUAL = 10
"""The number of the most unusual readings that are named."""
MAX_CHANNELS = 100
"""Where there are more, those whose names come last in the alphabet are not told apart, whichever comes first."""
ONE = 2**30
"""Sums of fractions are counted in parts of one, as integers: the same in whatever order they are added."""
MAX_DOCUMENTS, MAX_CHANNEL_DOCUMENTS = 2000, 500
"""The most documents that are scored, of the window and of each channel: all with the same probability."""
NO_CORRECTIONS: Mapping[str, str] = MappingProxyType({})


@dataclass
class RankCounts:
    """Sums over images: how many rank at or below each edge, and the sum of ranks, for each signal of a reference."""

    below: npt.NDArray[np.int64]
    """(signals, edges)"""
    rank_sums: npt.NDArray[np.int64]
    """(signals,), in parts of ONE"""
    documents: DocumentCounts
    readings: DocumentCounts
    """The images whose prediction signals are compared: read with the reference's lexicon, or without as it was."""
    is_prediction: npt.NDArray[np.bool_]
    """(signals,)"""
    images: int = 0
    unusual: DocumentCounts = field(default_factory=DocumentCounts)
    """Images beyond the reference's 98 % point; none where the reference has none."""
    scores: ScoreSums = field(default_factory=ScoreSums)
    """The sums of each document, where the reference has a rule on documents."""

    @staticmethod
    def of_none(names: Sequence[str], *, block: int = 1, max_documents: int = MAX_DOCUMENTS) -> "RankCounts":
        """Return counts of no images for these signals."""
        return RankCounts(
            np.zeros((len(names), len(EDGES)), np.int64),
            np.zeros(len(names), np.int64),
            DocumentCounts(block),
            DocumentCounts(block),
            np.asarray([name in KINDS["prediction"] for name in names], np.bool_),
            scores=ScoreSums(max_documents),
        )

    def add(
        self,
        ranked: Floats,
        documents: Sequence[str],
        *,
        unusual: Sequence[bool] = (),
        comparable: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add images by their ranks (N, signals), their documents, whether they are unusual, and comparable in what was
        read.
        """
        compared = np.ones(len(ranked), np.bool_) if comparable is None else comparable
        counted = compared[:, None] | ~self.is_prediction  # (N, signals)
        self.below += ((ranked[:, :, None] <= np.asarray(EDGES)) & counted[:, :, None]).sum(axis=0)
        self.rank_sums += (in_parts(ranked) * counted).sum(axis=0)
        self.documents.add(documents)
        self.readings.add([document for document, is_one in zip(documents, compared.tolist(), strict=True) if is_one])
        self.images += len(ranked)
        self.unusual.add([document for document, is_one in zip(documents, unusual, strict=False) if is_one])

    def merge(self, other: "RankCounts") -> None:
        """Add the counts of other images by the same reference."""
        self.below += other.below
        self.rank_sums += other.rank_sums
        self.documents.merge(other.documents)
        self.images += other.images
        self.unusual.merge(other.unusual)
        self.readings.merge(other.readings)
        self.scores.merge(other.scores)

    @property
    def unusual_fraction(self) -> float:
        """Return the fraction of unusual images, without those of the few documents that have the most."""
        return (self.unusual.images - self.unusual.largest) / max(self.images, 1)

    def of_kind(self, kind: SignalKind) -> DocumentCounts:
        """Return the images whose signals of a kind are compared."""
        return self.readings if kind == "prediction" else self.documents

    @property
    def _counted(self) -> npt.NDArray[np.int64]:
        """Return the number of images whose value of each signal is compared: (signals,)."""
        return np.where(self.is_prediction, self.readings.images, self.images)

    @property
    def deviations(self) -> Floats:
        """Return the fractions at or below each edge less those of the reference, the edges: (signals, edges).

        Signals that no image is compared in do not deviate.
        """
        counted = self._counted[:, None]
        return np.asarray(np.where(counted, self.below / np.maximum(counted, 1) - np.asarray(EDGES), 0.0), np.float64)

    @property
    def ks(self) -> Floats:
        """Return the KS of each signal."""
        return np.asarray(np.abs(self.deviations).max(axis=1), np.float64)

    @property
    def shifts(self) -> Floats:
        """Return the mean rank less 0.5 of each signal."""
        mean = self.rank_sums / ONE / np.maximum(self._counted, 1)
        return np.asarray(np.where(self._counted, mean - 0.5, 0.0), np.float64)


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


def in_parts(fractions: Floats) -> npt.NDArray[np.int64]:
    """Return fractions as integers, in parts of ONE."""
    return np.rint(fractions * ONE).astype(np.int64)


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
