"""Scores of a read page: lines found, words without their order, and the text in order.

Lines count as found where they overlap a true line by half of what both cover together, each once, the best first.
Error rates and fractions are summed over pages.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.scores import Untold, edit_distance, without

MIN_OVERLAP = 0.5
"""Intersection over union from which a line counts as found."""


@dataclass(frozen=True)
class PlacedText:
    """A text and its polygon (n, 2) on the page."""

    text: str
    polygon: npt.NDArray[np.float64]


@dataclass(frozen=True)
class PageScores:
    """Counts of one page, or of several added together."""

    pages: int = 0
    characters: int = 0
    character_edits: int = 0
    words: int = 0
    found_words: int = 0
    right_words: int = 0
    lines: int = 0
    found_lines: int = 0
    right_lines: int = 0

    def __add__(self, other: "PageScores") -> "PageScores":
        return PageScores(*(mine + theirs for mine, theirs in zip(_counts(self), _counts(other), strict=True)))

    @property
    def cer(self) -> float:
        """Return the character error rate of whole pages in their order."""
        return self.character_edits / max(self.characters, 1)

    @property
    def word_f1(self) -> float:
        """Return the F1 of the words as a bag."""
        return _f1(self.right_words, self.found_words, self.words)

    @property
    def line_recall(self) -> float:
        return self.right_lines / max(self.lines, 1)

    @property
    def line_precision(self) -> float:
        return self.right_lines / max(self.found_lines, 1)

    @property
    def line_f1(self) -> float:
        return _f1(self.right_lines, self.found_lines, self.lines)


def score_page(
    *, truth: Sequence[PlacedText], found: Sequence[PlacedText], untold: Collection[Untold] = ()
) -> PageScores:
    """Score what was found, in its order, against the true lines in theirs; what labels do not tell is no error."""
    true_text, found_text = (without(_text(lines), untold) for lines in (truth, found))
    told_in_words = set(untold) - {"spaces"}
    true_words, found_words = (without(_text(lines), told_in_words).split() for lines in (truth, found))
    return PageScores(
        pages=1,
        characters=len(true_text),
        character_edits=edit_distance(truth=true_text, prediction=found_text),
        words=len(true_words),
        found_words=len(found_words),
        right_words=sum((Counter(true_words) & Counter(found_words)).values()),
        lines=len(truth),
        found_lines=len(found),
        right_lines=len(matched_lines(truth, found)),
    )


def matched_lines(truth: Sequence[PlacedText], found: Sequence[PlacedText]) -> dict[int, int]:
    """Return for each true line that was found the number of what was found there."""
    overlaps = [
        (overlap, true, other)
        for true, line in enumerate(truth)
        for other, candidate in enumerate(found)
        if (overlap := overlap_of(line.polygon, candidate.polygon)) >= MIN_OVERLAP
    ]
    pairs: dict[int, int] = {}
    for _, true, other in sorted(overlaps, reverse=True):
        if true not in pairs and other not in pairs.values():
            pairs[true] = other
    return pairs


def covered_fraction(polygon: npt.NDArray[np.float64], lines: Sequence[PlacedText]) -> float:
    """Return the fraction of a polygon (n, 2) that lies on lines, taken as their convex hulls; at most 1."""
    own = max(cv2.contourArea(cv2.convexHull(polygon.astype(np.float32))), 1e-9)
    return min(sum(_common(polygon, line.polygon) for line in lines) / own, 1.0)


def overlap_of(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the intersection over union of the convex hulls of two polygons."""
    common = _common(first, second)
    if not common:
        return 0.0
    whole = sum(cv2.contourArea(cv2.convexHull(polygon.astype(np.float32))) for polygon in (first, second))
    return float(common / max(whole - common, 1e-9))


def _common(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the area that the convex hulls of two polygons share, in square pixels."""
    if (first.max(axis=0) < second.min(axis=0)).any() or (second.max(axis=0) < first.min(axis=0)).any():
        return 0.0
    hulls = [cv2.convexHull(polygon.astype(np.float32)) for polygon in (first, second)]
    return float(cv2.intersectConvexConvex(*hulls)[0])


def _text(lines: Sequence[PlacedText]) -> str:
    return " ".join(" ".join(line.text for line in lines).split())


def _f1(right: int, found: int, true: int) -> float:
    return 2 * right / max(found + true, 1)


def _counts(scores: PageScores) -> tuple[int, ...]:
    return tuple(scores.__dict__.values())
