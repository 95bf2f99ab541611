"""CTC prefix beam search: the texts with the greatest probability, each summed over all of its paths.

Graves and Jaitly 2014 (algorithm 1), Hannun et al. 2014. A prior, such as a lexicon, may weight each prefix during the
search, as in word beam search (Scheidl et al. 2018).

Example: two steps with 0.6 blank and 0.4 "a" each. The best path is the empty text (0.36), but the paths "a-", "-a" and
"aa" sum to 0.64, so the search returns "a" first.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any, Protocol

import numpy as np

from legible.charset import BLANK
from legible.ctc.decode import Probabilities

RESCALE_EVERY = 40
"""Time steps after which the probabilities are rescaled, so that they never underflow."""
MIN_PROBABILITY = 1e-3
"""Labels with a smaller probability in a time step do not extend a prefix there."""


@dataclass(frozen=True)
class Candidate:
    """A text as labels, with the log of its probability (summed over the paths in the beam) and of its prior."""

    labels: tuple[int, ...]
    log_probability: float
    log_weight: float

    @property
    def score(self) -> float:
        return self.log_probability + self.log_weight


class Prior(Protocol):
    """The prior over texts, known before an image is seen. A state stands for the prefix that led to it."""

    def start(self) -> Any:
        """Return the state of the empty prefix."""
        ...

    def step(self, state: Any, label: int) -> Any:
        """Return the state after one more label."""
        ...

    def weight(self, state: Any, *, whole: bool) -> float:
        """Return the log weight of the state's prefix.

        With `whole` the prefix is the complete text; else the weight is that of the best text that may continue it.
        """
        ...


class _UniformPrior:
    def start(self) -> Any:
        return None

    def step(self, state: Any, label: int) -> Any:
        del label
        return state

    def weight(self, state: Any, *, whole: bool) -> float:
        del state, whole
        return 0.0


UNIFORM: Prior = _UniformPrior()
"""The prior under which every text is equally probable."""

ROOT = 0


@dataclass
class _PrefixTree:
    """All prefixes that the search has met. A node is an index; node `ROOT` is the empty prefix."""

    prior: Prior
    labels: list[int] = field(default_factory=lambda: [BLANK])
    parents: list[int] = field(default_factory=lambda: [ROOT])
    states: list[Any] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add_state(self.prior.start())

    def child(self, node: int, label: int) -> int:
        """Return the node of the prefix with one more label; the same labels always give the same node."""
        found = self.children.get((node, label))
        if found is None:
            found = self.children[node, label] = len(self.labels)
            self.labels.append(label)
            self.parents.append(node)
            self._add_state(self.prior.step(self.states[node], label))
        return found

    def path(self, node: int) -> tuple[int, ...]:
        """Return the labels of the prefix."""
        found = []
        while node != ROOT:
            found.append(self.labels[node])
            node = self.parents[node]
        return tuple(reversed(found))

    def whole_weight(self, node: int) -> float:
        """Return the log weight of the prefix as a complete text."""
        return self.prior.weight(self.states[node], whole=True)

    def _add_state(self, state: Any) -> None:
        self.states.append(state)
        self.weights.append(self.prior.weight(state, whole=False))


Beams = dict[int, tuple[float, float]]
"""For each node the probability of its paths that end in a blank, and of those that end in its last label."""


def prefix_beam_search(
    probabilities: Probabilities, *, width: int, prior: Prior = UNIFORM, min_probability: float = MIN_PROBABILITY
) -> list[Candidate]:
    """Return the candidates in the final beam of at most `width` prefixes, best score first.

    `probabilities` is (T, V), each row summing to 1. Labels below `min_probability` in a step extend no prefix there.
    """
    tree = _PrefixTree(prior)
    beams: Beams = {ROOT: (1.0, 0.0)}
    log_scale = 0.0
    for number, (blank, likely) in enumerate(_steps(probabilities, min_probability)):
        extended = _extend(beams, blank, likely, tree)
        beams = _prune(extended, tree.weights, width) if len(extended) > width else extended
        if number % RESCALE_EVERY == 0:
            total = sum(map(sum, beams.values()))
            beams = {node: (ended / total, going / total) for node, (ended, going) in beams.items()}
            log_scale += math.log(total)
    return _candidates(beams, tree, log_scale)


def _candidates(beams: Beams, tree: _PrefixTree, log_scale: float) -> list[Candidate]:
    candidates = [
        Candidate(tree.path(node), log_scale + math.log(ended + going), tree.whole_weight(node))
        for node, (ended, going) in beams.items()
        if ended + going > 0
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _steps(probabilities: Probabilities, min_probability: float) -> Iterator[tuple[float, dict[int, float]]]:
    """Yield for each time step the probability of the blank, and those of the labels above `min_probability`.

    Consecutive steps in which no label is above it become one step: the product of their blanks.
    """
    follow = probabilities > min_probability
    follow[:, BLANK] = False
    steps, labels = np.nonzero(follow)
    values, names = probabilities[steps, labels].tolist(), labels.tolist()
    bounds = np.searchsorted(steps, np.arange(len(probabilities) + 1)).tolist()
    silence = 1.0
    for blank, start, stop in zip(probabilities[:, BLANK].tolist(), bounds, bounds[1:], strict=False):
        if start == stop:
            silence *= blank
            continue
        if silence != 1.0:
            yield silence, {}
            silence = 1.0
        yield blank, dict(zip(names[start:stop], values[start:stop], strict=True))
    if silence != 1.0:
        yield silence, {}


def _extend(beams: Beams, blank: float, likely: dict[int, float], tree: _PrefixTree) -> Beams:
    """Return the beams after one more step: each prefix meets a blank, its last label again, or a new label."""
    labels, probability_of = tree.labels, likely.get
    extended = {
        node: ((ended + going) * blank, going * probability_of(labels[node], 0.0))
        for node, (ended, going) in beams.items()
    }
    for node, (ended, going) in beams.items() if likely else ():
        last, total = labels[node], ended + going
        for label, probability in likely.items():
            added = probability * (ended if label == last else total)
            if added > 0.0:
                child = tree.child(node, label)
                before = extended.get(child)
                extended[child] = (0.0, added) if before is None else (before[0], before[1] + added)
    return extended


def _prune(beams: Beams, weights: list[float], width: int) -> Beams:
    """Return the `width` beams with the greatest probability times weight, without those of probability 0."""
    scored = [
        (math.log(ended + going) + weights[node], node) for node, (ended, going) in beams.items() if ended + going > 0
    ]
    return {node: beams[node] for _, node in nlargest(width, scored)}
