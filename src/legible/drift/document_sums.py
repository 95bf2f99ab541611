"""The sums of normal scores of each document of a window, in memory that does not grow with the window."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from legible.arrays import Floats
from legible.drift.unusual import normal_scores


@dataclass
class ScoreSums:
    """Sums of normal scores by document, of the documents with the lowest hashes where there are more than so many."""

    max_documents: int = 2000
    sums: dict[str, Floats] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    limit: int = 2**32

    def add(self, ranked: Floats, documents: Sequence[str]) -> None:
        """Add images by their ranks (N, signals) and documents; images without a document are left out."""
        scores = normal_scores(ranked)
        names, codes = np.unique(np.asarray(documents), return_inverse=True)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
        for name, (start, end) in zip(names.tolist(), pairwise(bounds.tolist()), strict=True):
            if name and _hash(name) < self.limit:
                self.sums[name] = self.sums.get(name, 0.0) + scores[order[start:end]].sum(axis=0)
                self.counts[name] = self.counts.get(name, 0) + end - start
        if len(self.sums) > self.max_documents:
            self._drop()

    def merge(self, other: "ScoreSums") -> None:
        """Add the sums of other images."""
        self.limit = min(self.limit, other.limit)
        for name, sums in other.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + sums
            self.counts[name] = self.counts.get(name, 0) + other.counts[name]
        for name in [name for name in self.sums if _hash(name) >= self.limit]:
            del self.sums[name], self.counts[name]
        if len(self.sums) > self.max_documents:
            self._drop()

    def _drop(self) -> None:
        """Keep the documents with the lowest hashes, and none of a higher hash from now on."""
        kept = sorted(self.sums, key=_hash)
        self.limit = _hash(kept[self.max_documents])
        for name in kept[self.max_documents :]:
            del self.sums[name], self.counts[name]

    def __len__(self) -> int:
        return len(self.sums)

    def means(self) -> tuple[Floats, Floats]:
        """Return the means (documents, signals) and the images (documents,) of each document."""
        counts = np.asarray(list(self.counts.values()), np.float64)
        return np.stack(list(self.sums.values())) / counts[:, None], counts


def _hash(name: str) -> int:
    return zlib.crc32(name.encode())
