"""How far predictions are from the truth: exact match, CER and WER.

Error rates are summed over a corpus: edits of all samples over the length of all truths.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

Floats = npt.NDArray[np.float64]

BINS = 10
"""Bins of the calibration error."""


def edit_distance(*, truth: Sequence[Any], prediction: Sequence[Any]) -> int:
    """Fewest insertions, deletions and substitutions that turn one into the other."""
    return int(Levenshtein.distance(truth, prediction))


def cer(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Character error rate: `cer(truths=["abcd"], predictions=["abed"]) -> 0.25`."""
    return _error_rate(list(truths), list(predictions))


def wer(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Word error rate, words being what spaces part: `"to be" for "to bee" -> 0.5`."""
    return _error_rate([text.split() for text in truths], [text.split() for text in predictions])


def exact_match(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Share of predictions that equal their truth, case included."""
    pairs = list(zip(truths, predictions, strict=True))
    _refuse_nothing(len(pairs))
    return sum(truth == prediction for truth, prediction in pairs) / len(pairs)


def _error_rate(truths: Sequence[Sequence[Any]], predictions: Sequence[Sequence[Any]]) -> float:
    pairs = list(zip(truths, predictions, strict=True))
    length = sum(len(truth) for truth in truths)
    _refuse_nothing(length)
    return sum(edit_distance(truth=truth, prediction=guess) for truth, guess in pairs) / length


def _refuse_nothing(count: int) -> None:
    if count == 0:
        raise ValueError("no score without at least one character of truth")


def characters_right(truth: str, prediction: str) -> list[bool]:
    """For each character of a prediction, whether the truth has it there, by the shortest edit of one to the other."""
    right = [True] * len(prediction)
    for edit in Levenshtein.editops(prediction, truth):
        if edit.tag != "insert":
            right[edit.src_pos] = False
    return right


def calibration_error(given: Floats, right: Floats) -> float:
    """Expected calibration error over BINS bins of equal mass (Nguyen and O'Connor 2015)."""
    order = np.argsort(given, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    gaps = [abs(given[part].mean() - right[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(order))


def cross_entropy(given: Floats, right: Floats) -> float:
    """Mean of -log of the chance that was given to what happened."""
    clipped = np.clip(given, 1e-6, 1 - 1e-6)
    return float(-np.mean(right * np.log(clipped) + (1 - right) * np.log(1 - clipped)))
