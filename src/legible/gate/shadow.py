"""Is a candidate that reads in the shadow better or worse than the champion? By corrections, else by confidence.

Both bundles' confidences are calibrated, so a confidence is the probability that the reading is right. Where the two
texts agree, both are right or both are wrong. So the exact match of the two differs by the mean, over all images, of
the difference of confidence where they disagree. A correction tells who was right; there an exact sign test decides.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

import numpy as np

from legible.errors import DataError
from legible.observations.row import check_of
from legible.observations.shadow import ShadowRow

FALSE_ALARMS = 0.005
"""The probability that a candidate which is no worse is called worse at one look; the same for better."""
MIN_IMAGES = 100
MIN_DISAGREEMENTS = 10
"""Fewer readings that differ say nothing by their confidence."""


class ShadowOutcome(Enum):
    """The outcome of a comparison in the shadow."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    TOO_FEW = "not enough data"


@dataclass(frozen=True)
class ShadowVerdict:
    """What a shadow log says of one candidate beside one champion."""

    champion: str
    candidate: str
    images: int
    disagreements: int
    gain: float
    """The exact match that the candidate gains, by confidence; negative where it loses."""
    error: float
    """The standard error of the gain."""
    corrected: int
    """Disagreements of which a correction is known, with one of the two right."""
    candidate_right: int
    seconds_ratio: float
    """The candidate's time of reading, as a multiple of the champion's."""
    by_confidence: ShadowOutcome
    by_corrections: ShadowOutcome

    @property
    def outcome(self) -> ShadowOutcome:
        """What corrections say, where they say anything, else what confidence says."""
        told = self.by_corrections in (ShadowOutcome.BETTER, ShadowOutcome.WORSE)
        return self.by_corrections if told else self.by_confidence

    def screen(self) -> str:
        """Return the verdict as lines."""
        low, high = (100 * (self.gain + side * 1.96 * self.error) for side in (-1, 1))
        fraction = self.disagreements / max(self.images, 1)
        interval = f"95 %: {low:+.2f} to {high:+.2f}"
        gain = f"{100 * self.gain:+.2f} points of exact match ({interval}): {self.by_confidence.value}"
        won = f"right in {self.candidate_right} of {self.corrected}: {self.by_corrections.value}"
        lines = [
            f"candidate {self.candidate} in the shadow of {self.champion}: {self.images} images",
            f"they disagree on {self.disagreements} ({fraction:.1%})",
            f"by confidence the candidate reads {gain}",
            f"by the corrections that tell the two apart it was {won}",
            f"its reading takes {self.seconds_ratio:.2f} times as long",
            f"verdict: {self.outcome.value}",
        ]
        return "\n".join(lines)


def judge_shadow(rows: Iterable[ShadowRow], corrections: Mapping[str, str], *, candidate: str = "") -> ShadowVerdict:
    """Judge the rows of one pair of bundles: those of the newest row, or of the newest row of `candidate`.

    Raise DataError where there is none.
    """
    all_rows = [row for row in rows if not candidate or row.candidate == candidate]
    if not all_rows:
        raise DataError(
            "no reading in the shadow" + (f" by bundle {candidate}" if candidate else "") + "; wait for some"
        )
    newest = max(all_rows, key=lambda row: row.at)
    pair = newest.champion, newest.candidate
    own = list({row.reading_id: row for row in all_rows if (row.champion, row.candidate) == pair}.values())
    gains = np.array([0.0 if row.agrees else row.candidate_confidence - row.confidence for row in own])
    error = float(gains.std(ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else math.inf
    disagreements = sum(not row.agrees for row in own)
    right = Counter(_who_was_right(row, corrections.get(row.reading_id)) for row in own if not row.agrees)
    wins, losses = right["candidate"], right["champion"]
    seconds = sum(row.seconds for row in own)
    return ShadowVerdict(
        *pair, len(own), disagreements, float(gains.mean()), error, wins + losses, wins,
        sum(row.candidate_seconds for row in own) / seconds if seconds else math.nan,
        by_confidence=_by_confidence(len(own), disagreements, float(gains.mean()), error),
        by_corrections=_by_corrections(wins, losses),
    )  # fmt: skip


def _by_confidence(images: int, disagreements: int, gain: float, error: float) -> ShadowOutcome:
    if images < MIN_IMAGES:
        return ShadowOutcome.TOO_FEW
    if disagreements < MIN_DISAGREEMENTS or not error:
        return ShadowOutcome.NO_DIFFERENCE
    limit = NormalDist().inv_cdf(1 - FALSE_ALARMS)
    if abs(gain) <= limit * error:
        return ShadowOutcome.NO_DIFFERENCE
    return ShadowOutcome.BETTER if gain > 0 else ShadowOutcome.WORSE


def _by_corrections(wins: int, losses: int) -> ShadowOutcome:
    """Decide by the sign test: is one right more often than a coin would have it? (Dietterich 1998, McNemar's test)"""
    count = wins + losses
    if 2 * 0.5**count > FALSE_ALARMS:  # even if all were of one side
        return ShadowOutcome.TOO_FEW
    tail = sum(math.comb(count, k) for k in range(max(wins, losses), count + 1)) / 2**count
    if tail > FALSE_ALARMS:
        return ShadowOutcome.NO_DIFFERENCE
    return ShadowOutcome.BETTER if wins > losses else ShadowOutcome.WORSE


def _who_was_right(row: ShadowRow, text: str | None) -> str:
    """Return `champion`, `candidate`, or an empty text where no correction tells the two apart."""
    if text is None or row.check == row.candidate_check:
        return ""
    check = check_of(row.reading_id, text)
    return "champion" if check == row.check else "candidate" if check == row.candidate_check else ""
