"""Refit confidence on labels drawn at random, and judge the refit on labels that it has not seen.

The two weights are those under which the labels are likeliest, with Platt's targets (1999, section 2.2), drawn to what
changes nothing as far as PRIOR labels would. Each label is judged by a fit without its fold; images of one document are
in one fold, as they are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.drift.labelled import LabelledReading
from legible.errors import DataError
from legible.recognition.calibration import MIN_PROBABILITY
from legible.recognition.recalibration import ConfidenceLine
from legible.scores import calibration_error

MIN_LABELS = 100
FOLDS = 5
PRIOR = 2.0
MIN_ODDS = 0.05
"""A line that is flatter says that confidence tells nothing here."""
STEPS = 50


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of confidences on labels: the calibration error, accepted readings, and those of them that are wrong."""

    error: float
    accepted: int
    accepted_wrong: int

    @staticmethod
    def of(given: Floats, right: Floats, *, accept: float) -> "HeldOutScores":
        accepted = given >= accept
        return HeldOutScores(calibration_error(given, right), int(accepted.sum()), int((accepted & (right == 0)).sum()))

    def said(self) -> str:
        return f"calibration error {self.error:.3f}, {self.accepted} accepted, {self.accepted_wrong} of them wrong"


@dataclass(frozen=True)
class Refit:
    """A line fitted on all labels of a mode, and the scores of the labels before, and held out by its fits."""

    line: ConfidenceLine
    labels: int
    before: HeldOutScores
    after: HeldOutScores

    @property
    def faults(self) -> tuple[str, ...]:
        """Say why it must not be used; nothing where it may."""
        found = []
        if self.after.error > self.before.error:
            found.append(f"the calibration error rises from {self.before.error:.3f} to {self.after.error:.3f}")
        if self.after.accepted_wrong > self.before.accepted_wrong:
            counts = f"from {self.before.accepted_wrong} to {self.after.accepted_wrong}"
            found.append(
                f"the readings that are accepted and wrong rise {counts} of {self.labels}; try a higher --accept"
            )
        return tuple(found)


def refit(labels: Sequence[LabelledReading], *, accept: float) -> Refit:
    """Fit a line and judge it. Raise DataError for fewer than MIN_LABELS labels, or confidences that tell nothing."""
    if len(labels) < MIN_LABELS:
        raise DataError(f"{len(labels)} labels drawn at random, and it takes {MIN_LABELS}; label more blind images")
    given = np.asarray([label.confidence for label in labels], np.float64)
    right = np.asarray([label.is_right for label in labels], np.float64)
    held_out = _held_out(given, right, folds_of(labels))
    before, after = (HeldOutScores.of(each, right, accept=accept) for each in (given, held_out))
    return Refit(fit_line(given, right), len(labels), before, after)


def _held_out(given: Floats, right: Floats, folds: npt.NDArray[np.intp]) -> Floats:
    """Return the confidence of each label by a line that was fitted without its fold."""
    found = np.zeros(len(given))
    for fold in range(FOLDS):
        own = folds == fold
        if own.any():
            line = fit_line(given[~own], right[~own])
            found[own] = [line(float(confidence)) for confidence in given[own]]
    return found


def folds_of(labels: Sequence[LabelledReading]) -> npt.NDArray[np.intp]:
    """Return the fold of each label, those of a document the same; folds hold about as many documents each."""
    names = [label.document or f"{place}" for place, label in enumerate(labels)]
    _, codes = np.unique(np.asarray(names), return_inverse=True)
    return np.random.default_rng(0).permutation(codes.max() + 1)[codes] % FOLDS


def fit_line(given: Floats, right: Floats) -> ConfidenceLine:
    """Return the likeliest line, by Newton's method. Raise DataError where high confidence is not more often right."""
    inside = np.clip(given, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    inputs = np.stack([np.ones(len(given)), np.log(inside / (1 - inside))], axis=1)
    positives, negatives = right.sum(), (1 - right).sum()
    targets = np.where(right > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    same = np.asarray([0.0, 1.0])
    weights = same.copy()
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (targets - likely) - PRIOR * (weights - same)
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs + PRIOR * np.eye(2)
        step = np.clip(np.linalg.solve(curvature, slope), -1.0, 1.0)
        weights = weights + step
        if np.abs(step).max() < 1e-9:  # noqa: PLR2004
            break
    if weights[1] < MIN_ODDS:
        raise DataError(f"higher confidence is not more often right here (slope {weights[1]:.2f}); look at the labels")
    return ConfidenceLine(round(float(weights[0]), 4), round(float(weights[1]), 4))
