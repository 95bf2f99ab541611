"""From what a decoder finds to probabilities that mean something: logistic formulas (Platt 1999), fitted on `tune`.

A reading is right with probability

    sigma(bias + odds * logit(p) + upper_odds * max(logit(p), UPPER_FROM) + margin * min(s1 - s2, MAX_MARGIN)
          + length * log(1 + n) + prior * w + weakest * logit(q) + single * (1 where n is 1)
          + several * (1 where a space is in it))

with p the probability of its text summed over the paths in the beam, s1 and s2 the scores (log of p, and w) of the
two best candidates, n its characters, w the log weight of its prior and q the least of its characters' shares. Where p
is small a lexicon has overruled the image, and how small it is says less: hence the two odds. A character is right
with probability sigma(bias + odds * logit(share)), its share the greatest in the time steps that spell it. Where a
reading is wrong, its truth is among the other candidates of a wide beam with probability
sigma(elsewhere + elsewhere_length * log(1 + n)), each of them by its share of exp(s).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.ctc.beam import Candidate
from legible.errors import BundleError
from legible.files import JsonFormat

FORMAT = JsonFormat("confidence", 4, "run legible confidence again, or fetch the bundle anew", BundleError, (2, 3))
WITHOUT_WAYS = 2
"""The version in which characters had one formula for both ways."""
WAYS = ("plain", "lexicon")
MAX_MARGIN = 12.0
UPPER_FROM = -3.0
MIN_PROBABILITY = 1e-6
"""Probabilities are taken to be this far from 0 and 1 at least."""


@dataclass(frozen=True)
class ReadingWeights:
    """Of the formulas for a reading, and for its alternatives."""

    bias: float = 0.0
    odds: float = 1.0
    margin: float = 0.0
    length: float = 0.0
    prior: float = 0.0
    weakest: float = 0.0
    single: float = 0.0
    upper_odds: float = 0.0
    several: float = 0.0
    elsewhere: float = math.inf
    elsewhere_length: float = 0.0

    def confidence(self, candidates: Sequence[Candidate], shares: Sequence[float], text: str) -> float:
        """Of the text of the first of the candidates, which come best first, with the shares of its characters."""
        of = (self.odds, self.margin, self.length, self.prior, self.weakest, self.single, self.upper_odds, self.several)
        return sigma(self.bias + sum(w * x for w, x in zip(of, features(candidates, shares, text), strict=True)))

    def of_others(self, confidence: float, candidates: Sequence[Candidate], others: Sequence[Candidate]) -> list[float]:
        """Of each of the others of a wide beam; none is likelier than the first of the candidates, the reading."""
        among = sigma(self.elsewhere + self.elsewhere_length * math.log1p(len(candidates[0].labels)))
        weights = [math.exp(other.score - candidates[0].score) for other in others]
        return [min((1.0 - confidence) * among * weight / sum(weights), confidence) for weight in weights]


@dataclass(frozen=True)
class CharacterWeights:
    """Of the formula for a character."""

    bias: float = 0.0
    odds: float = 1.0

    def confidence(self, share: float) -> float:
        return sigma(self.bias + self.odds * logit(share))


@dataclass(frozen=True)
class WayWeights:
    """Of one way to decode; the defaults take probabilities as they are."""

    reading: ReadingWeights = ReadingWeights()
    character: CharacterWeights = CharacterWeights()


@dataclass(frozen=True)
class Calibration:
    """Without a lexicon, and with one."""

    plain: WayWeights = WayWeights()
    lexicon: WayWeights = WayWeights()

    @staticmethod
    def load(path: Path) -> "Calibration":
        """Of a confidence.json. Raises BundleError for a format that this version does not read."""
        with FORMAT.parse(path) as content:
            ways = (_newer(content, name) if content["version"] == WITHOUT_WAYS else content[name] for name in WAYS)
            return Calibration(*map(_way, ways))


def _way(content: Mapping[str, Mapping[str, float]]) -> WayWeights:
    return WayWeights(ReadingWeights(**content["reading"]), CharacterWeights(**content["character"]))


def _newer(content: Mapping[str, Mapping[str, float]], way: str) -> dict[str, dict[str, float]]:
    """Of the oldest format, in which characters had one formula and `elsewhere` was a probability."""
    reading = {**content[way], "elsewhere": logit(content[way]["elsewhere"])}
    return {"reading": reading, "character": dict(content["character"])}


def features(candidates: Sequence[Candidate], shares: Sequence[float], text: str) -> tuple[float, ...]:
    """What the formula for a reading weighs, in the order of the weights after the bias."""
    best = candidates[0]
    margin = best.score - candidates[1].score if len(candidates) > 1 else MAX_MARGIN
    odds = logit(math.exp(best.log_probability))
    return (
        odds,
        min(margin, MAX_MARGIN),
        math.log1p(len(best.labels)),
        best.log_weight,
        logit(min(shares)) if shares else 0.0,
        float(len(shares) == 1),
        max(odds, UPPER_FROM),
        float(" " in text),
    )


def logit(probability: float) -> float:
    inside = min(max(probability, MIN_PROBABILITY), 1.0 - MIN_PROBABILITY)
    return math.log(inside / (1.0 - inside))


def sigma(logit_: float) -> float:
    """The inverse of `logit`, without its limits."""
    return 1.0 / (1.0 + math.exp(-logit_)) if logit_ >= 0 else math.exp(logit_) / (1.0 + math.exp(logit_))
