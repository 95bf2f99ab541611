"""Confidence: from a decoder's scores to calibrated probabilities, by logistic formulas fitted on the `tune` split.

Platt scaling (Platt 1999) with several inputs. With sigma(x) = 1 / (1 + exp(-x)), a reading is right with probability

    sigma(bias + odds * logit(p) + upper_odds * max(logit(p), UPPER_FROM) + margin * min(s1 - s2, MAX_MARGIN)
          + length * log(1 + n) + prior * w + weakest * logit(q) + single * (n == 1) + several * (text has a space))

where

- p is the probability of the text, summed over the paths in the beam;
- s1 and s2 are the scores (log p + w) of the two best candidates;
- n is the number of characters, w the log weight of the prior, and q the smallest probability of a character.

A small p means that a lexicon has overruled the image, and then p tells less: hence the second slope `upper_odds` above
`UPPER_FROM`. A character is right with probability sigma(bias + odds * logit(r)); r is its greatest probability in the
time steps that spell it. Where a reading is wrong, the truth is among the alternatives of a wide beam with probability
sigma(elsewhere + elsewhere_length * log(1 + n)); each alternative gets a part of it in proportion to exp(its score).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from legible.ctc.beam import Candidate
from legible.errors import BundleError
from legible.file_numbers import finite_number
from legible.files import JsonFormat

FORMAT = JsonFormat("confidence", 4, "run legible confidence again, or fetch the bundle anew", BundleError, (2, 3))
WITHOUT_MODES = 2
"""The version of the format in which characters had one formula for both modes."""
MODES = ("plain", "lexicon")
"""Ways to decode, without and with a lexicon; each is calibrated by itself."""
MAX_MARGIN = 12.0
UPPER_FROM = -3.0
MIN_PROBABILITY = 1e-6
"""`logit` clips probabilities to this distance from 0 and 1."""


@dataclass(frozen=True)
class ReadingWeights:
    """The weights of the formulas for a reading and its alternatives, named as in the module's docstring."""

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

    @property
    def slopes(self) -> tuple[float, ...]:
        """The weights in the order of `features`."""
        return (
            self.odds,
            self.margin,
            self.length,
            self.prior,
            self.weakest,
            self.single,
            self.upper_odds,
            self.several,
        )

    def confidence(self, candidates: Sequence[Candidate], probabilities: Sequence[float], text: str) -> float:
        """Return the probability that the best candidate's text is right.

        `candidates` come best first; `probabilities` are those of the characters of the best, as the decoder gave them.
        """
        inputs = features(candidates, probabilities, text)
        return sigma(self.bias + sum(w * x for w, x in zip(self.slopes, inputs, strict=True)))

    def alternative_confidences(
        self, confidence: float, candidates: Sequence[Candidate], others: Sequence[Candidate]
    ) -> list[float]:
        """Return the probability of each of the `others`, which a wide beam found beside the reading.

        The reading is the first of `candidates`, with this confidence; no alternative gets a greater one.
        """
        best = candidates[0]
        among = sigma(self.elsewhere + self.elsewhere_length * math.log1p(len(best.labels)))
        weights = [math.exp(other.score - best.score) for other in others]
        return [min((1.0 - confidence) * among * weight / sum(weights), confidence) for weight in weights]


@dataclass(frozen=True)
class CharacterWeights:
    """The weights of the formula for a character."""

    bias: float = 0.0
    odds: float = 1.0

    def confidence(self, probability: float) -> float:
        """Return the probability that a character is right, from the one that the decoder gave it."""
        return sigma(self.bias + self.odds * logit(probability))


@dataclass(frozen=True)
class ModeWeights:
    """The weights of one mode of decoding. The defaults leave probabilities as the decoder gives them."""

    reading: ReadingWeights = ReadingWeights()
    character: CharacterWeights = CharacterWeights()


@dataclass(frozen=True)
class Calibration:
    """The weights for readings without a lexicon (`plain`) and with one (`lexicon`)."""

    plain: ModeWeights = ModeWeights()
    lexicon: ModeWeights = ModeWeights()
    empty_texts: bool = False
    """Whether the model was trained on images without text, so that the empty text is a reading like any other."""

    @staticmethod
    def load(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> "Calibration":
        """Read a confidence.json. Raise BundleError for a format that this version does not read."""
        with FORMAT.parse(path, read=read) as content:
            old = content["version"] == WITHOUT_MODES
            plain, lexicon = (_mode(_upgraded(content, name) if old else content[name]) for name in MODES)
            return Calibration(plain, lexicon, empty_texts=bool(content.get("empty_texts", False)))


def _mode(content: Mapping[str, Mapping[str, float]]) -> ModeWeights:
    """Return the weights of a mode. Raise ValueError for one that is no number: a confidence would be none either."""
    reading, character = ({n: _weight(w, n) for n, w in content[what].items()} for what in ("reading", "character"))
    return ModeWeights(ReadingWeights(**reading), CharacterWeights(**character))


def _weight(value: object, name: str) -> float:
    """Return a weight; that of `elsewhere` may be infinite, where the truth is always among the alternatives."""
    if name == "elsewhere" and value == math.inf:
        return math.inf
    return finite_number(value, name)


def _upgraded(content: Mapping[str, Mapping[str, float]], mode: str) -> dict[str, dict[str, float]]:
    """Return a mode of format 2, where characters had one formula and `elsewhere` was a probability, as of format 3."""
    reading = {**content[mode], "elsewhere": logit(content[mode]["elsewhere"])}
    return {"reading": reading, "character": dict(content["character"])}


def features(candidates: Sequence[Candidate], probabilities: Sequence[float], text: str) -> tuple[float, ...]:
    """Return the inputs of the formula for a reading, in the order of `ReadingWeights.slopes`.

    `candidates` come best first; `probabilities` are those of the characters of the best candidate's text.
    """
    best = candidates[0]
    margin = best.score - candidates[1].score if len(candidates) > 1 else MAX_MARGIN
    odds = logit(math.exp(best.log_probability))
    return (
        odds,
        min(margin, MAX_MARGIN),
        math.log1p(len(best.labels)),
        best.log_weight,
        logit(min(probabilities)) if probabilities else 0.0,
        float(len(probabilities) == 1),
        max(odds, UPPER_FROM),
        float(" " in text),
    )


def logit(probability: float) -> float:
    """Return log(p / (1 - p)) of a probability clipped to MIN_PROBABILITY ... 1 - MIN_PROBABILITY."""
    inside = min(max(probability, MIN_PROBABILITY), 1.0 - MIN_PROBABILITY)
    return math.log(inside / (1.0 - inside))


def sigma(logit_: float) -> float:
    """Return the logistic function, the inverse of `logit` (apart from its clipping)."""
    return 1.0 / (1.0 + math.exp(-logit_)) if logit_ >= 0 else math.exp(logit_) / (1.0 + math.exp(logit_))
