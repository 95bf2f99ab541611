"""How bunched images are that name no document, estimated by their order of arrival.

Images of one document mostly arrive one after the other. So means over blocks of neighbours differ by more than means
of as many independent images do. Only neighbouring blocks are compared (von Neumann 1941), without the two that differ
most, so that one change during the window, or a slow one, is not taken for bunching. Documents that arrive interleaved
are not seen.
"""

from collections.abc import Sequence

import numpy as np

from legible.arrays import Floats
from legible.drift.reference import EDGES, UNKNOWN_CORRELATION
from legible.observations.row import Observation

MAX_UNTOLD = 0.1
"""Where a greater fraction of the images names no document, documents are estimated."""
LENGTHS = (5, 10, 20, 50)
"""The lengths of blocks that are tried."""
MIN_BLOCKS = 10
"""Fewer blocks of a length say nothing."""
MIN_EFFECT = 2.0
"""A smaller design effect may be chance."""


def arrival_block(rows: Sequence[Observation], ranked: Floats, *, correlation: float) -> int:
    """Return how many images a document has, by rows without documents and their ranks (N, signals); 1 for no sign.

    It is the size whose design effect, at this correlation, is the one that neighbouring blocks show.
    """
    order = sorted(range(len(rows)), key=lambda n: (rows[n].channel, rows[n].sender, rows[n].at))
    below = (ranked[order][:, :, None] <= np.asarray(EDGES)).reshape(len(rows), -1).astype(np.float64)
    effect = max((arrival_effect(below, length) for length in LENGTHS), default=1.0)
    if effect < MIN_EFFECT:
        return 1
    return round(1 + (effect - 1) / (correlation or UNKNOWN_CORRELATION))


def arrival_effect(below: Floats, length: int) -> float:
    """Return how many times as much neighbouring blocks differ as blocks of independent images.

    Of the tenth of the columns of below (N, signals * edges) that differ most; 1 for too few blocks.
    """
    blocks = below[: len(below) // length * length].reshape(-1, length, below.shape[1]).mean(axis=1)
    if len(blocks) < MIN_BLOCKS:
        return 1.0
    squares = np.square(np.diff(blocks, axis=0))
    between = (squares.sum(axis=0) - squares.max(axis=0)) / (len(squares) - 1) / 2
    singly = np.maximum(below.var(axis=0), np.finfo(float).tiny)
    return max(float(np.quantile(length * between / singly, 0.9)), 1.0)
