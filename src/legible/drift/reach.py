"""What the rules of a baseline can find: the smallest changes that reach a threshold, in windows of several sizes."""

import math
from dataclasses import dataclass

import numpy as np

from legible.drift.documents import OUTLIERS
from legible.drift.odd_documents import MAX_SCORE
from legible.drift.reference import EDGES, Reference
from legible.drift.unusual import EXPECTED

SIZES = (200, 1000, 5000)


@dataclass(frozen=True)
class Reach:
    """The smallest changes that reach a threshold in a window of so many images, bunched as the baseline's are.

    `moved`: the fraction of images that move to one end of one image statistic; `unusual`: of images beyond the 98 %
    point, besides the reference's own 2 %; `documents`: documents far out in one direction, of `of_documents`.
    """

    images: int
    moved: float
    unusual: float | None
    documents: int | None
    of_documents: int

    def said(self) -> str:
        if self.moved >= max(EDGES):
            return f"  {self.images} images: not enough documents for a verdict"
        parts = [f"{self.moved:.0%} of the images moved in one signal"]
        if self.unusual is not None:
            parts.append(f"{self.unusual:.0%} of them unusual")
        if self.documents is not None:
            parts.append(f"{self.documents} of {self.of_documents} documents of another kind")
        return f"  {self.images} images: {', '.join(parts)}"


def reach_of(reference: Reference, images: int) -> Reach:
    """Return the reach of a reference's rules in windows of so many images."""
    bunching = reference.bunching
    moved = reference.rules["image"].threshold(images, bunching=bunching)
    unusual = reference.unusual.threshold(images, bunching=bunching) if reference.unusual else None
    of_documents = max(round(images / bunching), 1)
    documents = None
    if reference.documents:
        # the mean of k scores of the maximum in one direction, of n documents, is k * MAX_SCORE / n; some are left out
        limit = reference.documents.threshold(np.full(of_documents, float(max(round(bunching), 1))))
        documents = math.ceil(limit * of_documents / MAX_SCORE) + OUTLIERS
    return Reach(images, moved, unusual + EXPECTED if unusual is not None else None, documents, of_documents)


def reach_said(reference: Reference) -> list[str]:
    """Return lines for people: what a window has to hold for its threshold to be reached."""
    return ["found from about:", *(reach_of(reference, images).said() for images in SIZES)]
