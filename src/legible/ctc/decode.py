"""CTC decoding by the best path, and the probability and position of given labels.

The best path (Graves et al. 2006, section 3.2) takes the most probable label of each time step, joins repeats and drops
blanks: steps `[1, 1, 0, 1]` with blank 0 -> labels `[1, 1]` -> `"aa"`. Beam search, which sums over paths, is in
`beam`.

Shapes: T time steps, V labels with the blank at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from legible.charset import BLANK, Charset

Logits = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float64]
"""Log-probabilities, one for each state of a lattice."""


@dataclass(frozen=True)
class Run:
    """A label and the time steps `start` to `stop` (`stop` not included) in which it was chosen."""

    label: int
    start: int
    stop: int


def best_path(logits: Logits | Probabilities) -> list[Run]:
    """Return the runs of the best path, without blanks: the steps `[1, 1, 0, 1, 2]` give the labels `[1, 1, 2]`.

    `logits` is (T, V). Probabilities and log-probabilities give the same path.
    """
    best = np.argmax(logits, axis=-1)
    bounds = [0, *(np.flatnonzero(best[1:] != best[:-1]) + 1).tolist(), len(best)]
    labels = best.tolist() or [BLANK]
    return [Run(labels[start], start, stop) for start, stop in pairwise(bounds) if labels[start] != BLANK]


def best_path_text(logits: Logits | Probabilities, charset: Charset) -> str:
    """Return the text of the best path through `logits` (T, V)."""
    return charset.decode([run.label for run in best_path(logits)])


def align(logits: Logits | Probabilities, labels: Sequence[int]) -> list[Run]:
    """Return the most probable run of time steps for each of the given labels (forced alignment, Viterbi).

    `logits` is (T, V); log-probabilities give the same alignment, probabilities do not. Raise ValueError where the
    labels, with a blank between equal neighbours, need more than T steps.
    """
    states, may_skip = _lattice(labels)
    path = _viterbi(log_softmax(logits)[:, states], may_skip)
    if path is None:
        raise ValueError(f"{len(labels)} labels do not fit {len(logits)} steps")
    steps = [np.flatnonzero(path == 2 * number + 1) for number in range(len(labels))]
    return [Run(int(label), int(own[0]), int(own[-1]) + 1) for label, own in zip(labels, steps, strict=True)]


def log_probability(logits: Logits, labels: Sequence[int]) -> float:
    """Return the log-probability of the labels, summed over all paths that spell them.

    This is the forward algorithm (Graves et al. 2006, equations 5 to 8) over `logits` (T, V). The result is minus
    infinity where the labels, with a blank between equal neighbours, need more than T steps.
    """
    states, may_skip = _lattice(labels)
    scores = log_softmax(logits)[:, states]
    reached = _first(scores)
    for step in scores[1:]:
        skipped = np.where(may_skip, _shifted(reached, 2), -np.inf)
        reached = np.logaddexp(np.logaddexp(reached, _shifted(reached, 1)), skipped) + step
    return float(np.logaddexp.reduce(reached[-2:]))


def log_softmax(logits: Logits | Probabilities) -> Scores:
    """Return the log-probabilities of each step's labels, (T, V) -> (T, V)."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: Logits) -> Probabilities:
    """Return the probabilities of each step's labels, (T, V) -> (T, V)."""
    probabilities = logits.astype(np.float64)
    probabilities -= probabilities.max(axis=-1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


def _lattice(labels: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the states of the CTC lattice, `[a, b]` -> `[blank, a, blank, b, blank]`, and where a blank may be
    skipped.

    A path may step over the blank before a label, except between equal labels.
    """
    states = np.full(2 * len(labels) + 1, BLANK, np.int64)
    states[1::2] = labels
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    return states, may_skip


def _first(scores: Scores) -> Scores:
    """Return the scores after the first time step: a path begins with a blank or with the first label."""
    reached = np.full(scores.shape[1], -np.inf)
    reached[:2] = scores[0, :2]
    return reached


def _viterbi(scores: Scores, may_skip: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64] | None:
    """Return the best state of each time step, or None where no path reaches the end; `scores` is (T, states)."""
    reached = _first(scores)
    moves = np.zeros(scores.shape, np.int64)
    for step in range(1, len(scores)):
        before = np.stack([reached, _shifted(reached, 1), np.where(may_skip, _shifted(reached, 2), -np.inf)])
        moves[step] = before.argmax(axis=0)
        reached = before.max(axis=0) + scores[step]
    last = len(reached) - 1 - int(len(reached) > 1 and reached[-2] > reached[-1])
    return _traced_back(moves, last) if np.isfinite(reached[last]) else None


def _traced_back(moves: npt.NDArray[np.int64], state: int) -> npt.NDArray[np.int64]:
    """Return the states of the path that ends in `state`; `moves` (T, states) says how many states each came ahead."""
    states = [state]
    for move in moves[:0:-1]:
        states.append(states[-1] - int(move[states[-1]]))
    return np.array(states[::-1])


def _shifted(values: Scores, count: int) -> Scores:
    """Return the values moved `count` states ahead; the first ones become impossible (minus infinity)."""
    return np.concatenate([np.full(min(count, len(values)), -np.inf), values[: max(len(values) - count, 0)]])
