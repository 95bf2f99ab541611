"""CTC decoding: logits of time steps to labels.

Best path (Graves et al. 2006, section 3.2): the likeliest label of each step, repeats joined, blanks dropped.
Texts that are likelier than it: `beam`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from legible.charset import BLANK, Charset

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A label and the time steps `start` to `stop`, the end not included, over which it was the likeliest."""

    label: int
    start: int
    stop: int


def best_path(logits: Logits | Probabilities) -> list[Run]:
    """Runs of the likeliest labels without blanks: [1, 1, 0, 1, 2] -> [1, 1, 2].

    logits: (T, V); or their probabilities or log-probabilities, among which the same labels are the likeliest.
    """
    likeliest = np.argmax(logits, axis=-1)
    bounds = [0, *(np.flatnonzero(likeliest[1:] != likeliest[:-1]) + 1).tolist(), len(likeliest)]
    labels = likeliest.tolist() or [BLANK]
    return [Run(labels[start], start, stop) for start, stop in pairwise(bounds) if labels[start] != BLANK]


def best_path_text(logits: Logits | Probabilities, charset: Charset) -> str:
    """The text of the best path, of logits or probabilities (T, V) over the labels of this charset."""
    return charset.decode([run.label for run in best_path(logits)])


def align(logits: Logits | Probabilities, labels: Sequence[int]) -> list[Run]:
    """The likeliest steps for each of given labels (Viterbi over the path that spells them).

    logits: (T, V); or log-probabilities, which a softmax leaves as they are; not probabilities.
    Raises ValueError for more labels, and blanks between equal ones, than there are steps.
    """
    spelled, may_skip = _spelled(labels)
    scores = log_softmax(logits)[:, spelled]
    reached = np.full(len(spelled), -np.inf)
    reached[:2] = scores[0, :2]
    moves = np.zeros(scores.shape, np.int64)
    for step in range(1, len(scores)):
        before = np.stack([reached, _shifted(reached, 1), np.where(may_skip, _shifted(reached, 2), -np.inf)])
        moves[step] = before.argmax(axis=0)
        reached = before.max(axis=0) + scores[step]
    state = len(spelled) - 1 - int(len(labels) > 0 and reached[-2] > reached[-1])
    if not np.isfinite(reached[state]):
        raise ValueError(f"{len(labels)} labels do not fit {len(logits)} steps")
    states = [state]
    for move in moves[:0:-1]:
        states.append(states[-1] - int(move[states[-1]]))
    path = np.array(states[::-1])
    places = [np.flatnonzero(path == 2 * number + 1) for number in range(len(labels))]
    return [Run(int(label), int(own[0]), int(own[-1]) + 1) for label, own in zip(labels, places, strict=True)]


def log_probability(logits: Logits, labels: Sequence[int]) -> float:
    """Of the labels, summed over all paths that spell them (Graves et al. 2006, equations 5 to 8); logits (T, V).

    Minus infinity for more labels, and blanks between equal ones, than there are steps.
    """
    spelled, may_skip = _spelled(labels)
    scores = log_softmax(logits)[:, spelled]
    reached = np.full(len(spelled), -np.inf)
    reached[:2] = scores[0, :2]
    for step in scores[1:]:
        skipped = np.where(may_skip, _shifted(reached, 2), -np.inf)
        reached = np.logaddexp(np.logaddexp(reached, _shifted(reached, 1)), skipped) + step
    return float(np.logaddexp.reduce(reached[-2:]))


def _spelled(labels: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Labels with blanks around each, and before which of them a blank may be left out."""
    spelled = np.full(2 * len(labels) + 1, BLANK, np.int64)
    spelled[1::2] = labels
    may_skip = np.zeros(len(spelled), bool)
    may_skip[3::2] = spelled[3::2] != spelled[1:-2:2]
    return spelled, may_skip


def _shifted(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Moved to higher places, the first ones impossible."""
    return np.concatenate([np.full(min(count, len(values)), -np.inf), values[: max(len(values) - count, 0)]])


def log_softmax(logits: Logits | Probabilities) -> npt.NDArray[np.float64]:
    """Log-probabilities of each step's labels, (T, V)."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: Logits) -> Probabilities:
    """Probabilities of each step's labels, (T, V)."""
    shares = logits.astype(np.float64)
    shares -= shares.max(axis=-1, keepdims=True)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=-1, keepdims=True)
    return shares
