"""From what a decoder finds to probabilities that mean something: logistic formulas (Platt 1999), fitted on `tune`.

A reading is right with probability

    sigma(bias + odds * logit(p) + margin * min(s1 - s2, MOST_MARGIN) + length * log(1 + n) + prior * w)

with p the probability of its text summed over the paths in the beam, s1 and s2 the scores (log of p, and w) of the
two best candidates, n its characters and w the log weight of its prior; a character with sigma(bias + odds * logit(q)),
q its greatest share in the time steps that spell it. Of the rest, `elsewhere` belongs to the other candidates, each its
share.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from legible.ctc.beam import Candidate
from legible.errors import BundleError

FORMAT_VERSION = 2
MOST_MARGIN = 12.0
LEAST = 1e-6
"""Probabilities are taken to be this far from 0 and 1 at least."""


@dataclass(frozen=True)
class ReadingWeights:
    """Of the formula for a reading; and the share of wrong readings whose truth is among the other candidates."""

    bias: float = 0.0
    odds: float = 1.0
    margin: float = 0.0
    length: float = 0.0
    prior: float = 0.0
    elsewhere: float = 1.0

    def confidence(self, candidates: Sequence[Candidate]) -> float:
        """Of the first of the candidates, which come best first."""
        of = (self.odds, self.margin, self.length, self.prior)
        return sigma(self.bias + sum(w * x for w, x in zip(of, features(candidates), strict=True)))

    def confidences(self, candidates: Sequence[Candidate]) -> list[float]:
        """Of each of the candidates; an alternative is never likelier than the reading before it."""
        first = self.confidence(candidates)
        others = [math.exp(candidate.score - candidates[0].score) for candidate in candidates[1:]]
        rest = (1.0 - first) * self.elsewhere
        return [first, *(min(rest * other / sum(others), first) for other in others)]


@dataclass(frozen=True)
class CharacterWeights:
    """Of the formula for a character."""

    bias: float = 0.0
    odds: float = 1.0

    def confidence(self, share: float) -> float:
        return sigma(self.bias + self.odds * logit(share))


@dataclass(frozen=True)
class Calibration:
    """Weights without a lexicon, with one, and of characters; the defaults take probabilities as they are."""

    plain: ReadingWeights = ReadingWeights()
    lexicon: ReadingWeights = ReadingWeights()
    character: CharacterWeights = CharacterWeights()

    @staticmethod
    def load(path: Path) -> "Calibration":
        """Of a confidence.json. Raises BundleError for a format other than this one's."""
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content.get("version") != FORMAT_VERSION:
            raise BundleError(
                f"{path}: confidence format {content.get('version')!r} is not {FORMAT_VERSION}, the one that this "
                "legible reads; run legible confidence again, or install the legible that wrote it"
            )
        return Calibration(
            ReadingWeights(**content["plain"]),
            ReadingWeights(**content["lexicon"]),
            CharacterWeights(**content["character"]),
        )


def features(candidates: Sequence[Candidate]) -> tuple[float, float, float, float]:
    """What the formula for a reading weighs: its logit, margin, length and prior."""
    best = candidates[0]
    margin = best.score - candidates[1].score if len(candidates) > 1 else MOST_MARGIN
    return (
        logit(math.exp(best.log_probability)),
        min(margin, MOST_MARGIN),
        math.log1p(len(best.labels)),
        best.log_weight,
    )


def logit(probability: float) -> float:
    inside = min(max(probability, LEAST), 1.0 - LEAST)
    return math.log(inside / (1.0 - inside))


def sigma(logit_: float) -> float:
    """The inverse of `logit`, without its limits."""
    return 1.0 / (1.0 + math.exp(-logit_)) if logit_ >= 0 else math.exp(logit_) / (1.0 + math.exp(logit_))
