"""Prefix beam search: the texts that CTC's logits give the most probability, each summed over its paths.

Graves and Jaitly 2014 (algorithm 1), Hannun et al. 2014. A prior, such as a lexicon, may weigh each prefix on its way,
as word beam search does (Scheidl et al. 2018).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any, Protocol

import numpy as np

from legible.charset import BLANK
from legible.ctc.decode import Probabilities

RESCALED_EVERY = 40
"""Time steps; so many are far from too small a number for a float."""
MIN_PROBABILITY = 1e-3
"""Labels with less of a time step's probability are not followed."""


@dataclass(frozen=True)
class Candidate:
    """A text as labels; the log of its probability, summed over the paths that were kept; and of its prior weight."""

    labels: tuple[int, ...]
    log_probability: float
    log_weight: float

    @property
    def score(self) -> float:
        return self.log_probability + self.log_weight


class Prior(Protocol):
    """What is known of texts before any image is seen. A state stands for the prefix that led to it."""

    def start(self) -> Any:
        """The state of the empty prefix."""
        ...

    def step(self, state: Any, label: int) -> Any:
        """The state after one more label."""
        ...

    def weight(self, state: Any, *, whole: bool) -> float:
        """Log weight of a prefix: of the best text that may follow, or of it alone where it is the whole text."""
        ...


class _Uniform:
    def start(self) -> Any:
        return None

    def step(self, state: Any, label: int) -> Any:
        del label
        return state

    def weight(self, state: Any, *, whole: bool) -> float:
        del state, whole
        return 0.0


UNIFORM: Prior = _Uniform()
"""Every text is as likely as any other."""

ROOT = 0


@dataclass
class _Prefixes:
    """All prefixes met, as nodes of a tree: the same labels are the same node."""

    prior: Prior
    labels: list[int] = field(default_factory=lambda: [BLANK])
    parents: list[int] = field(default_factory=lambda: [ROOT])
    states: list[Any] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keep(self.prior.start())

    def child(self, node: int, label: int) -> int:
        found = self.children.get((node, label))
        if found is None:
            found = self.children[node, label] = len(self.labels)
            self.labels.append(label)
            self.parents.append(node)
            self._keep(self.prior.step(self.states[node], label))
        return found

    def path(self, node: int) -> tuple[int, ...]:
        found = []
        while node != ROOT:
            found.append(self.labels[node])
            node = self.parents[node]
        return tuple(reversed(found))

    def _keep(self, state: Any) -> None:
        self.states.append(state)
        self.weights.append(self.prior.weight(state, whole=False))


Beams = dict[int, tuple[float, float]]
"""Node of a prefix -> probability of its paths that end in a blank, and of those that end in its last label."""


def prefix_beam_search(
    shares: Probabilities, *, width: int, prior: Prior = UNIFORM, least_share: float = MIN_PROBABILITY
) -> list[Candidate]:
    """The candidates left in a beam of so many prefixes, best first; probabilities of each step's labels (T, V)."""
    prefixes = _Prefixes(prior)
    beams: Beams = {ROOT: (1.0, 0.0)}
    log_scale = 0.0
    for number, (blank, likely) in enumerate(_steps(shares, least_share)):
        grown = _grow(beams, blank, likely, prefixes)
        beams = _kept(grown, prefixes.weights, width) if len(grown) > width else grown
        if number % RESCALED_EVERY == 0:
            total = sum(map(sum, beams.values()))
            beams = {node: (ended / total, going / total) for node, (ended, going) in beams.items()}
            log_scale += math.log(total)
    candidates = [
        Candidate(
            prefixes.path(node), log_scale + math.log(ended + going), prior.weight(prefixes.states[node], whole=True)
        )
        for node, (ended, going) in beams.items()
        if ended + going > 0
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def _steps(shares: Probabilities, least_share: float) -> Iterator[tuple[float, dict[int, float]]]:
    """For each step the blank's share, and the shares of the labels that have more than the least.

    Steps on end in which no label has are one step: their blanks' shares multiplied.
    """
    follow = shares > least_share
    follow[:, BLANK] = False
    steps, labels = np.nonzero(follow)
    values, names = shares[steps, labels].tolist(), labels.tolist()
    bounds = np.searchsorted(steps, np.arange(len(shares) + 1)).tolist()
    silence = 1.0
    for blank, start, stop in zip(shares[:, BLANK].tolist(), bounds, bounds[1:], strict=False):
        if start == stop:
            silence *= blank
            continue
        if silence != 1.0:
            yield silence, {}
            silence = 1.0
        yield blank, dict(zip(names[start:stop], values[start:stop], strict=True))
    if silence != 1.0:
        yield silence, {}


def _grow(beams: Beams, blank: float, likely: dict[int, float], prefixes: _Prefixes) -> Beams:
    """A step that is blank, the last label again, or one more label."""
    labels, share_of = prefixes.labels, likely.get
    grown = {
        node: ((ended + going) * blank, going * share_of(labels[node], 0.0)) for node, (ended, going) in beams.items()
    }
    for node, (ended, going) in beams.items() if likely else ():
        last, total = labels[node], ended + going
        for label, share in likely.items():
            added = share * (ended if label == last else total)
            if added > 0.0:
                child = prefixes.child(node, label)
                before = grown.get(child)
                grown[child] = (0.0, added) if before is None else (before[0], before[1] + added)
    return grown


def _kept(beams: Beams, weights: list[float], width: int) -> Beams:
    """Those of the greatest probability times weight, and none without probability."""
    scored = [
        (math.log(ended + going) + weights[node], node) for node, (ended, going) in beams.items() if ended + going > 0
    ]
    return {node: beams[node] for _, node in nlargest(width, scored)}
