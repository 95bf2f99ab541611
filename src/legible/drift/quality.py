"""An estimate of how many readings of a window are right, without knowing the truth.

The mean of calibrated confidences is the exact match to expect. Where the input has changed, confidence may be wrong;
by how much was measured when the bundle was built, for each known corruption. So the estimate is corrected by what the
named cause costs, and is called unreliable where that is much, or where the change has no known cause.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legible.drift.signatures import NONE, Cause, Corrupted
from legible.drift.summary import Summary
from legible.errors import BundleError
from legible.file_numbers import finite_number
from legible.files import JsonFormat

FORMAT = JsonFormat("quality", 1, "run legible reference again", BundleError)
FILE = "quality.json"
MAX_CORRECTED = 0.05
"""An estimate with a larger correction is unreliable."""
DEVIATIONS = 1.96
"""The standard deviations to either side of a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """Exact match expected of a window, with its 95 % interval; `unreliable` says why, and is empty where it is not."""

    exact_match: float
    low: float
    high: float
    unreliable: str
    corrected: int
    """Readings with a correction, of which `confirmed` were right as read."""
    confirmed: int

    def said(self) -> str:
        if self.unreliable:
            told = f"unreliable here ({self.unreliable}); {self.exact_match:.0%} at a guess"
        else:
            told = f"{self.exact_match:.1%} ({self.low:.1%} to {self.high:.1%})"
        beside = f"; of {self.corrected} corrected readings {self.confirmed} were right" if self.corrected else ""
        return f"estimated exact match: {told}{beside}"


@dataclass(frozen=True)
class Quality:
    """What corruptions cost. `gaps`: true less expected exact match of each, beyond the gap of uncorrupted images.

    `spread` is the standard deviation of such a gap from one set of writers to another.
    """

    gaps: Mapping[tuple[str, int], float]
    spread: float

    def estimate(self, summary: Summary, *, drifted: bool, cause: Cause | None, is_all: bool = True) -> Estimate:
        """Estimate the exact match; `drifted` and `cause` are by the bundle's reference, never by a baseline.

        `is_all` tells whether the cause accounts for all that chance does not: else the rest has no known cost.
        """
        gap = self._gap(cause) if drifted else 0.0
        unreliable = ""
        if drifted and cause is None:
            unreliable = "unlike training, in no way that is known"
        elif drifted and cause is not None and not is_all:
            unreliable = f"unlike training, partly {cause.said()}"
        elif abs(gap) > MAX_CORRECTED:
            unreliable = f"confidence is off by {abs(gap):.0%}"
        return estimated(summary, gap=gap, spread=self.spread, unreliable=unreliable)

    def _gap(self, cause: Cause | None) -> float:
        if cause is None:
            return 0.0
        if (cause.corruption, cause.severity) not in self.gaps:
            raise BundleError(f"{FILE} and signatures.json differ: no {cause.said()}; run legible reference again")
        return cause.fraction * self.gaps[cause.corruption, cause.severity]

    def save(self, folder: Path) -> None:
        gaps = [{"corruption": name, "severity": s, "gap": round(gap, 5)} for (name, s), gap in self.gaps.items()]
        FORMAT.save(folder / FILE, {"spread": round(self.spread, 5), "gaps": gaps})

    @staticmethod
    def load(folder: Path) -> "Quality | None":
        """Open a folder's; None where it has none, as bundles of earlier versions."""
        path = folder / FILE
        if not path.is_file():
            return None
        with FORMAT.parse(path) as content:
            gaps = {
                (row["corruption"], row["severity"]): finite_number(row["gap"], "gap", low=-2.0, high=2.0)
                for row in content["gaps"]
            }
            return Quality(gaps, finite_number(content["spread"], "spread", low=0.0))


def estimated(summary: Summary, *, gap: float = 0.0, spread: float = 0.0, unreliable: str = "") -> Estimate:
    """Estimate by the sums of a window: readings are right by their confidence, independently, plus the gap."""
    n = max(summary.images, 1)
    expected = min(max(summary.confidence / n + gap, 0.0), 1.0)
    off = DEVIATIONS * math.hypot(math.sqrt(summary.doubt) / n, spread)
    low, high = max(expected - off, 0.0), min(expected + off, 1.0)
    return Estimate(expected, low, high, unreliable, summary.corrected, summary.confirmed)


def make_quality(corrupted: Iterable[Corrupted]) -> Quality:
    """Measure the gaps on rows of corrupted images, among them the same images as they were (NONE)."""
    sets: dict[tuple[str, int], list[Corrupted]] = {}
    for row in corrupted:
        sets.setdefault((row.corruption, row.severity), []).append(row)
    writers = sorted({row.observation.writer for row in sets[NONE, 0]})
    halves = set(writers[::2]), set(writers[1::2])
    usual = _gap_of(sets.pop((NONE, 0)))
    apart = [
        _gap_of(row for row in rows if row.observation.writer in halves[0])
        - _gap_of(row for row in rows if row.observation.writer in halves[1])
        for rows in sets.values()
    ]
    gaps = {key: _gap_of(rows) - usual for key, rows in sets.items()}
    return Quality(gaps, spread=float(np.sqrt(np.mean(np.square(apart)))) / 2)


def _gap_of(rows: Iterable[Corrupted]) -> float:
    return float(np.mean([row.right - row.observation.confidence for row in rows]))
