"""CTC decoding: logits of time steps to labels.

Best path (Graves et al. 2006, section 3.2): the likeliest label of each step, repeats joined, blanks dropped.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.charset import BLANK

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """A label and the time steps `start` to `stop`, the end not included, over which it was the likeliest."""

    label: int
    start: int
    stop: int


def best_path(logits: Logits) -> list[Run]:
    """Runs of the likeliest labels without blanks; logits (T, V): steps [1, 1, 0, 1, 2] -> labels [1, 1, 2]."""
    labels = np.argmax(logits, axis=-1)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    stops = np.append(starts[1:], len(labels))
    return [
        Run(int(labels[start]), int(start), int(stop))
        for start, stop in zip(starts, stops, strict=True)
        if labels[start] != BLANK
    ]


def log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    """Log-probabilities of each step's labels, (T, V)."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
