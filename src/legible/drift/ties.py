"""The places of equal values in a rank: drawn for each row by what the row is, not by when it comes.

So one row has the same ranks in a log, in Parquet and in a summary by the hour, in whatever order rows are read.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from legible.arrays import Floats
from legible.observations.row import Observation

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The step of SplitMix64 (Steele, Lea and Flood 2014, section 3)."""
FACTORS = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))
MANTISSA = 53
"""The number of random bits in a float."""


def row_uniforms(observations: Sequence[Observation], signals: int, *, seed: int = 0) -> Floats:
    """Return numbers in [0, 1) for each signal of each row (N, signals), the same for the same row and seed."""
    keys = np.asarray([_key(row, seed) for row in observations], np.uint64)
    steps = np.arange(1, signals + 1, dtype=np.uint64) * GOLDEN
    bits = _mixed(keys[:, None] + steps)
    return np.asarray((bits >> np.uint64(64 - MANTISSA)) * 2.0**-MANTISSA, np.float64)


def _key(row: Observation, seed: int) -> int:
    """Return a digest of a row's id; where it has none, of what it says."""
    name = row.reading_id or repr((row.at, row.channel, row.document, row.length, row.confidence, row.statistics))
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    for shift, factor in FACTORS:
        bits = (bits ^ (bits >> np.uint64(shift))) * factor
    return bits ^ (bits >> np.uint64(31))
