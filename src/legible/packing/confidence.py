"""Stage `confidence`: fit the formulas of `recognition.calibration` on `tune`, with and without a lexicon.

Logistic regression with Platt's targets (1999, section 2.2); every group of samples (print, handwriting; words, lines)
counts alike, so that each is calibrated, whatever its size.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from legible.arrays import Floats
from legible.charset import REJECT
from legible.config import Params
from legible.ctc.beam import Candidate
from legible.ctc.decode import softmax
from legible.ctc.lexicon import Lexicon, lexicon_if_any
from legible.data.dataset import Dataset, Sample
from legible.errors import DataError
from legible.recognition.calibration import FORMAT, CharacterWeights, ModeWeights, ReadingWeights, features, logit
from legible.recognition.decoding import Decoding, character_probabilities, search, search_alternatives
from legible.recognition.recognizer import Recognizer, artefact_recognizer
from legible.sampling import evenly_by_group
from legible.scores import calibration_error, characters_right

Member = TypeVar("Member")


@dataclass(frozen=True)
class CalibrationReport:
    """The fitted weights, and the calibration errors on `tune` by group, as probabilities are and as calibrated."""

    version: int
    samples: int
    plain: ModeWeights
    lexicon: ModeWeights
    errors: dict[str, dict[str, dict[str, float]]]
    empty_texts: bool
    """Whether some of the samples hold no text; the empty text is then a reading like any other."""


@dataclass(frozen=True)
class Attempt:
    """The candidates for a sample, best first, the text of the best, what is right, and what is known of characters."""

    group: str
    candidates: list[Candidate]
    text: str
    right: bool
    elsewhere: bool
    """True where the truth is among the other candidates of a wide beam."""
    probabilities: list[float]
    """The raw probability of each character of the best candidate."""
    spelled: list[bool]
    """For each character of the best candidate, whether it is right."""


def confidence(params: Params, *, root: Path) -> None:
    """Write root/training/confidence.json."""
    recognizer = artefact_recognizer(root / "training/artefact")
    samples = evenly_by_group(
        list(Dataset.open(root / "data/dataset").samples(split="tune")), params.confidence.samples
    )
    if not samples:
        raise DataError("data/dataset holds no tune samples to calibrate on; add writers, or raise ingest.tune_share")
    report = calibrate(recognizer, samples, lexicon_if_any(root / "training/lexicon.gz"))
    content = json.dumps(asdict(report), indent=1) + "\n"
    (root / "training/confidence.json").write_text(content, encoding="utf-8")


def calibrate(recognizer: Recognizer, samples: Sequence[Sample], lexicon: Lexicon | None) -> CalibrationReport:
    """Read every sample once, decode it in both ways, and fit the weights; without a lexicon those of plain serve."""
    ways = {"plain": Decoding()} | ({"lexicon": Decoding(recognizer.prior(lexicon))} if lexicon else {})
    attempts: dict[str, list[Attempt]] = {name: [] for name in ways}
    empty_texts = any(not sample.text for sample in samples)
    for sample in tqdm(samples, desc="calibrate", unit="image"):
        logits = recognizer.logits(recognizer.preprocess(sample.image))
        for name, decoding in ways.items():
            attempt = _attempt(recognizer, sample, logits, decoding, empty_texts=empty_texts)
            attempts[name] += [attempt] if REJECT not in attempt.text else []  # such a reading has no confidence to fit
    fitted = {name: ModeWeights(fit_reading(own), fit_character(own)) for name, own in attempts.items()}
    errors = {}
    for name, own in attempts.items():
        errors[f"raw, {name}"] = errors_by_group(own, ModeWeights())
        errors[f"calibrated, {name}"] = errors_by_group(own, fitted[name])
    preferring = fitted.get("lexicon", fitted["plain"])
    return CalibrationReport(FORMAT.version, len(samples), fitted["plain"], preferring, errors, empty_texts)


def _attempt(
    recognizer: Recognizer, sample: Sample, logits: npt.NDArray[np.float32], decoding: Decoding, *, empty_texts: bool
) -> Attempt:
    probabilities = softmax(logits)
    candidates = search(probabilities, decoding, empty_texts=empty_texts)
    truth = sample.comparable(sample.text)
    text, *others = (
        recognizer.charset.decode(one.labels)
        for one in (candidates[0], *search_alternatives(probabilities, decoding, candidates))
    )
    return Attempt(
        sample.group,
        candidates,
        text,
        sample.comparable(text) == truth,
        truth in map(sample.comparable, others),
        character_probabilities(probabilities, candidates[0].labels),
        characters_right(sample.text, text, sample.untold),
    )


def fit_reading(attempts: Sequence[Attempt]) -> ReadingWeights:
    """Fit the weights under which whether the best candidates are right is likeliest."""
    groups = [attempt.group for attempt in attempts]
    inputs = np.array([features(attempt.candidates, attempt.probabilities, attempt.text) for attempt in attempts])
    weights = ReadingWeights(*fit_logistic(inputs, [attempt.right for attempt in attempts], group_weights(groups)))
    elsewhere, by_length = _fit_elsewhere([attempt for attempt in attempts if not attempt.right])
    return replace(weights, elsewhere=elsewhere, elsewhere_length=by_length)


def _fit_elsewhere(wrong: Sequence[Attempt]) -> tuple[float, float]:
    """Fit the weights under which whether the truth is among the other candidates is likeliest."""
    if not wrong:
        return logit(0.5), 0.0
    lengths = np.array([[math.log1p(len(attempt.candidates[0].labels))] for attempt in wrong])
    groups = group_weights([attempt.group for attempt in wrong])
    bias, length = fit_logistic(lengths, [attempt.elsewhere for attempt in wrong], groups)
    return bias, length


def fit_character(attempts: Sequence[Attempt]) -> CharacterWeights:
    """Fit the formula for characters; a reading's characters count by their number."""
    inputs = np.array([[logit(one)] for attempt in attempts for one in attempt.probabilities])
    right = [one for attempt in attempts for one in attempt.spelled]
    if not right:
        return CharacterWeights()
    return CharacterWeights(*fit_logistic(inputs, right, np.ones(len(right))))


def fit_logistic(inputs: Floats, right: Sequence[bool], weights: Floats) -> list[float]:
    """Fit the bias and weights of a standardised logistic regression, stated for the inputs as they are.

    Each row stands as right and as wrong with the weights of Platt's targets, so that none is ever certain.
    """
    truth = np.array(right, np.float64)
    positives, negatives = truth.sum(), (1 - truth).sum()
    target = np.where(truth > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    center, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale == 0] = 1.0
    standard = (inputs - center) / scale
    model = LogisticRegression(C=100.0, max_iter=1000).fit(
        np.concatenate([standard, standard]),
        np.repeat([1, 0], len(truth)),
        sample_weight=np.concatenate([weights * target, weights * (1 - target)]),
    )
    slopes = model.coef_[0] / scale
    return [round(float(weight), 4) for weight in (model.intercept_[0] - slopes @ center, *slopes)]


def group_weights(groups: Sequence[str]) -> Floats:
    """Return weights whose sums are equal for each group, and whose mean is 1."""
    names, places, counts = np.unique(np.array(groups), return_inverse=True, return_counts=True)
    return np.asarray(len(groups) / len(names) / counts[places], np.float64)


def errors_by_group(attempts: Sequence[Attempt], weights: ModeWeights) -> dict[str, dict[str, float]]:
    """Return the calibration errors of the readings and of the characters of each group."""
    found = {}
    for group in sorted({attempt.group for attempt in attempts}):
        own = [attempt for attempt in attempts if attempt.group == group]
        readings = [(weights.reading.confidence(one.candidates, one.probabilities, one.text), one.right) for one in own]
        characters = [
            (weights.character.confidence(probability), right)
            for attempt in own
            for probability, right in zip(attempt.probabilities, attempt.spelled, strict=True)
        ]
        found[group] = {"readings": _error_of(readings), "characters": _error_of(characters)}
    return found


def _error_of(given: Sequence[tuple[float, bool]]) -> float:
    """Return the calibration error of pairs of confidence and whether it was right; 0 where there are none."""
    pairs = np.array(given, np.float64).reshape(-1, 2)
    return calibration_error(pairs[:, 0], pairs[:, 1]) if len(pairs) else 0.0
