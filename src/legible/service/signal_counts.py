"""What the drift rules need of observations, counted for Prometheus: ranks, unusual images, how bunched they are."""

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from legible.arrays import Floats
from legible.config import ServiceSettings
from legible.drift.reference import KINDS, Reference, SignalKind, rank
from legible.observations.row import Observation
from legible.service import metrics
from legible.service.document_table import DocumentTable
from legible.service.internals.of_prometheus import ManyHistogram
from legible.service.service_logs import OTHER

HISTOGRAMS: Mapping[SignalKind, ManyHistogram] = {
    "image": metrics.image_statistic,
    "prediction": metrics.prediction_signal,
}
MAX_RANK_CHANNELS = 20
"""The most channels that have ranks of their own: each has a histogram for each signal, in every worker."""
ALL = ""
"""The channel of all ranks where no channels are configured."""


class RankChannels:
    """The channels that ranks are counted by: those configured, the first MAX_RANK_CHANNELS of them, and `other`."""

    def __init__(self, configured: Sequence[str]) -> None:
        is_configured = tuple(configured) != ServiceSettings.channels
        self._own = frozenset(configured[:MAX_RANK_CHANNELS]) if is_configured else frozenset()
        self.names: tuple[str, ...] = (*configured[:MAX_RANK_CHANNELS], OTHER) if is_configured else (ALL,)

    def of(self, row: Observation) -> str:
        """Return the channel that a row's ranks count for."""
        if not self._own:
            return ALL
        return row.channel if row.channel in self._own else OTHER


class SignalCounts:
    """Counts observations of one channel at a time by the rules of a model's reference."""

    def __init__(self, reference: Reference, documents: DocumentTable, chance: random.Random, *, model: str) -> None:
        self._reference = reference
        self._documents = documents
        self._random = chance
        self._model = model

    def count(self, channel: str, rows: Sequence[Observation]) -> None:
        """Add rows of one channel to the metrics."""
        for kind in KINDS:
            self._count_kind(kind, channel, rows)
        self._count_documents(channel, rows)

    def _count_kind(self, kind: SignalKind, channel: str, rows: Sequence[Observation]) -> None:
        if kind == "prediction":  # a lexicon changes texts and confidences, whatever the images are
            rows = [row for row in rows if row.lexicon == self._reference.lexicon]
        if not rows:
            return
        ranked = ranked_singly(self._reference, kind, rows, self._random)
        for name, own in zip(self._reference.known[kind].quantiles, ranked.T.tolist(), strict=True):
            HISTOGRAMS[kind].labels(channel, name, self._model).observe_all(own)
        rule = self._reference.unusual
        if kind == "image" and rule:
            metrics.unusual_images.labels(channel, self._model).inc(int(rule.is_unusual(ranked).sum()))

    def _count_documents(self, channel: str, rows: Sequence[Observation]) -> None:
        """Count documents. Images without one count as documents of the size that the reference's have."""
        tally = self._documents.add([row.document for row in rows], at=rows[-1].at)
        untold = sum(not row.document for row in rows)
        metrics.documents.labels(self._model).inc(tally.begun)
        pairs = tally.pairs + untold * (max(self._reference.block, self._reference.bunching) - 1)
        metrics.document_pairs.labels(channel, self._model).inc(pairs)


def ranked_singly(reference: Reference, kind: SignalKind, rows: Sequence[Observation], chance: random.Random) -> Floats:
    """Return the ranks (N, signals) of few rows: quicker than for many at once."""
    names = tuple(reference.known[kind].quantiles)
    ranked = [[rank(reference, name, row.signal(name), uniform=chance.random()) for name in names] for row in rows]
    return np.asarray(ranked, np.float64)


def grouped(rows: Sequence[Observation], channel: Callable[[Observation], str]) -> dict[str, list[Observation]]:
    """Return the rows of each channel."""
    found: dict[str, list[Observation]] = {}
    for row in rows:
        found.setdefault(channel(row), []).append(row)
    return found
