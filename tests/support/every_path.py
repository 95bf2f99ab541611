"""The sum over all paths, which decoders are held against."""

import math
from itertools import groupby, product

import numpy as np

from legible.ctc.decode import log_softmax


def probability_of_each_text(logits: np.ndarray) -> dict[tuple[int, ...], float]:
    """By going through every path there is."""
    shares = np.exp(log_softmax(logits))
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(logits.shape[1]), repeat=len(logits)):
        text = tuple(label for label, _ in groupby(path) if label)
        found[text] = found.get(text, 0.0) + math.prod(shares[step, label] for step, label in enumerate(path))
    return found
