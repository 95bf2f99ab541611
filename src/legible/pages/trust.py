"""How far a found line is to be trusted: the probability that it is a line of text, and that its reading is right.

Two logistic formulas (Platt 1999, with several inputs) over what detector, recognizer and the page say of the line:

    sigma(bias + sum of weight * input), the inputs being INPUTS

They are fitted on pages of `tune` (`packing.page_confidence`). A bundle without them takes for text what has at least
MIN_TRUST, and gives a line the confidence of its reading.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legible.detection.lines import FoundLine, typical_height
from legible.errors import BundleError
from legible.file_numbers import finite_number
from legible.files import JsonFormat
from legible.reading import Reading
from legible.recognition.calibration import logit, sigma

FORMAT = JsonFormat("page confidence", 1, "run legible page-confidence again, or fetch the bundle anew", BundleError)
INPUTS = ("score", "characters", "reading", "length", "few", "letters", "height", "spacing", "thin")
"""The logits of the detector's score, of the mean confidence of the characters and of the reading's; log(1 + number of
characters); 1 for at most FEW_CHARACTERS; 1 where any of them is a letter or digit; the absolute log of the line's
height over the page's usual one; log of the line's length in heights a character; 1 for a line lower than MIN_HEIGHT.
"""
MIN_TRUST = 0.25
"""The least product of a line's detection score and the mean confidence of its characters; below it is no line."""
MIN_TRUST_ALONE = 0.5
"""The same for one or two characters, which any mark may look like."""
FEW_CHARACTERS = 2
MIN_HEIGHT = 8.0
"""Pixels below which letters can hardly be read."""
MIN_TEXT = 0.5
"""The probability from which a line is taken for text."""
MIN_PAGE_TEXT = 0.98
"""The probability that any line of a page is text, below which the page is taken for one without: 1 minus the product
of the doubts in its lines. Measured on pages of `tune`: 0.994 and more with text, 0.942 and less on all but one of 200
without.
"""
SURE_READING, SURE_CHARACTERS = 0.9, 2
"""A line of so many characters that is read with this confidence is text, though it is the only one of its page.
Measured on 500 pages without text of `tune`: 0.754 at most.
"""
ReadLine = tuple[FoundLine, Reading]


@dataclass(frozen=True)
class LineWeights:
    """A bias, and a weight for each of INPUTS."""

    bias: float
    weights: tuple[float, ...]

    def probability(self, inputs: tuple[float, ...]) -> float:
        return sigma(self.bias + sum(w * x for w, x in zip(self.weights, inputs, strict=True)))


@dataclass(frozen=True)
class LineTrust:
    """The formulas for whether a line is text, and for whether line and text are right."""

    text: LineWeights | None = None
    right: LineWeights | None = None

    @staticmethod
    def load(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> "LineTrust":
        """Read a page-confidence.json. Raise BundleError for a format that this version does not read."""
        with FORMAT.parse(path, read=read) as content:
            if tuple(content["inputs"]) != INPUTS:
                raise BundleError(f"{path}: of other inputs than {', '.join(INPUTS)}; {FORMAT.remedy}")
            return LineTrust(*(_weights(content[name]) for name in ("text", "right")))

    def text_of(self, found: Iterable[ReadLine], *, usual_height: float) -> list[ReadLine]:
        """Return what is text of the found lines of a page; nothing where all of them may as well be texture."""
        lines = [(line, reading) for line, reading in found if self.is_text(line, reading, usual_height=usual_height)]
        if self.text is None:
            return lines
        doubts = (1 - self.text.probability(inputs_of(*one, usual_height=usual_height)) for one in lines)
        is_read = any(r.confidence >= SURE_READING and len(r.text) >= SURE_CHARACTERS for _, r in lines)
        return lines if is_read or 1 - math.prod(doubts) >= MIN_PAGE_TEXT else []

    def is_text(self, line: FoundLine, reading: Reading, *, usual_height: float) -> bool:
        """Return whether detector, recognizer and page together take a line for text.

        Signs alone, such as a dash, are taken for a rule or a speck.
        """
        text = reading.text.strip()
        if not any(sign.isalnum() for sign in text):
            return False
        if self.text is not None:
            return self.text.probability(inputs_of(line, reading, usual_height=usual_height)) >= MIN_TEXT
        trust = line.score * mean_confidence(reading)
        return trust >= (MIN_TRUST_ALONE if len(text) <= FEW_CHARACTERS else MIN_TRUST)

    def confidence(self, line: FoundLine, reading: Reading, *, usual_height: float) -> float:
        """Return the probability that the line is one and that its text is right."""
        if self.right is None:
            return reading.confidence
        return self.right.probability(inputs_of(line, reading, usual_height=usual_height))


UNFITTED = LineTrust()
"""The rule without formulas."""


def inputs_of(line: FoundLine, reading: Reading, *, usual_height: float) -> tuple[float, ...]:
    """Return the inputs of the formulas, in the order of INPUTS; `usual_height` is the page's, in pixels."""
    text = reading.text.strip()
    height = max(line.shape.height, 1.0)
    return (
        logit(line.score),
        logit(mean_confidence(reading)),
        logit(reading.confidence),
        math.log1p(len(text)),
        float(len(text) <= FEW_CHARACTERS),
        float(any(sign.isalnum() for sign in text)),
        abs(math.log(height / max(usual_height, 1.0))),
        math.log(max(line.shape.length, 1.0) / height / max(len(text), 1)),
        float(height < MIN_HEIGHT),
    )


def usual_height(lines: Sequence[FoundLine]) -> float:
    """Return the height in pixels in which most of a page is written; 0 for a page without lines."""
    return typical_height(lines) if lines else 0.0


def mean_confidence(reading: Reading) -> float:
    """Return the mean confidence of a reading's characters; 0 where it has none."""
    return float(np.mean([character.confidence for character in reading.characters])) if reading.characters else 0.0


def _weights(content: dict[str, object]) -> LineWeights:
    weights = content["weights"]
    if not isinstance(weights, list) or len(weights) != len(INPUTS):
        raise ValueError("a weight for each input is needed")
    return LineWeights(finite_number(content["bias"], "bias"), tuple(finite_number(one, "a weight") for one in weights))
