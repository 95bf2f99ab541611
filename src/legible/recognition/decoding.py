"""From logits to a Reading: beam search for the text, then calibrated confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.charset import REJECT, Charset
from legible.ctc.beam import UNIFORM, Candidate, prefix_beam_search
from legible.ctc.decode import Probabilities, align, best_path, softmax
from legible.ctc.lexicon import LexiconPrior
from legible.reading import Alternative, Character, Reading
from legible.recognition.calibration import Calibration
from legible.typography import plain_reading

SPACE = " "
NARROW, WIDE = 4, 12
"""Widths of the beam; measured on `tune`, a wider narrow one changes no text."""


@dataclass(frozen=True)
class Decoding:
    """How logits become text: the prior of a lexicon, if any, and how many alternatives to look for."""

    prior: LexiconPrior | None = None
    alternatives: int = 0
    plain: bool = False
    """Whether typographic signs are given in their plain forms: straight quotes for curly ones, hyphens for dashes."""
    lexicon: str = ""
    """The name of the lexicon, which observations state."""

    @property
    def beam_width(self) -> int:
        """The number of prefixes in the beam for the reading; few suffice without a lexicon."""
        return WIDE if self.prior else NARROW

    @property
    def alternatives_beam_width(self) -> int:
        """The number of prefixes in the beam for the alternatives, which changes neither reading nor confidence."""
        return max(WIDE, self.alternatives + 1)


def interpret(
    logits: npt.NDArray[np.float32], charset: Charset, calibration: Calibration, decoding: Decoding
) -> Reading:
    """Return the most probable text of `logits` (T, V) with calibrated confidences.

    With two steps of 0.6 blank and 0.4 "a" the reading is "a": its paths sum to 0.64, the empty text has 0.36.
    A text with the reject sign has no confidence: whatever the sign in the picture is, it is another.
    """
    probabilities = softmax(logits)
    candidates = search(probabilities, decoding, empty_texts=calibration.empty_texts)
    weights = calibration.lexicon if decoding.prior else calibration.plain
    text = charset.decode(candidates[0].labels)
    found = character_probabilities(probabilities, candidates[0].labels)
    confidence = 0.0 if REJECT in text else weights.reading.confidence(candidates, found, text)
    characters = (
        Character(c, 0.0 if c == REJECT else weights.character.confidence(p)) for c, p in zip(text, found, strict=True)
    )
    others = search_alternatives(probabilities, decoding, candidates) if decoding.alternatives else []
    given = weights.reading.alternative_confidences(confidence, candidates, others)
    alternatives = (Alternative(charset.decode(o.labels), sure) for o, sure in zip(others, given, strict=True))
    reading = Reading(text, confidence, tuple(characters), tuple(alternatives))
    return _trimmed(plain_reading(reading) if decoding.plain else reading, decoding.alternatives)


def _trimmed(reading: Reading, alternatives: int) -> Reading:
    """Return the reading without spaces at its edges, and so many alternatives, each another text."""
    text = reading.text.strip(SPACE)
    if text == reading.text and all(other.text == other.text.strip(SPACE) for other in reading.alternatives):
        return Reading(text, reading.confidence, reading.characters, reading.alternatives[:alternatives])
    start = len(reading.text) - len(reading.text.lstrip(SPACE))
    others: dict[str, Alternative] = {}
    for other in reading.alternatives:
        trimmed = other.text.strip(SPACE)
        if trimmed not in ("", text):
            others.setdefault(trimmed, Alternative(trimmed, other.confidence))
    characters = reading.characters[start : start + len(text)]
    return Reading(text, reading.confidence, characters, tuple(others.values())[:alternatives])


def search(probabilities: Probabilities, decoding: Decoding, *, empty_texts: bool = False) -> list[Candidate]:
    """Return the candidates for a reading, best first; `probabilities` is (T, V).

    empty_texts: whether the model has learned what images without text look like. Else the empty text is a candidate
    only where there is no other: to such a model an image with ink holds some text.
    """
    candidates = prefix_beam_search(probabilities, width=decoding.beam_width, prior=decoding.prior or UNIFORM)
    if empty_texts:
        return candidates
    return [candidate for candidate in candidates if candidate.labels] or candidates


def search_alternatives(
    probabilities: Probabilities, decoding: Decoding, candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Return the texts of a wide beam without the reading (the first of `candidates`), best first.

    `probabilities` is (T, V).
    """
    if decoding.alternatives_beam_width > decoding.beam_width:
        wide = prefix_beam_search(
            probabilities, width=decoding.alternatives_beam_width, prior=decoding.prior or UNIFORM
        )
        candidates = [candidates[0], *wide]
    return [candidate for candidate in candidates if candidate.labels not in ((), candidates[0].labels)]


def character_probabilities(probabilities: Probabilities, labels: Sequence[int]) -> list[float]:
    """Return for each label its greatest probability in the time steps that spell it; `probabilities` is (T, V)."""
    runs = best_path(probabilities)
    if tuple(run.label for run in runs) != tuple(labels):
        runs = align(np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)), labels)
    return [float(probabilities[run.start : run.stop, run.label].max()) for run in runs]
