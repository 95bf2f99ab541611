"""The exact match of cells of a log: estimated from confidences, and told by labels that were drawn at random.

A cell is a day, a channel and a bundle. In each, labels are drawn with a probability of their own: the fraction of
images that is kept may change, and people label some days whole and others in part. So a total is no mean over labels:
each cell is estimated by its own, and counts by its images (stratified sampling, Cochran 1977, section 5.3).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from legible.drift.labelled import MIN_LABELS, LabelledEstimate, LabelledReading, by_labels
from legible.drift.quality import DEVIATIONS
from legible.observations.row import NO_CHECK, Observation, check_of


@dataclass(frozen=True)
class AccuracyCell:
    """A day (`2026-11-29`, UTC), a channel and the id of a bundle."""

    day: str
    channel: str
    bundle: str


@dataclass(frozen=True)
class AccuracyInterval:
    """A fraction of readings that are exactly right, with its 95 % interval."""

    value: float
    low: float
    high: float

    def said(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


@dataclass
class AccuracyCounts:
    """The sums of some readings. `confidence` sums confidences, `doubt` confidence * (1 - confidence).

    `labelled` are those with a label drawn at random; `confirmed` counts those of the corrected that were right.
    """

    images: int = 0
    confidence: float = 0.0
    doubt: float = 0.0
    labelled: list[LabelledReading] = field(default_factory=list)
    corrected: int = 0
    confirmed: int = 0

    def add(self, row: Observation, *, label: str | None, correction: str | None) -> None:
        """Add a reading, with the text that a label drawn at random says, and the one that its caller says."""
        self.images += 1
        self.confidence += row.confidence
        self.doubt += row.confidence * (1 - row.confidence)
        if row.check == NO_CHECK:
            return
        if label is not None:
            is_right = check_of(row.reading_id, label) == row.check
            self.labelled.append(LabelledReading(row.confidence, is_right, row.document))
        if correction is not None:
            self.corrected += 1
            self.confirmed += check_of(row.reading_id, correction) == row.check

    def merge(self, other: "AccuracyCounts") -> None:
        self.images += other.images
        self.confidence += other.confidence
        self.doubt += other.doubt
        self.labelled += other.labelled
        self.corrected += other.corrected
        self.confirmed += other.confirmed

    @staticmethod
    def merged(parts: Iterable["AccuracyCounts"]) -> "AccuracyCounts":
        whole = AccuracyCounts()
        for part in parts:
            whole.merge(part)
        return whole

    def estimated(self, *, spread: float) -> AccuracyInterval:
        """Estimate by confidence alone; `spread` is how far calibration is off from one set of writers to another."""
        n = max(self.images, 1)
        mean = self.confidence / n
        return _within(mean, DEVIATIONS * math.hypot(math.sqrt(self.doubt) / n, spread))

    def by_labels(self) -> LabelledEstimate | None:
        """Estimate by the labels; None where they are too few."""
        n = max(self.images, 1)
        mean = self.confidence / n
        deviation = math.sqrt(max((self.confidence - self.doubt) / n - mean**2, 0.0))
        return by_labels(self.labelled, confidence=mean, deviation=deviation, images=n)

    def at_most(self) -> float:
        """Return a bound of the exact match: what callers corrected was wrong, and nothing is known of the others."""
        return 1 - (self.corrected - self.confirmed) / max(self.images, 1)


@dataclass(frozen=True)
class AccuracyGroup:
    """The exact match of all readings, of a channel or of a bundle (`name`), on a day or on all of them (`day` "")."""

    by: Literal["all", "channel", "bundle"]
    name: str
    day: str
    images: int
    estimated: AccuracyInterval
    labelled: AccuracyInterval | None
    """None where there are too few labels."""
    labels: int
    corrected: int
    confirmed: int
    at_most: float

    @staticmethod
    def of(
        by: Literal["all", "channel", "bundle"],
        name: str,
        day: str,
        cells: Mapping[AccuracyCell, AccuracyCounts],
        *,
        spread: float,
    ) -> "AccuracyGroup":
        whole = AccuracyCounts.merged(cells.values())
        estimate = whole.estimated(spread=spread)
        labelled = stratified(cells)
        labels, corrected, confirmed = len(whole.labelled), whole.corrected, whole.confirmed
        return AccuracyGroup(
            by, name, day, whole.images, estimate, labelled, labels, corrected, confirmed, whole.at_most()
        )


def stratified(cells: Mapping[AccuracyCell, AccuracyCounts]) -> AccuracyInterval | None:
    """Estimate the exact match of all by the labels of each cell, weighted by its images; None for too few labels.

    Cells with fewer than MIN_LABELS are taken together with others that are most alike: other days of their channel and
    bundle, else those of other channels. What is taken together is assumed to be labelled alike.
    """
    families: dict[tuple[str, str], list[AccuracyCounts]] = {}
    for cell, counts in cells.items():
        families.setdefault((cell.channel, cell.bundle), []).append(counts)
    parts = _strata([stratum for family in families.values() for stratum in _strata(family)])
    strata = [(part.images, part.by_labels()) for part in parts]
    found = [(images, estimate) for images, estimate in strata if estimate is not None]
    if not found:
        return None
    total = sum(images for images, _ in found)
    mean = sum(images * estimate.exact_match for images, estimate in found) / total
    return _within(mean, math.hypot(*(images * _half(estimate) for images, estimate in found)) / total)


def _strata(parts: Sequence[AccuracyCounts]) -> list[AccuracyCounts]:
    """Take parts with too few labels together, and where that does not do with the least labelled of the others."""
    enough = sorted((one for one in parts if len(one.labelled) >= MIN_LABELS), key=lambda one: len(one.labelled))
    rest = AccuracyCounts.merged(one for one in parts if len(one.labelled) < MIN_LABELS)
    if len(rest.labelled) >= MIN_LABELS or not rest.images:
        return [*enough, rest] if rest.images else enough
    return [AccuracyCounts.merged([rest, *enough[:1]]), *enough[1:]]


def _half(estimate: LabelledEstimate) -> float:
    """Return half the length of an interval, of the side that 0 and 1 have cut less."""
    return max(estimate.high - estimate.exact_match, estimate.exact_match - estimate.low)


def _within(mean: float, off: float) -> AccuracyInterval:
    value, low, high = (min(max(bound, 0.0), 1.0) for bound in (mean, mean - off, mean + off))
    return AccuracyInterval(value, low, high)
