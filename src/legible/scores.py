"""Scores of predictions against the truth: exact match, CER and WER.

Error rates are summed over a corpus: edits of all samples over the length of all truths.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from rapidfuzz.distance import Levenshtein

from legible.arrays import Floats

Untold = Literal["case", "spaces", "punctuation"]
"""What a label may not tell about its image, and is then no error."""

BINS = 10
"""The number of bins of the calibration error."""


def without(text: str, untold: Collection[Untold]) -> str:
    """Return the text in small letters, without spaces and without punctuation, as far as they are untold.

    `without("No. 5 A", ["case", "spaces"]) -> "no.5a"`
    """
    text = text.lower() if "case" in untold else text
    kept = text.replace(" ", "") if "spaces" in untold else text
    return "".join(c for c in kept if c.isalnum() or c == " ") if "punctuation" in untold else kept


def edit_distance(*, truth: Sequence[Any], prediction: Sequence[Any]) -> int:
    """Return the smallest number of insertions, deletions and substitutions that turn one into the other."""
    return int(Levenshtein.distance(truth, prediction))


def cer(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Return the character error rate: `cer(truths=["abcd"], predictions=["abed"]) -> 0.25`."""
    return _error_rate(list(truths), list(predictions))


def wer(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Return the word error rate; words are separated by spaces: `"to be" for "to bee" -> 0.5`."""
    return _error_rate([text.split() for text in truths], [text.split() for text in predictions])


def exact_match(*, truths: Iterable[str], predictions: Iterable[str]) -> float:
    """Return the fraction of predictions that equal their truth, case included."""
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


def characters_right(truth: str, prediction: str, untold: Collection[Untold] = ()) -> list[bool]:
    """Tell of each character of a prediction whether the truth has it there, by the shortest edit to the other.

    What the truth does not tell is right.
    """
    right = [True] * len(prediction)
    compared = [(place, c) for place, one in enumerate(prediction) for c in without(one, untold)]
    for edit in Levenshtein.editops("".join(c for _, c in compared), without(truth, untold)):
        if edit.tag != "insert":
            right[compared[edit.src_pos][0]] = False
    return right


def calibration_error(given: Floats, right: Floats) -> float:
    """Return the expected calibration error over BINS bins of equal mass (Nguyen and O'Connor 2015)."""
    order = np.argsort(given, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    gaps = [abs(given[part].mean() - right[part].mean()) * len(part) for part in bins]
    return float(sum(gaps) / len(order))


def cross_entropy(given: Floats, right: Floats) -> float:
    """Return the mean of -log of the probability that was given to what happened."""
    clipped = np.clip(given, 1e-6, 1 - 1e-6)
    return float(-np.mean(right * np.log(clipped) + (1 - right) * np.log(1 - clipped)))
