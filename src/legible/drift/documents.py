"""Documents: images that come together resemble each other, so that a window tells less than as many single images.

The lines of one receipt share paper, ink and camera. Where the images of documents correlate by r, and the document
that an image belongs to has b images on average, n images tell as much as n / (1 + (b - 1) * r) independent ones
(the design effect, Kish 1965, section 5.4).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

OUTLIERS = 1
"""How many documents may be unlike all others without being a drift: a reference of a hundred cannot know them all."""
BUCKETS = 8192
"""Counters that documents are hashed to: memory that does not grow with their number, at an error of about 2 %."""


@dataclass
class DocumentCounts:
    """How many images a window has of each document; images without one count as documents of `block` images each."""

    block: int = 1
    images: int = 0
    unnamed: int = 0
    """Images without a document."""
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BUCKETS, np.int64))

    def add(self, documents: Sequence[str]) -> None:
        """Count images by their documents, empty where an image has none."""
        named = [zlib.crc32(document.encode()) % BUCKETS for document in documents if document]
        self.counts += np.bincount(np.asarray(named, np.intp), minlength=BUCKETS)
        self.unnamed += len(documents) - len(named)
        self.images += len(documents)

    def merge(self, other: "DocumentCounts") -> None:
        """Add the counts of other images; a document that is in both is one."""
        self.counts += other.counts
        self.unnamed += other.unnamed
        self.images += other.images

    @property
    def largest(self) -> int:
        """Return how many images the OUTLIERS documents with the most images have together."""
        return int(np.partition(self.counts, -OUTLIERS)[-OUTLIERS:].sum())

    @property
    def bunching(self) -> float:
        """Return b, the images of the document that an image belongs to, on average over the images; at least 1.

        Documents that meet in a bucket would count as one: what they are expected to add is taken off.
        """
        if not self.images:
            return 1.0
        named = self.images - self.unnamed
        met = (float(np.square(self.counts, dtype=np.float64).sum()) - named**2 / BUCKETS) / (1 - 1 / BUCKETS)
        squares = max(met, float(named)) + self.unnamed * min(self.block, max(self.unnamed, 1))
        return max(squares / self.images, 1.0)

    @property
    def documents(self) -> float:
        """Return how many documents of equal size would be bunched as much."""
        return self.images / self.bunching


def effective_images(images: float, *, bunching: float, correlation: float) -> float:
    """Return how many independent images tell as much: `effective_images(200, bunching=50, correlation=0.3)` -> 12.7.

    bunching: the images of the document that an image belongs to, on average.
    """
    return images / (1.0 + (bunching - 1.0) * correlation)
