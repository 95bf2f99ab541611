"""The counts that the drift rules need of a window or a channel: ranks by edge, documents, unusual images."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.drift.document_sums import ScoreSums
from legible.drift.documents import DocumentCounts
from legible.drift.reference import EDGES, KINDS, SignalKind

ONE = 2**30
"""Sums of fractions are counted in parts of one, as integers: the same in whatever order they are added."""
MAX_DOCUMENTS = 2000
"""The most documents that are scored, all with the same probability."""


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


def in_parts(fractions: Floats) -> npt.NDArray[np.int64]:
    """Return fractions as integers, in parts of ONE."""
    return np.rint(fractions * ONE).astype(np.int64)
